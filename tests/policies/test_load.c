#include <string.h>

#include "policies/policy.h"
#include "tests/testing.h"

#define DAY ((seconds_t)86400)

static struct policies *policies;
static struct buf complaints;
static struct error err;

static void open_set(void)
{
    buf_init(&complaints, BUF_MAX_CONFIG);
    policies = policies_open();
}

static void close_set(void)
{
    policies_free(policies);
    buf_done(&complaints);
}

static int load(const char *file, const char *text)
{
    /* A copy that is gone afterwards: nothing may point into it. */
    AUTO_FREE char *copy = mem_strdup(text);

    return policies_load(policies, file, copy, strlen(copy), &complaints, &err);
}

static void load_fine(const char *text)
{
    ck_ok(load("own.yaml", text));
    ck_ok(policies_finish(policies, &complaints, &err));
    ck_assert_str_eq(buf_text(&complaints), "");
}

/* Loads one file and compares all lines of complaint. */
static void load_wrong(const char *text, const char *lines)
{
    open_set();
    int rc = load("own.yaml", text);
    int end = policies_finish(policies, &complaints, &err);

    ck_assert_str_eq(buf_text(&complaints), lines);
    ck_assert_msg(rc == E_CONFIG || end == E_CONFIG, "%d %d", rc, end);
    close_set();
}

START_TEST(shipped_ones_are_there)
{
    static const char *const names[] = {"default", "internal", "public-web", "short-lived"};

    open_set();
    ck_assert_uint_eq(policies_count(policies), COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct policy *policy = policies_get(policies, names[i]);

        ck_assert_ptr_nonnull(policy);
        ck_assert_ptr_eq(policies_at(policies, i), policy);
        ck_assert_str_eq(policy->source, "built in");
        ck_assert(policy->system_anchors);
        ck_assert_ptr_null(policy->preferred_root);
        ck_assert_uint_gt(policy->retry_count, 0);
        ck_assert_uint_eq(policy->ladder_count, 6);
        ck_assert_int_eq(policy->verify_handshakes, 3);
        ck_assert(!policy->take_keys);
        for (int gate = 0; gate < GATE_COUNT; gate++)
            ck_assert_int_eq(policy->gates[gate], SEVERITY_REFUSE);
    }
    ck_assert_ptr_null(policies_at(policies, COUNT_OF(names)));
    ck_assert_ptr_null(policies_get(policies, "other"));
    close_set();
}
END_TEST

START_TEST(default_is_fit_for_manual_work)
{
    open_set();
    const struct policy *policy = policies_get(policies, "default");
    static const double parts[] = {0.5, 0.25, 0.125, 0.05, 0, 0};

    ck_assert_int_eq(policy->key_type, KEY_EC_P256);
    ck_assert_int_eq(policy_lead(policy, 99 * DAY), 33 * DAY);
    ck_assert_int_eq(policy_lead(policy, 398 * DAY), 60 * DAY);
    ck_assert_int_eq(policy_lead(policy, 47 * DAY), 21 * DAY);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        ck_assert_double_eq(policy->ladder_fraction[i], parts[i]);
    ck_assert_int_eq(policy->ladder_absolute[4], DAY);
    ck_assert_int_eq(policy_retry(policy, 3), 6000);
    ck_assert_int_eq(policy->chain_wait, 600);
    ck_assert_int_eq(policy->remind_every, 3 * DAY);
    ck_assert_int_eq(policy->keep_retired_keys, 30 * DAY);
    ck_assert_int_eq(policy->verify_patience, 15);
    const struct policy *quick = policies_get(policies, "short-lived");
    ck_assert_int_eq(policy_lead(quick, 600), 198);
    ck_assert_int_eq(policy_retry(quick, 1), 10);
    ck_assert_int_eq(quick->chain_wait, 60);
    close_set();
}
END_TEST

