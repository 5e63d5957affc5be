/* A chain of which an intermediate ends before the certificate itself. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/life/life.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY, CHAIN_DAYS = 40, LEAD_DAYS = 21 };

static struct scene scene;
static struct error err;
/* An authority whose certificate ends in 40 days, and its next one. */
static const struct authority *ending, *lasting;

static const struct authority *issuing(const struct authority *key_of, seconds_t life)
{
    return authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing",
                                                               .ca = true,
                                                               .key_of = key_of,
                                                               .not_after = scene.now + life});
}

/* A leaf for the open CSR by that authority, good for 90 days. */
static const struct authority *sign(void)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);

    return authority_make(ending, &(struct authority_plan){.csr = blob_span(&csr)});
}

static bool deliver_with(const struct authority *leaf, const struct authority *chain)
{
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(leaf), authority_pem(chain));

    return scene_deliver(&scene, "bundle.pem", span_text(pem));
}

static const struct authority *leaf;

static void set_up(void)
{
    scene_open(&scene, 6 * DAY, "");
    ending = issuing(NULL, CHAIN_DAYS * DAY);
    lasting = issuing(ending, 1000 * DAY);
}

/* In service with the chain that ends first. */
static void set_up_in_service(void)
{
    set_up();
    scene_add(&scene);
    scene_run(&scene);
    leaf = sign();
    ck_assert(deliver_with(leaf, ending));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    ck_assert_str_eq(scene_state(&scene), "ok");
}

static void tear_down(void)
{
    scene_done(&scene);
}

static void expect_rebuilt(void)
{
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves_chain(&scene, leaf, lasting));
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 1);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 1);
    /* Nothing of what a new certificate brings about. */
    ck_assert_int_eq(scene_mails(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_mails(&scene, "deployed"), 1);
    ck_assert_int_eq(scene_events(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_leftovers(&scene), 0);
}

START_TEST(a_known_one_is_taken_in_time_without_a_word)
{
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY - 1);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    scene_later(&scene, 1);
    expect_rebuilt();
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 0);
    for (int day = 0; day < 30; day++)
        scene_later(&scene, DAY);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 1);
}
END_TEST

START_TEST(people_are_told_once_and_what_they_bring_is_taken_at_once)
{
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
    for (int day = 0; day < 5; day++)
        scene_later(&scene, DAY);
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
    ck_assert_int_eq(scene_events(&scene, "chain-ends"), 1);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "1 are looked at again because of this"));
    scene_run(&scene);
    expect_rebuilt();
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
}
END_TEST

START_TEST(what_does_not_help_is_no_news)
{
    const struct authority *shorter = issuing(ending, (CHAIN_DAYS - 1) * DAY);
    const struct authority *other =
        authority_make(NULL, &(struct authority_plan){.subject = "New Issuing", .ca = true});

    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert(scene_deliver(&scene, "shorter.cer", authority_der(shorter)));
    scene_run(&scene);
    ck_assert(scene_deliver(&scene, "other.cer", authority_der(other)));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
    ck_assert_int_eq(scene_events(&scene, "chain-ends"), 1);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
}
END_TEST

/* The intermediate has ended, and the machine was off all the time. */
START_TEST(one_that_has_ended_already_is_replaced_too)
{
    scene_later(&scene, (CHAIN_DAYS + 3) * DAY);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_run(&scene);
    expect_rebuilt();
}
END_TEST

/* The better one is valid from next week on: nothing that is not valid yet is served. */
START_TEST(one_of_the_future_is_waited_for)
{
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    lasting =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing",
                                                            .ca = true,
                                                            .key_of = ending,
                                                            .not_before = scene.now + 7 * DAY});
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    for (int day = 0; day < 7; day++)
        scene_later(&scene, DAY);
    expect_rebuilt();
}
END_TEST

START_TEST(the_same_leaf_is_known_and_a_better_one_is_taken_afterwards)
{
    int64_t id = 0;

    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    expect_rebuilt();
    ck_assert(deliver_with(leaf, ending));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Already have it"));
    scene_run(&scene);
    expect_rebuilt();
    ck_ok(life_renew(&scene.life, "www", false, "uid 0", &id, &err));
    scene_run(&scene);
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *next =
        authority_make(ending, &(struct authority_plan){.csr = blob_span(&csr),
                                                        .not_after = scene.now + 100 * DAY});
    ck_assert(scene_deliver(&scene, "next.cer", authority_der(next)));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, next, lasting));
    ck_assert_int_eq(scene_mails(&scene, "deployed"), 2);
}
END_TEST

