/* The doctor finds what is broken in keys, leaves, plans and rules, page by page. */
#include "daemon/life/doctor.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/daemon/life/scene.h"
#include "tests/store/sample.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;
static struct doctor *doctor;

/* One renewal was adopted, one is in service, one waits for the authority. */
static void setup(void)
{
    int64_t id = 0;

    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
    ck_assert(scene_deliver_all(&scene, scene_sign(&scene, NULL)));
    scene_run(&scene);
    ck_ok(life_renew(&scene.life, "www", false, "uid 0", &id, &err));
    scene_run(&scene);
    doctor = doctor_new(NULL, 0, NULL);
}

/* What was broken on purpose is not looked at again. */
static void teardown(void)
{
    doctor_free(doctor);
    scene_stop(&scene);
    scene_done(&scene);
}

struct wanted {
    const char *name, *said;
    enum doctor_result result;
    int looked_at, bad;
};

static void look_for(void *self, const struct doctor_outcome *outcome)
{
    struct wanted *wanted = self;

    wanted->looked_at++;
    wanted->bad += outcome->result == DOCTOR_BAD;
    if (strcmp(outcome->check->name, wanted->name) != 0)
        return;
    wanted->result = outcome->result;
    if (wanted->said) {
        ck_assert_uint_gt(outcome->told.count, 0);
        ck_assert_msg(strstr(outcome->told.items[0], wanted->said), "%s: wanted \"%s\", got \"%s\"",
                      wanted->name, wanted->said, outcome->told.items[0]);
    }
}

static struct wanted examine(const char *name, const char *said)
{
    struct wanted wanted = {.name = name, .said = said};
    struct doctor_run run;

    doctor_ask(doctor, false, scene.now);
    while (doctor_step(doctor, &scene.life, NULL, NULL, &err) == 0)
        ;
    doctor_read(doctor, &run, look_for, &wanted);
    ck_assert(!run.running);
    ck_assert_int_eq(run.ended_at, scene.now);
    return wanted;
}

static const struct {
    const char *name, *sql, *said;
} breaks[] = {
    {"keys", "UPDATE renewals SET key_sealed = substr(key_sealed, 1, 20) WHERE id = 3",
     "renewal 3: "},
    {"keys",
     "UPDATE renewals SET key_sealed = (SELECT key_sealed FROM renewals WHERE id = 2),"
     " spki_sha256 = (SELECT spki_sha256 FROM renewals WHERE id = 2) WHERE id = 3",
     "renewal 3: "},
    {"keys", "UPDATE renewals SET csr = (SELECT csr FROM renewals WHERE id = 2) WHERE id = 3",
     "renewal 3: "},
    {"keys", "UPDATE renewals SET leaf = (SELECT leaf FROM renewals WHERE id = 1) WHERE id = 2",
     "renewal 2: "},
    {"leaves", "UPDATE renewals SET leaf = substr(leaf, 2) WHERE id = 2", "renewal 2: "},
    {"leaves", "UPDATE renewals SET leaf_sha256 = zeroblob(32) WHERE id = 2", "another SHA-256"},
    {"leaves", "UPDATE renewals SET not_after = not_after + 1 WHERE id = 2", "other times"},
    {"leaves", "UPDATE renewals SET chain_not_after = not_after + 1 WHERE id = 2",
     "end after its leaf"},
    {"plans", "UPDATE certificates SET next_at = next_at + 86400", "www: wanted \"remind\" at "},
    {"plans", "UPDATE certificates SET next_action = 'start'", "got \"start\""},
    {"plans", "UPDATE certificates SET next_action = 'dance'", "got \"dance\""},
    {"rules", "UPDATE certificates SET policy = 'gone'", "www: policy gone is not configured"},
    {"rules", "UPDATE targets SET service = 'gone'", "www: service gone is not configured"},
    {"references", "DELETE FROM targets", "refers to a row of targets that is not there"},
    {"renewal-key", "UPDATE renewals SET key_sealed = NULL WHERE id = 3", "renewal 3 of www"},
};

START_TEST(what_is_broken_is_found)
{
    testing_expect_log("doctor");
    testing_expect_log("policy-gone");
    sample_force(scene.inventory_file, breaks[_i].sql);
    struct wanted wanted = examine(breaks[_i].name, breaks[_i].said);
    ck_assert_msg(wanted.result == DOCTOR_BAD, "%s: %s", breaks[_i].sql,
                  doctor_result_text(wanted.result));
}
END_TEST

START_TEST(all_is_well)
{
    struct wanted wanted = examine("keys", NULL);

    ck_assert_int_eq(wanted.result, DOCTOR_GOOD);
    ck_assert_int_eq(wanted.bad, 0);
    ck_assert_uint_eq(wanted.looked_at, doctor_checks_count());
}
END_TEST

START_TEST(a_broken_page)
{
    static const char rubbish[4096] = {1, 2, 3};
    int64_t page = sample_sql_int(scene.inventory_file,
                                  "SELECT rootpage FROM sqlite_schema WHERE name = 'deliveries'");

    testing_expect_log("doctor");
    scene_stop(&scene); /* its log is in the file then */
    int fd = open(scene.inventory_file, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, rubbish, sizeof rubbish, (page - 1) * 4096), sizeof rubbish);
    close(fd);
    scene_reopen(&scene);
    ck_assert_int_eq(examine("file", "").result, DOCTOR_BAD);
    /* What can still be looked at is. */
    ck_assert_int_eq(examine("renewal-key", NULL).result, DOCTOR_GOOD);
}
END_TEST

