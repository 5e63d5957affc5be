#include "store/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/file.h"
#include "store/certificates.h"
#include "store/events.h"
#include "store/statement.h"
#include "tests/store/sample.h"

static char *path;
static struct inventory *inventory;
static struct error err;

static void setup(void)
{
    path = testing_path("inventory.db");
}

static void teardown(void)
{
    inventory_close(inventory);
    free(path);
}

static void ck_private(const char *suffix)
{
    AUTO_FREE char *name = mem_printf("%s%s", path, suffix);
    struct stat st;

    ck_assert_msg(stat(name, &st) == 0, "%s: %s", name, strerror(errno));
    ck_assert_msg((st.st_mode & 0777) == 0600, "%s: mode %o", name, st.st_mode & 0777);
}

START_TEST(files_are_private_whatever_the_umask)
{
    const mode_t masks[] = {0, 0277};

    umask(masks[_i]);
    inventory = sample_open();
    sample_certificate(inventory, "www");
    ck_private("");
    ck_private("-wal");
    ck_private("-shm");
}
END_TEST

START_TEST(wide_mode_is_narrowed)
{
    inventory_close(sample_open());
    ck_assert_int_eq(chmod(path, 0644), 0);
    inventory = sample_open();
    ck_private("");
}
END_TEST

static int64_t pragma(const char *sql)
{
    sqlite3_stmt *statement = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(inventory->db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

START_TEST(settings_are_in_force)
{
    inventory = sample_open();
    ck_assert_int_eq(pragma("PRAGMA foreign_keys"), 1);
    ck_assert_int_eq(pragma("PRAGMA synchronous"), 2);
    ck_assert_int_eq(pragma("PRAGMA trusted_schema"), 0);
    ck_assert_int_eq(pragma("PRAGMA secure_delete"), 1);
    ck_assert_int_eq(pragma("PRAGMA cell_size_check"), 1);
    ck_assert_int_eq(pragma("PRAGMA busy_timeout"), 10000);
    ck_assert_int_eq(pragma("PRAGMA temp_store"), 2);
    ck_assert_int_eq(pragma("PRAGMA user_version"), 1);
    ck_assert_int_eq(pragma("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    ck_assert_int_eq(
        pragma("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
               " AND NOT strict AND name NOT LIKE 'sqlite_%'"),
        0);
}
END_TEST

START_TEST(opens_again)
{
    AUTO_BLOB struct blob value = {0};

    inventory = sample_open();
    ck_ok(inventory_value_set(inventory, "sealing-key", span_of("\0\1\2", 3), &err));
    inventory_close(inventory);
    inventory = sample_open();
    ck_ok(inventory_value_get(inventory, "sealing-key", &value, &err));
    ck_assert(span_equal(blob_span(&value), span_of("\0\1\2", 3)));
    ck_ok(inventory_check(inventory, &err));
}
END_TEST

START_TEST(values)
{
    AUTO_BLOB struct blob value = {0};

    inventory = sample_open();
    ck_fails(inventory_value_get(inventory, "seen", &value, &err), E_NOT_FOUND, "value seen");
    ck_assert_ptr_null(value.data);
    ck_ok(inventory_value_set(inventory, "seen", span_text("1"), &err));
    ck_ok(inventory_value_set(inventory, "seen", span_text("22"), &err));
    ck_ok(inventory_value_get(inventory, "seen", &value, &err));
    ck_assert(span_equal(blob_span(&value), span_text("22")));
    blob_done(&value);
    ck_ok(inventory_value_set(inventory, "seen", (struct span){0}, &err));
    ck_ok(inventory_value_get(inventory, "seen", &value, &err));
    ck_assert_uint_eq(value.len, 0);
}
END_TEST

static struct blob contents(const char *name)
{
    struct blob data = {0};

    ck_ok(file_read(name, 10 << 20, &data, &err));
    return data;
}

/* Refused, the file as it was, nothing beside it. */
static void ck_untouched(int code, const char *piece)
{
    AUTO_BLOB struct blob before = contents(path);
    AUTO_FREE char *wal = mem_printf("%s-wal", path);
    AUTO_FREE char *shm = mem_printf("%s-shm", path);
    bool had_wal = access(wal, F_OK) == 0;

    ck_fails(inventory_open(path, &inventory, &err), code, piece);
    ck_assert_ptr_null(inventory);
    AUTO_BLOB struct blob after = contents(path);
    ck_assert(span_equal(blob_span(&before), blob_span(&after)));
    ck_assert_int_eq(access(wal, F_OK) == 0, had_wal);
    ck_assert_int_eq(access(shm, F_OK) == 0, false);
}

START_TEST(foreign_database_is_refused)
{
    sample_sql(path, "CREATE TABLE a (b); INSERT INTO a VALUES (1)");
    chmod(path, 0644);
    ck_untouched(E_CORRUPT, "wanted an inventory, got a database of application 0");
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0644);
    sample_sql(path, "PRAGMA application_id = 7");
    ck_untouched(E_CORRUPT, "application 7");
}
END_TEST

/* Opening it the usual way would recover its log into it. */
START_TEST(foreign_database_with_a_log_is_refused)
{
    AUTO_FREE char *other = testing_path("other.db");
    AUTO_FREE char *other_wal = testing_path("other.db-wal");
    AUTO_FREE char *wal = mem_printf("%s-wal", path);
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(other, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "PRAGMA journal_mode = WAL; CREATE TABLE a (b);"
                                  "INSERT INTO a VALUES (1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    AUTO_BLOB struct blob main_file = contents(other);
    AUTO_BLOB struct blob log = contents(other_wal);
    sqlite3_close(db);
    ck_assert_uint_gt(log.len, 0);
    ck_ok(file_replace(path, blob_span(&main_file), FILE_PRIVATE, &err));
    ck_ok(file_replace(wal, blob_span(&log), FILE_PRIVATE, &err));
    ck_untouched(E_CORRUPT, "got a database of application 0");
    AUTO_BLOB struct blob log_after = contents(wal);
    ck_assert(span_equal(blob_span(&log), blob_span(&log_after)));
}
END_TEST

START_TEST(newer_schema_is_refused)
{
    inventory_close(sample_open());
    sample_sql(path, "PRAGMA user_version = 7");
    ck_fails(inventory_open(path, &inventory, &err), E_REFUSED, "schema 7; this is unlapsed");
    ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), 7);
}
END_TEST

START_TEST(garbage_is_refused)
{
    static const char *const texts[] = {"hello", "-----BEGIN CERTIFICATE-----\n", NULL};
    AUTO_BLOB struct blob zeros = {mem_alloc(8192, 1), 8192};
    struct span data = texts[_i] ? span_text(texts[_i]) : blob_span(&zeros);

    ck_ok(file_replace(path, data, FILE_PRIVATE, &err));
    ck_untouched(E_CORRUPT, "wanted an inventory, got another file");
}
END_TEST

START_TEST(truncated_is_refused)
{
    inventory_close(sample_open());
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size / 2), 0);
    ck_fails(inventory_open(path, &inventory, &err), E_CORRUPT, "malformed");
}
END_TEST