START_TEST(an_open_request_and_the_ladder_stay_as_they_are)
{
    int64_t id = 0;
    AUTO_CERTIFICATE struct certificate_row before = {0}, after = {0};

    ck_ok(life_renew(&scene.life, "www", false, "uid 0", &id, &err));
    scene_run(&scene);
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    for (int day = 0; day < 88; day++)
        scene_later(&scene, DAY);
    ck_ok(certificates_find(scene.life.inventory, "www", &before, &err));
    ck_assert_uint_gt(before.ladder_told, 0);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, leaf, lasting));
    ck_ok(certificates_find(scene.life.inventory, "www", &after, &err));
    ck_assert_uint_eq(after.ladder_told, before.ladder_told);
    AUTO_BLOB struct blob still = scene_csr(&scene);
    ck_assert(span_equal(blob_span(&still), blob_span(&csr)));
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 1);
}
END_TEST

START_TEST(what_is_not_served_is_taken_back)
{
    testing_expect_log("deployment-failed");
    scene.ignores_reload = true;
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert(scene_serves_chain(&scene, leaf, ending));
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 1);
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 0);
    scene.ignores_reload = false;
    scene_later(&scene, 60);
    expect_rebuilt();
}
END_TEST

/* Accepted by a clock that was two days ahead, with a chain that has but 20 days left. */
START_TEST(a_clock_that_is_set_back_rebuilds_once)
{
    scene_add(&scene);
    scene_run(&scene);
    ending = issuing(NULL, 20 * DAY);
    lasting = issuing(ending, 1000 * DAY);
    leaf = sign();
    ck_assert(deliver_with(leaf, ending));
    scene_run(&scene);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene.now -= DAY;
    scene_restart(&scene);
    scene_run(&scene);
    expect_rebuilt();
    for (int hour = 0; hour < 100; hour++)
        scene_later(&scene, 3600);
    expect_rebuilt();
}
END_TEST

START_TEST(a_retired_one_is_left_alone)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};

    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    ck_ok(certificates_find(scene.life.inventory, "www", &row, &err));
    ck_ok(certificates_set_retired(scene.life.inventory, row.id, scene.now, &err));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 0);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
}
END_TEST

static void add(const char *name, const struct target_row *targets, size_t count)
{
    AUTO_NAMES struct names names = {0};
    int64_t id = 0;

    ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    ck_ok(life_add(&scene.life,
                   &(struct life_add){.name = name,
                                      .policy = "test",
                                      .names = &names,
                                      .targets = targets,
                                      .target_count = count,
                                      .actor = "uid 0"},
                   &id, &err));
}

START_TEST(without_a_target_the_chain_is_kept_ready)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_RENEWAL struct renewal_row newest = {0};
    AUTO_BLOBS struct blobs chain = {0};

    add("www", NULL, 0);
    scene_run(&scene);
    leaf = sign();
    ck_assert(deliver_with(leaf, ending));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_ok(certificates_find(scene.life.inventory, "www", &row, &err));
    ck_ok(renewals_accepted(scene.life.inventory, row.id, &newest, &err));
    ck_ok(renewals_chain(scene.life.inventory, newest.id, &chain, &err));
    ck_assert_uint_eq(chain.count, 1);
    ck_assert(span_equal(blob_span(&chain.items[0]), authority_der(lasting)));
    ck_assert(span_equal(blob_span(&newest.leaf), authority_der(leaf)));
    ck_assert_uint_gt(newest.key.sealed.len, 0);
}
END_TEST

/* Two targets, and the folder of one is gone: the other one gets its chain, and it when it is back.
 */
START_TEST(one_failing_target_does_not_hold_up_the_other)
{
    char host[] = "127.0.0.1", service[] = "plain";
    AUTO_FREE char *folder = testing_path("second"), *gone = testing_path("gone");
    AUTO_FREE char *key = testing_path("second/www.key"), *crt = testing_path("second/www.crt");
    struct endpoint_row endpoint = {.host = host, .port = 443};
    struct target_row targets[2] = {
        {.service = service, .endpoints = &endpoint, .endpoint_count = 1}, {.service = service}};
    AUTO_BLOB struct blob text = {0};

    ck_assert_int_eq(mkdir(folder, 0700), 0);
    targets[0].files[BUNDLE_KEY] = scene.key_file;
    targets[0].files[BUNDLE_FULLCHAIN] = scene.crt_file;
    targets[1].files[BUNDLE_KEY] = key;
    targets[1].files[BUNDLE_FULLCHAIN] = crt;
    add("www", targets, 2);
    scene_run(&scene);
    leaf = sign();
    ck_assert(deliver_with(leaf, ending));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    ck_assert_int_eq(rename(folder, gone), 0);
    testing_expect_log("deployment-failed");
    testing_expect_log("not-cleaned");
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert(scene_serves_chain(&scene, leaf, lasting));
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 0);
    ck_assert_int_eq(rename(gone, folder), 0);
    scene_later(&scene, 600);
    expect_rebuilt();
    ck_ok(file_read(crt, BUF_MAX_PEM, &text, &err));
    ck_assert_ptr_nonnull(strstr((const char *)text.data, authority_pem(lasting)));
}
END_TEST

