/* The audit trail of whole roads: who did what to which certificate; and how it is pruned. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/events.h"
#include "tests/daemon/life/scene.h"
#include "tests/store/sample.h"

enum { DAY = AUTHORITY_DAY, KEEP = 100 * DAY };

static struct scene scene;
static struct error err;

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

/* Which certificate stands in an event. */
enum which { NONE, OLD, NEW };

struct wanted {
    const char *kind, *actor;
    enum which from, to;
};

struct walk {
    const struct wanted *wanted;
    size_t count, seen;
    uint8_t hashes[3][SHA256_LEN]; /* by enum which */
};

static int look(void *self, const struct event_row *row, struct error *walk_err)
{
    struct walk *walk = self;

    (void)walk_err;
    if (strcmp(row->kind, "mailed") == 0)
        return 0;
    ck_assert_msg(walk->seen < walk->count, "%s by %s is too much", row->kind, row->actor);
    const struct wanted *wanted = &walk->wanted[walk->seen++];
    ck_assert_msg(strcmp(row->kind, wanted->kind) == 0 && strcmp(row->actor, wanted->actor) == 0,
                  "event %ld: wanted %s by %s, got %s by %s: %s", (long)row->id, wanted->kind,
                  wanted->actor, row->kind, row->actor, row->text);
    ck_assert_msg(memcmp(row->old_sha256, walk->hashes[wanted->from], SHA256_LEN) == 0,
                  "%s: old fingerprint", row->kind);
    ck_assert_msg(memcmp(row->new_sha256, walk->hashes[wanted->to], SHA256_LEN) == 0,
                  "%s: new fingerprint", row->kind);
    return 0;
}

static void ck_events(const struct authority *leaf, const struct wanted *wanted, size_t count)
{
    struct walk walk = {.wanted = wanted, .count = count};

    sha256_of(authority_der(scene.old_leaf), walk.hashes[OLD]);
    sha256_of(authority_der(leaf), walk.hashes[NEW]);
    ck_ok(events_each(scene.life.inventory, 0, 1000, look, &walk, &err));
    ck_assert_uint_eq(walk.seen, count);
}

START_TEST(a_road_is_told_in_full)
{
    static const struct wanted wanted[] = {
        {"added", "uid 0", NONE, NONE},          {"adopted", "uid 0", NONE, OLD},
        {"started", "unlapsed", NONE, NONE},     {"requested", "unlapsed", NONE, NONE},
        {"handed-over", "unlapsed", NONE, NONE}, {"received", "drop folder", NONE, NEW},
        {"accepted", "drop folder", OLD, NEW},   {"staged", "unlapsed", OLD, NEW},
        {"swapped", "unlapsed", OLD, NEW},       {"reloaded", "unlapsed", OLD, NEW},
        {"verified", "unlapsed", OLD, NEW},      {"started", "uid 7 (eve)", NONE, NONE},
        {"requested", "unlapsed", NONE, NONE},   {"handed-over", "unlapsed", NONE, NONE},
    };
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *issuing =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf =
        authority_make(issuing, &(struct authority_plan){.csr = blob_span(&csr)});
    int64_t id = 0;

    ck_assert(scene_deliver(&scene, "www.cer", authority_der(leaf)));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(issuing)));
    scene_run(&scene);
    ck_ok(life_renew(&scene.life, "www", false, "uid 7 (eve)", &id, &err));
    scene_run(&scene);
    ck_assert_ptr_null(scene.life.actor);
    ck_events(leaf, wanted, COUNT_OF(wanted));
}
END_TEST

START_TEST(a_way_back_is_told_in_full)
{
    static const struct wanted wanted[] = {
        {"added", "uid 0", NONE, NONE},          {"adopted", "uid 0", NONE, OLD},
        {"started", "unlapsed", NONE, NONE},     {"requested", "unlapsed", NONE, NONE},
        {"handed-over", "unlapsed", NONE, NONE}, {"accepted", "drop folder", OLD, NEW},
        {"staged", "unlapsed", OLD, NEW},        {"swapped", "unlapsed", OLD, NEW},
        {"reloaded", "unlapsed", OLD, NEW},      {"undo", "unlapsed", OLD, NEW},
        {"rolled-back", "unlapsed", NEW, OLD},
    };
    const struct authority *leaf = scene_sign(&scene, NULL);

    scene.ignores_reload = true;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_events(leaf, wanted, COUNT_OF(wanted));
}
END_TEST

