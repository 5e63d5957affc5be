#include "store/notices.h"

#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t www, renewal;

static void setup(void)
{
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
    renewal = sample_renewal(inventory, www);
}

static void teardown(void)
{
    inventory_close(inventory);
}

SAMPLE_SEE(see, notice_row)

/* Two notices are the same when all of these are. */
static int64_t add(int64_t certificate_id, int64_t renewal_id, const char *stage,
                   const char *recipient, utc_t at)
{
    AUTO_NOTICE struct notice_row row = {.certificate_id = certificate_id,
                                         .renewal_id = renewal_id,
                                         .kind = mem_strdup("csr-ready"),
                                         .stage = mem_strdup(stage),
                                         .recipient = mem_strdup(recipient),
                                         .created_at = at,
                                         .sent_at = 1,
                                         .attempts = 9};
    int64_t id = -1;

    fields_set(&row.fields, "name", "w\"w\nw");
    fields_set(&row.fields, "csr", "-----BEGIN");
    ck_ok(notices_add(inventory, &row, &id, &err));
    return id;
}

START_TEST(comes_back)
{
    AUTO_NOTICE struct notice_row row = {0};
    int64_t id = add(www, renewal, "csr-ready", "a@example.com", 5);

    ck_ok(notices_get(inventory, id, &row, &err));
    ck_assert_int_eq(row.id, id);
    ck_assert_int_eq(row.certificate_id, www);
    ck_assert_int_eq(row.renewal_id, renewal);
    ck_assert_str_eq(row.kind, "csr-ready");
    ck_assert_str_eq(row.stage, "csr-ready");
    ck_assert_str_eq(row.recipient, "a@example.com");
    ck_assert_str_eq(fields_get(&row.fields, "name"), "w\"w\nw");
    ck_assert_str_eq(fields_get(&row.fields, "csr"), "-----BEGIN");
    ck_assert_int_eq(row.created_at, 5);
    ck_assert_int_eq(row.next_try_at, 5);
    ck_assert_int_eq(row.sent_at, UTC_NEVER);
    ck_assert_int_eq(row.bad_at, UTC_NEVER);
    ck_assert_int_eq(row.dropped_at, UTC_NEVER);
    ck_assert_int_eq(row.attempts, 0);
    ck_assert_ptr_null(row.last_error);
    struct notice_row none = {0};
    ck_fails(notices_get(inventory, 99, &none, &err), E_NOT_FOUND, "notice 99");
}
END_TEST

START_TEST(told_once)
{
    AUTO_NOTICE struct notice_row again = {.kind = mem_strdup("k"),
                                           .stage = mem_strdup("s"),
                                           .recipient = mem_strdup("a"),
                                           .created_at = 1};

    ck_assert_int_gt(add(www, renewal, "s", "a", 1), 0);
    ck_assert_int_eq(add(www, renewal, "s", "a", 2), 0);
    ck_assert_int_gt(add(www, renewal, "s", "b", 2), 0);
    ck_assert_int_gt(add(www, renewal, "t", "a", 2), 0);
    /* "None" is a value like any other here. */
    ck_assert_int_gt(add(www, 0, "s", "a", 2), 0);
    ck_assert_int_eq(add(www, 0, "s", "a", 2), 0);
    ck_assert_int_gt(add(0, 0, "s", "a", 2), 0);
    ck_assert_int_eq(add(0, 0, "s", "a", 2), 0);
    ck_ok(notices_add(inventory, &again, NULL, &err));
    again.certificate_id = 99;
    ck_fails(notices_add(inventory, &again, NULL, &err), E_NOT_FOUND, "FOREIGN KEY");
}
END_TEST

static void ck_due(utc_t now, int64_t wanted)
{
    AUTO_NOTICE struct notice_row row = {0};
    utc_t at = -1;

    ck_ok(notices_next_due(inventory, now, &row, &at, &err));
    ck_assert_int_eq(row.id, wanted);
}

static void ck_not_due(utc_t now, utc_t wanted)
{
    struct notice_row row = {0};
    utc_t at = -1;

    ck_fails(notices_next_due(inventory, now, &row, &at, &err), E_NOT_FOUND, "due");
    ck_assert_int_eq(at, wanted);
}

static void ck_waiting(int64_t wanted, utc_t wanted_oldest)
{
    int64_t count = -1;
    utc_t oldest = -1;

    ck_ok(notices_waiting(inventory, &count, &oldest, &err));
    ck_assert_int_eq(count, wanted);
    ck_assert_int_eq(oldest, wanted_oldest);
}