/* What was installed before this daemon: its chain counts too, but not what stands beside it. */
static void adopt_ending(bool with_key)
{
    scene_done(&scene);
    scene_open(&scene, 60 * DAY, "");
    ending =
        authority_make(scene.root, &(struct authority_plan){.subject = "Example Issuing",
                                                            .ca = true,
                                                            .key_of = scene.issuing,
                                                            .not_after = scene.now + 30 * DAY});
    const struct authority *beside = authority_make(
        scene.root,
        &(struct authority_plan){.subject = "Beside", .ca = true, .not_after = scene.now + DAY});
    lasting = scene.issuing;
    leaf = scene.old_leaf;
    AUTO_FREE char *pem =
        mem_printf("%s%s%s", authority_pem(leaf), authority_pem(beside), authority_pem(ending));
    ck_ok(file_replace(scene.crt_file, span_text(pem), FILE_PUBLIC, &err));
    if (!with_key)
        ck_assert_int_eq(unlink(scene.key_file), 0);
    scene_add(&scene);
    scene_run(&scene);
}

START_TEST(an_adopted_chain_is_looked_after_too)
{
    adopt_ending(true);
    ck_assert_str_eq(scene_state(&scene), "ok");
    scene_later(&scene, 9 * DAY);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_run(&scene);
    ck_assert(scene_serves_chain(&scene, leaf, lasting));
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 1);
}
END_TEST

START_TEST(without_its_key_it_is_told_and_not_touched)
{
    testing_expect_log("key-not-adopted");
    adopt_ending(false);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, 9 * DAY);
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 0);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
}
END_TEST

static void trust_too(const struct authority *anchor)
{
    AUTO_FREE char *root = testing_path("root.pem"), *other = testing_path("other.pem");

    ck_ok(file_replace(other, span_text(authority_pem(anchor)), FILE_PUBLIC, &err));
    anchors_free(scene.anchors);
    ck_ok(anchors_open((const char *const[]){root, other}, 2, false, &scene.anchors, &err));
}

START_TEST(a_new_anchor_is_news_too)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Other Root", .ca = true});
    lasting = authority_make(
        root, &(struct authority_plan){.subject = "New Issuing", .ca = true, .key_of = ending});

    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
    trust_too(root);
    scene_plan_all(&scene);
    scene_run(&scene);
    expect_rebuilt();
}
END_TEST

/* An anchor that signs itself is preferred, and leads through the one that ends. */
START_TEST(a_preferred_root_does_not_hide_what_lives_longer)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Other Root", .ca = true});
    const struct authority *between =
        authority_make(root, &(struct authority_plan){.subject = "Between", .ca = true});
    lasting = authority_make(
        between, &(struct authority_plan){.subject = "New Issuing", .ca = true, .key_of = ending});

    trust_too(between);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_later(&scene, (CHAIN_DAYS - LEAD_DAYS) * DAY);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_int_eq(scene_events(&scene, "rechained"), 1);
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 0);
}
END_TEST

/* One that was better once, and has ended too while the machine was off. */
START_TEST(what_has_ended_meanwhile_is_not_taken)
{
    const struct authority *little = issuing(ending, (CHAIN_DAYS + 1) * DAY);

    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(little)));
    scene_later(&scene, (CHAIN_DAYS + 3) * DAY);
    ck_assert_str_eq(scene_state(&scene), "chain ends");
    ck_assert_int_eq(scene_events(&scene, "rechained"), 0);
    ck_assert(scene_serves_chain(&scene, leaf, ending));
}
END_TEST

/* From the day on which the rebuilding is due. */
static void finish(void)
{
    scene.now = AUTHORITY_NOW + (CHAIN_DAYS - LEAD_DAYS) * DAY;
    scene_run(&scene);
    if (strcmp(scene_state(&scene), "chain ends") == 0)
        ck_assert(scene_deliver(&scene, "ca.cer", authority_der(lasting)));
    scene_run(&scene);
}