START_TEST(a_refusal_names_what_was_refused)
{
    static const struct wanted wanted[] = {
        {"added", "uid 0", NONE, NONE},
        {"adopted", "uid 0", NONE, OLD},
        {"started", "unlapsed", NONE, NONE},
        {"requested", "unlapsed", NONE, NONE},
        {"handed-over", "unlapsed", NONE, NONE},
        {"rejected", "drop folder", NONE, NEW},
        {"delivery-rejected", "drop folder", NONE, NONE},
    };
    const struct authority *expired =
        scene_sign(&scene, &(struct authority_plan){.not_before = scene.now - 3 * DAY,
                                                    .not_after = scene.now - DAY});

    ck_assert(!scene_deliver(&scene, "late.cer", authority_der(expired)));
    ck_events(expired, wanted, COUNT_OF(wanted));
}
END_TEST

/* A day's worth of what happens every day, for so many days. */
static void days(int count)
{
    for (int i = 0; i < count; i++) {
        scene.now += DAY;
        ck_ok(events_add(scene.life.inventory, scene.now, 0, 0, "unlapsed", "day", "", &err));
        scene_run(&scene);
    }
}

static int see_oldest(void *self, const struct event_row *row, struct error *walk_err)
{
    (void)walk_err;
    *(utc_t *)self = row->at;
    return 0;
}

static utc_t oldest(void)
{
    utc_t at = UTC_NEVER;

    ck_ok(events_after(scene.life.inventory, 0, INT64_MAX, 1, see_oldest, &at, &err));
    return at;
}

static bool is_signed(void)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    bool good = false;

    ck_ok(trail_ends(scene.life.inventory, &ends, &err));
    ck_ok(life_trail_signed(&scene.life, &ends, &good, &err));
    return good;
}

START_TEST(kept_for_ever)
{
    utc_t first = oldest();

    days(1000);
    ck_assert_int_eq(oldest(), first);
    ck_assert_int_eq(scene_events(&scene, "pruned"), 0);
    ck_assert(is_signed());
}
END_TEST

START_TEST(kept_for_so_long)
{
    scene.life.keep_events = KEEP;
    days(100);
    ck_assert_int_eq(scene_events(&scene, "pruned"), 0);
    days(50);
    int pruned = scene_events(&scene, "pruned");
    ck_assert_int_ge(pruned, 20);
    ck_assert_int_le(pruned, 50);
    ck_assert_int_ge(oldest(), scene.now - KEEP - DAY);
    ck_assert_int_le(oldest(), scene.now - KEEP + DAY);
    ck_assert(is_signed());
    scene_trail(&scene);
    /* what tells of it comes of age itself, and does not keep it going */
    days(300);
    ck_assert_int_le(scene_events(&scene, "pruned"), KEEP / DAY + 2);
    ck_assert_int_ge(oldest(), scene.now - KEEP - DAY);
    ck_assert(is_signed());
}
END_TEST

/* A thousand at a time, until none is too old. */
START_TEST(much_at_once)
{
    ck_ok(inventory_begin(scene.life.inventory, &err));
    for (int i = 0; i < 3500; i++)
        ck_ok(events_add(scene.life.inventory, scene.now, 0, 0, "unlapsed", "day", "", &err));
    ck_ok(inventory_commit(scene.life.inventory, &err));
    scene.life.keep_events = KEEP;
    scene_later(&scene, KEEP + 2 * DAY);
    ck_assert_int_eq(scene_events(&scene, "pruned"), 4);
    ck_assert_int_eq(scene_events(&scene, "day"), 0);
    ck_assert(is_signed());
}
END_TEST

START_TEST(not_signed_by_another_key)
{
    struct keeper *own = scene.keeper, *other = NULL;
    AUTO_FREE char *path = testing_path("other.key");

    scene.life.keep_events = KEEP;
    scene_later(&scene, KEEP + 2 * DAY);
    ck_assert(is_signed());
    ck_ok(keeper_open(path, true, &other, &err));
    scene.keeper = other;
    ck_assert(!is_signed());
    scene.keeper = own;
    keeper_free(other);
}
END_TEST

