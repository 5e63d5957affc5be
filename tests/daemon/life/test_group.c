/* Due work of many certificates: in the order of deadlines, several in one transaction. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/life/internal.h"
#include "tests/daemon/life/scene.h"
#include "tests/store/sample.h"

enum { DAY = AUTHORITY_DAY, FLOOD = 300, MORE = 70, FEW = 5 };

static struct scene scene;
static struct error err;

static void open_scene(void)
{
    scene_open(&scene, 2 * DAY, "");
}

static void close_scene(void)
{
    scene_done(&scene);
}

/* Without a target: its first request is due at once. */
static void add_new(const char *name)
{
    AUTO_NAMES struct names names = {0};
    AUTO_FREE char *tagged = mem_printf("dns:%s.example.com", name);
    int64_t id = 0;

    ck_ok(names_add_tagged(&names, tagged, &err));
    const struct life_add add = {.name = name, .policy = "test", .names = &names, .actor = "uid 0"};
    ck_ok(life_add(&scene.life, &add, &id, &err));
}

static void add_flood(int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *name = mem_printf("flood-%03d", i);
        add_new(name);
    }
}

static const char *state_of(const char *name)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    struct certificate_facts facts;

    ck_ok(certificates_find(scene.life.inventory, name, &row, &err));
    ck_ok(life_facts(scene.life.inventory, &row, &facts, &err));
    return state_text(policy_state(&facts, life_policy(&scene.life, &row), scene.now));
}

static int steps_until_done(const char *name, const char *state, int most)
{
    int steps = 0;

    while (steps < most && strcmp(state_of(name), state) != 0) {
        utc_t at = 0;

        ck_ok(life_step(&scene.life, false, &at, &err));
        steps++;
    }
    return steps;
}

/* Four steps (its end is told, start, request, hand over), whatever else is due and was due before.
 */
START_TEST(the_urgent_one_does_not_wait_for_the_flood)
{
    add_flood(FLOOD);
    scene.now += 60;
    scene_add(&scene);
    ck_assert_int_le(steps_until_done("www", "handed over", FLOOD), 4);
    ck_assert_str_ne(state_of("flood-299"), "handed over");
}
END_TEST

START_TEST(many_share_a_step)
{
    int steps = 0;

    add_flood(FLOOD);
    for (int rc = 0; rc == 0; steps += rc == 0) {
        utc_t at = 0;
        rc = life_step(&scene.life, false, &at, &err);
        ck_assert(rc == 0 || rc == E_NOT_FOUND);
    }
    ck_assert_int_eq(scene_events(&scene, "requested"), FLOOD);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FLOOD);
    ck_assert_int_lt(steps, FLOOD / 10);
}
END_TEST

static int (*real_request)(void *self, int64_t renewal_id, const struct key_request *request,
                           struct sealed_key *ret_key, struct blob *ret_csr, struct error *err);

static int request_of_others(void *self, int64_t renewal_id, const struct key_request *request,
                             struct sealed_key *ret_key, struct blob *ret_csr,
                             struct error *ret_err)
{
    if (strcmp(request->names->items[0].text, "flood-002.example.com") == 0)
        return error_set(ret_err, E_CRYPTO, "as the test wants");
    return real_request(self, renewal_id, request, ret_key, ret_csr, ret_err);
}

START_TEST(one_that_fails_takes_no_other_with_it)
{
    add_flood(FEW);
    real_request = scene.world.make_request;
    scene.world.make_request = request_of_others;
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW - 1);
    ck_assert_int_eq(scene_events(&scene, "failed"), 1);
    ck_assert_str_eq(state_of("flood-002"), "due");
    scene.world.make_request = real_request;
    scene_later(&scene, 3600);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW);
}
END_TEST

/* A key without its public half is refused by the inventory: the verb fails, not the key's maker.
 */
static int half_a_request(void *self, int64_t renewal_id, const struct key_request *request,
                          struct sealed_key *ret_key, struct blob *ret_csr, struct error *ret_err)
{
    int rc = real_request(self, renewal_id, request, ret_key, ret_csr, ret_err);

    if (strcmp(request->names->items[0].text, "flood-002.example.com") == 0)
        memset(ret_key->spki_sha256, 0, SHA256_LEN);
    return rc;
}

START_TEST(one_that_cannot_be_recorded_waits_a_little)
{
    add_flood(FEW);
    real_request = scene.world.make_request;
    scene.world.make_request = half_a_request;
    testing_expect_log("verb-failed");
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW - 1);
    ck_assert_str_eq(state_of("flood-002"), "due");
    scene.world.make_request = real_request;
    scene_later(&scene, 60);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW);
}
END_TEST

/* Its request is told of and left alone; whoever stood beside it goes on. */
START_TEST(one_that_cannot_be_read_takes_no_other_with_it)
{
    utc_t at = 0;

    add_flood(FEW);
    ck_ok(life_step(&scene.life, false, &at, &err));
    sample_sql(scene.inventory_file,
               "UPDATE renewal_names SET type = 'dms' WHERE name = 'flood-002.example.com'");
    testing_expect_log("unreadable");
    testing_expect_log("verb-failed");
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "requested"), FEW - 1);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW - 1);
    scene_stop(&scene); /* the doctor would find the damage */
}
END_TEST

/* Files may not grow: as on a full disk. */
static void limit_files(rlim_t most)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_undoes_the_whole_group)
{
    utc_t at = 0;

    add_flood(MORE);
    limit_files(64 << 10);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = life_step(&scene.life, false, &at, &err);
    ck_assert_int_eq(code_retry(rc), RETRY_TRANSIENT);
    limit_files(RLIM_INFINITY);
    scene_restart(&scene);
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "started"), MORE);
    ck_assert_int_eq(scene_events(&scene, "requested"), MORE);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), MORE);
}
END_TEST

static int check_key(void *self, const struct certificate_row *row, struct error *check_err)
{
    AUTO_RENEWAL struct renewal_row open = {0};

    (void)self;
    ck_ok(renewals_open(scene.life.inventory, row->id, &open, check_err));
    ck_ok(keeper_check(scene.keeper, open.id, &open.key, blob_span(&open.csr), (struct span){0},
                       check_err));
    return 0;
}

/* Calls to the world of three steps of the group: a key each, and the files of all at once. */
enum { GROUP_CALLS = 2 * (FEW + 1) };

START_TEST(killed_within_a_group_nothing_is_lost)
{
    int status = 0;

    add_flood(FEW);
    scene_stop(&scene);
    pid_t pid = fork();
    if (pid == 0) {
        scene_start(&scene);
        scene.die_at = _i;
        scene_run(&scene);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "call %d: not killed", _i);
    scene_start(&scene);
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "started"), FEW);
    ck_assert_int_eq(scene_events(&scene, "requested"), FEW);
    ck_assert_int_eq(scene_events(&scene, "handed-over"), FEW);
    ck_ok(certificates_each(scene.life.inventory, "", FEW, check_key, NULL, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life group");
    TCase *tcase = tcase_create("group");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_urgent_one_does_not_wait_for_the_flood);
    tcase_add_test(tcase, many_share_a_step);
    tcase_add_test(tcase, one_that_fails_takes_no_other_with_it);
    tcase_add_test(tcase, one_that_cannot_be_recorded_waits_a_little);
    tcase_add_test(tcase, one_that_cannot_be_read_takes_no_other_with_it);
    tcase_add_test(tcase, a_full_disk_undoes_the_whole_group);
    tcase_add_loop_test(tcase, killed_within_a_group_nothing_is_lost, 2, GROUP_CALLS + 1);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
