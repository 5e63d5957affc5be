/* Leaves that come too early are kept, and looked at again when their key, their request or their
 * anchor appears. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/life/internal.h"
#include "store/quarantine.h"
#include "store/statement.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;

static void open_far(void)
{
    scene_open(&scene, 30 * DAY, "");
}

static void open_asked(void)
{
    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

static bool is_kept(const struct authority *leaf)
{
    AUTO_QUARANTINE struct quarantine_row row = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(authority_der(leaf), hash);
    return quarantine_find(scene.life.inventory, hash, &row, &err) == 0;
}

static const struct authority *for_old_key(utc_t not_after)
{
    return authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                                  .names = "DNS:www.example.com",
                                                                  .key_of = scene.old_leaf,
                                                                  .not_after = not_after});
}

START_TEST(a_leaf_that_came_before_its_key_is_taken_with_it)
{
    const struct authority *leaf = for_old_key(scene.now + 90 * DAY);

    ck_assert(!scene_deliver(&scene, "early.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "belongs to no request made here"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "It is kept"));
    ck_assert(is_kept(leaf));
    scene.now += DAY;
    ck_assert(!scene_deliver(&scene, "again.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Known, still unmatched"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "2026-11-22 12:00:00 UTC\n   (early.cer)"));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(scene.issuing)));
    scene_add(&scene);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(!is_kept(leaf));
    ck_assert_int_eq(scene_mails(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_events(&scene, "looked-again"), 1);
    ck_assert_int_eq(scene_events(&scene, "accepted"), 1);
}
END_TEST

START_TEST(its_receipt_goes_on)
{
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf =
        authority_make(other, &(struct authority_plan){.subject = "www.example.com",
                                                       .names = "DNS:www.example.com",
                                                       .key_of = scene.old_leaf});

    ck_assert(!scene_deliver(&scene, "early.cer", authority_der(leaf)));
    scene_add(&scene);
    AUTO_FREE char *waits = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(waits, "with the certificate www, which was added, the "
                                        "certificate in it was looked at again"));
    ck_assert_ptr_nonnull(strstr(waits, "Its chain is not complete yet"));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(other)));
    AUTO_FREE char *done = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(done, "its chain is complete, accepted"));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* Strangers can make a receipt go on for ever, and nobody reads all of that: one that is full stays
 * as it is. Looked at again after it was in quarantine, then when its chain comes. */
START_TEST(a_full_receipt_ends)
{
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf =
        authority_make(other, &(struct authority_plan){.subject = "www.example.com",
                                                       .names = "DNS:www.example.com",
                                                       .key_of = scene.old_leaf});
    const bool when_kept = _i == 0;
    const size_t len = BUF_MAX_RECEIPT - !when_kept;
    AUTO_FREE char *full = mem_alloc(1, BUF_MAX_RECEIPT + 1);
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t hash[SHA256_LEN];

    memset(full, 'x', len);
    sha256_of(authority_der(leaf), hash);
    ck_assert(!scene_deliver(&scene, "early.cer", authority_der(leaf)));
    ck_ok(deliveries_find(scene.life.inventory, hash, &row, &err));
    ck_ok(deliveries_set_receipt(scene.life.inventory, row.id, full, &err));
    scene_add(&scene);
    AUTO_FREE char *once = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_int_eq(strlen(once) == BUF_MAX_RECEIPT, when_kept);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(other)));
    AUTO_FREE char *twice = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_uint_eq(strlen(twice), strlen(once));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* What would be refused is refused later, too, and then it is gone. */
START_TEST(it_is_judged_as_if_it_came_now)
{
    const struct authority *leaf = for_old_key(scene.now + 3 * DAY);

    ck_assert(!scene_deliver(&scene, "early.cer", authority_der(leaf)));
    scene_add(&scene);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert(!is_kept(leaf));
    ck_assert_int_eq(scene_mails(&scene, "rejected"), 1);
    AUTO_FREE char *receipt = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(receipt, "no-downgrade"));
}
END_TEST

