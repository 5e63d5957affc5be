/* The CA pool under strangers' hands, and the administrator's anchors. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "store/anchors.h"
#include "store/authorities.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY, BUNDLE = 240 };

static struct scene scene;
static struct error err;
static const struct authority *strange_root, *strange_issuing;

static void open_with(const char *more)
{
    scene_open(&scene, 9 * DAY, more);
    scene_add(&scene);
    scene_run(&scene);
    strange_root =
        authority_make(NULL, &(struct authority_plan){.subject = "Strange Root", .ca = true});
    strange_issuing = authority_make(
        strange_root, &(struct authority_plan){.subject = "Strange Issuing", .ca = true});
}

static void setup(void)
{
    open_with("");
}

static void setup_own_files(void)
{
    open_with("    anchors: {system: false, files: [/etc/ssl/own-root.pem]}\n");
}

static void setup_own_files_everywhere(void)
{
    open_with("    anchors: {system: false, files: [/etc/ssl/own-root.pem]}\n"
              "  default:\n    anchors: {system: false, files: [/etc/ssl/own-root.pem]}\n"
              "  internal:\n    anchors: {system: false}\n"
              "  public-web:\n    anchors: {system: false}\n");
}

static void teardown(void)
{
    scene_done(&scene);
}

static bool is_anchored(const struct authority *authority)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    uint8_t sha256[SHA256_LEN];

    sha256_of(authority_der(authority), sha256);
    return authorities_get(scene.life.inventory, sha256, &row, &err) == 0 &&
           row.anchored_at != UTC_NEVER;
}

static void receipt_has(const char *text)
{
    ck_assert_msg(strstr(scene_receipt(&scene), text), "wanted \"%s\" in:\n%s", text,
                  scene_receipt(&scene));
}

static const struct authority *sign_by(const struct authority *issuer)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);

    return authority_make(issuer, &(struct authority_plan){.csr = blob_span(&csr)});
}

static bool deliver(const struct authority *authority)
{
    return scene_deliver(&scene, "some.cer", authority_der(authority));
}

static int trust_text(const char *pem, bool all, struct life_anchors *ret)
{
    const struct life_trust asked = {
        .file = span_text(pem), .comment = "of the house", .all = all, .actor = "uid 7"};

    return life_trust_add(&scene.life, &asked, ret, &err);
}

static int trust(const struct authority *authority)
{
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};

    return trust_text(authority_pem(authority), false, &anchors);
}

static char *fingerprint(const struct authority *authority)
{
    uint8_t sha256[SHA256_LEN];
    char *hex = mem_alloc(1, 2 * SHA256_LEN + 1);

    sha256_of(authority_der(authority), sha256);
    return text_hex(sha256, SHA256_LEN, hex);
}

static int distrust(const char *text)
{
    struct life_anchor anchor;

    return life_trust_remove(&scene.life, text, "uid 7", &anchor, &err);
}

START_TEST(receipts_say_where_an_authority_leads)
{
    const struct authority *middle =
        authority_make(scene.root, &(struct authority_plan){.subject = "Middle", .ca = true});
    const struct authority *lower =
        authority_make(middle, &(struct authority_plan){.subject = "Lower", .ca = true});
    const struct authority *ended =
        authority_make(scene.root, &(struct authority_plan){.subject = "Ended",
                                                            .ca = true,
                                                            .not_before = scene.now - 9 * DAY,
                                                            .not_after = scene.now - DAY});

    deliver(lower);
    receipt_has("Its own issuer CN=Middle is not known here: put that certificate");
    ck_assert(!is_anchored(lower));
    deliver(middle);
    receipt_has("It leads to the trusted root CN=Example Root.");
    ck_assert(is_anchored(middle) && is_anchored(lower));
    deliver(lower);
    receipt_has("Known already: nothing to do.\n   It leads to the trusted root CN=Example Root.");
    deliver(scene.root);
    receipt_has("valid until 2036-11-19 12:00:00 UTC:\n"
                "   It is a trust anchor already: nothing to do.\n");
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "not trusted"));
    deliver(strange_issuing);
    receipt_has("Its own issuer CN=Strange Root is not known here");
    deliver(strange_root);
    receipt_has("It is a root that is not trusted here: if it is yours, an administrator can run "
                "\"unlapse trust add\"");
    deliver(strange_issuing);
    receipt_has("Its own issuer CN=Strange Root is known, but does not lead to a trusted root");
    deliver(ended);
    receipt_has("It does not lead to a trusted root: \"CN=Ended\": validity: wanted");
    ck_assert(!is_anchored(ended));
}
END_TEST

/* In one file, whatever stands first. */
START_TEST(a_bundle_is_proved_whole)
{
    const struct authority *middle =
        authority_make(scene.root, &(struct authority_plan){.subject = "Middle", .ca = true});
    const struct authority *lower =
        authority_make(middle, &(struct authority_plan){.subject = "Lower", .ca = true});
    AUTO_FREE char *bundle = mem_printf("%s%s", authority_pem(lower), authority_pem(middle));

    ck_assert(scene_deliver(&scene, "ca-bundle", span_text(bundle)));
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "not known here"));
    ck_assert(is_anchored(lower));
}
END_TEST