enum { CRASH_CALLS = 26, UNDO_CALLS = 32 };

static void die_at_call(int call)
{
    int status = 0;

    scene_stop(&scene);
    pid_t pid = fork();
    if (pid == 0) {
        scene_start(&scene);
        scene.calls = 0;
        scene.die_at = call;
        finish();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "call %d: not killed, status %x", call, status);
    scene_start(&scene);
}

/* As expect_rebuilt, but the mail that was being sent may have gone twice. */
static void expect_rebuilt_once(int call)
{
    int mails = scene_mails(&scene, "chain-ends") + scene_mails(&scene, "rechained");

    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_msg(scene_serves_chain(&scene, leaf, lasting), "call %d: another chain", call);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 1);
    ck_assert_int_eq(scene_events(&scene, "chain-ends"), 1);
    ck_assert_int_eq(scene_leftovers(&scene), 0);
    ck_assert_msg(mails == 2 || mails == 3, "call %d: %d mails", call, mails);
}

START_TEST(killed_at_any_call_it_rebuilds_once)
{
    die_at_call(_i);
    finish();
    expect_rebuilt_once(_i);
}
END_TEST

START_TEST(killed_at_any_call_of_a_roll_back_the_old_chain_is_back)
{
    testing_expect_log("deployment-failed");
    scene.ignores_reload = true;
    die_at_call(_i);
    finish();
    scene_later(&scene, 60);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert_msg(scene_serves_chain(&scene, leaf, ending), "call %d: the old chain is not back",
                  _i);
    scene.ignores_reload = false;
    scene_later(&scene, 600);
    expect_rebuilt_once(_i);
}
END_TEST

START_TEST(the_calls_that_are_killed_are_all_there_are)
{
    scene.calls = 0;
    finish();
    ck_assert_int_eq(scene.calls, CRASH_CALLS);
}
END_TEST

START_TEST(the_calls_of_a_roll_back_are_all_there_are)
{
    testing_expect_log("deployment-failed");
    scene.calls = 0;
    scene.ignores_reload = true;
    finish();
    ck_assert_int_eq(scene.calls, UNDO_CALLS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/rechain");
    TCase *in_service = tcase_create("in service"), *before = tcase_create("before");

    tcase_add_checked_fixture(in_service, set_up_in_service, tear_down);
    tcase_add_checked_fixture(before, set_up, tear_down);
    tcase_set_timeout(in_service, TESTING_SLOW_SECONDS);
    tcase_set_timeout(before, TESTING_SLOW_SECONDS);
    tcase_add_test(in_service, a_known_one_is_taken_in_time_without_a_word);
    tcase_add_test(in_service, people_are_told_once_and_what_they_bring_is_taken_at_once);
    tcase_add_test(in_service, what_does_not_help_is_no_news);
    tcase_add_test(in_service, one_that_has_ended_already_is_replaced_too);
    tcase_add_test(in_service, one_of_the_future_is_waited_for);
    tcase_add_test(in_service, the_same_leaf_is_known_and_a_better_one_is_taken_afterwards);
    tcase_add_test(in_service, an_open_request_and_the_ladder_stay_as_they_are);
    tcase_add_test(in_service, what_is_not_served_is_taken_back);
    tcase_add_test(in_service, a_retired_one_is_left_alone);
    tcase_add_test(in_service, a_new_anchor_is_news_too);
    tcase_add_test(in_service, a_preferred_root_does_not_hide_what_lives_longer);
    tcase_add_test(in_service, what_has_ended_meanwhile_is_not_taken);
    tcase_add_test(before, a_clock_that_is_set_back_rebuilds_once);
    tcase_add_test(before, without_a_target_the_chain_is_kept_ready);
    tcase_add_test(before, one_failing_target_does_not_hold_up_the_other);
    tcase_add_test(before, an_adopted_chain_is_looked_after_too);
    tcase_add_test(before, without_its_key_it_is_told_and_not_touched);
    tcase_add_loop_test(in_service, killed_at_any_call_it_rebuilds_once, 1, CRASH_CALLS + 1);
    tcase_add_test(in_service, the_calls_that_are_killed_are_all_there_are);
    tcase_add_loop_test(in_service, killed_at_any_call_of_a_roll_back_the_old_chain_is_back, 1,
                        UNDO_CALLS + 1);
    tcase_add_test(in_service, the_calls_of_a_roll_back_are_all_there_are);
    suite_add_tcase(suite, in_service);
    suite_add_tcase(suite, before);
    return testing_run(suite);
}
