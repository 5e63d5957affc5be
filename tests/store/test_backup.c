/* Backups are whole, verified and private; they neither wait for writers nor make them wait; a
 * failure leaves nothing; damage of the inventory is told from damage of the copy. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backup.h"
#include "store/certificates.h"
#include "store/damage.h"
#include "tests/store/faulty_vfs.h"
#include "tests/store/sample.h"

enum { CALLS_MAX = 400, ROWS = 300 };

static struct error err;
static struct inventory *inventory;
static char *path, *folder;

static void setup(void)
{
    path = testing_path("inventory.db");
    folder = testing_path("backups");
    inventory = sample_open();
    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < ROWS; i++) {
        AUTO_FREE char *name = mem_printf("c%d", i);
        sample_renewal(inventory, sample_certificate(inventory, name));
    }
    ck_ok(inventory_commit(inventory, &err));
}

static void teardown(void)
{
    inventory_close(inventory);
    free(path);
    free(folder);
}

static struct backup_job job_at(utc_t now)
{
    return (struct backup_job){.folder = folder, .now = now};
}

static int make(utc_t now, struct backup *ret)
{
    struct backup_job job = job_at(now);
    struct backup_counts counts;

    return backup_make(inventory, &job, ret, &counts, &err);
}

static int files_in(const char *where)
{
    DIR *stream = opendir(where);
    int count = 0;

    if (!stream)
        return 0;
    for (const struct dirent *entry; (entry = readdir(stream));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(stream);
    return count;
}

START_TEST(one_is_whole_private_and_verified)
{
    struct backup_job job = job_at(SAMPLE_NOW);
    struct backup backup;
    struct backup_counts counts, again;
    AUTO_BLOB struct blob key = {0};
    struct stat st;

    ck_ok(inventory_value_set(inventory, "sealing-key-id", span_text("12345678"), &err));
    ck_ok(backup_make(inventory, &job, &backup, &counts, &err));
    ck_assert_str_eq(backup.name, "inventory-20270115T080000Z.db");
    AUTO_FREE char *file = mem_printf("%s/%s", folder, backup.name);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, backup.size);
    ck_assert_int_eq(stat(folder, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(files_in(folder), 1);
    ck_ok(backup_verify(file, NULL, &again, &key, &err));
    ck_assert_int_eq(again.rows, counts.rows);
    ck_assert_int_eq(again.tables, counts.tables);
    /* each certificate with two names, its renewal with one; two values */
    ck_assert_int_eq(counts.rows, 5 * ROWS + 3);
    ck_assert_int_eq(counts.schema, 1);
    ck_assert(span_equal(blob_span(&key), span_text("12345678")));
    ck_assert_int_eq(files_in(folder), 1);
    /* and read by anybody's SQLite without making a file beside it */
    ck_assert_int_eq(sample_sql_int(file, "SELECT count(*) FROM renewals"), ROWS);
    ck_assert_int_eq(files_in(folder), 1);
}
END_TEST

/* Another handle commits between every two steps: they do not wait, and it does not begin again. */
struct writer {
    struct inventory *other;
    int calls;
    int stop_at;
};

static bool write_more(void *self)
{
    struct writer *writer = self;
    AUTO_FREE char *name = mem_printf("more%d", writer->calls++);

    if (writer->stop_at != 0 && writer->calls > writer->stop_at)
        return true;
    ck_ok(inventory_begin(writer->other, &err));
    sample_certificate(writer->other, name);
    ck_ok(inventory_commit(writer->other, &err));
    ck_assert_int_lt(writer->calls, 2000);
    return false;
}

START_TEST(writers_go_on_meanwhile)
{
    struct writer writer = {.other = sample_open()};
    struct backup_job job = job_at(SAMPLE_NOW);
    struct backup backup;
    struct backup_counts counts;

    job.stop = write_more;
    job.self = &writer;
    sample_sql(path, "CREATE TABLE ballast (b BLOB) STRICT;"
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)"
                     " INSERT INTO ballast SELECT zeroblob(3000000) FROM n");
    ck_ok(backup_make(inventory, &job, &backup, &counts, &err));
    ck_assert_int_gt(writer.calls, 12);
    /* the state at its beginning */
    ck_assert_int_eq(counts.rows, 5 * ROWS + 6);
    /* and the inventory has all that was written */
    int64_t count = 0;
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, ROWS + writer.calls);
    inventory_close(writer.other);
}
END_TEST

