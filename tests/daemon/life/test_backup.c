/* Backups are due by their age and when asked for; what ails them is told once and tried again ever
 * more rarely; a record that cannot be read stops nobody else. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/events.h"
#include "tests/daemon/life/scene.h"
#include "tests/store/sample.h"

enum { DAY = 86400 };

static struct error err;
static struct scene scene;
static char *folder;

static void with_backups(void)
{
    scene.life.backups = folder;
    scene.life.backups_every = DAY;
    scene.life.backups_keep = 3;
}

static void setup(void)
{
    folder = testing_path("backups");
    scene_open(&scene, 100 * DAY, "");
    with_backups();
}

static void teardown(void)
{
    scene_done(&scene);
    free(folder);
}

/* One turn; returns whether something was tried. */
static bool turn(utc_t *ret_at)
{
    int rc = life_backup(&scene.life, NULL, NULL, ret_at, &err);

    ck_assert_msg(rc == 0 || rc == E_NOT_FOUND, "%s: %s", code_name(rc), err.text);
    return rc == 0;
}

static size_t count(void)
{
    AUTO_BACKUPS struct backups backups = {0};

    ck_ok(backups_list(folder, &backups, &err));
    return backups.count;
}

static bool stop_at_once(void *self)
{
    (void)self;
    return true;
}

START_TEST(due_by_age)
{
    utc_t at = 0;

    ck_assert(turn(&at));
    ck_assert_uint_eq(count(), 1);
    ck_assert(!turn(&at));
    ck_assert_int_eq(at, scene.now + DAY);
    scene.now += DAY - 1;
    ck_assert(!turn(&at));
    scene.now++;
    ck_assert(turn(&at));
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(scene_events(&scene, "backup"), 2);
    /* a restart forgets nothing, and a clock that was set back makes one anew */
    scene_restart(&scene);
    with_backups();
    ck_assert(!turn(&at));
    scene.now -= 10 * DAY;
    ck_assert(turn(&at));
    ck_assert(!turn(&at));
    ck_assert_int_eq(at, scene.now + DAY);
}
END_TEST

START_TEST(old_ones_go)
{
    utc_t at = 0;

    for (int i = 0; i < 6; i++) {
        ck_assert(turn(&at));
        scene.now += DAY;
    }
    /* keep 3, and nothing younger than three days */
    ck_assert_uint_le(count(), 4);
    ck_assert_uint_ge(count(), 3);
}
END_TEST

START_TEST(asked_for)
{
    struct backup_state state;
    int64_t first = 0, second = 0;
    utc_t at = 0;

    scene.life.backups_every = 0;
    ck_assert(!turn(&at));
    ck_assert_int_eq(at, UTC_NEVER);
    ck_ok(life_backup_ask(&scene.life, "uid 0", &first, &err));
    ck_ok(life_backup_ask(&scene.life, "uid 0", &second, &err));
    ck_assert_int_gt(second, first);
    /* broken off it stays due, and nothing is told */
    ck_assert_int_eq(life_backup(&scene.life, stop_at_once, NULL, &at, &err), E_NOT_FOUND);
    ck_assert_uint_eq(count(), 0);
    ck_assert(turn(&at));
    ck_assert(!turn(&at));
    ck_ok(life_backup_state(scene.life.inventory, &state, &err));
    ck_assert_int_eq(state.answered, second);
    ck_assert_ptr_null(state.trouble);
    ck_assert_int_eq(state.made_at, scene.now);
    backup_state_done(&state);
    ck_assert_uint_eq(count(), 1);
    ck_assert_int_eq(scene_events(&scene, "backup-asked"), 2);
}
END_TEST