/* Whose certificate says that it is no authority cannot lend its place to one. */
START_TEST(a_leaf_anchors_nothing)
{
    const struct authority *leaf = authority_make(
        scene.issuing, &(struct authority_plan){.subject = "L", .names = "DNS:l.example.com"});
    const struct authority *made =
        authority_make(leaf, &(struct authority_plan){.subject = "Made by a leaf", .ca = true});
    const struct authority *copy = authority_make(
        NULL, &(struct authority_plan){
                  .subject = "Example Issuing", .ca = true, .key_id_of = scene.issuing});

    deliver(leaf);
    deliver(made);
    deliver(copy);
    ck_assert(!is_anchored(made) && !is_anchored(copy));
    ck_assert(is_anchored(scene.issuing)); /* adopted with the installed pair */
}
END_TEST

/* Strangers' authorities with the name, key id and kind of key of the real one, which live longer,
 * as many as `count` more; in files of many. */
static void flood(const struct authority *real, const char *name, size_t count)
{
    for (size_t made = 0; made < count; made += BUNDLE) {
        AUTO_BUF struct buf bundle;

        buf_init(&bundle, BUF_MAX_PEM);
        for (size_t i = 0; i < BUNDLE; i++)
            buf_add_text(
                &bundle,
                authority_pem(authority_make(
                    NULL, &(struct authority_plan){.subject = name,
                                                   .ca = true,
                                                   .key_id_of = real,
                                                   .not_after = scene.now + 9000 * (utc_t)DAY})));
        scene_deliver(&scene, "strangers.pem", span_text(buf_text(&bundle)));
        scene.now++;
    }
}

START_TEST(copies_of_a_name_hide_nothing)
{
    const struct authority *real =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf = sign_by(real);
    int64_t count = 0;

    deliver(real);
    flood(real, "New Issuing", 2 * BUNDLE);
    flood(scene.issuing, "Example Issuing", 9 * BUNDLE);
    ck_ok(authorities_count(scene.life.inventory, &count, &err));
    ck_assert_int_le(count, 2 * STRANGERS_OF_NAME_MAX + 4);
    ck_assert(is_anchored(real));
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    receipt_has("Accepted for the certificate www");
    /* And it does not depend on what came first. */
    ck_assert_msg(is_anchored(scene.issuing), "the adopted one is gone");
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* The real one comes after them all, alone, to a leaf that waits. */
START_TEST(the_real_one_may_come_last)
{
    const struct authority *real =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf = sign_by(real);

    ck_assert(deliver(leaf));
    flood(real, "New Issuing", 2 * BUNDLE);
    ck_assert(deliver(real));
    receipt_has("completed the certificate www");
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(a_trusted_root_completes_what_waits)
{
    const struct authority *leaf = sign_by(strange_issuing);

    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    deliver(strange_issuing);
    deliver(strange_root);
    receipt_has("\"unlapse trust add FILE\"");
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
    ck_assert(!is_anchored(strange_issuing));

    ck_ok(trust(strange_root));
    ck_assert_int_eq(1, scene_events(&scene, "trust-added"));
    ck_assert(is_anchored(strange_issuing));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));

    /* What is installed stays; the next one is judged without it. */
    AUTO_FREE char *hex = fingerprint(strange_root);
    ck_ok(distrust(hex));
    ck_assert_int_eq(1, scene_events(&scene, "trust-removed"));
    ck_assert(!is_anchored(strange_issuing));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    scene_later(&scene, 81 * DAY);
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *next = authority_make(
        strange_issuing, &(struct authority_plan){.csr = blob_span(&csr),
                                                  .not_before = scene.now - DAY,
                                                  .not_after = scene.now + 90 * DAY});
    ck_assert(!deliver(next));
    receipt_has("not trusted: \"CN=Strange Root\"");
}
END_TEST

