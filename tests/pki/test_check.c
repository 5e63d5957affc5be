#include "pki/check.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

#define DAYS(count) (AUTHORITY_NOW + (int64_t)(count)*AUTHORITY_DAY)

static struct error err;
static const struct authority *root, *issuing, *leaf;
static struct anchors *anchors;

static struct anchors *trust(const struct authority *authority)
{
    AUTO_FREE char *path = testing_path("anchor.pem");
    struct anchors *trusted = NULL;

    ck_ok(file_replace(path, span_text(authority_pem(authority)), FILE_PUBLIC, &err));
    ck_ok(anchors_open((const char *const[]){path}, 1, false, &trusted, &err));
    return trusted;
}

static void setup(void)
{
    root = authority_make(NULL, &(struct authority_plan){.subject = "Root", .ca = true});
    issuing = authority_make(root, &(struct authority_plan){.subject = "Issuing", .ca = true});
    leaf = authority_make(
        issuing, &(struct authority_plan){.subject = "www", .names = "DNS:www.example.com"});
    anchors = trust(root);
}

static void teardown(void)
{
    anchors_free(anchors);
    authority_done();
}

/* The codes of a severity, in the order told: "expired(0) order". */
static char *codes(const struct check_report *report, enum check_severity severity)
{
    AUTO_BUF struct buf out;

    buf_init(&out, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct check_finding *finding = &report->findings[i];

        if (finding->severity != severity)
            continue;
        buf_printf(&out, "%s%s", out.len > 0 ? " " : "", finding->code);
        if (finding->place != CHECK_NO_PLACE)
            buf_printf(&out, "(%d)", finding->place);
    }
    return mem_strdup(buf_text(&out));
}

static void check_certs(const struct check_request *request, size_t count,
                        const struct authority *const certs[], struct check_report *ret)
{
    AUTO_BLOBS struct blobs sent = {0};
    struct check_request filled = *request;

    for (size_t i = 0; i < count; i++)
        blobs_add(&sent, authority_der(certs[i]));
    filled.sent = &sent;
    if (!filled.anchors)
        filled.anchors = anchors;
    if (!filled.at)
        filled.at = AUTHORITY_NOW;
    if (!filled.purpose)
        filled.purpose = CHAIN_SERVER;
    ck_ok(check_run(&filled, ret, &err));
}

/* Runs and compares all bad ones and all warnings. */
#define CHECK_IS(bad_, warned_, request, ...)                                            \
    do {                                                                                 \
        const struct authority *const certs_[] = {__VA_ARGS__};                          \
        AUTO_CHECK struct check_report report_ = {0};                                    \
        check_certs(&(struct check_request)request, COUNT_OF(certs_), certs_, &report_); \
        AUTO_FREE char *bad_codes = codes(&report_, CHECK_BAD);                          \
        AUTO_FREE char *warned_codes = codes(&report_, CHECK_WARNING);                   \
        ck_assert_str_eq(bad_codes, (bad_));                                             \
        ck_assert_str_eq(warned_codes, (warned_));                                       \
        ck_assert_int_eq(check_is_good(&report_), (bad_)[0] == '\0');                    \
    } while (0)

#define P(...)      \
    {               \
        __VA_ARGS__ \
    }

static const struct check_finding *finding_of(const struct check_report *report, const char *code)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (strcmp(report->findings[i].code, code) == 0)
            return &report->findings[i];
    ck_abort_msg("no finding %s", code);
    return NULL;
}

START_TEST(test_good)
{
    AUTO_CHECK struct check_report report = {0};

    CHECK_IS("", "", P(.live = true), leaf, issuing);
    check_certs(&(struct check_request){0}, 2, (const struct authority *const[]){leaf, issuing},
                &report);
    ck_assert(report.complete);
    ck_assert_uint_eq(3, report.link_count);
    ck_assert_str_eq("CN=www", report.links[0].cert.subject);
    ck_assert_str_eq("CN=Root", report.links[2].cert.subject);
    ck_assert_int_eq(CHECK_SENT, report.links[1].source);
    ck_assert_int_eq(CHECK_ANCHOR, report.links[2].source);
    ck_assert(report.links[2].trusted && !report.links[1].trusted);
    ck_assert_str_eq("EC P-256", report.links[1].cert.key_text);
}
END_TEST