START_TEST(oldest_due_first)
{
    AUTO_NOTICE struct notice_row row = {0};

    ck_not_due(1000, UTC_NEVER);
    ck_waiting(0, UTC_NEVER);
    int64_t a = add(www, 0, "a", "x", 30);
    int64_t b = add(www, 0, "b", "x", 20);
    int64_t c = add(www, 0, "c", "x", 20);
    ck_waiting(3, 20);
    ck_not_due(19, 20);
    ck_due(20, b);
    ck_ok(notices_set_failed(inventory, b, 100, false, 21, "451 later", &err));
    ck_due(40, c);
    ck_ok(notices_set_sent(inventory, c, 41, &err));
    ck_due(40, a);
    ck_ok(notices_set_failed(inventory, a, 50, true, 42, "550 no such user", &err));
    ck_not_due(99, 100);
    ck_waiting(1, 20);
    ck_due(100, b);
    ck_ok(notices_set_sent(inventory, b, 101, &err));
    ck_not_due(INT64_MAX, UTC_NEVER);
    ck_waiting(0, UTC_NEVER);
    ck_ok(notices_get(inventory, b, &row, &err));
    ck_assert_int_eq(row.attempts, 2);
    ck_assert_int_eq(row.sent_at, 101);
    ck_assert_int_eq(row.bad_at, UTC_NEVER);
    ck_assert_str_eq(row.last_error, "451 later");
    notice_row_done(&row);
    ck_ok(notices_get(inventory, a, &row, &err));
    ck_assert_int_eq(row.bad_at, 42);
    ck_assert_int_eq(row.attempts, 1);
    ck_fails(notices_set_sent(inventory, 99, 1, &err), E_NOT_FOUND, "notice 99");
    ck_fails(notices_set_failed(inventory, 99, 1, false, 1, "", &err), E_NOT_FOUND, "notice 99");
}
END_TEST

START_TEST(overtaken_ones_are_dropped)
{
    AUTO_NOTICE struct notice_row row = {0};
    int64_t a = add(www, 0, "a", "x", 1), b = add(www, 0, "b", "x", 1);
    int64_t other = add(sample_certificate(inventory, "other"), 0, "a", "x", 1);
    int64_t daemon = add(0, 0, "a", "x", 1);

    ck_ok(notices_set_sent(inventory, a, 2, &err));
    ck_ok(notices_drop(inventory, www, "expires", 5, &err));
    ck_waiting(3, 1);
    ck_ok(notices_drop(inventory, www, "csr-ready", 5, &err));
    ck_due(100, other);
    ck_waiting(2, 1);
    ck_ok(notices_get(inventory, a, &row, &err));
    ck_assert_int_eq(row.dropped_at, UTC_NEVER);
    notice_row_done(&row);
    ck_ok(notices_get(inventory, b, &row, &err));
    ck_assert_int_eq(row.dropped_at, 5);
    ck_ok(notices_drop(inventory, 0, "csr-ready", 6, &err));
    ck_waiting(1, 1);
    ck_assert_int_gt(daemon, 0);
    /* A dropped one is still told: it does not come back. */
    ck_assert_int_eq(add(www, 0, "b", "x", 9), 0);
}
END_TEST

START_TEST(walk_is_of_one_certificate)
{
    struct seen seen = {0};
    int64_t b = add(www, 0, "b", "x", 2), a = add(www, renewal, "a", "x", 1);
    int64_t daemon = add(0, 0, "a", "x", 1);

    ck_ok(notices_by_certificate(inventory, www, see, &seen, &err));
    ck_seen(seen, b, a);
    ck_ok(notices_by_certificate(inventory, 0, see, &seen, &err));
    ck_seen(seen, daemon);
}
END_TEST

START_TEST(damaged_fields_are_corrupt)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    struct notice_row row = {0};
    int64_t id = add(www, 0, "a", "x", 1);

    sample_sql(path, "UPDATE notices SET fields = '{'");
    ck_fails(notices_get(inventory, id, &row, &err), E_CORRUPT, "notice 1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/notices");
    TCase *notices = tcase_create("notices");

    tcase_add_checked_fixture(notices, setup, teardown);
    tcase_add_test(notices, comes_back);
    tcase_add_test(notices, told_once);
    tcase_add_test(notices, oldest_due_first);
    tcase_add_test(notices, overtaken_ones_are_dropped);
    tcase_add_test(notices, walk_is_of_one_certificate);
    tcase_add_test(notices, damaged_fields_are_corrupt);
    suite_add_tcase(suite, notices);
    return testing_run(suite);
}
