/*
 * What is said before TLS where a protocol begins without it: just enough to be let into the
 * handshake. The server's side is hostile: every read is bounded, and nothing may follow its
 * consent.
 */
#ifndef UL_PKI_STARTTLS_H
#define UL_PKI_STARTTLS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

/* clang-format off */
#define STARTTLS_TABLE(X) \
    X(STARTTLS_SMTP,     "smtp",     25)   /* RFC 3207 */ \
    X(STARTTLS_IMAP,     "imap",     143)  /* RFC 9051 6.2.1 */ \
    X(STARTTLS_POP3,     "pop3",     110)  /* RFC 2595 4 */ \
    X(STARTTLS_FTP,      "ftp",      21)   /* RFC 4217 4 */ \
    X(STARTTLS_LDAP,     "ldap",     389)  /* RFC 4511 4.14 */ \
    X(STARTTLS_POSTGRES, "postgres", 5432) /* its manual, 55.2.10 */ \
    X(STARTTLS_MYSQL,    "mysql",    3306) /* its manual, connection phase */ \
    X(STARTTLS_XMPP,     "xmpp",     5222) /* RFC 6120 5 */ \
    X(STARTTLS_SIEVE,    "sieve",    4190) /* RFC 5804 2.2 */
/* clang-format on */

enum starttls {
    STARTTLS_NONE,
#define X(name, text, port) name,
    STARTTLS_TABLE(X)
#undef X
};

/* False when there is no such protocol. */
bool starttls_find(const char *text, enum starttls *ret);
/* "smtp", ...; "none". */
const char *starttls_text(enum starttls protocol);
/* The port it has by custom; 443 for none. */
int starttls_port(enum starttls protocol);

/* The connection: read gives at least one byte and at most max, or fails, at its end too. */
struct starttls_line {
    void *self;
    int (*read)(void *self, uint8_t *data, size_t max, size_t *ret, struct error *err);
    int (*write)(void *self, struct span data, struct error *err);
};

/*
 * Talks until the server is ready for a handshake. host is who the connection is meant for (XMPP
 * wants to know). E_NETWORK when the server does not offer TLS, refuses, says more than it may, or
 * something else than this protocol; failures of the line as they are.
 */
int starttls_talk(const struct starttls_line *line, enum starttls protocol, const char *host,
                  struct error *err);

#endif
