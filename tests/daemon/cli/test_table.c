#include "daemon/cli/table.h"

#include <string.h>

#include "daemon/cli/exit.h"
#include "tests/testing.h"

static char *print(const struct table *table, struct term term)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    table_print(table, &term, out);
    fclose(out);
    return text;
}

static const char *const headers[] = {"NAME", "TEXT", "END", NULL};

static void fill(struct table *table, const char *text)
{
    table_init(table, headers);
    table_cell(table, "a", COLOR_PLAIN);
    table_cell(table, text, COLOR_BAD);
    table_cell(table, "z", COLOR_PLAIN);
}

START_TEST(columns_are_as_wide_as_their_content)
{
    AUTO_TABLE struct table table;

    fill(&table, "longer");
    table_cell(&table, "bbbbb", COLOR_PLAIN);
    table_cell(&table, "", COLOR_PLAIN);
    table_cell(&table, "y", COLOR_PLAIN);
    AUTO_FREE char *text = print(&table, (struct term){0});
    ck_assert_str_eq(text, "NAME   TEXT    END\n"
                           "a      longer  z\n"
                           "bbbbb          y\n");
}
END_TEST

/* Latin, wide, combining: padded by what is displayed, not by bytes. */
START_TEST(width_is_what_is_displayed)
{
    static const char *const texts[] = {"éa", "日", "e\xcc\x81z"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO_TABLE struct table table;

        ck_assert_msg(text_columns(texts[i]) == 2, "%s", texts[i]);
        fill(&table, texts[i]);
        AUTO_FREE char *text = print(&table, (struct term){0});
        AUTO_FREE char *wanted = mem_printf("NAME  TEXT  END\na     %s    z\n", texts[i]);
        ck_assert_str_eq(text, wanted);
    }
}
END_TEST

START_TEST(strangers_text_is_escaped)
{
    AUTO_TABLE struct table table;

    fill(&table, "\033[2J\n\xff\xe2\x80\xae");
    AUTO_FREE char *text = print(&table, (struct term){0});
    ck_assert(strstr(text, "\\x1b[2J\\x0a\\xff\\u{202e}"));
}
END_TEST

START_TEST(long_cells_are_cut_on_a_terminal)
{
    AUTO_TABLE struct table table;

    fill(&table, "0123456789012345678901234567890123456789");
    AUTO_FREE char *narrow = print(&table, (struct term){.width = 24});
    ck_assert_str_eq(narrow, "NAME  TEXT           END\n"
                             "a     012345678901…  z\n");
    AUTO_FREE char *piped = print(&table, (struct term){.width = 0});
    ck_assert(strstr(piped, "0123456789012345678901234567890123456789"));
    /* Too narrow for anything: still every cell, none wider than it must be. */
    AUTO_FREE char *least = print(&table, (struct term){.width = 1});
    ck_assert_str_eq(least, "NAME  TEXT    END\na     01234…  z\n");
}
END_TEST

START_TEST(a_wide_character_is_not_cut_in_half)
{
    ck_assert_uint_eq(text_head("日本", 3), 3);
    ck_assert_uint_eq(text_head("日本", 4), 6);
    ck_assert_uint_eq(text_head("日本", 1), 0);
    ck_assert_uint_eq(text_head("abc", 9), 3);
}
END_TEST

START_TEST(colours_only_when_wanted)
{
    AUTO_TABLE struct table table;

    fill(&table, "x");
    AUTO_FREE char *plain = print(&table, (struct term){.width = 80});
    ck_assert_ptr_null(strchr(plain, '\033'));
    AUTO_FREE char *color = print(&table, (struct term){.width = 80, .color = true});
    ck_assert(strstr(color, "\033[31mx\033[0m"));
    ck_assert(color_of_state("expired") == COLOR_BAD);
    ck_assert(color_of_state("something new") == COLOR_PLAIN);
}
END_TEST

START_TEST(exit_statuses_are_stable)
{
    ck_assert_int_eq(exit_of_code(E_INPUT), 2);
    ck_assert_int_eq(exit_of_code(E_CONFIG), 4);
    ck_assert_int_eq(exit_of_code(E_NOT_FOUND), 5);
    ck_assert_int_eq(exit_of_code(E_REFUSED), 6);
    ck_assert_int_eq(exit_of_code(E_DENIED), 6);
    ck_assert_int_eq(exit_of_code(E_COMMAND), 8);
    ck_assert_int_eq(exit_of_code(E_NOT_SERVED), 9);
    ck_assert_int_eq(exit_of_code(E_EXISTS), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-table");
    TCase *tcase = tcase_create("table");

    tcase_add_test(tcase, columns_are_as_wide_as_their_content);
    tcase_add_test(tcase, width_is_what_is_displayed);
    tcase_add_test(tcase, strangers_text_is_escaped);
    tcase_add_test(tcase, long_cells_are_cut_on_a_terminal);
    tcase_add_test(tcase, a_wide_character_is_not_cut_in_half);
    tcase_add_test(tcase, colours_only_when_wanted);
    tcase_add_test(tcase, exit_statuses_are_stable);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
