/*
 * A notice as a mail: a template filled from the notice's frozen fields, written as a MIME message
 * in memory, everything foreign made harmless. Sending it is smtp.h's.
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
    X(NOTICE_UNUSABLE,      "unusable") \
    X(NOTICE_WAITING_CHAIN, "waiting-chain") \
    X(NOTICE_CHAIN_ENDS,    "chain-ends") \
    X(NOTICE_RECHAINED,     "rechained") \
    X(NOTICE_DEPLOYED,      "deployed") \
    X(NOTICE_ROLLED_BACK,   "rolled-back") \
    X(NOTICE_FAILED,        "failed") \
    X(NOTICE_EXPIRES,       "expires") \
    X(NOTICE_EXPIRED,       "expired") \
    X(NOTICE_KEY_DISCLOSED, "key-disclosed") \
    X(NOTICE_DROP_TROUBLE,  "drop-trouble") \
    X(NOTICE_DROP_WELL,     "drop-well") \
    X(NOTICE_BACKUP_TROUBLE, "backup-trouble") \
    X(NOTICE_BACKUP_WELL,   "backup-well") \
    X(NOTICE_DAMAGED,       "inventory-damaged") \
    X(NOTICE_UNREADABLE,    "unreadable")
/* clang-format on */

enum notice_kind {
#define X(name, text) name,
    NOTICE_KIND_TABLE(X)
#undef X
        NOTICE_KINDS
};

const char *notice_kind_text(enum notice_kind kind);
bool notice_kind_parse(const char *text, enum notice_kind *ret);

/*
 * The notice fields: what a template may name, and so what every notice carries, whatever its kind.
 * A value that does not apply is "-", an absent CSR is "". Times are utc_format_plain, lengths of
 * time seconds_format. The plain certificate fields (issuer ... fingerprint) speak of the
 * certificate that arrived in this renewal, the old_ ones of the one in use when the notice was
 * made: in csr-ready, reminder, expires and expired the one that is ending. BLOCK fields may have
 * several lines (LF); all others are one line, and a line break in them is shown as an escape.
 */
/* clang-format off */
#define NOTICE_FIELD_TABLE(X) \
    X("certificate",     "its name in the inventory: www") \
    X("names",           "every name it must hold, by comma and space") \
    X("host",            "how this machine is called in mails") \
    X("policy",          "the policy it follows") \
    X("drop",            "the drop folder as people see it, perhaps a share") \
    X("request_files",   "where NAME.csr and NAME.txt lie") \
    X("reason",          "why: of a rejection, a failure, a rollback; one sentence") \
    X("not_before",      "of the new certificate: start; of a trouble: since when") \
    X("not_after",       "of the new certificate: end") \
    X("issuer",          "of the new certificate") \
    X("serial",          "of the new certificate, hexadecimal") \
    X("fingerprint",     "of the new certificate, SHA-256, hexadecimal") \
    X("old_not_after",   "of the certificate in use: end") \
    X("old_serial",      "of the certificate in use") \
    X("old_fingerprint", "of the certificate in use") \
    X("left",            "time until the certificate in use ends: 21 d 3 h") \
    X("key_type",        "EC P-256") \
    X("target",          "where it is installed: a name, or several by comma and space") \
    X("proof",           "of a deployment: what was seen of it, as the end of a sentence") \
    X("report",          "BLOCK what the handshakes or the tests showed") \
    X("attempts",        "how many tries there were") \
    X("retry_at",        "when the next try is") \
    X("missing",         "what has not arrived: a chain's issuer, the certificate itself") \
    X("file",            "the delivery's file name") \
    X("backup",          "the newest good backup of the inventory, with its path") \
    X("recipients",      "everybody who is told, by comma and space") \
    X("csr",             "BLOCK the request in PEM") \
    X("next",            "what happens next, by whom and when; one sentence") \
    X("commands",        "BLOCK the exact commands to look further")
/* clang-format on */

/* Sets every notice field to "-" (csr: ""): the caller then sets those that apply. */
void notice_fields_init(struct fields *ret);

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
 * Renders a whole message with CRLF line ends and lines of at most 998 octets (RFC 5322 2.1.1).
 * Every field of the template must be there (a missing one is E_INPUT: our bug, found by the
 * template test). Addresses that mail_address_check refuses and header values with CR, LF or
 * another control character are E_INPUT; names of attached files are made safe instead. E_TOO_LARGE
 * past BUF_MAX_MAIL. E_REFUSED when text or attachment holds a private key in PEM: keys never leave
 * by mail.
 */
int mail_render(enum notice_kind kind, const struct mail_envelope *envelope,
                const struct fields *fields, const struct mail_attachment *attachments,
                size_t count, struct blob *ret, struct error *err);

/* Only subject and text (LF line ends), for `preview` and tests. Owned by the caller. */
int mail_render_text(enum notice_kind kind, const struct fields *fields, char **ret_subject,
                     char **ret_text, struct error *err);

/* E_INPUT unless it is local@domain in ASCII (RFC 5321 4.1.2 without quoted local parts and address
 * literals): no control characters, no "<>" and no spaces can be in it. */
int mail_address_check(const char *address, struct error *err);

#endif
