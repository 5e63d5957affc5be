#include "store/migrate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/invariants.h"
#include "store/statement.h"
#include "tests/store/faulty_vfs.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static char *path;
static struct error err;

static void setup(void)
{
    path = testing_path("inventory.db");
    inventory = sample_open();
    sample_certificate(inventory, "www");
}

static void teardown(void)
{
    inventory_close(inventory);
    free(path);
}

#define FILE_ROW(name, text)        \
    {                               \
        name, text, sizeof text - 1 \
    }
#define FIRST FILE_ROW("001-inventory.sql", "this one was applied long ago")

START_TEST(applies_what_is_missing)
{
    static const struct embedded_file files[] = {
        FIRST,
        FILE_ROW("002-more.sql",
                 "CREATE TABLE more (a TEXT) STRICT; INSERT INTO more VALUES ('x');"),
        FILE_ROW("003-column.sql", "ALTER TABLE more ADD COLUMN b INTEGER;"),
        {0}};

    ck_ok(migrate_check(inventory, files, &err));
    ck_ok(migrate_run(inventory, files, &err));
    ck_ok(migrate_run(inventory, files, &err));
    ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), 3);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM more WHERE b IS NULL"), 1);
    ck_fails(migrate_check(inventory, embedded_schema, &err), E_REFUSED, "schema 3");
}
END_TEST

START_TEST(failure_keeps_the_schema_before_it)
{
    static const struct embedded_file files[] = {
        FIRST,
        FILE_ROW("002-more.sql", "CREATE TABLE more (a TEXT) STRICT;"),
        FILE_ROW("003-bad.sql", "CREATE TABLE worse (a TEXT) STRICT; DELETE FROM certificate_names;"
                                "INSERT INTO nowhere VALUES (1);"),
        {0}};

    ck_fails(migrate_run(inventory, files, &err), E_IO, "migration 003-bad.sql: inventory");
    ck_assert_ptr_nonnull(strstr(err.text, "nowhere"));
    ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), 2);
    ck_assert_int_eq(
        sample_sql_int(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'worse'"), 0);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM certificate_names"), 2);
    ck_ok(inventory_check(inventory, &err));
}
END_TEST

START_TEST(broken_reference_is_a_failure)
{
    static const struct embedded_file files[] = {
        FIRST,
        FILE_ROW("002-orphans.sql", "INSERT INTO renewal_names VALUES (99, 0, 'dns', 'a');"),
        {0}};

    sample_sql(path, "SELECT 1");
    sqlite3_exec(inventory->db, "PRAGMA foreign_keys = OFF", NULL, NULL, NULL);
    ck_fails(migrate_run(inventory, files, &err), E_CORRUPT,
             "of renewal_names refers to a row of renewals");
    ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), 1);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM renewal_names"), 0);
}
END_TEST

START_TEST(shipped_files_are_numbered)
{
    int number = 0;

    for (const struct embedded_file *file = embedded_schema; file->name; file++) {
        AUTO_FREE char *prefix = mem_printf("%03d-", ++number);
        ck_assert_msg(strncmp(file->name, prefix, 4) == 0, "%s", file->name);
    }
    ck_assert_int_ge(number, 1);
}
END_TEST

static void fail_on_broken(void *self, const char *text)
{
    const struct invariant *invariant = self;

    ck_abort_msg("%s: %s", invariant->name, text);
}

static void ck_invariants(void)
{
    for (size_t i = 0; i < invariants_count(); i++) {
        const struct invariant *invariant = invariants_at(i);
        int64_t after = 0;

        do
            ck_ok(invariant_look(inventory, invariant, &after, fail_on_broken,
                                 (void *)(uintptr_t)invariant, &err));
        while (after != 0);
    }
}

/* Each schema that ever was, as a daemon of its time wrote it. */
START_TEST(stored_files_are_brought_up)
{
    static const char *const tables[] = {"certificates", "renewals",      "deployments", "notices",
                                         "events",       "renewal_chain", "authorities", "anchors",
                                         "deliveries",   "quarantine",    "targets"};
    int64_t newest = 0, rows[COUNT_OF(tables)];

    while (embedded_schema[newest].name)
        newest++;
    for (int schema = 1; schema <= newest; schema++) {
        inventory_close(inventory);
        inventory = NULL;
        sample_stored(schema);
        for (size_t i = 0; i < COUNT_OF(tables); i++) {
            AUTO_FREE char *sql = mem_printf("SELECT count(*) FROM %s", tables[i]);
            rows[i] = sample_sql_int(path, sql);
            ck_assert_msg(rows[i] > 0, "schema %d: %s is empty", schema, tables[i]);
        }
        inventory = sample_open();
        ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), newest);
        ck_ok(inventory_check(inventory, &err));
        ck_invariants();
        for (size_t i = 0; i < COUNT_OF(tables); i++) {
            AUTO_FREE char *sql = mem_printf("SELECT count(*) FROM %s", tables[i]);
            ck_assert_int_eq(sample_sql_int(path, sql), rows[i]);
        }
    }
}
END_TEST

/* What a migration may do: change a table that has rows, and rows themselves. */
#define SECOND                                                                             \
    FILE_ROW("002-made-up.sql",                                                            \
             "ALTER TABLE certificates ADD COLUMN owner TEXT;"                             \
             "UPDATE certificates SET owner = 'of ' || name;"                              \
             "CREATE TABLE fetches_new (url TEXT NOT NULL PRIMARY KEY, tries INTEGER NOT " \
             "NULL) STRICT, WITHOUT ROWID;"                                                \
             "INSERT INTO fetches_new SELECT url, tries FROM fetches;"                     \
             "DROP TABLE fetches; ALTER TABLE fetches_new RENAME TO fetches;")

