/* The sealing key changes, is wrong, is gone: what was sealed opens, or says why not. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/events.h"
#include "store/keys.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY, KEYS = 6, STEPS_MAX = 200 };

static struct scene scene;
static struct error err;

/* One certificate in service and a handful of requests, of which the newest is open. */
static void open_scene(void)
{
    int64_t id = 0;

    scene_open(&scene, 6 * DAY, "    keep-retired-keys: 1d\n");
    ck_ok(life_seal_start(&scene.life, "sealing.key", &err));
    scene_add(&scene);
    scene_run(&scene);
    for (int i = 2; i < KEYS; i++) {
        ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
        scene_run(&scene);
    }
}

static void close_scene(void)
{
    scene_done(&scene);
}

/* What is looked at of all keys. */
struct look {
    int keys, opened;
    uint8_t id[SEALING_ID_LEN]; /* of the sealing key that all are under */
    bool mixed;
};

static int look_at(void *self, const struct renewal_row *row, struct error *walk_err)
{
    struct look *look = self;

    (void)walk_err;
    if (row->key.sealed.len == 0)
        return 0;
    if (look->keys++ == 0)
        memcpy(look->id, row->key.sealed.data + 1, SEALING_ID_LEN);
    look->mixed |= memcmp(look->id, row->key.sealed.data + 1, SEALING_ID_LEN) != 0;
    look->opened += keeper_check(scene.keeper, row->id, &row->key, blob_span(&row->csr),
                                 blob_span(&row->leaf), NULL) == 0;
    return 0;
}

static struct look look_around(void)
{
    struct look look = {0};

    ck_ok(renewals_by_certificate(scene.life.inventory, scene_certificate(&scene), look_at, &look,
                                  &err));
    return look;
}

static void expect_all_under_the_key_in_force(int keys)
{
    struct look look = look_around();
    uint8_t id[SEALING_ID_LEN];

    keeper_id(scene.keeper, id);
    ck_assert_int_eq(look.keys, keys);
    ck_assert_int_eq(look.opened, keys);
    ck_assert(!look.mixed);
    ck_assert_mem_eq(look.id, id, sizeof id);
}

static void rotate(void)
{
    bool existing = true;

    ck_ok(life_seal_rotate(&scene.life, "uid 7", &existing, &err));
    ck_assert(!existing);
}

static struct seal_state state(void)
{
    struct seal_state found = {0};

    ck_ok(life_seal_state(&scene.life, &found, &err));
    return found;
}

static bool is_rotating(void)
{
    struct seal_state at = state();
    bool rotating = at.rotating;

    seal_state_done(&at);
    return rotating;
}

static void expect_rest(void)
{
    struct seal_state at = state();

    ck_assert(!at.rotating);
    ck_assert_int_eq(at.left, 0);
    ck_assert_uint_eq(at.missing.count, 0);
    seal_state_done(&at);
}

/* The road goes on with a key that was sealed anew. */
static void expect_open_request_works(void)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}

START_TEST(all_keys_are_sealed_anew)
{
    bool existing = false;

    expect_all_under_the_key_in_force(KEYS);
    rotate();
    struct seal_state at = state();
    ck_assert(at.rotating);
    ck_assert_str_eq(at.by, "uid 7");
    ck_assert_int_eq(at.began_at, scene.now);
    ck_assert_int_eq(at.left, KEYS);
    ck_assert_uint_eq(at.ids.count, 2);
    seal_state_done(&at);
    /* Both are readable now, and one change at a time is enough. */
    ck_assert_int_eq(look_around().opened, KEYS);
    ck_ok(life_seal_rotate(&scene.life, "uid 7", &existing, &err));
    ck_assert(existing);
    at = state();
    ck_assert_uint_eq(at.ids.count, 2);
    seal_state_done(&at);
    scene_run(&scene);
    expect_all_under_the_key_in_force(KEYS);
    expect_rest();
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-begun"), 1);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-ended"), 1);
    ck_fails(life_seal_step(&scene.life, &err), E_NOT_FOUND, "");
    scene_restart(&scene);
    expect_all_under_the_key_in_force(KEYS);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-begun"), 1);
    expect_open_request_works();
}
END_TEST

