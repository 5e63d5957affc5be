#include "store/migrate.h"

#include <string.h>

#include "store/statement.h"
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

int main(void)
{
    Suite *suite = suite_create("store/migrate");
    TCase *migrate = tcase_create("migrate");

    tcase_add_checked_fixture(migrate, setup, teardown);
    tcase_add_test(migrate, applies_what_is_missing);
    tcase_add_test(migrate, failure_keeps_the_schema_before_it);
    tcase_add_test(migrate, broken_reference_is_a_failure);
    tcase_add_test(migrate, shipped_files_are_numbered);
    suite_add_tcase(suite, migrate);
    return testing_run(suite);
}
