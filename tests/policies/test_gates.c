#include "policies/gates.h"

#include <stdio.h>
#include <string.h>

#include "tests/testing.h"

#define DAY ((utc_t)86400)

enum { NOW = 1800000000 };

static struct policy policy;
static struct cert leaf;
static struct names wanted;
static struct gate_input input;
static struct gate_report report;
static struct error err;

/* A leaf that passes everything. */
static void setup(void)
{
    policy = (struct policy){0}; /* every gate refuses */
    leaf = (struct cert){.subject = "CN=www.example.com",
                         .issuer = "CN=Example Issuing CA 1,O=Example",
                         .key_text = "EC P-256",
                         .key_bits = 256,
                         .signature_text = "ecdsa-with-SHA256",
                         .signature_security = 128,
                         .not_before = NOW - DAY,
                         .not_after = NOW + 90 * DAY,
                         .usable_as_server = true};
    wanted = (struct names){0};
    ck_ok(names_add(&wanted, NAME_DNS, "www.example.com", &err));
    ck_ok(names_add(&leaf.names, NAME_DNS, "www.example.com", &err));
    input = (struct gate_input){&policy, &leaf, &wanted, UTC_NEVER, NOW};
}

static void teardown(void)
{
    names_done(&leaf.names);
    names_done(&wanted);
}

static void passes(void)
{
    gates_check(&input, &report);
    ck_assert_msg(report.count == 0 && !report.refused, "%s", report.findings[0].text);
    ck_assert_int_eq(report.hold_until, UTC_NEVER);
}

/* Exactly one finding, at every severity. */
static void fails(enum gate gate, const char *text)
{
    for (int severity = SEVERITY_REFUSE; severity <= SEVERITY_IGNORE; severity++) {
        policy.gates[gate] = (enum severity)severity;
        memset(&report, 0xA5, sizeof report);
        gates_check(&input, &report);
        ck_assert_uint_eq(report.count, severity == SEVERITY_IGNORE ? 0 : 1);
        ck_assert(report.refused == (severity == SEVERITY_REFUSE));
        if (severity == SEVERITY_IGNORE)
            continue;
        ck_assert_int_eq(report.findings[0].gate, gate);
        ck_assert_int_eq(report.findings[0].severity, severity);
        ck_assert_str_eq(report.findings[0].text, text);
    }
    policy.gates[gate] = SEVERITY_REFUSE;
}

START_TEST(a_good_one_passes)
{
    passes();
    input.live_not_after = leaf.not_after;
    passes();
    leaf.not_after = UTC_NEVER;
    passes();
}
END_TEST

START_TEST(names_must_be_covered)
{
    ck_ok(names_add(&wanted, NAME_DNS, "example.com", &err));
    ck_ok(names_add(&wanted, NAME_IP, "192.0.2.1", &err));
    fails(GATE_NAMES, "names: wanted dns:example.com, ip:192.0.2.1, got dns:www.example.com");
    ck_ok(names_add(&leaf.names, NAME_IP, "192.0.2.1", &err));
    ck_ok(names_add(&leaf.names, NAME_DNS, "example.com", &err));
    ck_ok(names_add(&leaf.names, NAME_DNS, "more.example.com", &err));
    passes();
    names_done(&leaf.names);
    ck_ok(names_add(&wanted, NAME_DNS, "b.example.com", &err));
    ck_ok(names_add(&leaf.names, NAME_DNS, "*.example.com", &err));
    fails(GATE_NAMES, "names: wanted dns:example.com, ip:192.0.2.1, got dns:*.example.com");
    names_done(&leaf.names);
    names_done(&wanted);
    ck_ok(names_add(&wanted, NAME_DNS, "example.com", &err));
    fails(GATE_NAMES, "names: wanted dns:example.com, got no names");
}
END_TEST

