/* Missing intermediates that are asked for where certificates say that they are published. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/life/life.h"
#include "store/deliveries.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;
static const struct authority *middle, *issuing, *leaf;

static void make_authorities(void)
{
    middle = authority_make(scene.root, &(struct authority_plan){.subject = "Middle", .ca = true});
    issuing = authority_make(
        middle, &(struct authority_plan){.subject = "Lower",
                                         .ca = true,
                                         .information = "caIssuers;URI:http://ca/middle.cer"});
}

static const struct authority *sign(const struct authority *by, const char *information)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);

    return authority_make(
        by, &(struct authority_plan){.csr = blob_span(&csr), .information = information});
}

static void publish(size_t place, const char *url, struct span body)
{
    scene.pages[place].url = url;
    scene.pages[place].body = body;
}

static void set_up(const char *policy)
{
    scene_open(&scene, 6 * DAY, policy);
    make_authorities();
    scene_add(&scene);
    scene_run(&scene);
    leaf = sign(issuing, "caIssuers;URI:http://ca/lower.cer");
}

static void set_up_on(void)
{
    set_up("    aia: on\n");
}

static void set_up_off(void)
{
    set_up("");
}

static void tear_down(void)
{
    scene_done(&scene);
}

static char *receipt_of(struct span data)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    ck_ok(deliveries_find(scene.life.inventory, hash, &row, &err));
    return TAKE(row.receipt);
}

START_TEST(link_by_link_up_to_the_anchor)
{
    publish(0, "http://ca/lower.cer", authority_der(issuing));
    publish(1, "http://ca/middle.cer", span_text(authority_pem(middle)));
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_int_eq(scene.fetches, 2);
    ck_assert_int_eq(scene_events(&scene, "fetched"), 2);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 0);
    AUTO_FREE char *receipt = receipt_of(authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(receipt, "http://ca/lower.cer: 1 of authorities came, 1 new"));
    ck_assert_ptr_nonnull(strstr(receipt, "with http://ca/middle.cer: its chain is complete"));
}
END_TEST

START_TEST(nobody_is_asked_unless_the_policy_wants_it)
{
    publish(0, "http://ca/lower.cer", authority_der(issuing));
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    for (int day = 0; day < 3; day++)
        scene_later(&scene, DAY);
    ck_assert_int_eq(scene.fetches, 0);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
}
END_TEST

START_TEST(nobody_is_asked_for_what_is_not_ours_or_complete)
{
    const struct authority *foreign = authority_make(
        issuing, &(struct authority_plan){.subject = "www.example.com",
                                          .names = "DNS:www.example.com",
                                          .information = "caIssuers;URI:http://ca/lower.cer"});

    ck_assert(!scene_deliver(&scene, "foreign.cer", authority_der(foreign)));
    scene_run(&scene);
    ck_assert(scene_deliver_all(&scene, sign(scene.issuing, "caIssuers;URI:http://ca/lower.cer")));
    scene_run(&scene);
    ck_assert_int_eq(scene.fetches, 0);
}
END_TEST

/* A server that does not answer is asked a few times a day, and people are told as ever. */
START_TEST(a_dead_server_is_not_asked_for_ever)
{
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    for (int hour = 0; hour < 24; hour++)
        scene_later(&scene, 3600);
    ck_assert_int_ge(scene.fetches, 2);
    ck_assert_int_le(scene.fetches, 6);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
    ck_assert_int_eq(scene_events(&scene, "not-fetched"), scene.fetches);
    AUTO_FREE char *receipt = receipt_of(authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(receipt, "http://ca/lower.cer: fetch: connection refused"));
    publish(0, "http://ca/lower.cer", authority_der(issuing));
    publish(1, "http://ca/middle.cer", authority_der(middle));
    for (int hour = 0; hour < 24; hour++)
        scene_later(&scene, 3600);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* Whoever may drop files has a hundred leaves made for our CSR, each with four addresses. */
START_TEST(a_flood_of_leaves_is_no_flood_of_calls)
{
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    for (int i = 0; i < 20; i++) {
        AUTO_FREE char *urls =
            mem_printf("caIssuers;URI:http://victim/%d,caIssuers;URI:http://victim/%d-2,"
                       "caIssuers;URI:http://victim/%d-3,caIssuers;URI:http://victim/%d-4",
                       i, i, i, i);
        AUTO_FREE char *name = mem_printf("Evil %d", i);
        const struct authority *evil =
            authority_make(NULL, &(struct authority_plan){.subject = name, .ca = true});

        scene_deliver(&scene, name, authority_der(sign(evil, urls)));
    }
    scene_run(&scene);
    ck_assert_int_le(scene.fetches, 8 * 4);
    int first = scene.fetches;
    for (int hour = 0; hour < 23; hour++)
        scene_later(&scene, 3600);
    ck_assert_int_le(scene.fetches, 6 * first);
    /* And ours is asked for all the same. */
    publish(0, "http://ca/lower.cer", authority_der(issuing));
    publish(1, "http://ca/middle.cer", authority_der(middle));
    for (int hour = 0; hour < 48; hour++)
        scene_later(&scene, 3600);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(what_comes_is_a_hint_and_nothing_more)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Strange Root", .ca = true});
    const struct authority *strange = sign(root, "caIssuers;URI:http://ca/root.cer");
    AUTO_FREE char *rubbish = mem_printf("%s and a key %s", authority_pem(scene.old_leaf),
                                         authority_key_pem(scene.old_leaf));

    publish(0, "http://ca/root.cer", authority_der(root));
    publish(1, "http://ca/lower.cer", span_text(rubbish));
    ck_assert(scene_deliver(&scene, "strange.cer", authority_der(strange)));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
    ck_assert_int_eq(scene_events(&scene, "fetched"), 1);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "fetched"), 1);
    ck_assert(scene_serves(&scene, scene.old_leaf));
}
END_TEST

