#include "store/fetches.h"

#include "tests/store/sample.h"

enum { HOUR = 3600, DAY = 86400, NOW = 1000000 };

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

static bool counts(const char *url, utc_t now)
{
    bool allowed = false;

    ck_ok(fetches_count(inventory, url, now, 60, &allowed, &err));
    return allowed;
}

START_TEST(a_url_is_asked_so_often_a_day_and_no_more)
{
    for (int i = 0; i < FETCHES_A_DAY; i++)
        ck_assert_msg(counts("http://a/", NOW + i * HOUR), "try %d", i);
    ck_assert(!counts("http://a/", NOW + 20 * HOUR));
    ck_assert(!counts("http://a/", NOW + DAY - 1));
    ck_assert(counts("http://b/", NOW + 20 * HOUR));
    ck_assert(counts("http://a/", NOW + DAY));
}
END_TEST

START_TEST(there_is_a_pause_between_two_tries)
{
    ck_assert(counts("http://a/", NOW));
    ck_assert(!counts("http://a/", NOW + 59));
    ck_assert(counts("http://b/", NOW + 1));
    ck_assert(counts("http://a/", NOW + 60));
}
END_TEST

START_TEST(a_clock_that_was_ahead_stops_nothing)
{
    for (int i = 0; i < FETCHES_A_DAY; i++)
        counts("http://a/", NOW + 300 * DAY + i * HOUR);
    ck_assert(counts("http://a/", NOW));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/fetches");
    TCase *tcase = tcase_create("fetches");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_url_is_asked_so_often_a_day_and_no_more);
    tcase_add_test(tcase, there_is_a_pause_between_two_tries);
    tcase_add_test(tcase, a_clock_that_was_ahead_stops_nothing);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