/* While it goes on everything else does, too, and new keys are under the new one. */
START_TEST(requests_go_on_meanwhile)
{
    int64_t id = 0;

    rotate();
    ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
    scene_run(&scene);
    expect_all_under_the_key_in_force(KEYS + 1);
    rotate();
    expect_open_request_works();
    expect_all_under_the_key_in_force(KEYS + 1);
    expect_rest();
}
END_TEST

/* The old key may go when the change has ended. */
START_TEST(nothing_needs_the_old_key)
{
    struct seal_state at = state();
    char hex[2 * SEALING_ID_LEN + 1];
    AUTO_FREE char *old = mem_printf("%s/sealing.key.old-%s", scene.dir,
                                     text_hex(at.ids.items[0], SEALING_ID_LEN, hex));

    rotate();
    scene_run(&scene);
    ck_assert_int_eq(0, unlink(old));
    scene_restart(&scene);
    expect_all_under_the_key_in_force(KEYS);
    expect_rest();
}
END_TEST

/* Taken away too early: said, and the rest works. */
START_TEST(an_old_key_is_missing)
{
    struct seal_state at = state();
    char hex[2 * SEALING_ID_LEN + 1];
    AUTO_FREE char *old = mem_printf("%s/sealing.key.old-%s", scene.dir,
                                     text_hex(at.ids.items[0], SEALING_ID_LEN, hex));
    AUTO_FREE char *aside = mem_printf("%s/aside", scene.dir);

    rotate();
    ck_assert_int_eq(0, rename(old, aside));
    testing_expect_log("sealing-key-missing");
    scene_restart(&scene);
    scene_run(&scene);
    at = state();
    ck_assert_uint_eq(at.missing.count, 1);
    ck_assert_int_eq(at.left, KEYS);
    ck_assert_int_eq(look_around().opened, 0);
    /* Back again: it goes on by itself. */
    ck_assert_int_eq(0, rename(aside, old));
    scene_restart(&scene);
    scene_run(&scene);
    expect_all_under_the_key_in_force(KEYS);
    expect_rest();
}
END_TEST

/* A backup from before the change comes back: it is sealed anew, for the old key is there. */
START_TEST(an_older_inventory_comes_back)
{
    AUTO_BLOB struct blob before = {0};

    scene_stop(&scene);
    ck_ok(file_read(scene.inventory_file, 64 << 20, &before, &err));
    scene_start(&scene);
    rotate();
    scene_run(&scene);
    scene_stop(&scene);
    ck_ok(file_replace(scene.inventory_file, blob_span(&before), FILE_PRIVATE, &err));
    scene_start(&scene);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-begun"), 1);
    ck_assert(is_rotating());
    scene_run(&scene);
    expect_all_under_the_key_in_force(KEYS);
    expect_rest();
}
END_TEST

static char *sealing_path(const char *end)
{
    return mem_printf("%s/sealing.key%s", scene.dir, end);
}

START_TEST(a_wrong_key_changes_nothing)
{
    AUTO_FREE char *path = sealing_path(""), *aside = sealing_path(".aside");
    struct seal_state at = state();
    uint8_t wrong[SEALING_ID_LEN];
    char wanted[2 * SEALING_ID_LEN + 1], got[2 * SEALING_ID_LEN + 1];
    int events = scene_events(&scene, "requested");

    scene_stop(&scene);
    ck_assert_int_eq(0, rename(path, aside));
    scene_reopen(&scene); /* with a key that it makes: the wrong one */
    keeper_id(scene.keeper, wrong);
    ck_fails(life_seal_start(&scene.life, path, &err), E_CORRUPT, "put the right one back");
    ck_assert_ptr_nonnull(strstr(err.text, text_hex(at.ids.items[0], SEALING_ID_LEN, wanted)));
    ck_assert_ptr_nonnull(strstr(err.text, text_hex(wrong, SEALING_ID_LEN, got)));
    ck_assert_ptr_nonnull(strstr(err.text, path));
    scene_stop(&scene);
    ck_assert_int_eq(0, rename(aside, path));
    scene_start(&scene);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-begun"), 0);
    ck_assert_int_eq(scene_events(&scene, "requested"), events);
    expect_all_under_the_key_in_force(KEYS);
}
END_TEST