START_TEST(trouble_is_told_once_and_passes)
{
    struct backup_state state;
    utc_t at = 0, before = scene.now;
    int tries = 0;

    testing_expect_log("backup-trouble");
    fclose(fopen(folder, "w"));
    ck_assert(turn(&at));
    ck_assert(!turn(&at));
    ck_assert_int_eq(at, scene.now + 60);
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "backup-trouble"), 0);
    while (scene.now < before + 4 * DAY) {
        scene.now = at;
        tries += turn(&at);
        turn(&at);
        ck_assert_int_le(at, scene.now + 3600);
        scene_run(&scene);
    }
    ck_assert_int_gt(tries, 4 * 24 - 1);
    ck_assert_int_lt(tries, 4 * 24 + 10);
    ck_assert_int_eq(scene_mails(&scene, "backup-trouble"), 1);
    ck_assert_int_eq(scene_events(&scene, "backup-trouble"), 1);
    ck_ok(life_backup_state(scene.life.inventory, &state, &err));
    ck_assert_int_eq(state.since, before);
    ck_assert_ptr_nonnull(strstr(state.trouble, folder));
    backup_state_done(&state);
    remove(folder);
    scene.now = at;
    ck_assert(turn(&at));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "backup-well"), 1);
    ck_assert_uint_eq(count(), 1);
    ck_assert(!turn(&at));
    ck_assert_int_eq(at, scene.now + DAY);
}
END_TEST

/* A name of no known kind: the record cannot be read. */
static void damage_other(bool due)
{
    struct life_add add = {.name = "other", .policy = "test", .actor = "uid 0"};
    struct names names = {0};
    int64_t id = 0;

    ck_ok(names_add(&names, NAME_DNS, "other.example.com", &err));
    add.names = &names;
    ck_ok(life_add(&scene.life, &add, &id, &err));
    names_done(&names);
    scene_stop(&scene);
    sample_sql(scene.inventory_file,
               "UPDATE certificate_names SET type = 'dms' WHERE name = 'other.example.com'");
    if (due)
        sample_sql(scene.inventory_file, "UPDATE certificates SET next_at = 1");
}

static bool see_damaged, see_www;

static int see(void *self, const struct certificate_row *row, struct error *walk_err)
{
    (void)self;
    (void)walk_err;
    see_damaged |= strcmp(row->name, "other") == 0 && row->damaged;
    see_www |= strcmp(row->name, "www") == 0 && !row->damaged;
    return 0;
}

START_TEST(a_record_that_cannot_be_read_stops_nobody_else)
{
    testing_expect_log("unreadable");
    scene_add(&scene);
    damage_other(_i != 0);
    if (_i)
        scene_reopen(&scene); /* it is due before it was looked at */
    else
        scene_start(&scene);
    scene_run(&scene);
    scene_later(&scene, 95 * DAY);
    ck_assert_str_eq(scene_state(&scene), "handed over");
    ck_assert_int_eq(scene_mails(&scene, "unreadable"), 1);
    ck_ok(certificates_each(scene.life.inventory, "", SIZE_MAX, see, NULL, &err));
    ck_assert(see_damaged && see_www);
    ck_assert_int_eq(sample_sql_int(scene.inventory_file,
                                    "SELECT count(*) FROM notices WHERE kind = 'unreadable'"
                                    " AND fields LIKE '%\"certificate\": \"other\"%'"
                                    " OR fields LIKE '%\"certificate\":\"other\"%'"),
                     1);
    scene_restart(&scene);
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "unreadable"), 1);
    scene_stop(&scene); /* the doctor would find the damage */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/backup");
    TCase *backup = tcase_create("backup");

    tcase_set_timeout(backup, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(backup, setup, teardown);
    tcase_add_test(backup, due_by_age);
    tcase_add_test(backup, old_ones_go);
    tcase_add_test(backup, asked_for);
    tcase_add_test(backup, trouble_is_told_once_and_passes);
    suite_add_tcase(suite, backup);
    TCase *unreadable = tcase_create("unreadable");
    tcase_set_timeout(unreadable, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(unreadable, setup, teardown);
    tcase_add_loop_test(unreadable, a_record_that_cannot_be_read_stops_nobody_else, 0, 2);
    suite_add_tcase(suite, unreadable);
    return testing_run(suite);
}
