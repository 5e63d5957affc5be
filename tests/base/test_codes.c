#include "base/codes.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/testing.h"

static const int all[] = {
#define X(name, value, retry, text) name,
    CODE_TABLE(X)
#undef X
};

START_TEST(test_table)
{
    int code = all[_i];

    ck_assert_int_lt(code, 0);
    ck_assert_int_eq(strncmp(code_name(code), "E_", 2), 0);
    ck_assert_uint_gt(strlen(code_text(code)), 5);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if ((int)i != _i)
            ck_assert_msg(all[i] != code, "%s has the number of another", code_name(code));
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(code_name(E_NOT_SERVED), "E_NOT_SERVED");
    ck_assert_str_eq(code_name(0), "OK");
    ck_assert_str_eq(code_text(0), "success");
    ck_assert_str_eq(code_name(-999), "unknown");
    ck_assert_str_eq(code_name(1), "unknown");
    ck_assert_str_eq(code_text(-999), "unknown");
}
END_TEST

START_TEST(test_retry)
{
    ck_assert_int_eq(code_retry(E_INPUT), RETRY_PERMANENT);
    ck_assert_int_eq(code_retry(E_NETWORK), RETRY_TRANSIENT);
    ck_assert_int_eq(code_retry(E_NO_CHAIN), RETRY_WAIT);
}
END_TEST

START_TEST(test_retry_of_a_foreign_number)
{
    code_retry(-999);
}
END_TEST

START_TEST(test_errno)
{
    static const struct {
        int errnum, code;
    } rows[] = {
        {ENOSPC, E_FULL},       {EDQUOT, E_FULL},      {EACCES, E_DENIED},     {EPERM, E_DENIED},
        {EROFS, E_DENIED},      {ENOENT, E_NOT_FOUND}, {ENOTDIR, E_NOT_FOUND}, {EEXIST, E_EXISTS},
        {ETIMEDOUT, E_TIMEOUT}, {EIO, E_IO},           {EMFILE, E_IO},         {0, E_IO}};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(code_from_errno(rows[i].errnum) == rows[i].code, "%s: %s",
                      strerror(rows[i].errnum), code_name(code_from_errno(rows[i].errnum)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/codes");
    TCase *tc = tcase_create("codes");

    tcase_add_loop_test(tc, test_table, 0, (int)COUNT_OF(all));
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_retry);
    tcase_add_test_raise_signal(tc, test_retry_of_a_foreign_number, SIGABRT);
    tcase_add_test(tc, test_errno);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
