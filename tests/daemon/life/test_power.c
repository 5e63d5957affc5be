/*
 * A renewal from its beginning to its proof, with a fault at each call that changes the disk, in
 * turn: SQLite's own and those of the other files. The call fails once, or it and all after it
 * fail, or the power is cut at it and what was not synced is lost or torn. Whatever was committed
 * is there afterwards, the road is gone to its end, and nothing of it twice.
 *
 * POWER_STRIDE: a fault at each so many calls (1: at all of them). POWER_SEED: of the losses.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/events.h"
#include "tests/daemon/life/scene.h"
#include "tests/store/faulty_vfs.h"

enum { DAY = AUTHORITY_DAY, CALLS_MAX = 2000, ROUNDS_MAX = 200, STRIDE = 13 };

static struct scene scene;
static struct error err;
static const struct authority *leaf; /* what the authority has issued */
static bool filed;                   /* its delivery has left the drop folder */
static int64_t committed;            /* the newest event that was told to be there */

static int at_file(void *self, const char *call)
{
    (void)self;
    (void)call;
    return faulty_vfs_strikes() ? EIO : 0;
}

static int take_id(void *self, const struct event_row *row, struct error *walk_err)
{
    (void)walk_err;
    *(int64_t *)self = row->id;
    return 0;
}

static int64_t newest_event(void)
{
    int64_t id = 0;

    ck_ok(events_each(scene.life.inventory, 0, 1, take_id, &id, &err));
    return id;
}

/* What one piece of work has returned from is committed. */
static int note(int rc)
{
    if (rc == 0)
        committed = newest_event();
    return rc;
}

/* Everything that is due in a lane; the failure that ended it. */
static int run_lane(int lane)
{
    for (int rounds = 0;; rounds++) {
        utc_t at = 0;
        int rc = note(lane == 2 ? life_send(&scene.life, &at, &err)
                                : life_step(&scene.life, lane == 1, &at, &err));

        ck_assert_int_lt(rounds, ROUNDS_MAX);
        if (rc < 0)
            return rc == E_NOT_FOUND ? 0 : rc;
    }
}

/* The authority signs the CSR that a person finds in the requests folder, whatever the inventory
 * says. */
static void issue(void)
{
    AUTO_FREE char *path = mem_printf("%s/www.csr", scene.dir);
    AUTO_BLOB struct blob pem = {0};
    AUTO_OBJECTS struct delivery_objects objects = {0};

    if (leaf || file_read(path, BUF_MAX_PEM, &pem, NULL) < 0)
        return;
    ck_ok(delivery_read(blob_span(&pem), NULL, &objects, &err));
    leaf = authority_make(scene.issuing,
                          &(struct authority_plan){.csr = blob_span(&objects.items[0].der)});
}

static int deliver(void)
{
    struct life_verdict verdict = {0};
    uint8_t hash[SHA256_LEN];

    issue();
    if (!leaf || filed)
        return 0;
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(scene.issuing), authority_pem(leaf));
    sha256_of(span_text(pem), hash);
    int rc =
        note(life_intake(&scene.life, "bundle.pem", span_text(pem), hash, NULL, &verdict, &err));
    if (rc == 0)
        rc = note(life_filed(&scene.life, &(struct life_filing){verdict.delivery_id, "bundle.pem"},
                             1, &err));
    life_verdict_done(&verdict);
    filed = rc == 0;
    return rc;
}

static bool is_at_end(void)
{
    return leaf && filed && scene_events(&scene, "verified") > 0 && scene_serves(&scene, leaf) &&
           scene_leftovers(&scene) == 0 && scene_mails(&scene, "deployed") > 0;
}

/* Until the end or the first failure; what failed in the service is tried again later. */
static int walk(void)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int rc = run_lane(0);

        for (int lane = 1; rc == 0 && lane < 3; lane++)
            rc = run_lane(lane);
        if (rc == 0)
            rc = deliver();
        if (rc < 0)
            return rc;
        if (is_at_end())
            return 0;
        scene.now += 60;
    }
    ck_abort_msg("the road has no end: %s", scene_state(&scene));
}

struct tally {
    int csr_ready, accepted, deployed;
};

static int count_notice(void *self, const struct notice_row *row, struct error *walk_err)
{
    struct tally *tally = self;

    (void)walk_err;
    tally->csr_ready += strcmp(row->kind, "csr-ready") == 0;
    tally->accepted += strcmp(row->kind, "accepted") == 0;
    tally->deployed += strcmp(row->kind, "deployed") == 0;
    return 0;
}

