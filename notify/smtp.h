/*
 * Delivery of one mail to one recipient over SMTP (RFC 5321) by libcurl: one transaction a
 * recipient, so that each result is known. libcurl 7.88 passes CR and LF in an address on to the
 * server: addresses are checked here again.
 */
#ifndef UL_NOTIFY_SMTP_H
#define UL_NOTIFY_SMTP_H

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

enum smtp_tls { SMTP_TLS_REQUIRED, SMTP_TLS_OPPORTUNISTIC, SMTP_TLS_NONE, SMTP_TLS_IMPLICIT };

struct smtp_settings {
    char *host;          /* NULL: mail is switched off */
    int port;            /* 25, 587, 465 */
    enum smtp_tls tls;   /* credentials are never sent without TLS */
    char *ca_file;       /* NULL: the system's store */
    char *user;          /* NULL: no AUTH */
    char *password_file; /* read at use; trailing newline removed */
    char *from;          /* envelope sender and From: */
    int timeout;         /* seconds for the whole transaction; 0: 60 */
};
void smtp_settings_done(struct smtp_settings *settings);

/*
 * Sends a complete message (headers and body, CRLF). Returns 0 when the server took it; E_NETWORK
 * or E_TIMEOUT to try again; E_REFUSED when it was refused for good (5xx to the recipient or the
 * message); E_CONFIG for credentials or a certificate that will not do; E_INPUT for an address we
 * refuse or a message with a bare CR or LF. err tells what the server said, escaped. With
 * SMTP_TLS_OPPORTUNISTIC the server's certificate is checked only when there is something to
 * protect or to check it with: a user or a ca_file (RFC 7435; whoever can forge it can as well
 * strip STARTTLS). Any thread; blocks for up to `timeout`, and once more while it says
 * goodbye.
 */
int smtp_send(const struct smtp_settings *settings, const char *recipient, struct span message,
              struct error *err);

#endif
