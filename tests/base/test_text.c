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

START_TEST(test_addresses_that_are_fine)
{
    static const char *const fine[] = {
        "a@b",
        "ops@example.com",
        "first.last+tag@mail.example.com",
        "o'neil=x@xn--bcher-kva.example",
        "{a|b}~!#$%&*/?^_`@1.2-3",
    };

    for (size_t i = 0; i < COUNT_OF(fine); i++)
        ck_assert_msg(text_is_mail_address(fine[i]), "row %zu: %s", i, fine[i]);
}
END_TEST

START_TEST(test_addresses_that_are_refused)
{
    static const char *const wrong[] = {
        "",        "a",           "@",           "a@",          "@b",      "a@b@c",  "a b@c",
        "a@b c",   "a@b\r\nX: y", "a@b\n",       "a\r@b",       "a\x7f@b", "<a@b>",  "a@b>",
        "a@b,c@d", "\"a\"@b",     "a@[1.2.3.4]", "a..b@c",      ".a@b",    "a.@b",   "a@b..c",
        "a@.b",    "a@b.",        "\xC3\xA9@b",  "a@b\xC3\xA9", "a@b;c",   "a(x)@b", "a@b_c",
        "a\\@b",   "a:b@c",       "a@-b",        "a@b-",        "a@b-.c",  " a@b",   "a@b ",
        "a@b\t",   "a\x01@b",
    };
    char longest[256];

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(!text_is_mail_address(wrong[i]), "row %zu: %s", i, wrong[i]);
    memset(longest, 'a', sizeof longest);
    longest[64] = '@';
    longest[254] = '\0';
    ck_assert(text_is_mail_address(longest));
    longest[254] = 'a';
    longest[255] = '\0';
    ck_assert(!text_is_mail_address(longest));
    memcpy(longest + 64, "a@b", 4);
    ck_assert(!text_is_mail_address(longest));
}
END_TEST

START_TEST(test_parts_of_a_whole)
{
    static const struct {
        const char *text;
        double value; /* negative: refused */
    } rows[] = {
        {"50%", 0.5},        {"12.5%", 0.125}, {"100%", 1},  {"0%", 0},         {"1/3", 1.0 / 3},
        {"0/5", 0},          {"150%", 1.5},    {"3/2", 1.5}, {"0.05%", 0.0005}, {"", -1},
        {"50", -1},          {"%", -1},        {"-5%", -1},  {"5 %", -1},       {"5%%", -1},
        {"1/0", -1},         {"1/", -1},       {"/3", -1},   {"1/3%", -1},      {"1.5/3", -1},
        {"5.%", -1},         {".5%", -1},      {"5,5%", -1}, {"1e1%", -1},      {"0.5", -1},
        {"1234567890%", -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double value = -1;

        ck_assert_msg(text_fraction(rows[i].text, &value) == (rows[i].value >= 0), "row %zu: %s", i,
                      rows[i].text);
        ck_assert_msg(value >= rows[i].value - 1e-12 && value <= rows[i].value + 1e-12,
                      "row %zu: %s: %f", i, rows[i].text, value);
    }
}
END_TEST

START_TEST(test_words_that_are_near)
{
    static const char *const words[] = {"policies", "services", "port", "key", "a"};
    static const struct {
        const char *text, *near;
    } rows[] = {
        {"polices", "policies"},
        {"policise", "policies"},
        {"Policies", "policies"},
        {"policyes", "policies"},
        {"serv", NULL},
        {"prot", "port"},
        {"ports", "port"},
        {"part", "port"},
        {"keys", "key"},
        {"kye", "key"},
        {"xyz", NULL},
        {"b", NULL},
        {"a", "a"},
        {"", NULL},
        {"sevrcies", "services"},
    };
    char long_word[200];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *near = text_nearest(rows[i].text, words, COUNT_OF(words));

        ck_assert_msg(near == rows[i].near || (near && rows[i].near && !strcmp(near, rows[i].near)),
                      "row %zu: %s: %s", i, rows[i].text, near ? near : "none");
    }
    memset(long_word, 'a', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    ck_assert_ptr_null(text_nearest(long_word, words, COUNT_OF(words)));
    ck_assert_ptr_null(text_nearest("port", NULL, 0));
}
END_TEST

START_TEST(test_paths)
{
    ck_assert(text_is_absolute("/"));
    ck_assert(text_is_absolute("/a"));
    ck_assert(!text_is_absolute(""));
    ck_assert(!text_is_absolute("a/"));
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
    tcase_add_test(tc, test_addresses_that_are_fine);
    tcase_add_test(tc, test_addresses_that_are_refused);
    tcase_add_test(tc, test_parts_of_a_whole);
    tcase_add_test(tc, test_words_that_are_near);
    tcase_add_test(tc, test_paths);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