static int no_keeper(void *self, int64_t id, const struct sealed_key *key, struct span csr,
                     struct span cert, struct error *ret_err)
{
    (void)self;
    (void)id;
    (void)key;
    (void)csr;
    (void)cert;
    return error_set(ret_err, E_COMMAND, "keeper: has ended");
}

/* Nothing bad is said of a key because the keeper is away. */
START_TEST(what_cannot_be_looked_at_is_unknown)
{
    testing_expect_log("doctor");
    scene.world.check_key = no_keeper;
    struct wanted wanted = examine("keys", "keeper: has ended");
    ck_assert_int_eq(wanted.result, DOCTOR_UNKNOWN);
    ck_assert_int_eq(wanted.bad, 0);
}
END_TEST

/* An action that failed waits a minute: that is no broken plan. */
START_TEST(what_was_put_off_is_well)
{
    sample_sql(scene.inventory_file, "UPDATE renewals SET handed_over_at = NULL WHERE id = 3");
    sample_sql(scene.inventory_file, "DELETE FROM notices WHERE renewal_id = 3");
    AUTO_FREE char *put_off =
        mem_printf("UPDATE certificates SET next_at = %lld", (long long)scene.now + 60);
    sample_sql(scene.inventory_file, put_off);
    ck_assert_int_eq(examine("plans", NULL).result, DOCTOR_GOOD);
    AUTO_FREE char *longer =
        mem_printf("UPDATE certificates SET next_at = %lld", (long long)scene.now + 61);
    sample_sql(scene.inventory_file, longer);
    testing_expect_log("doctor");
    ck_assert_int_eq(examine("plans", "\"hand over\"").result, DOCTOR_BAD);
}
END_TEST

START_TEST(runs)
{
    struct wanted wanted = {.name = "keys"};
    struct doctor_run run;

    ck_fails(doctor_step(doctor, &scene.life, NULL, NULL, &err), E_NOT_FOUND, "nothing is asked");
    doctor_read(doctor, &run, look_for, &wanted);
    ck_assert_int_eq(run.number, 0);
    ck_assert_int_eq(wanted.looked_at, 0);

    ck_assert_int_eq(doctor_ask(doctor, true, scene.now), 1);
    ck_assert_int_eq(doctor_ask(doctor, true, scene.now), 1);
    ck_ok(doctor_step(doctor, &scene.life, NULL, NULL, &err));
    doctor_read(doctor, &run, look_for, &wanted);
    ck_assert(run.running && run.at_start);
    /* A start leaves out what reads the whole file or opens keys. */
    ck_assert_int_gt(wanted.looked_at, 10);
    ck_assert_uint_lt((size_t)wanted.looked_at, doctor_checks_count());
    ck_assert_int_eq(wanted.result, DOCTOR_WAITING);

    /* More is asked: begun anew. Less, or the same: goes on. */
    ck_assert_int_eq(doctor_ask(doctor, false, scene.now), 2);
    ck_assert_int_eq(doctor_ask(doctor, true, scene.now), 2);
    ck_assert_int_eq(doctor_ask(doctor, false, scene.now), 2);
    while (doctor_step(doctor, &scene.life, NULL, NULL, &err) == 0)
        ;
    ck_assert_int_eq(doctor_ask(doctor, true, scene.now), 3);
}
END_TEST

static bool stop_at_once(void *self)
{
    ++*(int *)self;
    return true;
}

/* What a reload or the end of the daemon breaks off is looked at when there is time again. */
START_TEST(a_page_that_was_stopped_comes_again)
{
    struct wanted wanted = {.name = "file"};
    struct doctor_run run;
    int asked = 0;

    sample_sql(
        scene.inventory_file,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO fetches (url, began_at, tried_at, tries) SELECT 'u' || i, i, i, 1 FROM n");
    doctor_ask(doctor, false, scene.now);
    ck_ok(doctor_step(doctor, &scene.life, stop_at_once, &asked, &err));
    ck_assert_int_gt(asked, 0);
    doctor_read(doctor, &run, look_for, &wanted);
    ck_assert(run.running);
    ck_assert_int_eq(wanted.result, DOCTOR_WAITING);
    while (doctor_step(doctor, &scene.life, NULL, NULL, &err) == 0)
        ;
    doctor_read(doctor, &run, look_for, &wanted);
    ck_assert_int_eq(wanted.result, DOCTOR_GOOD);
}
END_TEST

/* All are counted, the first few are told. */
static void count_broken(void *self, const struct doctor_outcome *outcome)
{
    if (strcmp(outcome->check->name, "target-files") != 0)
        return;
    ck_assert_uint_eq(outcome->told.count, DOCTOR_TOLD_MAX);
    *(int64_t *)self = outcome->told.broken;
}

START_TEST(many)
{
    struct doctor_run run;
    int64_t broken = 0;

    sample_sql(scene.inventory_file,
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
               " INSERT INTO targets (certificate_id, service, added_at) SELECT 1, 'plain', i"
               " FROM n");
    testing_expect_log("doctor");
    examine("target-files", "target 2 of www");
    doctor_read(doctor, &run, count_broken, &broken);
    ck_assert_int_eq(broken, 1200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/doctor");
    TCase *tcase = tcase_create("doctor");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(tcase, what_is_broken_is_found, 0, COUNT_OF(breaks));
    tcase_add_test(tcase, all_is_well);
    tcase_add_test(tcase, a_broken_page);
    tcase_add_test(tcase, what_cannot_be_looked_at_is_unknown);
    tcase_add_test(tcase, what_was_put_off_is_well);
    tcase_add_test(tcase, runs);
    tcase_add_test(tcase, a_page_that_was_stopped_comes_again);
    tcase_add_test(tcase, many);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