START_TEST(told_to_stop_it_leaves_nothing)
{
    struct writer writer = {.other = sample_open(), .stop_at = _i};
    struct backup_job job = job_at(SAMPLE_NOW);
    struct backup backup;
    struct backup_counts counts;

    job.stop = write_more;
    job.self = &writer;
    ck_fails(backup_make(inventory, &job, &backup, &counts, &err), E_NOT_YET, "");
    ck_assert_int_eq(files_in(folder), 0);
    ck_ok(make(SAMPLE_NOW, &backup));
    inventory_close(writer.other);
}
END_TEST

static const struct {
    enum fault_kind kind;
    bool lasting;
} runs[] = {{FAULT_IO, false}, {FAULT_IO, true}, {FAULT_FULL, false}, {FAULT_FULL, true}};

/* Every call of SQLite that changes the disk fails in turn. */
START_TEST(faults_of_sqlite_leave_nothing)
{
    int struck = 0, failed = 0;

    for (int pass = 0;; pass++) {
        struct backup backup;

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = make(SAMPLE_NOW + pass, &backup);
        int hits = faulty_vfs_disarm();
        struck += hits;
        failed += rc < 0;
        ck_assert_msg(rc == 0 || rc == E_IO || rc == E_FULL, "call %d: %s: %s", pass, code_name(rc),
                      err.text);
        ck_assert_msg(files_in(folder) == pass + 1 - failed, "call %d: %s: %d files", pass,
                      code_name(rc), files_in(folder));
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(struck, 3);
    ck_assert_int_gt(failed, 3);
    ck_ok(inventory_check(inventory, &err));
}
END_TEST

/* A disk that says it has written what it has not: reading the copy finds it, and the inventory is
 * not to blame. */
START_TEST(a_copy_that_is_not_what_was_written)
{
    static struct damage damage;
    int found = 0;

    inventory_watch(inventory, &damage);
    for (int pass = 0;; pass++) {
        struct backup backup;

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, FAULT_LIE, false);
        int rc = make(SAMPLE_NOW + pass, &backup);
        if (faulty_vfs_disarm() == 0)
            break;
        if (rc == 0) {
            struct backup_counts counts;
            AUTO_FREE char *file = mem_printf("%s/%s", folder, backup.name);
            ck_ok(backup_verify(file, NULL, &counts, NULL, &err));
            continue;
        }
        found++;
        ck_assert_msg(rc == E_IO, "call %d: %s: %s", pass, code_name(rc), err.text);
        ck_assert_int_eq(files_in(folder), pass + 1 - found);
    }
    ck_assert_int_gt(found, 10);
    ck_assert(!damage_is_found(&damage));
}
END_TEST

struct seam {
    int pass;
    int errnum;
    int struck;
};

static int strike(void *self, const char *call)
{
    struct seam *seam = self;

    (void)call;
    if (seam->pass-- != 0)
        return 0;
    seam->struck++;
    return seam->errnum;
}