START_TEST(every_field_is_read)
{
    open_set();
    load_fine("policies:\n"
              "  full:\n"
              "    key: rsa-3072\n"
              "    subject: {organization: Ex & Co, country: DE, state: BY, locality: Hof}\n"
              "    lead: {fraction: 25%, never-more-than: 40%, at-least: 1d, at-most: 9d}\n"
              "    retry: [5s, 1m]\n"
              "    chain-wait: 2m\n"
              "    aia: on\n"
              "    remind-every: 0s\n"
              "    ladder: [50%, 1h]\n"
              "    gates: {names: warn, validity: ignore, no-downgrade: refuse,\n"
              "            not-self-signed: warn, issuer: warn, usage: warn, strength: ignore}\n"
              "    issuers: [\"Example Issuing CA\"]\n"
              "    anchors: {system: false, files: [/etc/ssl/own-root.pem],\n"
              "              preferred: Root R46}\n"
              "    recipients: [a@example.com, b@example.com]\n"
              "    delivered-keys: take\n"
              "    keep-retired-keys: 0s\n"
              "    verify: {handshakes: 5, patience: 3s}\n");
    const struct policy *policy = policies_get(policies, "full");
    ck_assert_str_eq(policy->source, "own.yaml");
    ck_assert_int_eq(policy->key_type, KEY_RSA_3072);
    ck_assert_str_eq(policy->organization, "Ex & Co");
    ck_assert_str_eq(policy->country, "DE");
    ck_assert_str_eq(policy->state, "BY");
    ck_assert_str_eq(policy->locality, "Hof");
    ck_assert_double_eq(policy->lead.fraction, 0.25);
    ck_assert_double_eq(policy->lead.most_fraction, 0.4);
    ck_assert_int_eq(policy->lead.least, DAY);
    ck_assert_int_eq(policy->lead.most, 9 * DAY);
    ck_assert_uint_eq(policy->retry_count, 2);
    ck_assert_int_eq(policy->retry[1], 60);
    ck_assert_int_eq(policy->chain_wait, 120);
    ck_assert(policy->aia);
    ck_assert_int_eq(policy->remind_every, 0);
    ck_assert_uint_eq(policy->ladder_count, 2);
    ck_assert_int_eq(policy->ladder_absolute[1], 3600);
    ck_assert_int_eq(policy->gates[GATE_NAMES], SEVERITY_WARN);
    ck_assert_int_eq(policy->gates[GATE_VALIDITY], SEVERITY_IGNORE);
    ck_assert_int_eq(policy->gates[GATE_NO_DOWNGRADE], SEVERITY_REFUSE);
    ck_assert_int_eq(policy->gates[GATE_STRENGTH], SEVERITY_IGNORE);
    ck_assert_str_eq(policy->issuers.items[0], "Example Issuing CA");
    ck_assert(!policy->system_anchors);
    ck_assert_str_eq(policy->anchors.items[0], "/etc/ssl/own-root.pem");
    ck_assert_str_eq(policy->preferred_root, "Root R46");
    ck_assert_uint_eq(policy->recipients.count, 2);
    ck_assert_str_eq(policy->recipients.items[1], "b@example.com");
    ck_assert_int_eq(policy->verify_handshakes, 5);
    ck_assert(policy->take_keys);
    ck_assert_int_eq(policy->keep_retired_keys, 0);
    ck_assert_int_eq(policy->verify_patience, 3);
    close_set();
}
END_TEST

START_TEST(fields_come_from_the_base)
{
    open_set();
    ck_ok(load("a.yaml", "policies:\n"
                         "  child: {extends: parent, gates: {names: warn}, lead: {at-most: 30d}}\n"
                         "  quick: {extends: child, lead: 10m}\n"
                         "  slow: {extends: quick, lead: {}}\n"));
    ck_ok(load("b.yaml", "policies:\n"
                         "  parent: {key: ed25519, subject: {country: FR}, gates: {usage: warn},\n"
                         "           recipients: [a@b.c], lead: {fraction: 1/4}}\n"
                         "  default: {recipients: [x@y.z], chain-wait: 1h}\n"
                         "  bare:\n"));
    ck_ok(policies_finish(policies, &complaints, &err));
    const struct policy *child = policies_get(policies, "child");
    ck_assert_int_eq(child->key_type, KEY_ED25519);
    ck_assert_str_eq(child->country, "FR");
    ck_assert_int_eq(child->gates[GATE_NAMES], SEVERITY_WARN);
    ck_assert_int_eq(child->gates[GATE_USAGE], SEVERITY_WARN);
    ck_assert_int_eq(child->gates[GATE_ISSUER], SEVERITY_REFUSE);
    ck_assert_double_eq(child->lead.fraction, 0.25);
    ck_assert_int_eq(child->lead.most, 30 * DAY);
    ck_assert_int_eq(child->lead.least, 21 * DAY);
    ck_assert_int_eq(policy_lead(policies_get(policies, "quick"), DAY), 600);
    ck_assert_int_eq(policy_lead(policies_get(policies, "slow"), 100 * DAY), 25 * DAY);
    /* An own default changes fields of the shipped one, for shipped policies, too. */
    ck_assert_str_eq(child->recipients.items[0], "a@b.c");
    ck_assert_str_eq(policies_get(policies, "internal")->recipients.items[0], "x@y.z");
    ck_assert_str_eq(policies_get(policies, "bare")->recipients.items[0], "x@y.z");
    ck_assert_int_eq(policies_get(policies, "default")->chain_wait, 3600);
    ck_assert_int_eq(policies_get(policies, "default")->remind_every, 3 * DAY);
    ck_assert_int_eq(policies_get(policies, "short-lived")->chain_wait, 60);
    close_set();
}
END_TEST

