#include "store/statement.h"

#include <string.h>

#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;

static void setup(void)
{
    inventory = sample_open();
}

static void teardown(void)
{
    inventory_close(inventory);
}

static const char *const count_sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM"
                                     " n WHERE i < ?) SELECT i FROM n";

START_TEST(same_statement_runs_underneath_itself)
{
    AUTO_STATEMENT struct statement outer = {0};
    int64_t sum = 0;
    bool row = true;

    ck_ok(statement_open(inventory, count_sql, &outer, &err));
    statement_bind_int(&outer, 3);
    ck_ok(statement_step(&outer, &row, &err));
    while (row) {
        AUTO_STATEMENT struct statement inner = {0};
        AUTO_IDS struct ids ids = {0};

        ck_ok(statement_open(inventory, count_sql, &inner, &err));
        ck_assert_ptr_ne(inner.handle, outer.handle);
        statement_bind_int(&inner, 20);
        ck_ok(statement_ids(&inner, &ids, &err));
        ck_assert_uint_eq(ids.count, 20);
        ck_assert_int_eq(ids.items[19], 20);
        sum += statement_read_int(&outer);
        ck_ok(statement_step(&outer, &row, &err));
    }
    ck_assert_int_eq(sum, 6);
}
END_TEST

START_TEST(statements_are_kept_and_forget_their_values)
{
    struct statement first = {0}, second = {0};
    bool row = false;

    ck_ok(statement_open(inventory, count_sql, &first, &err));
    statement_bind_int(&first, 5);
    ck_ok(statement_step(&first, &row, &err));
    sqlite3_stmt *handle = first.handle;
    statement_done(&first);
    statement_done(&first);
    ck_ok(statement_open(inventory, count_sql, &second, &err));
    ck_assert_ptr_eq(second.handle, handle);
    char *expanded = sqlite3_expanded_sql(handle);
    ck_assert_ptr_null(strstr(expanded, "5"));
    sqlite3_free(expanded);
    statement_done(&second);
}
END_TEST

START_TEST(more_statements_than_are_kept)
{
    struct statement all[STATEMENTS_KEPT + 3] = {0};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        ck_ok(statement_open(inventory, count_sql, &all[i], &err));
    for (size_t i = 0; i < COUNT_OF(all); i++)
        statement_done(&all[i]);
    ck_assert_uint_eq(inventory->kept_count, STATEMENTS_KEPT);
}
END_TEST