static struct keeper *before;

/* A keeper that has two sealing keys, as while one takes the other's place. */
static int signed_by_either(void *self, struct span message, const uint8_t mac[SHA256_LEN],
                            bool *ret, struct error *ret_err)
{
    int rc = keeper_signed_off(((struct scene *)self)->keeper, message, mac, ret, ret_err);

    return rc < 0 || *ret ? rc : keeper_signed_off(before, message, mac, ret, ret_err);
}

START_TEST(signed_again_with_another_key)
{
    AUTO_FREE char *path = testing_path("other.key");

    life_trail_sign_again(&scene.life);
    scene.life.keep_events = KEEP;
    scene_later(&scene, KEEP + 2 * DAY);
    life_trail_sign_again(&scene.life);
    ck_assert_int_eq(scene_events(&scene, "signed-again"), 0);
    before = scene.keeper;
    ck_ok(keeper_open(path, true, &scene.keeper, &err));
    /* one that cannot know it signs nothing */
    testing_expect_log("trail-not-signed");
    life_trail_sign_again(&scene.life);
    ck_assert(!is_signed());
    ck_assert_int_eq(scene_events(&scene, "signed-again"), 0);
    scene.world.signed_off = signed_by_either;
    life_trail_sign_again(&scene.life);
    life_trail_sign_again(&scene.life);
    ck_assert_int_eq(scene_events(&scene, "signed-again"), 1);
    keeper_free(before);
    before = scene.keeper;
    ck_assert(is_signed());
    before = NULL;
    scene_stop(&scene); /* its keys are still sealed under the other one */
}
END_TEST

/* Nothing is signed off that nobody could have recorded so; the rest of the daemon goes on. */
START_TEST(what_is_broken_stays)
{
    utc_t first = oldest();

    scene_stop(&scene);
    sample_sql(scene.inventory_file, "DROP TRIGGER events_are_not_changed;"
                                     "UPDATE events SET actor = 'nobody' WHERE id = 2");
    scene_reopen(&scene);
    scene.life.keep_events = KEEP;
    testing_expect_log("trail-broken");
    scene_later(&scene, KEEP + 2 * DAY);
    ck_assert_int_eq(oldest(), first);
    ck_assert_int_eq(scene_events(&scene, "pruned"), 0);
    sample_sql(scene.inventory_file, "UPDATE events SET actor = 'uid 0' WHERE id = 2");
}
END_TEST

/* Killed before or after it is signed: pruned and signed off, or as before; and then it goes on. */
START_TEST(killed_while_pruning)
{
    int status;

    scene.now += KEEP + 2 * DAY;
    scene_stop(&scene);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        utc_t at;

        scene_reopen(&scene);
        scene.life.keep_events = KEEP;
        scene.calls = 0;
        scene.die_at = _i;
        life_prune(&scene.life, &at, &err);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    scene_reopen(&scene);
    scene.life.keep_events = KEEP;
    scene_trail(&scene);
    ck_assert(is_signed());
    ck_assert_int_eq(scene_events(&scene, "pruned"), _i == 3);
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "pruned"), 1);
    ck_assert(is_signed());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/audit");
    TCase *audit = tcase_create("audit");

    tcase_set_timeout(audit, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(audit, open_asked, close_scene);
    tcase_add_test(audit, a_road_is_told_in_full);
    tcase_add_test(audit, a_way_back_is_told_in_full);
    tcase_add_test(audit, a_refusal_names_what_was_refused);
    tcase_add_test(audit, kept_for_ever);
    tcase_add_test(audit, kept_for_so_long);
    tcase_add_test(audit, much_at_once);
    tcase_add_test(audit, not_signed_by_another_key);
    tcase_add_test(audit, signed_again_with_another_key);
    tcase_add_test(audit, what_is_broken_stays);
    tcase_add_loop_test(audit, killed_while_pruning, 1, 4);
    suite_add_tcase(suite, audit);
    return testing_run(suite);
}
