/* The part of base/text.c that reads words of the configuration. */
#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

START_TEST(addresses_that_are_fine)
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

START_TEST(addresses_that_are_refused)
{
    static const char *const wrong[] = {
        "",        "a",           "@",           "a@",          "@b",      "a@b@c",   "a b@c",
        "a@b c",   "a@b\r\nX: y", "a@b\n",       "a\r@b",       "a\x7f@b", "<a@b>",   "a@b>",
        "a@b,c@d", "\"a\"@b",     "a@[1.2.3.4]", "a..b@c",      ".a@b",    "a.@b",    "a@b..c",
        "a@.b",    "a@b.",        "\xC3\xA9@b",  "a@b\xC3\xA9", "a@b;c",   "a(x)@b",  "a@b_c",
        "a\\@b",   "a:b@c",       " a@b",        "a@b ",        "a@b\t",   "a\x01@b",
    };
    char longest[256];

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(!text_is_mail_address(wrong[i]), "row %zu: %s", i, wrong[i]);
    memset(longest, 'a', sizeof longest);
    longest[1] = '@';
    longest[254] = '\0';
    ck_assert(text_is_mail_address(longest));
    longest[254] = 'a';
    longest[255] = '\0';
    ck_assert(!text_is_mail_address(longest));
}
END_TEST

START_TEST(parts_of_a_whole)
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

START_TEST(words_that_are_near)
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

START_TEST(paths)
{
    ck_assert(text_is_absolute("/"));
    ck_assert(text_is_absolute("/a"));
    ck_assert(!text_is_absolute(""));
    ck_assert(!text_is_absolute("a/"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/text words");
    TCase *tcase = tcase_create("words");

    tcase_add_test(tcase, addresses_that_are_fine);
    tcase_add_test(tcase, addresses_that_are_refused);
    tcase_add_test(tcase, parts_of_a_whole);
    tcase_add_test(tcase, words_that_are_near);
    tcase_add_test(tcase, paths);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
