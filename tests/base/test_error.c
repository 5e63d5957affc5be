#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

START_TEST(test_set)
{
    struct error err = {0};

    ck_assert_int_eq(error_set(&err, E_INPUT, "name %s: wanted %d, got %d", "www", 1, 2), E_INPUT);
    ck_assert_int_eq(err.code, E_INPUT);
    ck_assert_str_eq(err.text, "name www: wanted 1, got 2");
    ck_assert_int_eq(error_set(NULL, E_INPUT, "x"), E_INPUT);
}
END_TEST

START_TEST(test_set_escapes)
{
    struct error err = {0};

    error_set(&err, E_FORMAT, "file %s", "a\r\n\x1b[31m\xe2\x80\xae\xff");
    ck_assert_str_eq(err.text, "file a\\x0d\\x0a\\x1b[31m\\u{202e}\\xff");
}
END_TEST

START_TEST(test_set_errno)
{
    struct error err = {0};

    ck_assert_int_eq(error_set_errno(&err, ENOSPC, "file %s", "x"), E_FULL);
    ck_assert_int_eq(err.code, E_FULL);
    ck_assert_str_eq(err.text, "file x: No space left on device");
    ck_assert_int_eq(error_set_errno(NULL, ENOENT, "x"), E_NOT_FOUND);
}
END_TEST

START_TEST(test_wrap)
{
    struct error err = {0};

    error_set(&err, E_IO, "disk");
    ck_assert_int_eq(error_wrap(&err, E_IO, "renewal %d", 17), E_IO);
    ck_assert_str_eq(err.text, "renewal 17: disk");
    ck_assert_int_eq(error_wrap(&err, E_CONFIG, "again"), E_CONFIG);
    ck_assert_int_eq(err.code, E_CONFIG);
    ck_assert_str_eq(err.text, "again: renewal 17: disk");
    ck_assert_int_eq(error_wrap(NULL, E_IO, "x"), E_IO);
    /* Nobody set a sentence: the code's own stands in. */
    err = (struct error){0};
    error_wrap(&err, E_IO, "x");
    ck_assert_str_eq(err.text, "x: input or output failed");
}
END_TEST

START_TEST(test_wrap_escapes)
{
    struct error err = {0};

    error_set(&err, E_IO, "in\n");
    error_wrap(&err, E_IO, "file %s", "a\x1b\n");
    ck_assert_str_eq(err.text, "file a\\x1b\\x0a: in\\x0a");
}
END_TEST

START_TEST(test_long)
{
    struct error err = {0};
    char text[3 * ERROR_TEXT_MAX];

    /* Characters of three bytes, at each offset: the cut never splits one. */
    for (int offset = 0; offset < 3; offset++) {
        memset(text, 'x', (size_t)offset);
        for (size_t i = (size_t)offset; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac\0", 4);
        error_set(&err, E_IO, "%s", text);
        ck_assert(text_is_utf8(err.text, strlen(err.text)));
        ck_assert(text_ends(err.text, "\xe2\x82\xac..."));
        ck_assert_uint_gt(strlen(err.text), ERROR_TEXT_MAX - 8);
        error_wrap(&err, E_IO, "%s", text);
        ck_assert(text_is_utf8(err.text, strlen(err.text)));
        ck_assert(text_ends(err.text, "\xe2\x82\xac..."));
        error_set_errno(&err, ENOENT, "%s", text);
        ck_assert(text_ends(err.text, "..."));
        ck_assert_ptr_null(strstr(err.text, "\\x"));
    }
}
END_TEST

START_TEST(test_success_is_no_error)
{
    struct error err;

    error_set(&err, 0, "x");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/error");
    TCase *tc = tcase_create("error");

    tcase_add_test(tc, test_set);
    tcase_add_test(tc, test_set_escapes);
    tcase_add_test(tc, test_set_errno);
    tcase_add_test(tc, test_wrap);
    tcase_add_test(tc, test_wrap_escapes);
    tcase_add_test(tc, test_long);
    tcase_add_test_raise_signal(tc, test_success_is_no_error, SIGABRT);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
