#include "pki/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "pki/check_parts.h"
#include "pki/lint.h"

/* A stranger's certificates must not fill the memory with complaints. */
enum { FINDINGS_MAX = 512 };

const char *check_severity_text(enum check_severity severity)
{
    switch (severity) {
#define X(name, text) \
    case name:        \
        return text;
        CHECK_SEVERITY_TABLE(X)
#undef X
    }
    return "unknown";
}

void check_report_done(struct check_report *report)
{
    for (size_t i = 0; i < report->link_count; i++) {
        cert_done(&report->links[i].cert);
        free(report->links[i].ca_issuers);
    }
    for (size_t i = 0; i < report->finding_count; i++) {
        free(report->findings[i].text);
        free(report->findings[i].action);
    }
    free(report->links);
    free(report->findings);
    *report = (struct check_report){0};
}

static bool is_known(const struct check_report *report, const char *code, int place,
                     const char *text)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (report->findings[i].place == place && strcmp(report->findings[i].code, code) == 0 &&
            strcmp(report->findings[i].text, text) == 0)
            return true;
    return false;
}

void check_add(struct check_report *report, enum check_severity severity, const char *code,
               int place, const char *action, const char *format, ...)
{
    char raw[ERROR_TEXT_MAX], text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(raw, text, sizeof text);
    if (report->finding_count == FINDINGS_MAX || is_known(report, code, place, text))
        return;
    report->findings =
        mem_resize(report->findings, report->finding_count + 1, sizeof *report->findings);
    struct check_finding *finding = &report->findings[report->finding_count++];
    *finding = (struct check_finding){.severity = severity,
                                      .text = mem_strdup(text),
                                      .action = mem_strdup(action),
                                      .place = place};
    snprintf(finding->code, sizeof finding->code, "%s", code);
}

bool check_is_good(const struct check_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (report->findings[i].severity == CHECK_BAD)
            return false;
    return true;
}

/* What a person does about a broken rule. */
static const char *action_for(const char *code, bool leaf)
{
    static const struct {
        const char *code, *leaf, *above;
    } actions[] = {
        {"expired", "renew it", "get the authority's current certificate, or another chain"},
        {"not-yet-valid", "wait, or set the clock right", "set the clock right"},
        {"eku", "ask for one with the right extended key usage", "ask the authority"},
        {"weak-key", "make a new key: RSA from 2048 bits or EC P-256", "choose another authority"},
        {"weak-signature", "ask for one signed with SHA-256", "choose another chain"},
        {"name-constraints", "choose names the authority may certify", "ask the authority"},
    };

    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i].code, code) == 0)
            return leaf ? actions[i].leaf : actions[i].above;
    return leaf ? "ask the authority for another certificate" : "ask the authority";
}

static void take_rule(void *self, const char *code, size_t place, const char *text)
{
    struct checking *checking = self;

    check_add(checking->report, CHECK_BAD, code, (int)place, action_for(code, place == 0), "%s",
              text);
}

struct linting {
    struct checking *checking;
    size_t place;
};

static void take_lint(void *self, bool hard, const char *code, const char *text)
{
    const struct linting *linting = self;

    check_add(linting->checking->report, hard ? CHECK_BAD : CHECK_WARNING, code,
              (int)linting->place, hard ? action_for(code, linting->place == 0) : "", "%s", text);
}

static void examine_form(struct checking *checking)
{
    for (size_t i = 0; i < checking->path.count; i++) {
        struct linting linting = {checking, i};
        const struct link *link = checking->path.links[i];
        enum lint_role role = link->anchor ? LINT_ANCHOR : i == 0 ? LINT_LEAF : LINT_AUTHORITY;

        lint_examine(link, role, take_lint, &linting);
    }
}

/* Firefox refuses an authority's certificate as a server's; nobody else may count on it. */
static void examine_leaf(struct checking *checking)
{
    const struct link *leaf = checking->path.links[0];

    if (!checking->report->links[0].cert.is_ca || checking->request->purpose == CHAIN_ANY)
        return;
    check_add(checking->report, leaf->anchor ? CHECK_WARNING : CHECK_BAD, "ca-as-leaf", 0,
              "to look at an authority's own certificate, say --purpose any",
              "it is the certificate of an authority (CA:TRUE), not of a server or client");
}

static void examine_end(struct checking *checking)
{
    size_t top = checking->path.count - 1;
    const struct link *link = checking->path.links[top];
    const char *url = checking->report->links[top].ca_issuers;
    char name[CERT_DN_MAX], action[CERT_URL_MAX + 100];

    switch (checking->end) {
    case CHECK_END_ANCHOR:
        return;
    case CHECK_END_UNTRUSTED:
        check_add(checking->report, CHECK_BAD, top == 0 ? "self-signed" : "untrusted-root",
                  (int)top, "if it is yours, name it with --anchor",
                  top == 0 ? "it is signed by its own key, and \"%s\" is no trust anchor"
                           : "the chain ends in a root that is no trust anchor: \"%s\"",
                  link_subject(link, name));
        return;
    case CHECK_END_MISSING:
        snprintf(action, sizeof action, "get it %s%s and put it behind the leaf",
                 url[0] ? "from " : "from the authority", url);
        check_add(checking->report, CHECK_BAD, "chain-incomplete", (int)top, action,
                  "the certificate of its issuer is missing: \"%s\"", link_issuer(link, name));
    }
}