START_TEST(what_can_never_be_ours_is_not_kept)
{
    const struct authority *self =
        authority_make(NULL, &(struct authority_plan){.subject = "www.example.com",
                                                      .names = "DNS:www.example.com"});
    const struct authority *expired = for_old_key(scene.now - 1);

    ck_assert(!scene_deliver(&scene, "self.cer", authority_der(self)));
    ck_assert(!is_kept(self));
    ck_assert(!scene_deliver(&scene, "expired.cer", authority_der(expired)));
    ck_assert(!is_kept(expired));
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "It is kept"));
}
END_TEST

static void trust(const struct authority *root)
{
    AUTO_FREE char *file = mem_printf("%s/strange-root.pem", scene.dir);

    ck_ok(file_replace(file, span_text(authority_pem(root)), FILE_PUBLIC, &err));
    anchors_free(scene.anchors);
    ck_ok(anchors_open((const char *const[]){file}, 1, false, &scene.anchors, &err));
}

/* Its root is here, and not trusted: refused, kept, and taken when somebody trusts it. */
START_TEST(an_untrusted_one_is_taken_when_its_root_is_trusted)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Strange Root", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "root.cer", authority_der(root)));
    ck_assert(!scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "not trusted"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "unlapse trust add"));
    ck_assert(is_kept(leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rejected");
    ck_assert_int_eq(scene_mails(&scene, "rejected"), 1);
    /* Another authority changes nothing, and nobody hears of it again. */
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(scene.issuing)));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "rejected"), 1);
    ck_assert_int_eq(scene_events(&scene, "rejected"), 1);

    trust(root);
    ck_ok(life_begin(&scene.life, &err));
    ck_ok(life_end(&scene.life, life_look_again(&scene.life, "a new anchor", &err), &err));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(!is_kept(leaf));
    AUTO_FREE char *receipt = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(receipt, "with a new anchor, the certificate in it was looked at "
                                          "again:\n   It answers the CSR of"));
}
END_TEST

static void run_sql(const char *literal, const uint8_t *hash)
{
    AUTO_STATEMENT struct statement statement = {0};

    ck_ok(statement_open(scene.life.inventory, literal, &statement, &err));
    if (hash)
        statement_bind_hash(&statement, hash);
    ck_ok(statement_run(&statement, &err));
}

/* From here on this leaf cannot be accepted, for reasons of its own. */
static void break_leaf(const struct authority *leaf)
{
    uint8_t hash[SHA256_LEN];

    sha256_of(authority_der(leaf), hash);
    run_sql("CREATE TEMP TABLE broken (sha256 BLOB)", NULL);
    run_sql("INSERT INTO broken VALUES (?)", hash);
    run_sql("CREATE TEMP TRIGGER breaks BEFORE UPDATE ON renewals"
            " WHEN NEW.accepted_at IS NOT NULL AND NEW.leaf_sha256 IN (SELECT sha256 FROM broken)"
            " BEGIN SELECT raise(ABORT, 'as the test wants'); END",
            NULL);
}

static void mend_leaf(void)
{
    run_sql("DELETE FROM broken", NULL);
}

static const struct authority *for_csr(const struct authority *issuer, utc_t not_after)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);

    return authority_make(issuer,
                          &(struct authority_plan){.csr = blob_span(&csr), .not_after = not_after});
}

static const struct authority *news(const char *name)
{
    return authority_make(scene.root, &(struct authority_plan){.subject = name, .ca = true});
}