START_TEST(check_finds_damage)
{
    inventory = sample_open();
    for (int i = 0; i < 200; i++) {
        AUTO_FREE char *name = mem_printf("c%d", i);
        sample_certificate(inventory, name);
    }
    inventory_close(inventory);
    inventory = NULL;
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    AUTO_FD int fd = open(path, O_WRONLY);
    for (off_t at = 4096 + 2000; at < st.st_size; at += 4096)
        ck_assert_int_eq(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
    int rc = inventory_open(path, &inventory, &err);
    if (rc == 0)
        rc = inventory_check(inventory, &err);
    ck_assert_int_eq(rc, E_CORRUPT);
}
END_TEST

START_TEST(check_finds_missing_rows)
{
    inventory = sample_open();
    int64_t id = sample_certificate(inventory, "www");
    ck_ok(events_add(inventory, SAMPLE_NOW, id, 0, "daemon", "added", "", &err));
    ck_ok(inventory_check(inventory, &err));
    sample_sql(path, "PRAGMA foreign_keys = OFF; DELETE FROM certificate_names;"
                     "DELETE FROM certificates");
    ck_fails(inventory_check(inventory, &err), E_CORRUPT,
             "row 1 of events refers to a row of certificates");
}
END_TEST

/* Our mark and version, but the tables of somebody else. */
START_TEST(wrong_tables_are_an_error)
{
    struct certificate_row row = {0};

    inventory_close(sample_open());
    sample_sql(path, "PRAGMA foreign_keys = OFF; DROP TABLE certificates");
    ck_ok(inventory_open(path, &inventory, &err));
    ck_fails(certificates_get(inventory, 1, &row, &err), E_CORRUPT, "no such table");
}
END_TEST

START_TEST(places_that_cannot_be)
{
    AUTO_FREE char *missing = testing_path("no/inventory.db");

    ck_fails(inventory_open(missing, &inventory, &err), E_NOT_FOUND, "cannot open");
    ck_fails(inventory_open("inventory.db", &inventory, &err), E_INPUT, "absolute");
    ck_fails(inventory_open(testing_dir(), &inventory, &err), E_CORRUPT, "wanted a regular file");
    ck_assert_ptr_null(inventory);
}
END_TEST

static void become_nobody(void)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
}

START_TEST(rights_that_are_missing)
{
    static const mode_t modes[] = {0400, 0444, 0000};

    inventory_close(sample_open());
    ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
    ck_assert_int_eq(chmod(path, modes[_i]), 0);
    become_nobody();
    ck_fails(inventory_open(path, &inventory, &err), E_DENIED, path);
    ck_assert_int_eq(geteuid() == 65534 ? seteuid(0) : 0, 0);
}
END_TEST

