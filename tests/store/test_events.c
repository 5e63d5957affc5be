#include "store/events.h"

#include <string.h>

#include <sqlite3.h>

#include "store/statement.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t www;

static void setup(void)
{
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
}

static void teardown(void)
{
    inventory_close(inventory);
}

SAMPLE_SEE(see, event_row)

static int look(void *self, const struct event_row *row, struct error *walk_err)
{
    (void)walk_err;
    ck_assert_int_eq(row->at, 5);
    ck_assert_int_eq(row->certificate_id, www);
    ck_assert_int_eq(row->renewal_id, 0);
    ck_assert_str_eq(row->actor, "uid 0");
    ck_assert_str_eq(row->kind, "requested");
    ck_assert_str_eq(row->text, "a new key");
    ++*(int *)self;
    return 0;
}

START_TEST(comes_back)
{
    int seen = 0;

    ck_ok(events_add(inventory, 5, www, 0, "uid 0", "requested", "a new key", &err));
    ck_ok(events_each(inventory, www, 10, look, &seen, &err));
    ck_assert_int_eq(seen, 1);
    ck_fails(events_add(inventory, 5, 99, 0, "a", "b", "c", &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_fails(events_add(inventory, 5, 0, 99, "a", "b", "c", &err), E_NOT_FOUND, "FOREIGN KEY");
}
END_TEST

static int see_and_add(void *self, const struct event_row *row, struct error *walk_err)
{
    ck_ok(events_add(inventory, 9, row->certificate_id, 0, "daemon", "seen", "", walk_err));
    return see(self, row, walk_err);
}

START_TEST(newest_ones_oldest_first)
{
    struct seen seen = {0};
    int64_t other = sample_certificate(inventory, "other");
    const int64_t of[] = {www, other, www, 0, www};

    for (size_t i = 0; i < COUNT_OF(of); i++)
        ck_ok(events_add(inventory, (utc_t)(100 - i), of[i], 0, "daemon", "k", "", &err));
    ck_ok(events_each(inventory, www, 2, see, &seen, &err));
    ck_seen(seen, 3, 5);
    ck_ok(events_each(inventory, 0, 3, see, &seen, &err));
    ck_seen(seen, 3, 4, 5);
    ck_ok(events_each(inventory, 0, SIZE_MAX, see, &seen, &err));
    ck_seen(seen, 1, 2, 3, 4, 5);
    ck_ok(events_each(inventory, other, SIZE_MAX, see_and_add, &seen, &err));
    ck_seen(seen, 2);
}
END_TEST

START_TEST(never_changed)
{
    static const char *const attempts[] = {"UPDATE events SET text = 'nothing happened'",
                                           "DELETE FROM events", "DELETE FROM events WHERE id = 1"};
    AUTO_STATEMENT struct statement statement = {0};

    ck_ok(events_add(inventory, 5, www, 0, "daemon", "requested", "", &err));
    ck_ok(statement_open(inventory, attempts[_i], &statement, &err));
    ck_fails(statement_run(&statement, &err), E_REFUSED, "an event is never");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/events");
    TCase *events = tcase_create("events");

    tcase_add_checked_fixture(events, setup, teardown);
    tcase_add_test(events, comes_back);
    tcase_add_test(events, newest_ones_oldest_first);
    tcase_add_loop_test(events, never_changed, 0, 3);
    suite_add_tcase(suite, events);
    return testing_run(suite);
}