/* One that fails keeps neither the others, nor the file that brought the news. */
START_TEST(a_failing_look_is_its_own)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Strange Root", .ca = true});
    const struct authority *first = for_csr(root, scene.now + 90 * DAY);
    const struct authority *second = for_csr(root, scene.now + 80 * DAY);

    testing_expect_log("not-looked-again");
    ck_assert(scene_deliver(&scene, "root.cer", authority_der(root)));
    ck_assert(!scene_deliver(&scene, "first.cer", authority_der(first)));
    ck_assert(!scene_deliver(&scene, "second.cer", authority_der(second)));
    trust(root);
    break_leaf(first);
    ck_assert(scene_deliver(&scene, "news.cer", authority_der(news("New Issuing"))));
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "in first.cer"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "The certificate in second.cer, which was "
                                                        "refused before, is accepted."));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, second));
    ck_assert(is_kept(first) && !is_kept(second));
    ck_assert_int_eq(scene_events(&scene, "looked-again"), 1);

    mend_leaf();
    ck_assert(scene_deliver(&scene, "more.cer", authority_der(news("Newer Issuing"))));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, first));
    ck_assert(!is_kept(first));
}
END_TEST

START_TEST(a_failing_completion_is_its_own)
{
    const struct authority *issuing = news("New Issuing");
    const struct authority *first = for_csr(issuing, scene.now + 90 * DAY);
    const struct authority *second = for_csr(issuing, scene.now + 80 * DAY);

    testing_expect_log("not-completed");
    ck_assert(scene_deliver(&scene, "first.cer", authority_der(first)));
    ck_assert(scene_deliver(&scene, "second.cer", authority_der(second)));
    break_leaf(first);
    ck_assert(scene_deliver(&scene, "issuing.cer", authority_der(issuing)));
    const char *said = strstr(scene_receipt(&scene), "This completed the certificate www");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "This completed the certificate www"));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, second));
    AUTO_FREE char *receipt = scene_receipt_of(&scene, authority_der(first));
    ck_assert_ptr_null(strstr(receipt, "accepted"));

    mend_leaf();
    ck_assert(scene_deliver(&scene, "more.cer", authority_der(news("Newer Issuing"))));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, first));
}
END_TEST

START_TEST(one_of_a_retired_certificate_is_kept_and_taken_when_it_is_added_anew)
{
    const struct authority *leaf = for_old_key(scene.now + 90 * DAY);
    AUTO_NAMES struct names names = {0};
    char service[] = "plain", host[] = "127.0.0.1";
    struct endpoint_row endpoint = {.host = host, .port = 443};
    struct target_row target = {.service = service, .endpoints = &endpoint, .endpoint_count = 1};
    int64_t id = 0;

    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(scene.issuing)));
    scene_retire(&scene);
    ck_assert(!scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Kept, not installed"));
    ck_assert(is_kept(leaf));
    target.files[BUNDLE_KEY] = scene.key_file;
    target.files[BUNDLE_FULLCHAIN] = scene.crt_file;
    ck_ok(life_add(&scene.life,
                   &(struct life_add){.name = "again",
                                      .policy = "test",
                                      .names = &names,
                                      .targets = &target,
                                      .target_count = 1,
                                      .actor = "uid 0"},
                   &id, &err));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert(!is_kept(leaf));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/quarantine");
    TCase *far = tcase_create("far"), *asked = tcase_create("asked");

    tcase_add_checked_fixture(far, open_far, close_scene);
    tcase_add_checked_fixture(asked, open_asked, close_scene);
    tcase_set_timeout(far, TESTING_SLOW_SECONDS);
    tcase_set_timeout(asked, TESTING_SLOW_SECONDS);
    tcase_add_test(far, a_leaf_that_came_before_its_key_is_taken_with_it);
    tcase_add_test(far, its_receipt_goes_on);
    tcase_add_loop_test(far, a_full_receipt_ends, 0, 2);
    tcase_add_test(far, it_is_judged_as_if_it_came_now);
    tcase_add_test(far, what_can_never_be_ours_is_not_kept);
    tcase_add_test(asked, an_untrusted_one_is_taken_when_its_root_is_trusted);
    tcase_add_test(asked, a_failing_look_is_its_own);
    tcase_add_test(asked, a_failing_completion_is_its_own);
    tcase_add_test(asked, one_of_a_retired_certificate_is_kept_and_taken_when_it_is_added_anew);
    suite_add_tcase(suite, far);
    suite_add_tcase(suite, asked);
    return testing_run(suite);
}