/* And every call of ours: sync, rename, the sync of the folder. */
START_TEST(faults_of_files_leave_nothing)
{
    int failed = 0;

    for (int pass = 0;; pass++) {
        struct seam seam = {.pass = pass, .errnum = _i ? ENOSPC : EIO};
        struct backup backup;

        ck_assert_int_lt(pass, CALLS_MAX);
        file_fault_set(strike, &seam);
        int rc = make(SAMPLE_NOW + pass, &backup);
        file_fault_set(NULL, NULL);
        if (seam.struck == 0) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        failed += rc < 0;
        AUTO_BACKUPS struct backups list = {0};
        ck_ok(backups_list(folder, &list, &err));
        /* whatever has its name is whole, also when the sync of the folder failed */
        for (size_t i = 0; i < list.count; i++) {
            AUTO_FREE char *file = mem_printf("%s/%s", folder, list.items[i].name);
            struct backup_counts counts;
            ck_ok(backup_verify(file, NULL, &counts, NULL, &err));
        }
        ck_assert_int_le(files_in(folder), (int)list.count + 1);
    }
    ck_assert_int_gt(failed, 3);
    struct backup last;
    ck_ok(make(SAMPLE_NOW + CALLS_MAX, &last));
    AUTO_BACKUPS struct backups list = {0};
    ck_ok(backups_list(folder, &list, &err));
    ck_assert_int_eq(files_in(folder), (int)list.count);
}
END_TEST

static void spoil(const char *file, off_t at)
{
    char junk[512];
    int fd = open(file, O_WRONLY);

    memset(junk, 0xa5, sizeof junk);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
}

static int tells;

static void count_tell(void *self)
{
    (void)self;
    tells++;
}