START_TEST(own_ones_replace_shipped_ones)
{
    open_set();
    load_fine("policies:\n"
              "  short-lived: {chain-wait: 5s}\n"
              "  internal: {extends: internal, anchors: {system: false, files: [/r.pem]}}\n");
    /* Replaced: extends default, not the shipped one of its name. */
    const struct policy *quick = policies_get(policies, "short-lived");
    ck_assert_int_eq(quick->chain_wait, 5);
    ck_assert_int_eq(policy_retry(quick, 1), 60);
    ck_assert_str_eq(quick->source, "own.yaml");
    const struct policy *internal = policies_get(policies, "internal");
    ck_assert(!internal->system_anchors);
    ck_assert_int_eq(internal->chain_wait, 600);
    ck_assert_uint_eq(policies_count(policies), 4);
    close_set();
}
END_TEST

START_TEST(finishing_again_takes_what_came_since)
{
    open_set();
    load_fine("policies: {a: {extends: default, retry: [7s]}}");
    load_fine("policies: {b: {extends: a}}");
    ck_assert_int_eq(policy_retry(policies_get(policies, "b"), 1), 7);
    ck_assert_uint_eq(policies_count(policies), 6);
    close_set();
}
END_TEST

START_TEST(mistakes_of_every_field)
{
    load_wrong("policies:\n"
               "  a:\n"
               "    key: rsa2048\n"
               "    subject: {organizational-unit: IT, country: de, common-name: x}\n"
               "    lead: {fraction: 0.33, at-lest: 1d}\n"
               "    retry: [0s]\n"
               "    ladder: [25%, 50%, x]\n"
               "    gates: {names: refuze, name: warn}\n"
               "    anchors: {files: [own.pem]}\n"
               "    recipients: [\"a@b\\r\\nRCPT TO:<c@d>\", a b@c.d, \"<a@b.c>\", a@b@c]\n"
               "    verify: {handshakes: 0}\n"
               "    extend: default\n"
               "    aia: yes\n"
               "    keep-retired-keys: forever\n",
               "own.yaml:3:10: key: wanted ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096 or "
               "ed25519, got \"rsa2048\": did you mean rsa-2048?\n"
               "own.yaml:4:49: country: wanted two capital letters such as DE, got \"de\"\n"
               "own.yaml:4:36: organizational-unit: wanted no such key: the CA/Browser Forum "
               "forbids it in certificates (BR 7.1.2.7); leave it out\n"
               "own.yaml:4:66: common-name: wanted no such key: the common name is the "
               "certificate's first DNS name\n"
               "own.yaml:5:22: fraction: wanted a part such as 50%, 12.5% or 1/3 (more than 0, up "
               "to 100%), got \"0.33\"\n"
               "own.yaml:6:13: retry: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to "
               "365d), got \"0s\"\n"
               "own.yaml:7:24: ladder: wanted a part of the lead such as 25%, or a time such as "
               "1d, got \"x\"\n"
               "own.yaml:8:20: names: wanted refuse, warn or ignore, got \"refuze\": did you mean "
               "refuse?\n"
               "own.yaml:13:10: aia: wanted off or on, got \"yes\"\n"
               "own.yaml:9:23: files: wanted an absolute path of a PEM file, got \"own.pem\"\n"
               "own.yaml:14:24: keep-retired-keys: wanted a time such as 30s, 15m, 12h, 21d or 2w "
               "(0s to 36500d), got \"forever\"\n"
               "own.yaml:11:26: handshakes: wanted a whole number from 1 to 100, got \"0\"\n"
               "own.yaml:10:18: recipients: wanted a mail address such as ops@example.com, got "
               "\"a@b\\x0d\\x0aRCPT TO:<c@d>\"\n"
               "own.yaml:10:42: recipients: wanted a mail address such as ops@example.com, got "
               "\"a b@c.d\"\n"
               "own.yaml:10:51: recipients: wanted a mail address such as ops@example.com, got "
               "\"<a@b.c>\"\n"
               "own.yaml:10:62: recipients: wanted a mail address such as ops@example.com, got "
               "\"a@b@c\"\n"
               "own.yaml:5:28: at-lest: wanted a known key: did you mean at-least?\n"
               "own.yaml:8:28: name: wanted a known key: did you mean names?\n"
               "own.yaml:12:5: extend: wanted a known key: did you mean extends?\n");
}
END_TEST

