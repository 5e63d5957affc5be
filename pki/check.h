/*
 * Says everything about a set of certificates at once: whether it is good for a server at a time,
 * for these names, under these anchors, and what a person has to do where it is not. Takes what a
 * file holds or what a server sent; touches neither files nor network.
 */
#ifndef UL_PKI_CHECK_H
#define UL_PKI_CHECK_H

#include "pki/chain.h"

/* clang-format off */
#define CHECK_SEVERITY_TABLE(X) \
    X(CHECK_BAD,     "bad") \
    X(CHECK_WARNING, "warning") \
    X(CHECK_INFO,    "info")
/* clang-format on */

enum check_severity {
#define X(name, text) name,
    CHECK_SEVERITY_TABLE(X)
#undef X
};
const char *check_severity_text(enum check_severity severity);

enum { CHECK_CODE_MAX = 32, CHECK_CERTS_MAX = 256, CHECK_NO_PLACE = -1 };

struct check_finding {
    enum check_severity severity;
    char code[CHECK_CODE_MAX]; /* stable, for scripts; the table is in unlapse(1) */
    char *text;                /* one sentence, printable */
    char *action;              /* what to do; "" when there is nothing to */
    int place;                 /* in links; CHECK_NO_PLACE when it is about none */
};

enum check_source { CHECK_SENT, CHECK_HINT, CHECK_ANCHOR };

/* One certificate of the path, leaf first. */
struct check_link {
    struct cert cert;
    enum check_source source;
    bool trusted;     /* among the anchors */
    char *ca_issuers; /* where its issuer's certificate can be had (RFC 5280 4.2.2.1); "" unknown */
};

struct check_request {
    const struct blobs *sent;      /* DER, in the order found or sent; at least one */
    bool live;                     /* a server sent them; else they are a file */
    const struct blobs *untrusted; /* hints beside it; NULL: none */
    const struct anchors *anchors;
    const struct names *hosts; /* all must be covered; NULL: none */
    utc_t at;
    enum chain_purpose purpose;
    bool public_roots; /* the anchors are the system's: the rules for public authorities count */
};

struct check_report {
    struct check_link *links;
    size_t link_count;
    bool complete; /* links end in an anchor */
    struct check_finding *findings;
    size_t finding_count;
};
void check_report_done(struct check_report *report);
#define AUTO_CHECK __attribute__((cleanup(check_report_done)))

/* E_INPUT when nothing was sent, E_TOO_LARGE past CHECK_CERTS_MAX. What is wrong with the
 * certificates is no failure but a finding. */
int check_run(const struct check_request *request, struct check_report *ret, struct error *err);

/* No finding is bad. */
bool check_is_good(const struct check_report *report);

/* Adds a finding of the caller's own (a redirect, a protocol); the same code at the same place with
 * the same text is added once. */
void check_add(struct check_report *report, enum check_severity severity, const char *code,
               int place, const char *action, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
