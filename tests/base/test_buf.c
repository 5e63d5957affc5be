#include "base/buf.h"

#include <string.h>

#include "tests/testing.h"

START_TEST(test_collects)
{
    AUTO_BUF struct buf buf;

    buf_init(&buf, 1000);
    ck_assert_str_eq(buf_text(&buf), "");
    buf_add(&buf, "", 0);
    ck_assert_ptr_null(buf.data);
    buf_add_text(&buf, "one");
    buf_printf(&buf, " %d %s", 2, "three");
    buf_add(&buf, "\0x", 2);
    ck_assert_uint_eq(buf.len, 13);
    ck_assert_mem_eq(buf_text(&buf), "one 2 three\0x", 14);
    ck_assert(!buf.full);
}
END_TEST

START_TEST(test_grows_to_the_ceiling_and_not_past)
{
    AUTO_BUF struct buf buf;

    buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++)
        buf_add(&buf, &"abcdefghij"[i % 10], 1);
    ck_assert_uint_eq(buf.len, 1000);
    ck_assert(!buf.full);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buf.data[i], 'a' + i % 10);
    ck_assert_int_eq(buf.data[1000], '\0');
    buf_add(&buf, "x", 1);
    ck_assert(buf.full);
    ck_assert_uint_eq(buf.len, 1000);
}
END_TEST

START_TEST(test_full_stays)
{
    AUTO_BUF struct buf buf;

    buf_init(&buf, 5);
    buf_add_text(&buf, "abc");
    buf_printf(&buf, "%d", 123456);
    ck_assert(buf.full);
    ck_assert_str_eq(buf_text(&buf), "abc");
    /* It would fit, but a text with a hole in it is worse than a short one. */
    buf_add_text(&buf, "d");
    buf_printf(&buf, "e");
    ck_assert_str_eq(buf_text(&buf), "abc");
    buf_add(&buf, "x", SIZE_MAX);
    ck_assert_uint_eq(buf.len, 3);
    buf_done(&buf);
    ck_assert(!buf.full);
    ck_assert_uint_eq(buf.max, 5);
}
END_TEST

START_TEST(test_take_moves)
{
    AUTO_BUF struct buf buf;

    buf_init(&buf, 100);
    AUTO_BLOB struct blob none = buf_take(&buf);
    ck_assert_ptr_null(none.data);
    buf_add_text(&buf, "text");
    AUTO_BLOB struct blob some = buf_take(&buf);
    ck_assert_uint_eq(some.len, 4);
    ck_assert_str_eq((char *)some.data, "text");
    ck_assert_str_eq(buf_text(&buf), "");
    buf_add_text(&buf, "again");
    ck_assert_str_eq(buf_text(&buf), "again");
    ck_assert_uint_eq(buf.max, 100);
}
END_TEST

START_TEST(test_wipe)
{
    AUTO_SECRET_BUF struct buf buf;

    buf_init(&buf, 100);
    buf_wipe(&buf);
    buf_add_text(&buf, "secret");
    buf_wipe(&buf);
    ck_assert_ptr_null(buf.data);
    ck_assert_uint_eq(buf.len, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/buf");
    TCase *tc = tcase_create("buf");

    tcase_add_test(tc, test_collects);
    tcase_add_test(tc, test_grows_to_the_ceiling_and_not_past);
    tcase_add_test(tc, test_full_stays);
    tcase_add_test(tc, test_take_moves);
    tcase_add_test(tc, test_wipe);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