/* A new key is made for an inventory without sealed keys alone, also when the record of the id is
 * gone. */
START_TEST(no_new_key_beside_sealed_ones)
{
    AUTO_FREE char *id = NULL, *again = NULL, *path = sealing_path(""), *fresh = NULL;
    AUTO_FREE char *other = mem_printf("%s/other.db", scene.dir);
    struct inventory *empty = NULL;
    bool none = true;

    ck_ok(life_seal_expected(scene.life.inventory, &none, &id, &err));
    ck_assert(!none);
    ck_assert_uint_eq(2 * SEALING_ID_LEN, strlen(id));
    ck_ok(inventory_value_remove(scene.life.inventory, "sealing-key-id", &err));
    none = true;
    ck_ok(life_seal_expected(scene.life.inventory, &none, &again, &err));
    ck_assert(!none);
    ck_assert_str_eq(id, again);
    scene_restart(&scene);
    free(again);
    again = NULL;
    ck_ok(life_seal_expected(scene.life.inventory, &none, &again, &err));
    ck_assert_str_eq(id, again);
    ck_ok(inventory_value_remove(scene.life.inventory, "sealing-key-id", &err));
    scene_stop(&scene);
    ck_assert_int_eq(0, unlink(path));
    scene_reopen(&scene);
    ck_fails(life_seal_start(&scene.life, path, &err), E_CORRUPT, id);

    ck_ok(inventory_open(other, &empty, &err));
    ck_ok(life_seal_expected(empty, &none, &fresh, &err));
    ck_assert(none);
    ck_assert_ptr_null(fresh);
    inventory_close(empty);
    scene_stop(&scene); /* the doctor would find the spoiled keys */
}
END_TEST

static void spoil(int64_t id, int how)
{
    AUTO_RENEWAL struct renewal_row row = {0}, other = {0};

    ck_ok(renewals_get(scene.life.inventory, id, &row, &err));
    switch (how) {
    case 0: /* another row's */
        ck_ok(renewals_get(scene.life.inventory, id - 1, &other, &err));
        blob_done(&row.key.sealed);
        row.key.sealed = blob_copy(blob_span(&other.key.sealed));
        break;
    case 1: /* another row's, with its public half: whose CSR it answers decides */
        ck_ok(renewals_get(scene.life.inventory, id - 1, &other, &err));
        blob_done(&row.key.sealed);
        row.key.sealed = blob_copy(blob_span(&other.key.sealed));
        memcpy(row.key.spki_sha256, other.key.spki_sha256, SHA256_LEN);
        break;
    case 2:
        row.key.sealed.data[row.key.sealed.len / 2] ^= 1;
        break;
    default:
        row.key.sealed.len /= 2;
    }
    ck_ok(renewals_update(scene.life.inventory, &row, &err));
}

/* Nothing is installed with it, the old pair stays in service, and people hear why. */
START_TEST(a_spoiled_key_installs_nothing)
{
    AUTO_RENEWAL struct renewal_row open = scene_open_request(&scene);
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    spoil(open.id, _i);
    testing_expect_log("deployment-failed");
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert_int_eq(scene_leftovers(&scene), 0);
    ck_assert_int_eq(scene_events(&scene, "rolled-back"), 1);
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 1);
    scene_stop(&scene); /* the doctor would find the spoiled keys */
}
END_TEST