/* One that another anchor vouches for as well stays anchored. */
START_TEST(removal_takes_only_what_it_proved)
{
    const struct authority *by_root = authority_make(
        scene.root,
        &(struct authority_plan){.subject = "Strange Root", .key_of = strange_root, .ca = true});
    const struct authority *other =
        authority_make(NULL, &(struct authority_plan){.subject = "Third Root", .ca = true});
    const struct authority *third =
        authority_make(other, &(struct authority_plan){.subject = "Third", .ca = true});
    AUTO_FREE char *strange = fingerprint(strange_root);

    ck_ok(trust(strange_root));
    ck_ok(trust(other));
    deliver(third);
    deliver(strange_issuing);
    deliver(by_root);
    ck_assert(is_anchored(third) && is_anchored(strange_issuing) && is_anchored(by_root));
    ck_ok(distrust(strange));
    ck_assert(is_anchored(third) && is_anchored(strange_issuing) && is_anchored(by_root));
    AUTO_FREE char *last = fingerprint(other);
    ck_ok(distrust(last));
    ck_assert(!is_anchored(third));
}
END_TEST

/* A policy that names its own files alone is not widened. */
START_TEST(own_files_are_not_widened)
{
    AUTO_FREE char *bundle =
        mem_printf("%s%s", authority_pem(sign_by(strange_root)), authority_pem(strange_root));
    ck_ok(trust(strange_root));
    ck_assert(!scene_deliver(&scene, "all.pem", span_text(bundle)));
    receipt_has("not trusted: \"CN=Strange Root\"");
}
END_TEST

/* Nor does what it leads to push anything out of the pool: no policy would use it. */
START_TEST(what_no_policy_uses_proves_nothing)
{
    deliver(strange_issuing);
    ck_ok(trust(strange_root));
    ck_assert(!is_anchored(strange_issuing));
    deliver(strange_issuing);
    receipt_has("Its own issuer CN=Strange Root is not known here");
    ck_assert(!is_anchored(strange_issuing));
}
END_TEST

/* Each new root is a new reason for each leaf that waits, and a line on its receipt. */
START_TEST(reasons_to_wait_do_not_fill_mailboxes)
{
    enum { LEAVES = 5, ROOTS = 6 };

    for (int i = 0; i < LEAVES; i++)
        ck_assert(deliver(sign_by(strange_issuing)));
    for (int i = 0; i < ROOTS; i++) {
        AUTO_FREE char *name = mem_printf("Root %d", i);
        const utc_t end = scene.now + (1000 - i) * (utc_t)DAY;
        const struct authority *root = authority_make(
            NULL, &(struct authority_plan){.subject = name, .ca = true, .not_after = end});
        const struct authority *cross =
            authority_make(root, &(struct authority_plan){.subject = "Strange Issuing",
                                                          .key_of = strange_issuing,
                                                          .ca = true,
                                                          .not_after = end});
        AUTO_FREE char *both = mem_printf("%s%s", authority_pem(root), authority_pem(cross));

        ck_assert(scene_deliver(&scene, "both.pem", span_text(both)));
        scene_run(&scene);
    }
    ck_assert_int_eq(scene_events(&scene, "chain-missing"), LEAVES * ROOTS);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 21);
}
END_TEST