START_TEST(test_order_and_surplus)
{
    const struct authority *other =
        authority_make(root, &(struct authority_plan){.subject = "Other", .ca = true});
    const struct authority *middle =
        authority_make(root, &(struct authority_plan){.subject = "Middle", .ca = true});
    const struct authority *low =
        authority_make(middle, &(struct authority_plan){.subject = "Low", .ca = true});
    const struct authority *deep = authority_make(
        low, &(struct authority_plan){.subject = "deep", .names = "DNS:www.example.com"});

    CHECK_IS("order(0)", "", P(0), issuing, leaf);
    CHECK_IS("", "order(2)", P(.live = true), deep, middle, low);
    CHECK_IS("", "duplicate", P(.live = true), leaf, issuing, issuing);
    CHECK_IS("", "unrelated-certificate", P(.live = true), leaf, issuing, other);
    CHECK_IS("", "", P(.live = true), leaf, issuing, root);
    AUTO_CHECK struct check_report report = {0};
    check_certs(&(struct check_request){.live = true}, 3,
                (const struct authority *const[]){leaf, issuing, root}, &report);
    ck_assert_int_eq(CHECK_INFO, finding_of(&report, "root-sent")->severity);
}
END_TEST

START_TEST(test_incomplete)
{
    AUTO_BLOBS struct blobs hints = {0};
    AUTO_CHECK struct check_report report = {0};

    CHECK_IS("chain-incomplete(0)", "", P(.live = true), leaf);
    CHECK_IS("chain-incomplete(0)", "", P(0), leaf);
    check_certs(&(struct check_request){0}, 1, &leaf, &report);
    ck_assert_ptr_nonnull(
        strstr(finding_of(&report, "chain-incomplete")->text, "missing: \"CN=Issuing\""));
    ck_assert(!report.complete);
    /* A server has to send it; beside a file it may lie in another. */
    blobs_add(&hints, authority_der(issuing));
    CHECK_IS("chain-incomplete(1)", "", P(.live = true, .untrusted = &hints), leaf);
    CHECK_IS("", "", P(.untrusted = &hints), leaf);
}
END_TEST

START_TEST(test_roots)
{
    const struct authority *own = authority_make(
        NULL, &(struct authority_plan){.subject = "own", .names = "DNS:www.example.com"});
    const struct authority *own_ca = authority_make(
        NULL, &(struct authority_plan){
                  .subject = "own", .names = "DNS:www.example.com", .basic = "CA:TRUE"});
    const struct authority *foreign =
        authority_make(NULL, &(struct authority_plan){.subject = "Foreign", .ca = true});
    const struct authority *of_foreign = authority_make(
        foreign, &(struct authority_plan){.subject = "x", .names = "DNS:www.example.com"});
    struct anchors *trusts_own = trust(own), *trusts_own_ca = trust(own_ca);

    CHECK_IS("self-signed(0)", "", P(0), own);
    CHECK_IS("untrusted-root(1)", "", P(0), of_foreign, foreign);
    CHECK_IS("chain-incomplete(0)", "", P(0), of_foreign);
    /* Trusted by itself; everything else is asked of it as of any other. */
    CHECK_IS("", "", P(.anchors = trusts_own), own);
    CHECK_IS("expired(0)", "", P(.anchors = trusts_own, .at = DAYS(91)), own);
    CHECK_IS("", "ca-as-leaf(0) basic-constraints(0) key-usage(0)", P(.anchors = trusts_own_ca),
             own_ca);
    anchors_free(trusts_own);
    anchors_free(trusts_own_ca);
}
END_TEST

START_TEST(test_names)
{
    AUTO_NAMES struct names good = {0};
    AUTO_NAMES struct names two = {0};
    const struct authority *none =
        authority_make(issuing, &(struct authority_plan){.subject = "www.example.com"});
    const struct authority *wide = authority_make(
        issuing, &(struct authority_plan){.subject = "w", .names = "DNS:*.com,IP:192.0.2.1"});

    ck_ok(names_add_tagged(&good, "WWW.example.com.", &err));
    ck_ok(names_add_tagged(&two, "192.0.2.1", &err));
    ck_ok(names_add_tagged(&two, "a.b.com", &err));
    CHECK_IS("", "", P(.hosts = &good), leaf, issuing);
    CHECK_IS("host-mismatch(0) host-mismatch(0)", "", P(.hosts = &two), leaf, issuing);
    /* The common name is no name of a host. */
    CHECK_IS("host-mismatch(0)", "no-names(0)", P(.hosts = &good), none, issuing);
    /* One label for the wildcard, and an address byte for byte. */
    CHECK_IS("host-mismatch(0)", "wide-wildcard(0)", P(.hosts = &two), wide, issuing);
}
END_TEST