/* Each link names another one above: it ends after a few. */
START_TEST(an_endless_way_up_is_left)
{
    const struct authority *up[8];
    char urls[8][64], pages[8][32];

    for (int i = 7; i >= 0; i--) {
        AUTO_FREE char *name = mem_printf("Step %d", i);

        snprintf(pages[i], sizeof pages[i], "http://ca/%d", i);
        snprintf(urls[i], sizeof urls[i], "caIssuers;URI:http://ca/%d", i + 1);
        up[i] = authority_make(i == 7 ? NULL : up[i + 1],
                               &(struct authority_plan){.subject = name,
                                                        .ca = true,
                                                        .information = i == 7 ? NULL : urls[i]});
        publish((size_t)i, pages[i], authority_der(up[i]));
    }
    ck_assert(
        scene_deliver(&scene, "leaf.cer", authority_der(sign(up[0], "caIssuers;URI:http://ca/0"))));
    scene_run(&scene);
    ck_assert_int_eq(scene.fetches, 4);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
}
END_TEST

/* The chain in use ends first, and the authority publishes the next one. */
START_TEST(a_chain_that_ends_is_rebuilt_from_what_is_published)
{
    const struct authority *ending = authority_make(
        scene.root, &(struct authority_plan){
                        .subject = "Ending", .ca = true, .not_after = scene.now + 40 * DAY});
    const struct authority *lasting = authority_make(
        scene.root, &(struct authority_plan){.subject = "Ending", .ca = true, .key_of = ending});
    leaf = sign(ending, "caIssuers;URI:http://ca/ending.cer");
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(leaf), authority_pem(ending));

    publish(0, "http://ca/ending.cer", authority_der(ending));
    ck_assert(scene_deliver(&scene, "bundle.pem", span_text(pem)));
    scene_later(&scene, 19 * DAY);
    ck_assert_int_eq(scene.fetches, 1);
    ck_assert_int_eq(scene_mails(&scene, "chain-ends"), 1);
    publish(0, "http://ca/ending.cer", authority_der(lasting));
    scene_later(&scene, DAY);
    ck_assert_int_eq(scene.fetches, 2);
    ck_assert(scene_serves_chain(&scene, leaf, lasting));
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_int_eq(scene_mails(&scene, "rechained"), 1);
}
END_TEST

