#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "tests/testing.h"

static const struct {
    utc_t at;
    const char *text;
    const char *plain;
} times[] = {
    {0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"},
    {-1, "1969-12-31T23:59:59Z", "1969-12-31 23:59:59 UTC"},
    {1795366634, "2026-11-22T16:57:14Z", "2026-11-22 16:57:14 UTC"},
    {1709164800, "2024-02-29T00:00:00Z", "2024-02-29 00:00:00 UTC"},
    /* past 2038, and RFC 5280's "no well-defined expiration" */
    {4102444800, "2100-01-01T00:00:00Z", "2100-01-01 00:00:00 UTC"},
    {253402300799, "9999-12-31T23:59:59Z", "9999-12-31 23:59:59 UTC"},
};

START_TEST(test_format_and_parse)
{
    char text[UTC_TEXT_MAX];
    utc_t at;

    ck_assert_str_eq(utc_format(times[_i].at, text), times[_i].text);
    ck_assert_str_eq(utc_format_plain(times[_i].at, text), times[_i].plain);
    ck_assert(utc_parse(times[_i].text, &at));
    ck_assert_int_eq(at, times[_i].at);
}
END_TEST

static const char *const no_times[] = {
    "",
    "never",
    "2026-11-22",
    "2026-11-22T16:57:14",
    "2026-11-22 16:57:14Z",
    "2026-11-22T16:57:14z",
    "2026-11-22T16:57:14Z ",
    " 2026-11-22T16:57:14Z",
    "2026-11-22T16:57:14+00:00",
    "2026-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-22T24:00:00Z",
    "2026-12-31T23:59:60Z",
    "2026-1-2T3:4:5Z",
    "+2026-11-22T16:57:14Z",
    "10000-01-01T00:00:00Z",
};

START_TEST(test_parse_refuses)
{
    utc_t at = 42;

    ck_assert_msg(!utc_parse(no_times[_i], &at), "taken: %s", no_times[_i]);
    ck_assert_int_eq(at, 42);
}
END_TEST

START_TEST(test_never)
{
    char text[UTC_TEXT_MAX];

    ck_assert_str_eq(utc_format(UTC_NEVER, text), "never");
    ck_assert_str_eq(utc_format_plain(UTC_NEVER, text), "never");
    /* The widest years a system can make still fit their buffer. */
    for (int shift = 0; shift < 63; shift++) {
        ck_assert_uint_lt(strlen(utc_format_plain(INT64_MIN >> shift, text)), UTC_TEXT_MAX);
        ck_assert_uint_lt(strlen(utc_format_plain(INT64_MAX >> shift, text)), UTC_TEXT_MAX);
    }
}
END_TEST

START_TEST(test_add_saturates)
{
    ck_assert_int_eq(utc_add(100, -30), 70);
    ck_assert(utc_add(UTC_NEVER, -1) == UTC_NEVER);
    ck_assert(utc_add(5, UTC_NEVER) == UTC_NEVER);
    ck_assert(utc_add(UTC_NEVER - 5, 6) == UTC_NEVER);
    ck_assert(utc_add(INT64_MIN + 5, -6) == INT64_MIN);
    ck_assert(utc_min(3, UTC_NEVER) == 3);
    ck_assert(utc_min(UTC_NEVER, 3) == 3);
    ck_assert(utc_min(UTC_NEVER, UTC_NEVER) == UTC_NEVER);
}
END_TEST

START_TEST(test_now)
{
    time_t before = time(NULL);
    utc_t now = clock_now();

    /* time(2) may lag clock_gettime by a tick; 2026 is past. */
    ck_assert_int_ge(now, before);
    ck_assert_int_gt(now, 1767225600);
}
END_TEST

static const struct {
    seconds_t length;
    const char *text;
} lengths[] = {
    {0, "0 s"},
    {1, "1 s"},
    {59, "59 s"},
    {60, "1 min"},
    {90, "1 min 30 s"},
    {245, "4 min 5 s"},
    {3600, "1 h"},
    {3659, "1 h"},
    {3660, "1 h 1 min"},
    {86400, "1 d"},
    {86400 + 3599, "1 d"},
    {21 * 86400 + 3 * 3600 + 59, "21 d 3 h"},
    {-90, "-1 min 30 s"},
    {-86400, "-1 d"},
    {INT64_MAX, "106751991167300 d 15 h"},
    {INT64_MIN, "-106751991167300 d 15 h"},
};

START_TEST(test_seconds_format)
{
    char text[SECONDS_TEXT_MAX];

    ck_assert_str_eq(seconds_format(lengths[_i].length, text), lengths[_i].text);
}
END_TEST

START_TEST(test_seconds_parse)
{
    static const struct {
        const char *text;
        seconds_t length;
    } good[] = {{"0s", 0},
                {"30s", 30},
                {"15m", 900},
                {"12h", 43200},
                {"21d", 1814400},
                {"2w", 1209600},
                {"10000000000s", 10000000000}};
    static const char *const bad[] = {
        "",    "s",    "30",   "30 s", " 30s", "30S",  "-1s",          "-0s",
        "+1s", "1.5h", "1h1m", "1y",   "1dd",  "0x1s", "10000000001s", "99999999999999999999s"};
    seconds_t length;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_msg(seconds_parse(good[i].text, &length), "refused: %s", good[i].text);
        ck_assert_int_eq(length, good[i].length);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        length = 42;
        ck_assert_msg(!seconds_parse(bad[i], &length), "taken: %s", bad[i]);
        ck_assert_int_eq(length, 42);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/clock");
    TCase *tc = tcase_create("clock");

    tcase_add_loop_test(tc, test_format_and_parse, 0, (int)COUNT_OF(times));
    tcase_add_loop_test(tc, test_parse_refuses, 0, (int)COUNT_OF(no_times));
    tcase_add_test(tc, test_never);
    tcase_add_test(tc, test_add_saturates);
    tcase_add_test(tc, test_now);
    tcase_add_loop_test(tc, test_seconds_format, 0, (int)COUNT_OF(lengths));
    tcase_add_test(tc, test_seconds_parse);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
