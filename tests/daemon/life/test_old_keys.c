/* Private keys that are out of use are erased when the policy says, and no other key ever is. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "daemon/life/life.h"
#include "store/keys.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY, KEEP = 5 * DAY };

static struct scene scene;
static struct error err;

static void open_scene(void)
{
    scene_open(&scene, 6 * DAY, "    keep-retired-keys: 5d\n");
    scene_add(&scene);
    scene_run(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

/* Newest first: K a key that is here, E one that was erased, - none. */
static int look_at(void *self, const struct renewal_row *row, struct error *walk_err)
{
    char *end = (char *)self + strlen(self);

    (void)walk_err;
    end[0] = row->key.sealed.len > 0 ? 'K' : row->key_erased_at != UTC_NEVER ? 'E' : '-';
    end[1] = '\0';
    return 0;
}

static void expect_keys(const char *wanted)
{
    char text[64] = "";

    ck_ok(renewals_by_certificate(scene.life.inventory, scene_certificate(&scene), look_at, text,
                                  &err));
    ck_assert_str_eq(text, wanted);
}

static const struct authority *renew_and_install(void)
{
    const struct authority *leaf =
        scene_sign(&scene, &(struct authority_plan){.not_before = scene.now - DAY,
                                                    .not_after = scene.now + 80 * DAY});

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    return leaf;
}

static bool is_in(const char *ending, struct span secret)
{
    AUTO_FREE char *path = mem_printf("%s%s", scene.inventory_file, ending);
    AUTO_BLOB struct blob file = {0};

    return file_read(path, 64 << 20, &file, &err) == 0 &&
           memmem(file.data, file.len, secret.data, secret.len);
}

START_TEST(the_one_before_goes_after_its_time)
{
    AUTO_RENEWAL struct renewal_row before = {0};

    ck_ok(renewals_get(scene.life.inventory, 1, &before, &err));
    expect_keys("KK");
    scene_later(&scene, DAY);
    renew_and_install();
    expect_keys("KK");
    scene_later(&scene, KEEP - 1);
    expect_keys("KK");
    ck_assert(is_in("", blob_span(&before.key.sealed)) ||
              is_in("-wal", blob_span(&before.key.sealed)));
    scene_later(&scene, 1);
    expect_keys("KE");
    ck_assert(!is_in("", blob_span(&before.key.sealed)) &&
              !is_in("-wal", blob_span(&before.key.sealed)));
    ck_assert_int_eq(scene_events(&scene, "key-erased"), 1);
    /* The one in force stays, also long after. */
    scene_later(&scene, 40 * DAY);
    ck_assert_int_eq(scene_events(&scene, "key-erased"), 1);
    scene_restart(&scene);
    scene_run(&scene);
    expect_keys("KE");
}
END_TEST

/* Somebody reads the inventory just then: the log is emptied later. */
START_TEST(the_log_is_emptied_later)
{
    AUTO_RENEWAL struct renewal_row before = {0};
    struct inventory *reader = NULL;
    AUTO_BLOB struct blob value = {0};

    ck_ok(renewals_get(scene.life.inventory, 1, &before, &err));
    scene_later(&scene, DAY);
    renew_and_install();
    ck_ok(inventory_open(scene.inventory_file, &reader, &err));
    ck_ok(inventory_begin(reader, &err));
    ck_ok(inventory_value_set(reader, "a", span_text("b"), &err));
    ck_ok(inventory_commit(reader, &err));
    scene.now += KEEP;
    ck_ok(life_step(&scene.life, false, &(utc_t){0}, &err));
    expect_keys("KE");
    ck_ok(inventory_begin(reader, &err));
    ck_ok(inventory_value_get(reader, "a", &value, &err));
    ck_fails(life_rest(&scene.life, &err), E_NOT_FOUND, "");
    ck_assert(is_in("", blob_span(&before.key.sealed)) ||
              is_in("-wal", blob_span(&before.key.sealed)));
    inventory_close(reader);
    scene_restart(&scene);
    scene_run(&scene);
    ck_assert(!is_in("", blob_span(&before.key.sealed)) &&
              !is_in("-wal", blob_span(&before.key.sealed)));
}
END_TEST

START_TEST(not_before_the_successor_is_in_service)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    scene.config_broken = true;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    for (int day = 0; day < 30; day++)
        scene_later(&scene, DAY);
    expect_keys("KK");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    scene.config_broken = false;
    scene_later(&scene, DAY);
    ck_assert(scene_serves(&scene, leaf));
    scene_later(&scene, KEEP - DAY);
    expect_keys("KK");
    scene_later(&scene, DAY);
    expect_keys("KE");
}
END_TEST