START_TEST(many_names_stay_one_line)
{
    names_done(&leaf.names);
    for (int i = 0; i < 500; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%d.example.com", i);
        ck_ok(names_add(&wanted, NAME_DNS, name, &err));
        snprintf(name, sizeof name, "m%d.example.com", i);
        ck_ok(names_add(&leaf.names, NAME_DNS, name, &err));
    }
    gates_check(&input, &report);
    const char *text = report.findings[0].text;
    ck_assert_ptr_nonnull(strstr(text, "and 493 more, got dns:m0.example.com"));
    ck_assert_uint_eq(strlen(text), sizeof report.findings[0].text - 1);
    ck_assert_str_eq(text + strlen(text) - 3, "...");
}
END_TEST

START_TEST(it_must_be_valid_now)
{
    /* notAfter is the last valid second. */
    leaf.not_after = NOW;
    passes();
    leaf.not_after = NOW - 1;
    fails(GATE_VALIDITY,
          "validity: wanted a certificate that is valid now, got one that expired on "
          "2027-01-15 07:59:59 UTC");
}
END_TEST

START_TEST(one_that_begins_later_is_held)
{
    leaf.not_before = NOW + 60;
    gates_check(&input, &report);
    ck_assert_uint_eq(report.count, 0);
    ck_assert_int_eq(report.hold_until, NOW + 60);
    leaf.not_before = NOW;
    passes();
    /* A warning does not change that; a refusal does. */
    leaf.not_before = NOW + 60;
    leaf.usable_as_server = false;
    policy.gates[GATE_USAGE] = SEVERITY_WARN;
    gates_check(&input, &report);
    ck_assert_int_eq(report.hold_until, NOW + 60);
    ck_assert(!report.refused);
    policy.gates[GATE_USAGE] = SEVERITY_REFUSE;
    gates_check(&input, &report);
    ck_assert_int_eq(report.hold_until, UTC_NEVER);
    ck_assert(report.refused);
    leaf.usable_as_server = true;
    policy.gates[GATE_VALIDITY] = SEVERITY_IGNORE;
    passes();
}
END_TEST

START_TEST(an_end_before_its_beginning_is_refused)
{
    leaf.not_before = NOW + 2 * DAY;
    leaf.not_after = NOW + DAY;
    fails(GATE_VALIDITY,
          "validity: wanted an end after the beginning, got the beginning 2027-01-17 "
          "08:00:00 UTC");
}
END_TEST

START_TEST(it_must_not_end_earlier)
{
    input.live_not_after = leaf.not_after + 1;
    fails(GATE_NO_DOWNGRADE,
          "no-downgrade: wanted an end not before that of the certificate in service (2027-04-15 "
          "08:00:01 UTC), got 2027-04-15 08:00:00 UTC");
}
END_TEST

START_TEST(an_authority_must_sign_it)
{
    leaf.self_signed = leaf.self_issued = true;
    fails(GATE_NOT_SELF_SIGNED, "not-self-signed: wanted a certificate signed by an authority, got "
                                "one signed by itself: CN=www.example.com");
}
END_TEST

START_TEST(the_issuer_must_be_allowed)
{
    char other[] = "Other CA", example[] = "Issuing CA";

    policy.issuers = (struct text_list){{other, example}, 2};
    passes();
    policy.issuers = (struct text_list){{other, other}, 2};
    fails(GATE_ISSUER,
          "issuer: wanted an issuer with \"Other CA\" or \"Other CA\" in its name, got "
          "CN=Example Issuing CA 1,O=Example");
}
END_TEST

START_TEST(a_server_must_be_able_to_use_it)
{
    leaf.usable_as_server = false;
    fails(GATE_USAGE,
          "usage: wanted a certificate for servers (extended key usage serverAuth), got "
          "one without");
    leaf.is_ca = true;
    fails(GATE_USAGE,
          "usage: wanted a server's certificate, got that of an authority: CN=www.example.com");
}
END_TEST