/* The change ends all the same, and tells. */
START_TEST(a_spoiled_key_does_not_stop_the_change)
{
    AUTO_RENEWAL struct renewal_row open = scene_open_request(&scene);

    spoil(open.id - 1, 2);
    rotate();
    testing_expect_log("not-resealed");
    scene_run(&scene);
    struct seal_state at = state();
    ck_assert(!at.rotating);
    ck_assert_int_eq(at.left, 1);
    ck_assert_int_eq(look_around().opened, KEYS - 1);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-ended"), 1);
    expect_open_request_works();
    scene_stop(&scene); /* the doctor would find the spoiled keys */
}
END_TEST

/* Requests of old that all have keys. */
static void add_keys(int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_RENEWAL struct renewal_row row = {.certificate_id = scene_certificate(&scene),
                                               .reason = mem_strdup("a test"),
                                               .created_at = scene.now};
        int64_t id = 0;

        ck_ok(renewals_add(scene.life.inventory, &row, &id, &err));
        renewal_row_done(&row);
        ck_ok(renewals_get(scene.life.inventory, id, &row, &err));
        ck_ok(keeper_seal(scene.keeper, id, span_text(authority_key_pem(scene.old_leaf)), &row.key,
                          &err));
        row.superseded_at = scene.now;
        ck_ok(renewals_update(scene.life.inventory, &row, &err));
    }
}

static int64_t left(void)
{
    struct seal_state at = state();
    int64_t count = at.left;

    seal_state_done(&at);
    return count;
}

/* So many that it takes several turns, with a start between each two; one does not open. */
START_TEST(many_keys_take_their_turns)
{
    enum { MORE = 300 };
    int turns = 0;
    int64_t before;

    ck_ok(inventory_begin(scene.life.inventory, &err));
    add_keys(MORE);
    ck_ok(inventory_commit(scene.life.inventory, &err));
    spoil(50, 2);
    testing_expect_log("not-resealed");
    before = left();
    ck_assert_int_eq(before, 0);
    rotate();
    ck_assert_int_eq(left(), KEYS + MORE);
    for (before = left(); is_rotating(); before = left()) {
        ck_ok(life_seal_step(&scene.life, &err));
        ck_assert_int_ge(left(), before - 128);
        ck_assert_int_lt(turns++, 20);
        scene_restart(&scene);
    }
    ck_assert_int_ge(turns, 5);
    ck_assert_int_eq(left(), 1);
    ck_assert_int_eq(look_around().opened, KEYS + MORE - 1);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-ended"), 1);
    scene_stop(&scene); /* the doctor would find the spoiled keys */
}
END_TEST

/* Nothing was sealed yet when it changed: the record of its id changes, too. */
START_TEST(without_keys)
{
    AUTO_FREE char *path = mem_printf("%s/empty.db", scene.dir);
    struct life life = scene.life;
    uint8_t id[SEALING_ID_LEN];
    AUTO_BLOB struct blob known = {0};

    ck_ok(inventory_open(path, &life.inventory, &err));
    ck_ok(life_seal_start(&life, "sealing.key", &err));
    ck_ok(keeper_rotate(scene.keeper, &err));
    ck_ok(life_seal_start(&life, "sealing.key", &err));
    ck_ok(life_seal_step(&life, &err));
    ck_fails(life_seal_step(&life, &err), E_NOT_FOUND, "");
    keeper_id(scene.keeper, id);
    ck_ok(inventory_value_get(life.inventory, "sealing-key-id", &known, &err));
    ck_assert(span_equal(blob_span(&known), span_of(id, sizeof id)));
    inventory_close(life.inventory);
}
END_TEST

