#include "pki/delivery/passwords.h"

#include <string.h>

#include "tests/testing.h"

static struct error err;

START_TEST(one_a_line_as_it_stands)
{
    static const struct {
        const char *text;
        const char *want[4];
        size_t count;
    } rows[] = {
        {"", {NULL}, 0},
        {"one", {"one"}, 1},
        {"one\n", {"one"}, 1},
        {"first\r\n two words \n\xc3\xa4\nlast", {"first", " two words ", "\xc3\xa4", "last"}, 4},
        {"#one\n\ttwo\n", {"#one", "\ttwo"}, 2},
        {" \na\rb\nc\r\r\n", {" ", "a\rb", "c\r"}, 3},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_PASSWORDS struct passwords passwords = {0};

        err = (struct error){0};
        ck_ok(passwords_parse("f", span_text(rows[i].text), &passwords, &err));
        ck_assert_msg(passwords.count == rows[i].count, "\"%s\"", rows[i].text);
        for (size_t k = 0; k < passwords.count; k++)
            ck_assert_str_eq(passwords.items[k], rows[i].want[k]);
    }
}
END_TEST

/* All or nothing, and no complaint shows what stands there. */
START_TEST(mistakes)
{
    static const char *const long_line =
        "hunter2\n0123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789\n";
    const struct {
        struct span text;
        int code;
        const char *want;
    } rows[] = {
        {span_text("hunter2\n\nhunter3\n"), E_FORMAT,
         "file f: line 2: wanted a password, got a blank line"},
        {span_text("\r\nhunter3\n"), E_FORMAT, "line 1: wanted a password, got a blank line"},
        {span_text("hunter2\n\n"), E_FORMAT, "line 2: wanted a password, got a blank line"},
        {span_text("hunter2\nhunter\xff\n"), E_FORMAT, "line 2: wanted UTF-8"},
        {span_of("hunter\0two\n", 11), E_FORMAT, "line 1: wanted UTF-8"},
        {span_text(long_line), E_TOO_LARGE, "wanted a password of at most 128 bytes, got 130"},
        {span_text("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\nhunter2\n"), E_TOO_LARGE,
         "file f: wanted at most 16 passwords, got more"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_PASSWORDS struct passwords passwords = {0};

        err = (struct error){0};
        ck_fails(passwords_parse("f", rows[i].text, &passwords, &err), rows[i].code, rows[i].want);
        ck_assert_uint_eq(passwords.count, 0);
        ck_assert_ptr_null(strstr(err.text, "hunter"));
    }
}
END_TEST

START_TEST(wiping_twice_does_nothing)
{
    struct passwords passwords = {0};

    ck_ok(passwords_parse("f", span_text("one\ntwo\n"), &passwords, &err));
    passwords_wipe(&passwords);
    ck_assert_uint_eq(passwords.count, 0);
    ck_assert_ptr_null(passwords.items[0]);
    passwords_wipe(&passwords);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/passwords");
    TCase *tcase = tcase_create("passwords");

    tcase_add_test(tcase, one_a_line_as_it_stands);
    tcase_add_test(tcase, mistakes);
    tcase_add_test(tcase, wiping_twice_does_nothing);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