static void is_refused(const char *pem, bool all, int code, const char *reason)
{
    struct life_anchors anchors = {0};
    int64_t count = 0;

    ck_fails(trust_text(pem, all, &anchors), code, reason);
    ck_ok(anchors_count(scene.life.inventory, &count, &err));
    ck_assert_int_eq(0, count);
    ck_assert_int_eq(0, scene_events(&scene, "trust-added"));
}

START_TEST(what_is_no_anchor_is_refused)
{
    const struct authority *leaf = sign_by(strange_root);
    AUTO_FREE char *both =
        mem_printf("%s%s", authority_pem(strange_root), authority_pem(strange_issuing));
    AUTO_FREE char *with_leaf =
        mem_printf("%s%s", authority_pem(strange_root), authority_pem(leaf));
    AUTO_FREE char *with_key =
        mem_printf("%s%s", authority_pem(strange_root), authority_key_pem(strange_root));

    is_refused(authority_pem(leaf), true, E_REFUSED, "wanted the certificate of an authority, got");
    is_refused(with_leaf, true, E_REFUSED, "wanted the certificate of an authority, got");
    is_refused(with_key, true, E_REFUSED, "got a private key too");
    is_refused("no certificate", true, E_FORMAT, "trust: ");
    is_refused("", true, E_FORMAT, "wanted a certificate, got an empty");
    is_refused(both, false, E_REFUSED, "got 2: give them one by one");
    is_refused(both, false, E_REFUSED, "\"CN=Strange Root\", \"CN=Strange Issuing\"");
    ck_fails(distrust("xyz"), E_INPUT, "wanted a SHA-256 fingerprint");
    ck_fails(distrust("abcdef"), E_INPUT, "wanted a SHA-256 fingerprint");
    ck_fails(distrust("abcdef0123456789"), E_NOT_FOUND, "no anchor with this fingerprint");
}
END_TEST

START_TEST(an_anchor_is_what_it_says_and_not_what_a_reader_says)
{
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};
    AUTO_CERT struct cert cert = {0};

    scene.reader_lies = true;
    ck_ok(trust_text(authority_pem(strange_root), false, &anchors));
    ck_ok(cert_parse(authority_der(strange_root), &cert, &err));
    ck_assert_int_eq(cert.not_after, anchors.items[0].not_after);
}
END_TEST

START_TEST(several_at_once_and_again)
{
    AUTO_LIFE_ANCHORS struct life_anchors first = {0};
    AUTO_LIFE_ANCHORS struct life_anchors again = {0};
    AUTO_FREE char *both =
        mem_printf("%s%s", authority_pem(strange_root), authority_pem(strange_issuing));

    ck_ok(trust_text(both, true, &first));
    ck_assert_uint_eq(2, first.count);
    ck_assert_str_eq("CN=Strange Root", first.items[0].subject);
    ck_assert(!first.items[0].existing && !first.items[1].existing);
    ck_assert_uint_eq(0, first.items[0].notes.count);
    ck_assert_uint_eq(1, first.items[1].notes.count);
    ck_assert_ptr_nonnull(strstr(first.items[1].notes.items[0], "it is an intermediate"));
    ck_ok(trust_text(both, true, &again));
    ck_assert(again.items[0].existing && again.items[1].existing);
    ck_assert_int_eq(2, scene_events(&scene, "trust-added"));
    /* Colons and capitals, as other programs print it; a beginning that is one's alone. */
    AUTO_FREE char *hex = fingerprint(strange_root);
    char printed[16];
    snprintf(printed, sizeof printed, "%c%c:%c%c:%c%c:%c%c", hex[0], hex[1], hex[2], hex[3], hex[4],
             hex[5], hex[6], hex[7]);
    ck_ok(distrust(printed));
    ck_fails(distrust(printed), E_NOT_FOUND, "no anchor");
}
END_TEST

