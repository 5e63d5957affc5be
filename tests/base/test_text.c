#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "tests/testing.h"

static const struct {
    const char *text;
    const char *escaped;
} escapes[] = {
    {"", ""},
    {"plain ASCII, with \\ and \"quotes\"", "plain ASCII, with \\ and \"quotes\""},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91"},
    {"\x1b[31mred\x07", "\\x1b[31mred\\x07"},
    {"one\r\ntwo\ttab", "one\\x0d\\x0atwo\\x09tab"},
    {"\x7f", "\\x7f"},
    /* C1: CSI as one character */
    {"\xc2\x9b"
     "31m",
     "\\u{009b}31m"},
    /* bidi: override, isolate, mark; Arabic letter mark */
    {"a\xe2\x80\xae"
     "fdp.exe",
     "a\\u{202e}fdp.exe"},
    {"\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8f\xd8\x9c", "\\u{2066}\\u{2069}\\u{200f}\\u{061c}"},
    /* line and paragraph separator, zero width, BOM, soft hyphen, tag, interlinear */
    {"\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}"},
    {"\xe2\x80\x8b\xef\xbb\xbf\xc2\xad", "\\u{200b}\\u{feff}\\u{00ad}"},
    {"\xf3\xa0\x81\x81\xef\xbf\xb9", "\\u{e0041}\\u{fff9}"},
    /* not UTF-8: lone bytes, overlong, surrogate, past U+10FFFF, cut short */
    {"caf\xe9", "caf\\xe9"},
    {"\x80\xbf\xfe\xff", "\\x80\\xbf\\xfe\\xff"},
    {"\xc0\xaf", "\\xc0\\xaf"},
    {"\xc1\x8a\xe0\x80\x8a", "\\xc1\\x8a\\xe0\\x80\\x8a"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
    {"\xe2\x82", "\\xe2\\x82"},
    {"\xe2\x82\nx", "\\xe2\\x82\\x0ax"},
};

START_TEST(test_escape)
{
    char out[128];

    ck_assert_str_eq(text_escape(escapes[_i].text, out, sizeof out), escapes[_i].escaped);
    /* What is escaped is itself harmless: a second pass changes nothing. */
    char again[128];
    ck_assert_str_eq(text_escape(out, again, sizeof again), out);
    /* Text that fits to the byte is not cut. */
    ck_assert_str_eq(text_escape(escapes[_i].text, again, strlen(escapes[_i].escaped) + 1),
                     escapes[_i].escaped);
}
END_TEST

START_TEST(test_escape_cuts_at_a_character)
{
    static const struct {
        size_t size;
        const char *wanted;
    } rows[] = {{1, ""},
                {2, ""},
                {3, ""},
                {4, "..."},
                {5, "a..."},
                {6, "a..."},
                {7, "a..."},
                {8, "a\xe2\x82\xac..."},
                {9, "a\xe2\x82\xac..."},
                {10, "a\xe2\x82\xac..."},
                {11, "a\xe2\x82\xac..."},
                {12, "a\xe2\x82\xac\\x0a..."},
                {13, "a\xe2\x82\xac\\x0a"
                     "bcde"}};
    char out[16];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(out, '#', sizeof out);
        text_escape("a\xe2\x82\xac\nbcde", out, rows[i].size);
        ck_assert_msg(strcmp(out, rows[i].wanted) == 0, "size %zu: %s", rows[i].size, out);
        for (size_t past = rows[i].size; past < sizeof out; past++)
            ck_assert_int_eq(out[past], '#');
    }
    out[0] = '#';
    text_escape("a", out, 0);
    ck_assert_int_eq(out[0], '#');
}
END_TEST

START_TEST(test_is_utf8)
{
    ck_assert(text_is_utf8("", 0));
    ck_assert(text_is_utf8("a\xe2\x82\xac\n", 5));
    ck_assert(!text_is_utf8("a\0b", 3));
    ck_assert(!text_is_utf8("\xe2\x82\xac", 2));
    ck_assert(!text_is_utf8("\xff", 1));
    ck_assert(!text_is_utf8("\xed\xa0\x80", 3));
}
END_TEST

START_TEST(test_is_header_safe)
{
    ck_assert(text_is_header_safe("", 0));
    ck_assert(text_is_header_safe("Subject \xc3\xbc", 10));
    ck_assert(!text_is_header_safe("a\rb", 3));
    ck_assert(!text_is_header_safe("a\nb", 3));
    ck_assert(!text_is_header_safe("a\0b", 3));
    ck_assert(!text_is_header_safe("a\tb", 3));
    ck_assert(!text_is_header_safe("a\x7f", 2));
}
END_TEST

START_TEST(test_hex)
{
    uint8_t bytes[4] = {0x00, 0x7f, 0xab, 0xff}, back[4] = {0};
    char hex[9];

    ck_assert_str_eq(text_hex(bytes, 4, hex), "007fabff");
    ck_assert_str_eq(text_hex(bytes, 0, hex), "");
    ck_assert(text_unhex("007fABff", back, 4));
    ck_assert_mem_eq(back, bytes, 4);
    static const char *const bad[] = {"",         "007fabf",  "007fabff0",
                                      "007fabfg", "0x7fabff", " 07fabff"};
    memset(back, 9, sizeof back);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!text_unhex(bad[i], back, 4), "taken: %s", bad[i]);
    ck_assert_int_eq(back[0], 9);
}
END_TEST

START_TEST(test_number)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-",
                                      "--1",
                                      "0x10",
                                      "1.0",
                                      "1e3",
                                      "abc",
                                      "101",
                                      "-11",
                                      "\xd9\xa1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    int64_t number;

    ck_assert(text_number("100", -10, 100, &number));
    ck_assert_int_eq(number, 100);
    ck_assert(text_number("-10", -10, 100, &number));
    ck_assert_int_eq(number, -10);
    ck_assert(text_number("007", -10, 100, &number));
    ck_assert_int_eq(number, 7);
    ck_assert(text_number("9223372036854775807", INT64_MIN, INT64_MAX, &number));
    ck_assert(text_number("-9223372036854775808", INT64_MIN, INT64_MAX, &number));
    ck_assert(number == INT64_MIN);
    number = 42;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!text_number(bad[i], -10, 100, &number), "taken: %s", bad[i]);
    ck_assert(!text_number("9223372036854775808", INT64_MIN, INT64_MAX, &number));
    ck_assert_int_eq(number, 42);
}
END_TEST

START_TEST(test_starts_ends)
{
    ck_assert(text_starts("abc", "ab"));
    ck_assert(text_starts("abc", ""));
    ck_assert(!text_starts("ab", "abc"));
    ck_assert(text_ends("abc", "bc"));
    ck_assert(text_ends("abc", ""));
    ck_assert(!text_ends("bc", "abc"));
    ck_assert(!text_ends("abc", "ab"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/text");
    TCase *tc = tcase_create("text");

    tcase_add_loop_test(tc, test_escape, 0, (int)COUNT_OF(escapes));
    tcase_add_test(tc, test_escape_cuts_at_a_character);
    tcase_add_test(tc, test_is_utf8);
    tcase_add_test(tc, test_is_header_safe);
    tcase_add_test(tc, test_hex);
    tcase_add_test(tc, test_number);
    tcase_add_test(tc, test_starts_ends);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