/* What the chain builder refused must not pass because nothing else was found. */
static void examine_why(struct checking *checking)
{
    if (checking->why.code != 0 && check_is_good(checking->report))
        check_add(checking->report, CHECK_BAD, "path", 0, "ask the authority", "%s",
                  checking->why.text);
}

/* A link whose form is refused later still has a name and dates. */
static void read_loosely(const struct link *link, struct cert *ret)
{
    link_subject(link, ret->subject);
    link_issuer(link, ret->issuer);
    memcpy(ret->sha256, link->sha256, SHA256_LEN);
    ret->not_before = link->not_before;
    ret->not_after = link->not_after;
    snprintf(ret->key_text, sizeof ret->key_text, "unknown");
    snprintf(ret->signature_text, sizeof ret->signature_text, "unknown");
}

static void write_links(struct checking *checking)
{
    struct check_report *report = checking->report;

    report->links = mem_alloc(checking->path.count, sizeof *report->links);
    report->complete = checking->end == CHECK_END_ANCHOR;
    for (; report->link_count < checking->path.count; report->link_count++) {
        const struct link *link = checking->path.links[report->link_count];
        struct check_link *out = &report->links[report->link_count];
        AUTO_BLOBS struct blobs der = {0};

        link_add_der(link, &der);
        if (der.count == 0 || cert_parse(blob_span(&der.items[0]), &out->cert, NULL) < 0)
            read_loosely(link, &out->cert);
        out->trusted = link->anchor;
        out->source = check_place_sent(checking, link) != SIZE_MAX ? CHECK_SENT
                      : link->anchor                               ? CHECK_ANCHOR
                                                                   : CHECK_HINT;
        out->ca_issuers =
            mem_strdup(out->cert.issuer_urls.count > 0 ? out->cert.issuer_urls.items[0].text : "");
    }
}

static void take_known(struct checking *checking, const struct blobs *certs, bool sent)
{
    for (size_t i = 0; certs && i < certs->count; i++) {
        struct link link;

        if (link_read(blob_span(&certs->items[i]), &link)) {
            checking->sent_at[checking->known.count] = sent ? i : SIZE_MAX;
            links_take(&checking->known, &link);
        } else if (sent) {
            check_add(checking->report, i == 0 ? CHECK_BAD : CHECK_WARNING, "malformed",
                      CHECK_NO_PLACE, "ask the authority for it again",
                      "certificate %zu cannot be read", i + 1);
        }
    }
}

/* What a server sends first is its own; in a file it is the first that is no authority's. */
static size_t find_leaf(const struct checking *checking)
{
    for (size_t i = 0;
         !checking->request->live && i < checking->known.count && checking->sent_at[i] != SIZE_MAX;
         i++)
        if (!X509_check_ca(checking->known.items[i].x509))
            return i;
    return 0;
}

static void examine(struct checking *checking)
{
    checking->leaf = find_leaf(checking);
    check_find_path(checking);
    write_links(checking);
    path_examine(&checking->path, checking->request->at, checking->request->purpose,
                 &(struct path_teller){checking, take_rule});
    examine_end(checking);
    check_examine_names(checking);
    examine_leaf(checking);
    examine_form(checking);
    check_examine_sent(checking);
    check_examine_dates(checking);
    examine_why(checking);
}

int check_run(const struct check_request *request, struct check_report *ret, struct error *err)
{
    AUTO_CHECK struct check_report report = {0};
    struct checking checking = {.request = request, .report = &report};
    size_t hints = request->untrusted ? request->untrusted->count : 0;
    size_t total = request->sent->count + hints;

    if (request->sent->count == 0)
        return error_set(err, E_INPUT, "check: wanted at least one certificate, got none");
    if (total > CHECK_CERTS_MAX)
        return error_set(err, E_TOO_LARGE, "check: wanted at most %d certificates, got %zu",
                         CHECK_CERTS_MAX, total);
    checking.sent_at = mem_alloc(total, sizeof *checking.sent_at);
    take_known(&checking, request->sent, true);
    size_t sent = checking.known.count;
    take_known(&checking, request->untrusted, false);
    if (sent > 0)
        examine(&checking);
    links_done(&checking.own);
    links_done(&checking.known);
    free(checking.sent_at);
    ERR_clear_error();
    *ret = report;
    report = (struct check_report){0};
    return 0;
}