START_TEST(key_and_signature_must_be_strong)
{
    static const struct {
        const char *key;
        int bits, security;
        const char *text; /* NULL: passes */
    } rows[] = {
        {"RSA 2048", 2048, 128, NULL},
        {"RSA 2047", 2047, 128, "strength: wanted RSA with at least 2048 bits, got 2047"},
        {"EC P-384", 384, 192, NULL},
        {"EC P-224", 224, 128, "strength: wanted a curve of at least 256 bits, got 224"},
        {"Ed25519", 253, 0, NULL},
        {"RSA 4096", 4096, 63,
         "strength: wanted a signature with SHA-256 or better, got ecdsa-with-SHA256"},
        {"EC P-256", 256, 112, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(leaf.key_text, sizeof leaf.key_text, "%s", rows[i].key);
        leaf.key_bits = rows[i].bits;
        leaf.signature_security = rows[i].security;
        if (rows[i].text)
            fails(GATE_STRENGTH, rows[i].text);
        else
            passes();
    }
}
END_TEST

START_TEST(all_findings_come_at_once)
{
    char other[] = "Other CA";

    policy.issuers = (struct text_list){{other}, 1};
    policy.gates[GATE_STRENGTH] = SEVERITY_WARN;
    ck_ok(names_add(&wanted, NAME_DNS, "b.example.com", &err));
    leaf.not_after = NOW - 1;
    leaf.self_signed = true;
    leaf.usable_as_server = false;
    leaf.key_bits = 192;
    input.live_not_after = NOW + DAY;
    input.disclosed_at = NOW - DAY;
    gates_check(&input, &report);
    ck_assert_uint_eq(report.count, GATE_COUNT);
    for (size_t i = 0; i < report.count; i++) {
        const struct gate_finding *finding = &report.findings[i];

        ck_assert_uint_eq(finding->gate, i);
        ck_assert_int_eq(finding->severity,
                         finding->gate == GATE_STRENGTH ? SEVERITY_WARN : SEVERITY_REFUSE);
        ck_assert_msg(
            strncmp(finding->text, gate_text(finding->gate), strlen(gate_text(finding->gate))) == 0,
            "%s", finding->text);
    }
}
END_TEST

/* Who replaced a request wants its successor. */
START_TEST(an_earlier_end_is_told_when_somebody_asked)
{
    input.live_not_after = leaf.not_after + DAY;
    input.asked_by = "uid 0";
    gates_check(&input, &report);
    ck_assert(!report.refused);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_int_eq(report.findings[0].gate, GATE_NO_DOWNGRADE);
    ck_assert_int_eq(report.findings[0].severity, SEVERITY_WARN);
    policy.gates[GATE_NO_DOWNGRADE] = SEVERITY_IGNORE;
    passes();
}
END_TEST

START_TEST(its_key_was_never_disclosed)
{
    input.disclosed_at = NOW - DAY;
    fails(GATE_DISCLOSED, "disclosed-key: wanted a key that nobody else can have, got one that lay "
                          "in the drop folder on 2027-01-14 08:00:00 UTC");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/gates");
    TCase *tcase = tcase_create("gates");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_good_one_passes);
    tcase_add_test(tcase, names_must_be_covered);
    tcase_add_test(tcase, many_names_stay_one_line);
    tcase_add_test(tcase, it_must_be_valid_now);
    tcase_add_test(tcase, one_that_begins_later_is_held);
    tcase_add_test(tcase, an_end_before_its_beginning_is_refused);
    tcase_add_test(tcase, it_must_not_end_earlier);
    tcase_add_test(tcase, an_authority_must_sign_it);
    tcase_add_test(tcase, the_issuer_must_be_allowed);
    tcase_add_test(tcase, a_server_must_be_able_to_use_it);
    tcase_add_test(tcase, key_and_signature_must_be_strong);
    tcase_add_test(tcase, an_earlier_end_is_told_when_somebody_asked);
    tcase_add_test(tcase, its_key_was_never_disclosed);
    tcase_add_test(tcase, all_findings_come_at_once);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