static const struct {
    struct authority_plan plan;
    const char *note;
} notes[] = {
    {{.not_before = AUTHORITY_NOW - 9 * DAY, .not_after = AUTHORITY_NOW - DAY}, "it ended on"},
    {{.not_before = AUTHORITY_NOW + 9 * DAY}, "it begins on"},
    {{.rsa_bits = 1024}, "its key (RSA 1024) is weak"},
};

START_TEST(doubts_are_told)
{
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};
    struct authority_plan plan = notes[_i].plan;

    plan.subject = "Doubtful";
    plan.ca = true;
    ck_ok(trust_text(authority_pem(authority_make(NULL, &plan)), false, &anchors));
    ck_assert_uint_eq(1, anchors.items[0].notes.count);
    ck_assert_msg(strstr(anchors.items[0].notes.items[0], notes[_i].note), "%s",
                  anchors.items[0].notes.items[0]);
}
END_TEST

START_TEST(what_the_system_has_is_told)
{
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};

    ck_ok(trust_text(authority_pem(scene.root), false, &anchors));
    ck_assert_uint_eq(1, anchors.items[0].notes.count);
    ck_assert_str_eq("the system's store holds it already", anchors.items[0].notes.items[0]);
}
END_TEST

START_TEST(anchors_are_bounded)
{
    AUTO_BUF struct buf bundle;
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};
    char name[32];

    buf_init(&bundle, BUF_MAX_PEM);
    for (int i = 0; i < CHAIN_ADDED_MAX; i++) {
        snprintf(name, sizeof name, "Root %d", i);
        buf_add_text(&bundle, authority_pem(authority_make(
                                  NULL, &(struct authority_plan){.subject = name, .ca = true})));
    }
    ck_ok(trust_text(buf_text(&bundle), true, &anchors));
    ck_assert_uint_eq(CHAIN_ADDED_MAX, anchors.count);
    ck_fails(trust(strange_root), E_REFUSED, "at most 256 added anchors");
    /* None of them stands in the way of another chain. */
    ck_assert(scene_deliver_all(&scene, scene_sign(&scene, NULL)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life trust");
    TCase *tcase = tcase_create("trust");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, receipts_say_where_an_authority_leads);
    tcase_add_test(tcase, a_bundle_is_proved_whole);
    tcase_add_test(tcase, a_leaf_anchors_nothing);
    tcase_add_test(tcase, copies_of_a_name_hide_nothing);
    tcase_add_test(tcase, the_real_one_may_come_last);
    tcase_add_test(tcase, a_trusted_root_completes_what_waits);
    tcase_add_test(tcase, reasons_to_wait_do_not_fill_mailboxes);
    tcase_add_test(tcase, removal_takes_only_what_it_proved);
    tcase_add_test(tcase, what_is_no_anchor_is_refused);
    tcase_add_test(tcase, an_anchor_is_what_it_says_and_not_what_a_reader_says);
    tcase_add_test(tcase, several_at_once_and_again);
    tcase_add_loop_test(tcase, doubts_are_told, 0, COUNT_OF(notes));
    tcase_add_test(tcase, what_the_system_has_is_told);
    tcase_add_test(tcase, anchors_are_bounded);
    suite_add_tcase(suite, tcase);
    TCase *own = tcase_create("own files");
    tcase_add_checked_fixture(own, setup_own_files, teardown);
    tcase_add_test(own, own_files_are_not_widened);
    suite_add_tcase(suite, own);
    TCase *own_alone = tcase_create("own files alone");
    tcase_add_checked_fixture(own_alone, setup_own_files_everywhere, teardown);
    tcase_add_test(own_alone, what_no_policy_uses_proves_nothing);
    suite_add_tcase(suite, own_alone);
    return testing_run(suite);
}
