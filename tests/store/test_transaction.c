#include "store/transaction.h"

#include "store/statement.h"
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

static bool has(const char *name)
{
    AUTO_BLOB struct blob value = {0};

    return inventory_value_get(inventory, name, &value, NULL) == 0;
}

static void set(const char *name)
{
    ck_ok(inventory_value_set(inventory, name, span_text("x"), &err));
}

START_TEST(alone_it_is_a_transaction)
{
    struct atomic atomic = {0};

    ck_ok(atomic_begin(inventory, &atomic, &err));
    set("kept");
    ck_ok(atomic_commit(&atomic, &err));
    atomic_done(&atomic);
    ck_ok(atomic_begin(inventory, &atomic, &err));
    set("undone");
    atomic_done(&atomic);
    ck_assert(has("kept"));
    ck_assert(!has("undone"));
    ck_assert(!inventory->in_transaction);
}
END_TEST

START_TEST(inside_it_is_a_part)
{
    struct atomic outer = {0}, inner = {0};

    ck_ok(inventory_begin(inventory, &err));
    set("before");
    ck_ok(atomic_begin(inventory, &outer, &err));
    set("outer");
    ck_ok(atomic_begin(inventory, &inner, &err));
    set("inner");
    atomic_done(&inner);
    ck_assert(!has("inner"));
    ck_ok(atomic_commit(&outer, &err));
    ck_ok(atomic_begin(inventory, &inner, &err));
    set("undone");
    atomic_done(&inner);
    set("after");
    ck_ok(inventory_commit(inventory, &err));
    ck_assert(has("before") && has("outer") && has("after"));
    ck_assert(!has("undone") && !has("inner"));
}
END_TEST

START_TEST(rollback_takes_the_parts_along)
{
    struct atomic atomic = {0};

    ck_ok(inventory_begin(inventory, &err));
    ck_ok(atomic_begin(inventory, &atomic, &err));
    set("part");
    ck_ok(atomic_commit(&atomic, &err));
    inventory_rollback(inventory);
    ck_assert(!has("part"));
}
END_TEST

START_TEST(lost_transaction_inside_a_part)
{
    struct atomic atomic = {0};

    ck_ok(inventory_begin(inventory, &err));
    ck_ok(atomic_begin(inventory, &atomic, &err));
    set("part");
    ck_assert_int_eq(sqlite3_exec(inventory->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_fails(atomic_commit(&atomic, &err), E_IO, "undone");
    atomic_done(&atomic);
    inventory_rollback(inventory);
    ck_assert(!has("part"));
    ck_ok(inventory_begin(inventory, &err));
    ck_ok(inventory_commit(inventory, &err));
}
END_TEST

/* SQLite keeps the transaction open after this failure. */
START_TEST(refused_commit_rolls_back)
{
    ck_ok(inventory_begin(inventory, &err));
    ck_assert_int_eq(sqlite3_exec(inventory->db,
                                  "PRAGMA defer_foreign_keys = ON;"
                                  "INSERT INTO renewal_names VALUES (99, 0, 'dns', 'a')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    set("with it");
    ck_fails(inventory_commit(inventory, &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_assert_int_ne(sqlite3_get_autocommit(inventory->db), 0);
    ck_assert(!has("with it"));
    ck_ok(inventory_begin(inventory, &err));
    ck_ok(inventory_commit(inventory, &err));
}
END_TEST

/* Another handle writes meanwhile, and does not wait for it. */
START_TEST(a_view_is_of_one_moment)
{
    struct inventory *mine = inventory, *other = sample_open();

    ck_ok(inventory_view_begin(mine, &err));
    ck_assert(!has("meanwhile"));
    inventory = other;
    set("meanwhile");
    inventory = mine;
    ck_assert(!has("meanwhile"));
    inventory_view_end(mine);
    ck_assert(has("meanwhile"));
    set("after");
    inventory_close(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/transaction");
    TCase *transaction = tcase_create("transaction");

    tcase_add_checked_fixture(transaction, setup, teardown);
    tcase_add_test(transaction, alone_it_is_a_transaction);
    tcase_add_test(transaction, inside_it_is_a_part);
    tcase_add_test(transaction, rollback_takes_the_parts_along);
    tcase_add_test(transaction, lost_transaction_inside_a_part);
    tcase_add_test(transaction, refused_commit_rolls_back);
    tcase_add_test(transaction, a_view_is_of_one_moment);
    suite_add_tcase(suite, transaction);
    return testing_run(suite);
}