START_TEST(values_come_back)
{
    AUTO_STATEMENT struct statement statement = {0};
    const uint8_t hash[SHA256_LEN] = {1, 2};
    const uint8_t zeros[SHA256_LEN] = {0};
    uint8_t got[SHA256_LEN];
    struct blob empty = {0};

    ck_ok(statement_open(inventory, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", &statement, &err));
    statement_bind_int(&statement, INT64_MIN);
    statement_bind_id(&statement, 0);
    statement_bind_utc(&statement, UTC_NEVER);
    statement_bind_utc(&statement, -1);
    statement_bind_text(&statement, NULL);
    statement_bind_text(&statement, "");
    statement_bind_name(&statement, "\xff\xfe b");
    statement_bind_blob(&statement, &empty);
    statement_bind_hash(&statement, hash);
    statement_bind_hash(&statement, zeros);
    statement_bind_bytes(&statement, span_of("a\0b", 3));
    ck_ok(statement_one(&statement, &err, "row"));
    ck_assert_int_eq(statement_read_int(&statement), INT64_MIN);
    ck_assert_int_eq(sqlite3_column_type(statement.handle, 1), SQLITE_NULL);
    ck_assert_int_eq(statement_read_int(&statement), 0);
    ck_assert_int_eq(sqlite3_column_type(statement.handle, 2), SQLITE_NULL);
    ck_assert_int_eq(statement_read_utc(&statement), UTC_NEVER);
    ck_assert_int_eq(statement_read_utc(&statement), -1);
    ck_assert_ptr_null(statement_read_text(&statement));
    AUTO_FREE char *text = statement_read_text(&statement);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(sqlite3_column_type(statement.handle, 6), SQLITE_BLOB);
    AUTO_FREE char *name = statement_read_text(&statement);
    ck_assert_str_eq(name, "\xff\xfe b");
    ck_assert_int_eq(sqlite3_column_type(statement.handle, 7), SQLITE_NULL);
    AUTO_BLOB struct blob blob = statement_read_blob(&statement);
    ck_assert_ptr_null(blob.data);
    statement_read_hash(&statement, got);
    ck_assert_mem_eq(got, hash, SHA256_LEN);
    ck_assert_int_eq(sqlite3_column_type(statement.handle, 9), SQLITE_NULL);
    statement_read_hash(&statement, got);
    ck_assert_mem_eq(got, zeros, SHA256_LEN);
    AUTO_BLOB struct blob bytes = statement_read_blob(&statement);
    ck_assert(span_equal(blob_span(&bytes), span_of("a\0b", 3)));
}
END_TEST

START_TEST(results_become_codes)
{
    static const struct {
        int result, code;
    } rows[] = {
        {SQLITE_OK, 0},
        {SQLITE_ROW, 0},
        {SQLITE_DONE, 0},
        {SQLITE_FULL, E_FULL},
        {SQLITE_BUSY, E_BUSY},
        {SQLITE_BUSY_SNAPSHOT, E_BUSY},
        {SQLITE_CORRUPT, E_CORRUPT},
        {SQLITE_CORRUPT_INDEX, E_CORRUPT},
        {SQLITE_NOTADB, E_CORRUPT},
        {SQLITE_CONSTRAINT_UNIQUE, E_EXISTS},
        {SQLITE_CONSTRAINT_PRIMARYKEY, E_EXISTS},
        {SQLITE_CONSTRAINT_FOREIGNKEY, E_NOT_FOUND},
        {SQLITE_CONSTRAINT_TRIGGER, E_REFUSED},
        {SQLITE_CONSTRAINT_CHECK, E_INPUT},
        {SQLITE_CONSTRAINT_NOTNULL, E_INPUT},
        {SQLITE_READONLY, E_DENIED},
        {SQLITE_READONLY_DBMOVED, E_DENIED},
        {SQLITE_PERM, E_DENIED},
        {SQLITE_TOOBIG, E_TOO_LARGE},
        {SQLITE_IOERR_WRITE, E_IO},
        {SQLITE_NOMEM, E_IO},
        {SQLITE_ERROR, E_IO},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(statement_error(inventory, rows[i].result, &err) == rows[i].code, "%d: %s",
                      rows[i].result, err.text);
}
END_TEST

START_TEST(locked_file_is_busy)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    struct inventory *other = NULL;

    ck_ok(inventory_open(path, &other, &err));
    sqlite3_busy_timeout(other->db, 1);
    ck_ok(inventory_begin(inventory, &err));
    ck_fails(inventory_begin(other, &err), E_BUSY, "locked");
    ck_fails(inventory_value_set(other, "a", span_text("b"), &err), E_BUSY, "locked");
    inventory_rollback(inventory);
    ck_ok(inventory_begin(other, &err));
    inventory_close(other);
}
END_TEST

START_TEST(full_file_is_full_and_the_transaction_is_closed)
{
    AUTO_BLOB struct blob big = {mem_alloc(1 << 20, 1), 1 << 20};
    AUTO_BLOB struct blob got = {0};

    ck_assert_int_eq(sqlite3_exec(inventory->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL),
                     SQLITE_OK);
    ck_ok(inventory_begin(inventory, &err));
    ck_ok(inventory_value_set(inventory, "small", span_text("x"), &err));
    ck_fails(inventory_value_set(inventory, "big", blob_span(&big), &err), E_FULL, "full");
    if (sqlite3_get_autocommit(inventory->db)) {
        ck_fails(inventory_value_set(inventory, "after", span_text("x"), &err), E_IO, "undone");
        ck_fails(inventory_commit(inventory, &err), E_IO, "undone");
    } else {
        inventory_rollback(inventory);
    }
    ck_fails(inventory_value_get(inventory, "small", &got, &err), E_NOT_FOUND, "small");
    ck_ok(inventory_begin(inventory, &err));
    ck_ok(inventory_value_set(inventory, "small", span_text("x"), &err));
    ck_ok(inventory_commit(inventory, &err));
}
END_TEST

/* What SQLite does by itself after some failures. */
START_TEST(nothing_is_written_after_a_lost_transaction)
{
    AUTO_BLOB struct blob got = {0};

    ck_ok(inventory_begin(inventory, &err));
    ck_ok(inventory_value_set(inventory, "one", span_text("x"), &err));
    ck_assert_int_eq(sqlite3_exec(inventory->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_fails(inventory_value_set(inventory, "two", span_text("x"), &err), E_IO, "undone");
    ck_fails(inventory_commit(inventory, &err), E_IO, "undone");
    ck_fails(inventory_value_get(inventory, "one", &got, &err), E_NOT_FOUND, "one");
    ck_fails(inventory_value_get(inventory, "two", &got, &err), E_NOT_FOUND, "two");
    ck_ok(inventory_value_set(inventory, "two", span_text("x"), &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/statement");
    TCase *statement = tcase_create("statement");

    tcase_add_checked_fixture(statement, setup, teardown);
    tcase_add_test(statement, same_statement_runs_underneath_itself);
    tcase_add_test(statement, statements_are_kept_and_forget_their_values);
    tcase_add_test(statement, more_statements_than_are_kept);
    tcase_add_test(statement, values_come_back);
    tcase_add_test(statement, results_become_codes);
    tcase_add_test(statement, locked_file_is_busy);
    tcase_add_test(statement, full_file_is_full_and_the_transaction_is_closed);
    tcase_add_test(statement, nothing_is_written_after_a_lost_transaction);
    suite_add_tcase(suite, statement);
    return testing_run(suite);
}