/* Replaced by hand twice, with keys under each of the three. */
START_TEST(several_old_keys)
{
    for (int i = 0; i < 2; i++) {
        ck_ok(keeper_rotate(scene.keeper, &err));
        add_keys(140);
    }
    ck_assert_int_eq(left(), KEYS + 140);
    /* One that does not open under each of the two. */
    spoil(2, 2);
    spoil(KEYS + 130, 2);
    testing_expect_log("not-resealed");
    scene_restart(&scene);
    scene_run(&scene);
    ck_assert(!is_rotating());
    ck_assert_int_eq(left(), 2);
    ck_assert_int_eq(look_around().opened, KEYS + 278);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-begun"), 1);
    ck_assert_int_eq(scene_events(&scene, "seal-rotation-ended"), 1);
    scene_stop(&scene); /* the doctor would find the spoiled keys */
}
END_TEST

#ifdef UNLAPSED_FAULTS
static int strike(void *self, const char *call)
{
    int *left = self;

    (void)call;
    if ((*left)-- == 0)
        kill(getpid(), SIGKILL);
    return 0;
}
#endif

/* Dies before (or after) its at-th call to the world, or before its at-th call that changes a file;
 * true when it did. */
static bool run_and_die(int at, bool files)
{
    int status = 0;
    pid_t child;

    scene_stop(&scene);
    child = fork();
    if (child == 0) {
        bool existing = false;

        scene_start(&scene);
#ifdef UNLAPSED_FAULTS
        if (files)
            file_fault_set(strike, &at);
#endif
        scene.calls = 0;
        scene.die_at = files ? 0 : at + 1;
        int rc = life_seal_rotate(&scene.life, "uid 7", &existing, NULL);
        if (rc == 0)
            scene_run(&scene);
        _exit(rc == 0 ? 0 : 1);
    }
    ck_assert_int_eq(child, waitpid(child, &status, 0));
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ck_assert_msg(died || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "step %d: status %x", at,
                  (unsigned)status);
    scene_start(&scene);
    return died;
}

/* Each round shall do all there is to do. */
static void forget_old_keys(void)
{
    DIR *dir = opendir(scene.dir);

    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (strstr(entry->d_name, ".old-"))
            ck_assert_int_eq(0, unlinkat(dirfd(dir), entry->d_name, 0));
    closedir(dir);
}

/* kill -9 at each step of a change: the next start goes on with it, or it never began. */
START_TEST(killed_at_each_step)
{
    int at = 0, begun = 0;
    bool files = _i == 1;

    while (run_and_die(at, files)) {
        struct seal_state now = state();
        ck_assert_int_eq(look_around().opened, KEYS);
        ck_assert_uint_eq(now.missing.count, 0);
        begun += now.rotating;
        scene_run(&scene);
        expect_all_under_the_key_in_force(KEYS);
        expect_rest();
        seal_state_done(&now);
        forget_old_keys();
        ck_assert_int_lt(++at, STEPS_MAX);
        scene_restart(&scene);
    }
    ck_assert_int_ge(at, 12);
    ck_assert_int_ge(begun, files ? 1 : 10);
    expect_all_under_the_key_in_force(KEYS);
    expect_open_request_works();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/sealing");
    TCase *tcase = tcase_create("sealing");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, all_keys_are_sealed_anew);
    tcase_add_test(tcase, requests_go_on_meanwhile);
    tcase_add_test(tcase, nothing_needs_the_old_key);
    tcase_add_test(tcase, an_old_key_is_missing);
    tcase_add_test(tcase, an_older_inventory_comes_back);
    tcase_add_test(tcase, a_wrong_key_changes_nothing);
    tcase_add_test(tcase, no_new_key_beside_sealed_ones);
    tcase_add_loop_test(tcase, a_spoiled_key_installs_nothing, 0, 4);
    tcase_add_test(tcase, a_spoiled_key_does_not_stop_the_change);
    tcase_add_test(tcase, many_keys_take_their_turns);
    tcase_add_test(tcase, several_old_keys);
    tcase_add_test(tcase, without_keys);
#ifdef UNLAPSED_FAULTS
    tcase_add_loop_test(tcase, killed_at_each_step, 0, 2);
#else
    tcase_add_loop_test(tcase, killed_at_each_step, 0, 1);
#endif
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
