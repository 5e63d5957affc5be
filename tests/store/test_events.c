#include "store/events.h"

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
    ck_assert_str_eq(row->certificate, "www");
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
    ck_ok(events_add(inventory, 9, row->certificate_id, 0, "unlapsed", "seen", "", walk_err));
    return see(self, row, walk_err);
}

START_TEST(newest_ones_oldest_first)
{
    struct seen seen = {0};
    int64_t other = sample_certificate(inventory, "other");
    const int64_t of[] = {www, other, www, 0, www};

    for (size_t i = 0; i < COUNT_OF(of); i++)
        ck_ok(events_add(inventory, (utc_t)(100 - i), of[i], 0, "unlapsed", "k", "", &err));
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

START_TEST(in_order_page_by_page)
{
    struct seen seen = {0};

    for (int i = 1; i <= 5; i++)
        ck_ok(events_add(inventory, 10 * i, www, 0, "unlapsed", "k", "", &err));
    ck_ok(events_after(inventory, 0, INT64_MAX, 2, see, &seen, &err));
    ck_seen(seen, 1, 2);
    ck_ok(events_after(inventory, 2, 4, 5, see, &seen, &err));
    ck_seen(seen, 3, 4);
    ck_ok(events_after(inventory, 5, INT64_MAX, 5, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

START_TEST(found_by_their_time)
{
    static const struct {
        utc_t at;
        int64_t id;
    } rows[] = {{0, 1}, {10, 1}, {11, 2}, {20, 2}, {21, 4}, {50, 5}, {51, 6}, {UTC_NEVER, 6}};
    static const utc_t times[] = {10, 20, 20, 40, 50};
    int64_t id = 0;

    ck_ok(events_since(inventory, 5, &id, &err));
    ck_assert_int_eq(id, 1);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_ok(events_add(inventory, times[i], www, 0, "unlapsed", "k", "", &err));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_ok(events_since(inventory, rows[i].at, &id, &err));
        ck_assert_msg(id == rows[i].id, "row %zu: %ld", i, (long)id);
    }
}
END_TEST

static int look_at_hashes(void *self, const struct event_row *row, struct error *walk_err)
{
    (void)walk_err;
    ck_assert_int_eq(row->old_sha256[31], 7);
    ck_assert_int_eq(row->new_sha256[0], 8);
    ++*(int *)self;
    return 0;
}

START_TEST(old_and_new_come_back)
{
    char text[] = "x";
    struct event_row row = {.at = 1, .actor = text, .kind = text, .text = text};
    int seen = 0;

    row.old_sha256[31] = 7;
    row.new_sha256[0] = 8;
    ck_ok(events_record(inventory, &row, &err));
    ck_ok(events_each(inventory, 0, 5, look_at_hashes, &seen, &err));
    ck_ok(events_after(inventory, 0, 5, 5, look_at_hashes, &seen, &err));
    ck_assert_int_eq(seen, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/events");
    TCase *events = tcase_create("events");

    tcase_add_checked_fixture(events, setup, teardown);
    tcase_add_test(events, comes_back);
    tcase_add_test(events, newest_ones_oldest_first);
    tcase_add_test(events, in_order_page_by_page);
    tcase_add_test(events, found_by_their_time);
    tcase_add_test(events, old_and_new_come_back);
    suite_add_tcase(suite, events);
    return testing_run(suite);
}