START_TEST(damage_is_found_and_stops_all_writing)
{
    static struct damage damage = {.tell = count_tell};
    AUTO_BLOB struct blob before = {0}, after = {0};
    struct backup backup;

    sample_sql(path, "CREATE TABLE ballast (b TEXT) STRICT; INSERT INTO ballast VALUES ('b')");
    int64_t page =
        sample_sql_int(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'ballast'");
    inventory_close(inventory);
    spoil(path, (page - 1) * 4096);
    ck_ok(inventory_open(path, &inventory, &err));
    struct inventory *other = sample_open();
    inventory_watch(inventory, &damage);
    inventory_watch(other, &damage);
    /* in the log, which must not be brought into the file, and on its way there */
    sample_certificate(other, "written");
    ck_ok(inventory_begin(other, &err));
    sample_certificate(other, "in-flight");
    ck_ok(file_read(path, 64 << 20, &before, &err));
    ck_fails(make(SAMPLE_NOW, &backup), E_CORRUPT, "");
    ck_assert(damage_is_found(&damage));
    ck_assert_int_eq(tells, 1);
    ck_assert_int_eq(files_in(folder), 0);
    ck_fails(inventory_commit(other, &err), E_CORRUPT, "nothing is written any more");
    ck_fails(inventory_begin(other, &err), E_CORRUPT, "nothing is written any more");
    ck_fails(inventory_value_set(inventory, "a", span_text("b"), &err), E_CORRUPT, "written");
    inventory_close(other);
    inventory_close(inventory);
    inventory = NULL;
    ck_ok(file_read(path, 64 << 20, &after, &err));
    ck_assert(span_equal(blob_span(&before), blob_span(&after)));
}
END_TEST

/* A reference that leads nowhere is no damage of the file: it is told, and the daemon works on. */
START_TEST(a_dangling_row_is_told)
{
    static struct damage damage;
    struct backup backup;

    inventory_watch(inventory, &damage);
    sample_sql(path, "PRAGMA foreign_keys = OFF;"
                     "UPDATE renewals SET certificate_id = 999999 WHERE id = 1");
    ck_fails(make(SAMPLE_NOW, &backup), E_CORRUPT, "row 1 of renewals");
    ck_assert(!damage_is_found(&damage));
    ck_assert_int_eq(files_in(folder), 0);
}
END_TEST

static void touch(const char *name)
{
    AUTO_FREE char *file = mem_printf("%s/%s", folder, name);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(listed_newest_first_and_nothing_else)
{
    static const char *const names[] = {
        "inventory-20270115T080000Z_10.db", "inventory-20270115T080000Z_2.db",
        "inventory-20270115T080000Z.db", "inventory-20261231T235959Z.db"};
    AUTO_BACKUPS struct backups list = {0};

    ck_ok(backups_list(folder, &list, &err));
    ck_assert_uint_eq(list.count, 0);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    for (size_t i = COUNT_OF(names); i-- > 0;)
        touch(names[i]);
    touch("inventory-20271315T080000Z.db");
    touch("inventory-20270115T080000Z_1.db");
    touch("inventory-20270115T080000Z.db.old");
    touch("my-copy.db");
    touch(".inventory.db.unlapsed-new");
    ck_ok(backups_list(folder, &list, &err));
    ck_assert_uint_eq(list.count, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_str_eq(list.items[i].name, names[i]);
}
END_TEST

START_TEST(rotated_by_number_and_age)
{
    enum { DAY = 86400 };
    int removed = 0;

    for (int i = 0; i < 6; i++) {
        struct backup backup;
        ck_ok(make(SAMPLE_NOW + i * DAY, &backup));
    }
    touch("my-copy.db");
    touch(".inventory.db.unlapsed-new-wal");
    utc_t now = SAMPLE_NOW + 5 * DAY;
    /* two are kept by number, and none that is younger than four days goes */
    ck_ok(backups_rotate(folder, 2, 4 * DAY, now, &removed, &err));
    ck_assert_int_eq(removed, 2);
    ck_assert_int_eq(files_in(folder), 5);
    /* the newest stays, however old */
    ck_ok(backups_rotate(folder, 1, 0, now + 1000 * DAY, &removed, &err));
    ck_assert_int_eq(removed, 3);
    ck_assert_int_eq(files_in(folder), 2);
    ck_ok(backups_rotate(folder, 0, 0, now + 1000 * DAY, &removed, &err));
    ck_assert_int_eq(removed, 0);
}
END_TEST

START_TEST(a_name_is_taken_once)
{
    struct backup first, second;

    ck_ok(make(SAMPLE_NOW, &first));
    ck_ok(make(SAMPLE_NOW, &second));
    ck_assert_str_eq(second.name, "inventory-20270115T080000Z_2.db");
    ck_assert_int_eq(files_in(folder), 2);
}
END_TEST

START_TEST(spoiled_ones_are_not_good)
{
    struct backup backup;
    struct backup_counts counts;

    ck_ok(make(SAMPLE_NOW, &backup));
    AUTO_FREE char *file = mem_printf("%s/%s", folder, backup.name);
    switch (_i) {
    case 0: /* a page in the middle */
        spoil(file, 5L * 4096);
        break;
    case 1: /* the head */
        spoil(file, 0);
        break;
    case 2: /* cut off */
        ck_assert_int_eq(truncate(file, backup.size / 2), 0);
        break;
    default:
        ck_assert_int_eq(truncate(file, 0), 0);
    }
    ck_fails(backup_verify(file, NULL, &counts, NULL, &err), E_CORRUPT, file);
}
END_TEST

START_TEST(a_folder_that_all_may_write_is_refused)
{
    struct backup backup;

    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(chmod(folder, 0777), 0);
    ck_fails(make(SAMPLE_NOW, &backup), E_DENIED, folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/backup");
    TCase *backups = tcase_create("backup");

    faulty_vfs_install();
    tcase_set_timeout(backups, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(backups, setup, teardown);
    tcase_add_test(backups, one_is_whole_private_and_verified);
    tcase_add_test(backups, writers_go_on_meanwhile);
    tcase_add_loop_test(backups, told_to_stop_it_leaves_nothing, 1, 3);
    tcase_add_loop_test(backups, faults_of_sqlite_leave_nothing, 0, COUNT_OF(runs));
    tcase_add_test(backups, a_copy_that_is_not_what_was_written);
    tcase_add_loop_test(backups, faults_of_files_leave_nothing, 0, 2);
    tcase_add_test(backups, damage_is_found_and_stops_all_writing);
    tcase_add_test(backups, a_dangling_row_is_told);
    tcase_add_test(backups, listed_newest_first_and_nothing_else);
    tcase_add_test(backups, rotated_by_number_and_age);
    tcase_add_test(backups, a_name_is_taken_once);
    tcase_add_loop_test(backups, spoiled_ones_are_not_good, 0, 4);
    tcase_add_test(backups, a_folder_that_all_may_write_is_refused);
    suite_add_tcase(suite, backups);
    return testing_run(suite);
}