START_TEST(mistakes_of_the_whole)
{
    load_wrong("policies: {a: {ladder: [50%, 60%]}}",
               "own.yaml:1:30: ladder: wanted less than the stage before\n");
    load_wrong("policies: {a: {ladder: [50%, 50%]}}",
               "own.yaml:1:30: ladder: wanted less than the stage before\n");
    load_wrong("policies: {a: {ladder: [50%, 1d, 1d]}}",
               "own.yaml:1:34: ladder: wanted less than the stage before\n");
    load_wrong("policies: {a: {lead: [1d]}}",
               "own.yaml:1:22: lead: wanted a time such as 21d, or {fraction, never-more-than, "
               "at-least, at-most}\n");
    load_wrong("policies: {a: {lead: {at-least: 90d}}}",
               "own.yaml:1:22: lead: wanted at-least up to at-most, got 90 d and 60 d\n");
    load_wrong("policies: {a: {anchors: {preferred: [x]}}}",
               "own.yaml:1:37: preferred: wanted text, got a list\n");
    load_wrong("policies: {a: {anchors: {system: false}}}",
               "own.yaml:1:15: a: wanted anchors with system: true or with files, got neither\n");
    /* Told once, not again for every heir. */
    load_wrong("policies: {default: {lead: {at-most: 1d}}, b: {extends: default}}",
               "own.yaml:1:28: lead: wanted at-least up to at-most, got 21 d and 1 d\n");
    load_wrong("policies: {a b: {}}", "own.yaml:1:17: a b: wanted a name of letters, digits, "
                                      "\"-\", \"_\" and \".\"\n");
    load_wrong("policies: {a: x}", "own.yaml:1:15: a: wanted a mapping, got \"x\"\n");
    load_wrong("polices: {}\n", "own.yaml:1:1: polices: wanted a known key: did you mean "
                                "policies?\n");
}
END_TEST

START_TEST(extends_that_lead_nowhere)
{
    load_wrong("policies: {a: {extends: internl}}",
               "own.yaml:1:25: extends: wanted a known name, got \"internl\": did you mean "
               "internal?\n");
    load_wrong("policies: {a: {extends: xyzzy, anchors: {files: []}}}",
               "own.yaml:1:25: extends: wanted a known name, got \"xyzzy\"\n");
    load_wrong("policies: {a: {extends: a}}",
               "own.yaml:1:25: extends: wanted another name, got its own\n");
    load_wrong("policies: {a: {extends: b}, b: {extends: c}, c: {extends: a}, d: {extends: a}}",
               "own.yaml:1:59: extends: wanted no loop, got one: c extends itself through a\n");
    /* Through a shipped one: told where the administrator can change it. */
    load_wrong("policies: {default: {extends: internal}}",
               "own.yaml:1:31: extends: wanted no loop, got one: default extends itself through "
               "internal\n");
}
END_TEST

START_TEST(a_name_is_given_once)
{
    open_set();
    ck_ok(load("a.yaml", "policies: {a: {}}"));
    ck_fails(load("b.yaml", "policies: {a: {}, b: {key: x}}"), E_CONFIG,
             "b.yaml:1:15: a: wanted once, got it again (first: a.yaml:1:15: a)");
    /* A faulty policy is known all the same: no complaint of its own making. */
    ck_ok(load("c.yaml", "policies: {c: {extends: b}}"));
    ck_ok(policies_finish(policies, &complaints, &err));
    close_set();
}
END_TEST

START_TEST(broken_text_is_refused)
{
    open_set();
    ck_fails(load("own.yaml", "policies: ["), E_CONFIG, "own.yaml:");
    ck_ok(policies_finish(policies, &complaints, &err));
    ck_assert_uint_eq(policies_count(policies), 4);
    close_set();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/load");
    TCase *tcase = tcase_create("load");

    tcase_add_test(tcase, shipped_ones_are_there);
    tcase_add_test(tcase, default_is_fit_for_manual_work);
    tcase_add_test(tcase, every_field_is_read);
    tcase_add_test(tcase, fields_come_from_the_base);
    tcase_add_test(tcase, own_ones_replace_shipped_ones);
    tcase_add_test(tcase, finishing_again_takes_what_came_since);
    tcase_add_test(tcase, mistakes_of_every_field);
    tcase_add_test(tcase, mistakes_of_the_whole);
    tcase_add_test(tcase, extends_that_lead_nowhere);
    tcase_add_test(tcase, a_name_is_given_once);
    tcase_add_test(tcase, broken_text_is_refused);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
