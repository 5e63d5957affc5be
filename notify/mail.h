/*
 * A notice as a mail: templates filled from the notice's frozen fields, MIME by libcurl, everything
 * foreign sanitised.
 */
#ifndef UL_NOTIFY_MAIL_H
#define UL_NOTIFY_MAIL_H

#include "base/clock.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/mem.h"

/* clang-format off */
#define NOTICE_KIND_TABLE(X) \
    X(NOTICE_CSR_READY,     "csr-ready") \
    X(NOTICE_REMINDER,      "reminder") \
    X(NOTICE_ACCEPTED,      "accepted") \
    X(NOTICE_REJECTED,      "rejected") \
    X(NOTICE_WAITING_CHAIN, "waiting-chain") \
    X(NOTICE_DEPLOYED,      "deployed") \
    X(NOTICE_ROLLED_BACK,   "rolled-back") \
    X(NOTICE_FAILED,        "failed") \
    X(NOTICE_EXPIRES,       "expires") \
    X(NOTICE_EXPIRED,       "expired")
/* clang-format on */

enum notice_kind {
#define X(name, text) name,
    NOTICE_KIND_TABLE(X)
#undef X
        NOTICE_KINDS
};

const char *notice_kind_text(enum notice_kind kind);
bool notice_kind_parse(const char *text, enum notice_kind *ret);

struct mail_envelope {
    const char *from;
    const char *recipient;
    const char *host;       /* of the daemon, for subject and Message-ID */
    const char *message_id; /* local part, unique: "notice-17" */
    const char *thread_id;  /* local part of the thread's root: "renewal-4"; NULL: none */
    utc_t date;
    const char *certificate; /* name, for the X-Unlapsed- headers; NULL: none */
};

/* Something attached, and for a CSR also shown inline by the template's field "csr". */
struct mail_attachment {
    const char *file_name;
    const char *content_type;
    struct span data;
};

/*
 * Renders a whole message with CRLF line ends. Every field of the template must be there (a missing
 * one is E_INPUT: our bug, found by the template test). Addresses or header values with CR, LF or
 * NUL are E_INPUT.
 */
int mail_render(enum notice_kind kind, const struct mail_envelope *envelope,
                const struct fields *fields, const struct mail_attachment *attachments,
                size_t count, struct blob *ret, struct error *err);

/* Only subject and text, for `preview` and tests. Owned by the caller. */
int mail_render_text(enum notice_kind kind, const struct fields *fields, char **ret_subject,
                     char **ret_text, struct error *err);

/* An address of the form local@domain (RFC 5321 4.1.2, no quoted local part), no control
 * characters, no "<>" and no spaces. */
int mail_address_check(const char *address, struct error *err);

#endif