/* The stored file, without the handle's foreign keys, as the program opens it before it migrates.
 */
static void open_stored(void)
{
    inventory_close(inventory);
    sample_stored(1);
    inventory = sample_open();
    sqlite3_exec(inventory->db, "PRAGMA foreign_keys = OFF", NULL, NULL, NULL);
}

START_TEST(a_copy_is_kept)
{
    static const struct embedded_file files[] = {FIRST, SECOND, {0}};
    AUTO_FREE char *copy = mem_printf("%s.schema-1", path);
    AUTO_FREE char *copy_new = mem_printf("%s.schema-1.new", path);
    struct stat st;

    open_stored();
    AUTO_FREE char *before = sample_dump(path);
    ck_assert_int_eq(access(copy, F_OK), -1);
    /* What an older try left gives way. */
    sample_sql(copy, "CREATE TABLE old (a)");
    sample_sql(copy_new, "CREATE TABLE broken_off (a)");
    ck_ok(migrate_run(inventory, files, &err));
    AUTO_FREE char *kept = sample_dump(copy);
    ck_assert_str_eq(kept, before);
    ck_assert_int_eq(stat(copy, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(access(copy_new, F_OK), -1);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM certificates"
                                          " WHERE owner = 'of www'"),
                     1);
    ck_assert_int_eq(sample_sql_int(path, "PRAGMA user_version"), 2);

    /* The way back: the copy in its place is an inventory for the program before. */
    ck_fails(migrate_check(inventory, embedded_schema, &err), E_REFUSED,
             "made by unlapsed " UNLAPSED_VERSION ": schema 2; this is unlapsed " UNLAPSED_VERSION
             ", which knows schema 1: run that version, or put back ");
    inventory_close(inventory);
    ck_assert_int_eq(rename(copy, path), 0);
    inventory = sample_open();
    ck_ok(inventory_check(inventory, &err));
    ck_invariants();
}
END_TEST

START_TEST(nothing_new_is_no_reason_for_a_copy)
{
    static const struct embedded_file files[] = {FIRST, {0}};
    AUTO_FREE char *copy = mem_printf("%s.schema-1", path);

    open_stored();
    ck_ok(migrate_run(inventory, files, &err));
    ck_assert_int_eq(access(copy, F_OK), -1);
}
END_TEST

START_TEST(a_failed_migration_leaves_all_as_it_was)
{
    static const struct embedded_file files[] = {
        FIRST,
        FILE_ROW("002-fails.sql", "ALTER TABLE certificates ADD COLUMN owner TEXT;"
                                  "UPDATE certificates SET owner = name, next_at = 0;"
                                  "DROP TABLE fetches; INSERT INTO nowhere VALUES (1);"),
        {0}};

    open_stored();
    AUTO_FREE char *before = sample_dump(path);
    ck_fails(migrate_run(inventory, files, &err), E_IO, "migration 002-fails.sql");
    AUTO_FREE char *after = sample_dump(path);
    ck_assert_str_eq(after, before);
    inventory_close(inventory);
    inventory = sample_open();
    ck_invariants();
}
END_TEST

/* Each call that changes the disk fails: the file is of the one schema or of the other, whole. */
START_TEST(faults_leave_the_one_or_the_other)
{
    static const struct embedded_file files[] = {FIRST, SECOND, {0}};
    enum fault_kind kind = _i == 0 ? FAULT_IO : FAULT_FULL;
    int struck = 0, failed = 0;

    faulty_vfs_install();
    for (int pass = 0;; pass++) {
        open_stored();
        AUTO_FREE char *before = sample_dump(path);
        faulty_vfs_arm(pass, kind, _i == 1);
        int rc = migrate_run(inventory, files, &err);
        int hits = faulty_vfs_disarm();
        struck += hits;
        failed += rc < 0;
        ck_assert_msg(rc == 0 || rc == E_IO || rc == E_FULL, "call %d: %s", pass, err.text);
        AUTO_FREE char *after = sample_dump(path);
        int64_t schema = sample_sql_int(path, "PRAGMA user_version");
        ck_assert_msg(rc == 0 ? schema == 2 : strcmp(after, before) == 0, "call %d: %s: schema %d",
                      pass, code_name(rc), (int)schema);
        ck_ok(inventory_check(inventory, &err));
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(struck, 5);
    ck_assert_int_gt(failed, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/migrate");
    TCase *migrate = tcase_create("migrate");

    tcase_add_checked_fixture(migrate, setup, teardown);
    tcase_add_test(migrate, applies_what_is_missing);
    tcase_add_test(migrate, failure_keeps_the_schema_before_it);
    tcase_add_test(migrate, broken_reference_is_a_failure);
    tcase_add_test(migrate, shipped_files_are_numbered);
    tcase_add_test(migrate, stored_files_are_brought_up);
    tcase_add_test(migrate, a_copy_is_kept);
    tcase_add_test(migrate, nothing_new_is_no_reason_for_a_copy);
    tcase_add_test(migrate, a_failed_migration_leaves_all_as_it_was);
    tcase_add_loop_test(migrate, faults_leave_the_one_or_the_other, 0, 2);
    tcase_set_timeout(migrate, TESTING_SLOW_SECONDS);
    suite_add_tcase(suite, migrate);
    return testing_run(suite);
}