START_TEST(transactions_hold_or_vanish)
{
    int64_t count = -1;

    inventory = sample_open();
    ck_ok(inventory_begin(inventory, &err));
    sample_certificate(inventory, "a");
    ck_ok(inventory_commit(inventory, &err));
    ck_ok(inventory_begin(inventory, &err));
    sample_certificate(inventory, "b");
    inventory_rollback(inventory);
    inventory_rollback(inventory);
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, 1);
    ck_ok(inventory_begin(inventory, &err));
    sample_certificate(inventory, "c");
    inventory_close(inventory);
    inventory = sample_open();
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, 1);
    inventory_close(NULL);
}
END_TEST

enum { OPENERS = 8, OPENINGS = 5 };

static void *open_one(void *self)
{
    struct error thread_err = {0};
    struct inventory *own = NULL;

    if (inventory_open(self, &own, &thread_err) < 0)
        return mem_strdup(thread_err.text);
    inventory_close(own);
    return NULL;
}

START_TEST(many_make_the_file_at_once)
{
    for (int round = 0; round < OPENINGS; round++) {
        AUTO_FREE char *name = mem_printf("%s%d", path, round);
        pthread_t threads[OPENERS];

        for (int i = 0; i < OPENERS; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, open_one, name), 0);
        for (int i = 0; i < OPENERS; i++) {
            void *failure = NULL;

            pthread_join(threads[i], &failure);
            ck_assert_msg(!failure, "%s", (char *)failure);
        }
    }
}
END_TEST

START_TEST(second_begin_is_a_bug)
{
    inventory = sample_open();
    ck_ok(inventory_begin(inventory, &err));
    inventory_begin(inventory, &err);
}
END_TEST

enum { WRITERS = 2, WRITES = 100 };

static void *write_many(void *self)
{
    struct error thread_err = {0};
    struct inventory *own = NULL;
    const char *actor = self;

    if (inventory_open(path, &own, &thread_err) < 0)
        return mem_strdup(thread_err.text);
    for (int i = 0; i < WRITES; i++) {
        int64_t count = 0;
        int rc = inventory_begin(own, &thread_err);

        if (rc == 0)
            rc = certificates_count(own, &count, &thread_err);
        if (rc == 0)
            rc = events_add(own, SAMPLE_NOW + i, 0, 0, actor, "wrote", "", &thread_err);
        if (rc == 0)
            rc = inventory_commit(own, &thread_err);
        if (rc == 0)
            rc = inventory_value_set(own, actor, span_text("x"), &thread_err);
        if (rc < 0) {
            inventory_close(own);
            return mem_strdup(thread_err.text);
        }
    }
    inventory_close(own);
    return NULL;
}

/* The file is new, too: both threads make it. */
START_TEST(two_handles_write_at_once)
{
    static char names[WRITERS][2] = {"a", "b"};
    pthread_t threads[WRITERS];

    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (int i = 0; i < WRITERS; i++) {
        void *failure = NULL;

        pthread_join(threads[i], &failure);
        ck_assert_msg(!failure, "%s", (char *)failure);
    }
    inventory = sample_open();
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM events"), WRITERS * WRITES);
    ck_assert_int_eq(sample_trail_is_whole(inventory), WRITERS * WRITES);
    ck_ok(inventory_check(inventory, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/inventory");
    TCase *opening = tcase_create("opening");
    TCase *work = tcase_create("work");

    tcase_add_checked_fixture(opening, setup, teardown);
    tcase_add_loop_test(opening, files_are_private_whatever_the_umask, 0, 2);
    tcase_add_test(opening, wide_mode_is_narrowed);
    tcase_add_test(opening, settings_are_in_force);
    tcase_add_test(opening, opens_again);
    tcase_add_test(opening, foreign_database_is_refused);
    tcase_add_test(opening, foreign_database_with_a_log_is_refused);
    tcase_add_test(opening, newer_schema_is_refused);
    tcase_add_loop_test(opening, garbage_is_refused, 0, 3);
    tcase_add_test(opening, truncated_is_refused);
    tcase_add_test(opening, wrong_tables_are_an_error);
    tcase_add_test(opening, places_that_cannot_be);
    tcase_add_loop_test(opening, rights_that_are_missing, 0, 3);
    suite_add_tcase(suite, opening);

    tcase_add_checked_fixture(work, setup, teardown);
    tcase_set_timeout(work, TESTING_SLOW_SECONDS);
    tcase_add_test(work, values);
    tcase_add_test(work, check_finds_damage);
    tcase_add_test(work, check_finds_missing_rows);
    tcase_add_test(work, transactions_hold_or_vanish);
    tcase_add_test_raise_signal(work, second_begin_is_a_bug, SIGABRT);
    tcase_add_test(work, many_make_the_file_at_once);
    tcase_add_test(work, two_handles_write_at_once);
    suite_add_tcase(suite, work);
    return testing_run(suite);
}