/* A mail whose sending was the last thing before the fault goes out again: it is the only thing. */
static void ck_end(int mails_max)
{
    static const char *const once[] = {"added",     "adopted",  "started",
                                       "requested", "accepted", "verified"};
    AUTO_RENEWAL struct renewal_row renewal = {0};
    struct tally tally = {0};
    /* A person may have found the CSR although that could not be recorded. */
    int handed_over = scene_events(&scene, "handed-over");

    for (size_t i = 0; i < COUNT_OF(once); i++)
        ck_assert_msg(scene_events(&scene, once[i]) == 1, "%s: %d times", once[i],
                      scene_events(&scene, once[i]));
    ck_ok(renewals_accepted(scene.life.inventory, scene_certificate(&scene), &renewal, &err));
    ck_assert_int_eq(handed_over, renewal.handed_over_at != UTC_NEVER);
    ck_ok(notices_by_certificate(scene.life.inventory, scene_certificate(&scene), count_notice,
                                 &tally, &err));
    ck_assert_int_eq(tally.csr_ready, handed_over);
    ck_assert_int_eq(tally.accepted, 1);
    ck_assert_int_eq(tally.deployed, 1);
    ck_assert_int_le(scene_mails(&scene, "csr-ready"), mails_max);
    ck_assert_int_le(scene_mails(&scene, "deployed"), mails_max);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves(&scene, leaf));
    ck_assert(scene_pair_fits(&scene));
}

static void begin(void)
{
    leaf = NULL;
    filed = false;
    committed = 0;
    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
}

/* Also looks at every key, and at every invariant. */
static void end(void)
{
    scene_done(&scene);
    DIR *dir = opendir(scene.dir);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

static int from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    ck_assert(!text || text_number(text, 1, INT32_MAX, &otherwise));
    return (int)otherwise;
}

/* What a fault is logged as. */
static void expect_logs(void)
{
    static const char *const ids[] = {"verb-failed",     "deployment-failed", "not-restored",
                                      "not-cleaned",     "event-lost",        "mail-failed",
                                      "not-looked-again"};

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        testing_expect_log(ids[i]);
}

static void setup(void)
{
    expect_logs();
    faulty_vfs_install();
}

static const bool lasting[] = {false, true};

START_TEST(each_call_fails)
{
    int stride = from_environment("POWER_STRIDE", STRIDE), struck = 0, hits = 1;

    for (int pass = _i; hits > 0; pass += stride) {
        ck_assert_int_lt(pass, CALLS_MAX);
        begin();
        file_fault_set(at_file, NULL);
        faulty_vfs_arm(pass, FAULT_IO, lasting[_i]);
        int rc = walk();
        hits = faulty_vfs_disarm();
        struck += hits;
        ck_assert_msg(hits > 0 || rc == 0, "%s", err.text);
        ck_assert_int_ge(newest_event(), committed);
        scene_examine(&scene);
        ck_ok(walk());
        file_fault_set(NULL, NULL);
        ck_end(2);
        end();
    }
    ck_assert_int_gt(struck, 100 / stride);
}
END_TEST

START_TEST(the_power_is_cut_at_each_call)
{
    int stride = from_environment("POWER_STRIDE", STRIDE), struck = 0, hits = 1;
    unsigned seed = (unsigned)from_environment("POWER_SEED", 1);

    for (int pass = _i; hits > 0; pass += stride) {
        ck_assert_int_lt(pass, CALLS_MAX);
        begin();
        file_fault_set(at_file, NULL);
        faulty_vfs_cut_power(pass, seed + (unsigned)pass);
        walk();
        int64_t told = committed;
        scene_stop(&scene);
        file_fault_set(NULL, NULL);
        hits = faulty_vfs_power_on();
        struck += hits > 0;
        scene_start(&scene);
        ck_assert_msg(newest_event() >= told,
                      "call %d, seed %u: event %d was committed, %d is there", pass, seed,
                      (int)told, (int)newest_event());
        scene_examine(&scene);
        ck_ok(walk());
        ck_end(2);
        end();
    }
    ck_assert_int_gt(struck, 100 / stride);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/power");
    TCase *power = tcase_create("power");

    tcase_set_timeout(power, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(power, setup, NULL);
    tcase_add_loop_test(power, each_call_fails, 0, COUNT_OF(lasting));
    tcase_add_loop_test(power, the_power_is_cut_at_each_call, 0, 2);
    suite_add_tcase(suite, power);
    return testing_run(suite);
}