/* What was asked for because of a chain in use is what another leaf waits for. */
START_TEST(what_comes_for_one_helps_the_others)
{
    const struct authority *ending = authority_make(
        scene.root, &(struct authority_plan){
                        .subject = "Ending", .ca = true, .not_after = scene.now + 40 * DAY});
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "Other", .ca = true});
    AUTO_FREE char *both = mem_printf("%s%s", authority_pem(ending), authority_pem(other));
    AUTO_FREE char *pem = NULL;
    int64_t id = 0;

    leaf = sign(ending, "caIssuers;URI:http://ca/ending.cer");
    pem = mem_printf("%s%s", authority_pem(leaf), authority_pem(ending));
    ck_assert(scene_deliver(&scene, "bundle.pem", span_text(pem)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_ok(life_renew(&scene.life, "www", false, "uid 7", &id, &err));
    scene_run(&scene);
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *waits =
        authority_make(other, &(struct authority_plan){.csr = blob_span(&csr),
                                                       .not_after = scene.now + 300 * DAY});
    ck_assert(scene_deliver(&scene, "waits.cer", authority_der(waits)));
    publish(0, "http://ca/ending.cer", span_text(both));
    scene_later(&scene, 19 * DAY);
    ck_assert(scene_serves(&scene, waits));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

static void finish(void)
{
    scene_run(&scene);
    if (strcmp(scene_state(&scene), "handed over") == 0)
        scene_deliver(&scene, "leaf.cer", authority_der(leaf));
    scene_run(&scene);
    /* A try that was broken off counts: the next one is a minute later. */
    scene_later(&scene, 60);
    scene_later(&scene, 600);
}

enum { CRASH_CALLS = 28 };

START_TEST(killed_at_any_call_it_gets_there)
{
    int status = 0;

    publish(0, "http://ca/lower.cer", authority_der(issuing));
    publish(1, "http://ca/middle.cer", authority_der(middle));
    scene_stop(&scene);
    pid_t pid = fork();
    if (pid == 0) {
        scene_start(&scene);
        scene.calls = 0;
        scene.die_at = _i;
        finish();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "call %d: not killed", _i);
    scene_start(&scene);
    finish();
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_msg(scene_serves(&scene, leaf), "call %d: not served", _i);
    ck_assert_int_eq(scene_events(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_events(&scene, "fetched"), 2);
    ck_assert_int_eq(scene_leftovers(&scene), 0);
}
END_TEST

START_TEST(the_calls_that_are_killed_are_all_there_are)
{
    publish(0, "http://ca/lower.cer", authority_der(issuing));
    publish(1, "http://ca/middle.cer", authority_der(middle));
    scene.calls = 0;
    finish();
    ck_assert_int_eq(scene.calls, CRASH_CALLS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/aia");
    TCase *on = tcase_create("on"), *off = tcase_create("off");

    tcase_add_checked_fixture(on, set_up_on, tear_down);
    tcase_add_checked_fixture(off, set_up_off, tear_down);
    tcase_set_timeout(on, TESTING_SLOW_SECONDS);
    tcase_add_test(on, link_by_link_up_to_the_anchor);
    tcase_add_test(off, nobody_is_asked_unless_the_policy_wants_it);
    tcase_add_test(on, nobody_is_asked_for_what_is_not_ours_or_complete);
    tcase_add_test(on, a_dead_server_is_not_asked_for_ever);
    tcase_add_test(on, a_flood_of_leaves_is_no_flood_of_calls);
    tcase_add_test(on, what_comes_is_a_hint_and_nothing_more);
    tcase_add_test(on, an_endless_way_up_is_left);
    tcase_add_test(on, a_chain_that_ends_is_rebuilt_from_what_is_published);
    tcase_add_test(on, what_comes_for_one_helps_the_others);
    tcase_add_loop_test(on, killed_at_any_call_it_gets_there, 1, CRASH_CALLS + 1);
    tcase_add_test(on, the_calls_that_are_killed_are_all_there_are);
    suite_add_tcase(suite, on);
    suite_add_tcase(suite, off);
    return testing_run(suite);
}