START_TEST(test_dates)
{
    const struct authority *short_ca = authority_make(
        root, &(struct authority_plan){.subject = "Short", .ca = true, .not_after = DAYS(60)});
    const struct authority *of_short = authority_make(
        short_ca, &(struct authority_plan){.subject = "x", .names = "DNS:www.example.com"});
    const struct authority *long_one = authority_make(
        issuing, &(struct authority_plan){
                     .subject = "x", .names = "DNS:www.example.com", .not_after = DAYS(300)});

    CHECK_IS("", "", P(.at = DAYS(60)), leaf, issuing);
    CHECK_IS("", "expires-soon(0)", P(.at = DAYS(61)), leaf, issuing);
    CHECK_IS("", "expires-soon(0)", P(.at = DAYS(90)), leaf, issuing);
    CHECK_IS("expired(0)", "", P(.at = DAYS(90) + 1), leaf, issuing);
    CHECK_IS("not-yet-valid(0) not-yet-valid(1) not-yet-valid(2)", "", P(.at = DAYS(-2)), leaf,
             issuing);
    CHECK_IS("", "chain-ends-first(1)", P(0), of_short, short_ca);
    CHECK_IS("expired(1)", "expires-soon(0)", P(.at = DAYS(60) + 1), of_short, short_ca);
    CHECK_IS("", "", P(0), long_one, issuing);
    CHECK_IS("", "lifetime-over-limit(0)", P(.public_roots = true), long_one, issuing);
}
END_TEST

/* Everything at once, not the first alone. */
START_TEST(test_all_at_once)
{
    AUTO_NAMES struct names host = {0};
    const struct authority *weak_ca =
        authority_make(root, &(struct authority_plan){.subject = "Weak",
                                                      .ca = true,
                                                      .rsa_bits = 1024,
                                                      .extended_key = "clientAuth",
                                                      .not_after = DAYS(-1),
                                                      .not_before = DAYS(-9)});
    const struct authority *bad =
        authority_make(weak_ca, &(struct authority_plan){.subject = "bad",
                                                         .names = "DNS:www.example.com",
                                                         .not_before = DAYS(-9),
                                                         .not_after = DAYS(-2),
                                                         .extended_key = "clientAuth"});

    ck_ok(names_add_tagged(&host, "other.example.com", &err));
    CHECK_IS("expired(0) eku(0) expired(1) eku(1) weak-key(1) host-mismatch(0)", "",
             P(.hosts = &host), bad, weak_ca);
}
END_TEST

START_TEST(test_purpose)
{
    const struct authority *client = authority_make(
        issuing, &(struct authority_plan){
                     .subject = "c", .names = "email:a@example.com", .extended_key = "clientAuth"});

    CHECK_IS("eku(0)", "", P(0), client, issuing);
    CHECK_IS("", "", P(.purpose = CHAIN_CLIENT), client, issuing);
    CHECK_IS("", "", P(.purpose = CHAIN_ANY), client, issuing);
    CHECK_IS("eku(0)", "", P(.purpose = CHAIN_CLIENT), leaf, issuing);
    CHECK_IS("ca-as-leaf(0)", "no-names(0)", P(0), issuing);
    CHECK_IS("", "", P(.purpose = CHAIN_ANY), issuing);
}
END_TEST

START_TEST(test_hostile)
{
    AUTO_CHECK struct check_report report = {0};
    AUTO_BLOBS struct blobs sent = {0};
    const struct authority *odd =
        authority_make(issuing, &(struct authority_plan){.subject = "\x1b[31mred\n\xe2\x80\xae",
                                                         .names = "DNS:www.example.com"});

    ck_fails(check_run(&(struct check_request){.sent = &sent, .anchors = anchors}, &report, &err),
             E_INPUT, "at least one");
    for (int i = 0; i <= CHECK_CERTS_MAX; i++)
        blobs_add(&sent, span_text("x"));
    ck_fails(check_run(&(struct check_request){.sent = &sent, .anchors = anchors}, &report, &err),
             E_TOO_LARGE, "at most 256");
    blobs_done(&sent);
    blobs_add(&sent, span_text("no certificate"));
    ck_ok(check_run(&(struct check_request){.sent = &sent, .anchors = anchors}, &report, &err));
    ck_assert_str_eq("malformed", report.findings[0].code);
    ck_assert(!check_is_good(&report) && report.link_count == 0);
    check_report_done(&report);
    check_certs(&(struct check_request){0}, 1, &odd, &report);
    for (size_t i = 0; i < report.finding_count; i++)
        ck_assert(text_is_header_safe(report.findings[i].text, strlen(report.findings[i].text)));
    ck_assert(
        text_is_header_safe(report.links[0].cert.subject, strlen(report.links[0].cert.subject)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/check");
    TCase *tcase = tcase_create("check");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_order_and_surplus);
    tcase_add_test(tcase, test_incomplete);
    tcase_add_test(tcase, test_roots);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_dates);
    tcase_add_test(tcase, test_all_at_once);
    tcase_add_test(tcase, test_purpose);
    tcase_add_test(tcase, test_hostile);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