/* A request that was superseded keeps its key while its answer may come. */
START_TEST(superseded_requests_wait_for_a_newer_one)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    int64_t id = 0;

    ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
    scene_run(&scene);
    for (int day = 0; day < 10; day++)
        scene_later(&scene, DAY);
    expect_keys("KKK");
    /* Long after: its late answer is taken. */
    const struct authority *late =
        authority_make(scene.issuing, &(struct authority_plan){.csr = blob_span(&csr),
                                                               .not_before = scene.now - DAY,
                                                               .not_after = scene.now + 60 * DAY});
    ck_assert(scene_deliver_all(&scene, late));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, late));
    for (int day = 0; day < 10; day++)
        scene_later(&scene, DAY);
    /* The first one is erased; the newest is still open. */
    expect_keys("KKE");
    renew_and_install();
    for (int day = 0; day < 6; day++)
        scene_later(&scene, DAY);
    expect_keys("KEE");
    ck_assert_int_eq(scene_events(&scene, "key-erased"), 2);
}
END_TEST

/* What still comes for an erased key is refused with the reason, and harms nothing. */
START_TEST(late_answers_to_erased_keys_are_refused)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    int64_t id = 0;

    ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
    scene_run(&scene);
    const struct authority *leaf = renew_and_install();
    for (int day = 0; day < 6; day++)
        scene_later(&scene, DAY);
    expect_keys("KEE");
    /* Good for longer than what is here: only its order and its key speak against it. */
    const struct authority *late =
        authority_make(scene.issuing, &(struct authority_plan){.csr = blob_span(&csr),
                                                               .not_before = scene.now - DAY,
                                                               .not_after = scene.now + 90 * DAY});
    ck_assert(!scene_deliver_all(&scene, late));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    /* When what is here has ended, nothing else speaks against it. */
    scene.now += 81 * DAY;
    AUTO_FREE char *pem = mem_printf("again\n%s", authority_pem(late));
    ck_assert(!scene_deliver(&scene, "late.pem", span_text(pem)));
    ck_assert_msg(strstr(scene_receipt(&scene), "its key was out of use and was erased on "), "%s",
                  scene_receipt(&scene));
    expect_keys("KEE");
}
END_TEST

/* One that waited for its chain beside the open request waits no more. */
START_TEST(what_waits_for_its_chain_is_set_aside)
{
    const struct authority *stranger =
        authority_make(NULL, &(struct authority_plan){.subject = "Unknown Root", .ca = true});
    const struct authority *middle = authority_make(
        stranger, &(struct authority_plan){.subject = "Unknown Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *waits =
        authority_make(middle, &(struct authority_plan){.csr = blob_span(&csr)});
    int64_t id = 0;

    ck_assert(scene_deliver(&scene, "waits.pem", span_text(authority_pem(waits))));
    ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
    scene_run(&scene);
    renew_and_install();
    for (int day = 0; day < 7; day++)
        scene_later(&scene, DAY);
    expect_keys("KEE");
    AUTO_RENEWAL struct renewal_row row = {0};
    ck_ok(renewals_get(scene.life.inventory, 2, &row, &err));
    ck_assert(row.received_at != UTC_NEVER);
    ck_assert_int_ne(row.rejected_at, UTC_NEVER);
}
END_TEST

START_TEST(of_a_retired_certificate)
{
    const struct authority *leaf = renew_and_install();

    (void)leaf;
    scene_retire(&scene);
    scene_plan_all(&scene);
    scene_later(&scene, 80 * DAY + KEEP - 1);
    expect_keys("KK");
    scene_later(&scene, 2);
    expect_keys("EE");
    ck_assert_str_eq(scene_state(&scene), "retired");
    scene_later(&scene, 100 * DAY);
    ck_assert_int_eq(scene_events(&scene, "key-erased"), 2);
}
END_TEST

/* A clock that is set back erases nothing early. */
START_TEST(clock_set_back)
{
    renew_and_install();
    scene.now -= 30 * DAY;
    scene_restart(&scene);
    scene_run(&scene);
    expect_keys("KK");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/old_keys");
    TCase *tcase = tcase_create("old_keys");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, the_one_before_goes_after_its_time);
    tcase_add_test(tcase, the_log_is_emptied_later);
    tcase_add_test(tcase, not_before_the_successor_is_in_service);
    tcase_add_test(tcase, superseded_requests_wait_for_a_newer_one);
    tcase_add_test(tcase, late_answers_to_erased_keys_are_refused);
    tcase_add_test(tcase, what_waits_for_its_chain_is_set_aside);
    tcase_add_test(tcase, of_a_retired_certificate);
    tcase_add_test(tcase, clock_set_back);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
