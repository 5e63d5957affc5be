#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

static struct yaml *yaml;
static struct buf complaints;
static struct error err;

static const struct yaml_node *open_text(const char *text)
{
    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_ok(yaml_parse("f.yaml", text, strlen(text), &yaml, &complaints, &err));
    return yaml_root(yaml);
}

/* Ends reading and compares all lines of complaint. */
static void close_with(const char *lines)
{
    int rc = yaml_finish(yaml, &err);

    ck_assert_str_eq(buf_text(&complaints), lines);
    ck_assert_int_eq(rc, *lines ? E_CONFIG : 0);
    if (*lines)
        ck_assert_msg(strncmp(lines, err.text, strlen(err.text)) == 0, "%s", err.text);
    yaml_free(yaml);
    buf_done(&complaints);
}

/* Text that cannot be parsed. */
static void refuse(const char *text, size_t len, const char *lines)
{
    struct yaml *none = NULL;

    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_fails(yaml_parse("f.yaml", text, len, &none, &complaints, &err), E_CONFIG, "f.yaml:");
    ck_assert_ptr_null(none);
    ck_assert_str_eq(buf_text(&complaints), lines);
    buf_done(&complaints);
}

START_TEST(every_reader_reads)
{
    const struct yaml_node *root = open_text("text: no\n"
                                             "number: 587\n"
                                             "yes: true\n"
                                             "time: 2w\n"
                                             "word: warn\n"
                                             "mode: 0640\n"
                                             "part: 12.5%\n"
                                             "path: /a b\n"
                                             "map: {k: v}\n"
                                             "list: [a, \"\"]\n"
                                             "times: [1s, 1m]\n"
                                             "quoted: 'a: b'\n");
    static const char *const words[] = {"refuse", "warn", NULL};
    const struct yaml_node *node;
    const char *text;
    int64_t number;
    bool yes = false;
    seconds_t seconds, times[3];
    double part;
    unsigned mode;
    int index;
    size_t count;

    ck_assert(yaml_text(yaml, root, "text", &text));
    ck_assert_str_eq(text, "no");
    ck_assert(yaml_number(yaml, root, "number", 1, 65535, &number));
    ck_assert_int_eq(number, 587);
    ck_assert(yaml_bool(yaml, root, "yes", &yes) && yes);
    ck_assert(yaml_seconds(yaml, root, "time", 0, 1209600, &seconds));
    ck_assert_int_eq(seconds, 1209600);
    ck_assert(yaml_choice(yaml, root, "word", words, &index));
    ck_assert_int_eq(index, 1);
    ck_assert(yaml_mode(yaml, root, "mode", &mode));
    ck_assert_uint_eq(mode, 0640);
    ck_assert(yaml_fraction(yaml, root, "part", &part));
    ck_assert_double_eq(part, 0.125);
    ck_assert(yaml_path(yaml, root, "path", &text));
    ck_assert_str_eq(text, "/a b");
    ck_assert(yaml_map(yaml, root, "map", &node));
    ck_assert_uint_eq(yaml_count(node), 1);
    ck_assert_str_eq(yaml_item_key(yaml, node, 0), "k");
    ck_assert_str_eq(yaml_item_text(yaml, yaml_item(node, 0), "text"), "v");
    ck_assert_ptr_null(yaml_item(node, 1));
    ck_assert(yaml_list(yaml, root, "list", &node));
    ck_assert_str_eq(yaml_item_text(yaml, yaml_item(node, 1), "text"), "");
    ck_assert(yaml_seconds_list(yaml, root, "times", 1, 60, 3, times, &count));
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(times[1], 60);
    ck_assert(yaml_text(yaml, root, "quoted", &text));
    ck_assert_str_eq(text, "a: b");
    ck_assert(!yaml_text(yaml, root, "absent", &text));
    close_with("");
}
END_TEST

/* One mistake each: the text, how it is read, the line that comes of it. */
enum how { TEXT, NUMBER, BOOL, SECONDS, CHOICE, MODE, FRACTION, PATH, MAP, LIST, TIMES, TEXTS };

static const struct mistake {
    const char *text;
    enum how how;
    const char *line;
} mistakes[] = {
    {"k: [a]", TEXT, "1:4: k: wanted text, got a list"},
    {"k: {a: b}", TEXT, "1:4: k: wanted text, got a mapping"},
    {"k:\n", TEXT, "1:1: k: wanted text, got nothing"},
    {"k: ''", TEXT, "1:4: k: wanted one line of text, got \"\""},
    {"k: \"a\\nb\"", TEXT, "1:4: k: wanted one line of text, got \"a\\x0ab\""},
    {"\n  k: |\n   a\n   b", TEXT, "3:1: k: wanted one line of text, got \"a\\x0ab\\x0a\""},
    {"k: 0", NUMBER, "1:4: k: wanted a whole number from 1 to 100, got \"0\""},
    {"k: 101", NUMBER, "1:4: k: wanted a whole number from 1 to 100, got \"101\""},
    {"k: 1.5", NUMBER, "1:4: k: wanted a whole number from 1 to 100, got \"1.5\""},
    {"k: 99999999999999999999", NUMBER,
     "1:4: k: wanted a whole number from 1 to 100, got \"99999999999999999999\""},
    {"k: []", NUMBER, "1:4: k: wanted a whole number from 1 to 100, got a list"},
    {"k: yes", BOOL, "1:4: k: wanted false or true, got \"yes\""},
    {"k: True", BOOL, "1:4: k: wanted false or true, got \"True\": did you mean true?"},
    {"k: 5", SECONDS,
     "1:4: k: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to 1h), got \"5\""},
    {"k: 61m", SECONDS,
     "1:4: k: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to 1h), got \"61m\""},
    {"k: -1s", SECONDS,
     "1:4: k: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to 1h), got \"-1s\""},
    {"k: 0s", SECONDS,
     "1:4: k: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to 1h), got \"0s\""},
    {"k: wran", CHOICE, "1:4: k: wanted refuse, warn or ignore, got \"wran\": did you mean warn?"},
    {"k: maybe", CHOICE, "1:4: k: wanted refuse, warn or ignore, got \"maybe\""},
    {"k: 0888", MODE, "1:4: k: wanted a file mode such as 0640, got \"0888\""},
    {"k: 4755", MODE, "1:4: k: wanted a file mode such as 0640, got \"4755\""},
    {"k: 64", MODE, "1:4: k: wanted a file mode such as 0640, got \"64\""},
    {"k: 0", FRACTION,
     "1:4: k: wanted a part such as 50%, 12.5% or 1/3 (more than 0, up to 100%), got \"0\""},
    {"k: 0%", FRACTION,
     "1:4: k: wanted a part such as 50%, 12.5% or 1/3 (more than 0, up to 100%), got \"0%\""},
    {"k: 101%", FRACTION,
     "1:4: k: wanted a part such as 50%, 12.5% or 1/3 (more than 0, up to 100%), got \"101%\""},
    {"k: etc/x", PATH, "1:4: k: wanted an absolute path, got \"etc/x\""},
    {"k: x", MAP, "1:4: k: wanted a mapping, got \"x\""},
    {"k: x", LIST, "1:4: k: wanted a list in brackets, got \"x\""},
    {"k:\n", LIST, "1:1: k: wanted a list in brackets, got nothing"},
    {"k: []", TIMES, "1:4: k: wanted at least one time, got none"},
    {"k: [1s, 1s, 1s]", TIMES, "1:4: k: wanted at most 2 entries, got 3"},
    {"k: [1s, x]", TIMES,
     "1:9: k: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to 1h), got \"x\""},
    {"k:\n - /a\n - b\n", TEXTS, "3:4: k: wanted a path, got \"b\""},
    {"k: [[/a]]", TEXTS, "1:5: k: wanted a path, got a list"},
    {"k: [/a, '']", TEXTS, "1:9: k: wanted a path, got \"\""},
};

static bool read_as(enum how how, const struct yaml_node *root)
{
    static const char *const words[] = {"refuse", "warn", "ignore", NULL};
    const struct yaml_node *node;
    const char *text;
    int64_t number;
    bool yes;
    seconds_t times[2];
    double part;
    unsigned mode;
    int index;
    size_t count;
    char *texts[2];

    switch (how) {
    case TEXT:
        return yaml_text(yaml, root, "k", &text);
    case NUMBER:
        return yaml_number(yaml, root, "k", 1, 100, &number);
    case BOOL:
        return yaml_bool(yaml, root, "k", &yes);
    case SECONDS:
        return yaml_seconds(yaml, root, "k", 1, 3600, times);
    case CHOICE:
        return yaml_choice(yaml, root, "k", words, &index);
    case MODE:
        return yaml_mode(yaml, root, "k", &mode);
    case FRACTION:
        return yaml_fraction(yaml, root, "k", &part);
    case PATH:
        return yaml_path(yaml, root, "k", &text);
    case MAP:
        return yaml_map(yaml, root, "k", &node);
    case LIST:
        return yaml_list(yaml, root, "k", &node);
    case TIMES:
        return yaml_seconds_list(yaml, root, "k", 1, 3600, 2, times, &count);
    case TEXTS:
        return yaml_text_list(yaml, root, "k", 2, text_is_absolute, "a path", texts, &count);
    }
    return true;
}

START_TEST(every_mistake_has_its_line)
{
    const struct mistake *row = &mistakes[_i];
    char line[300];

    snprintf(line, sizeof line, "f.yaml:%s\n", row->line);
    ck_assert_msg(!read_as(row->how, open_text(row->text)), "row %d: %s", _i, row->text);
    close_with(line);
}
END_TEST

START_TEST(all_mistakes_come_out_of_one_pass)
{
    const struct yaml_node *root = open_text("hots: a\n"
                                             "port: x\n"
                                             "map:\n"
                                             "  inner: 1\n"
                                             "  inner: 2\n"
                                             "  innr: 3\n"
                                             "nobody: {x: y, z: w}\n");
    const struct yaml_node *map;
    const char *text;
    int64_t number;

    ck_assert(!yaml_text(yaml, root, "host", &text));
    ck_assert(!yaml_number(yaml, root, "port", 1, 2, &number));
    ck_assert(yaml_map(yaml, root, "map", &map));
    ck_assert(yaml_text(yaml, map, "inner", &text));
    ck_assert_str_eq(text, "1");
    yaml_require(yaml, root, "needed", false);
    yaml_require(yaml, root, "port", false);
    close_with("f.yaml:5:3: inner: wanted once, got it again (first in line 4)\n"
               "f.yaml:2:7: port: wanted a whole number from 1 to 2, got \"x\"\n"
               "f.yaml:1:1: wanted the key needed, got none\n"
               "f.yaml:1:1: hots: wanted a known key: did you mean host?\n"
               "f.yaml:6:3: innr: wanted a known key: did you mean inner?\n"
               "f.yaml:7:1: nobody: wanted a known key\n");
}
END_TEST

START_TEST(what_is_no_mapping_is_told_once)
{
    const struct yaml_node *root = open_text("[a, b]");
    const char *text;

    ck_assert(!yaml_text(yaml, root, "host", &text));
    ck_assert(!yaml_text(yaml, root, "socket", &text));
    close_with("f.yaml:1:1: wanted a mapping, got a list\n");
}
END_TEST

START_TEST(nothing_is_an_empty_mapping)
{
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\xEF\xBB\xBF",
                                        "~map:\n"};
    const char *text;

    for (size_t i = 0; i < 4; i++) {
        const struct yaml_node *root = open_text(texts[i]);

        ck_assert_msg(!yaml_text(yaml, root, "host", &text), "row %zu", i);
        ck_assert_uint_eq(yaml_count(root), 0);
        close_with("");
    }
    const struct yaml_node *root = open_text("map:\n  # all lines are comments\nb: c\n"), *map;
    ck_assert(yaml_map(yaml, root, "map", &map));
    ck_assert(!yaml_text(yaml, map, "x", &text));
    ck_assert(yaml_text(yaml, root, "b", &text));
    close_with("");
}
END_TEST

START_TEST(a_key_that_is_found_by_walking_is_known)
{
    const struct yaml_node *root = open_text("m: {a: {size: 1, sice: 2}, b: 3}");
    const struct yaml_node *map;
    const char *text;
    AUTO_FREE char *place = NULL;

    ck_assert(yaml_map(yaml, root, "m", &map));
    ck_assert_str_eq(yaml_item_key(yaml, map, 0), "a");
    ck_assert(yaml_text(yaml, yaml_item(map, 0), "size", &text));
    ck_assert_str_eq(yaml_item_key(yaml, map, 1), "b");
    ck_assert_ptr_null(yaml_item_key(yaml, map, 2));
    place = yaml_place(yaml, yaml_item(map, 0));
    ck_assert_str_eq(place, "f.yaml:1:8: a");
    yaml_complain(yaml, yaml_item(map, 1), "wanted %s", "more");
    close_with("f.yaml:1:31: b: wanted more\n"
               "f.yaml:1:18: sice: wanted a known key: did you mean size?\n");
}
END_TEST

START_TEST(broken_text_is_refused_with_its_place)
{
    refuse("a: b: c\n", 8, "f.yaml:1:5: invalid nested block mapping on the same line\n");
    refuse("a: 1\nb: [1, 2\n", 13, "f.yaml:3:1: flow sequence without a closing bracket\n");
    refuse("a: \"x\n", 6, "f.yaml:1:5: double-quoted scalar without closing quote\n");
    refuse("a: 1\nb: \xFF\n", 10, "f.yaml:2:1: wanted UTF-8 text, got other bytes\n");
    refuse("a: 1\nb\0: 2\n", 11, "f.yaml:2:1: wanted UTF-8 text, got other bytes\n");
    refuse("a: \"x\\0y\"\n", 10, "f.yaml:1:4: wanted text, got a NUL character in it\n");
    refuse("? [a]\n: b\n", 10, "f.yaml:1:3: wanted a word as the key\n");
}
END_TEST

START_TEST(what_only_confuses_is_refused)
{
    const char *text;
    const struct yaml_node *root = open_text("a: &x 1\nb: *x\nc: !!str 3\n");

    ck_assert(yaml_text(yaml, root, "a", &text));
    yaml_text(yaml, root, "c", &text);
    ck_assert(!yaml_text(yaml, root, "b", &text));
    yaml_finish(yaml, &err);
    ck_assert_ptr_nonnull(strstr(buf_text(&complaints), "wanted a plain value, got an anchor"));
    ck_assert_ptr_nonnull(
        strstr(buf_text(&complaints), "f.yaml:2:4: wanted a value, got an alias"));
    ck_assert_ptr_nonnull(strstr(buf_text(&complaints), "wanted a plain value, got a tag"));
    yaml_free(yaml);
    buf_done(&complaints);
    root = open_text("a: 1\n---\na: 2\n");
    ck_assert(yaml_text(yaml, root, "a", &text));
    close_with("f.yaml:2:1: wanted one document, got another one\n");
}
END_TEST

START_TEST(depth_and_bytes_are_bounded)
{
    AUTO_BUF struct buf deep;

    buf_init(&deep, BUF_MAX_CONFIG);
    buf_add_text(&deep, "a: ");
    for (int i = 0; i < 5000; i++)
        buf_add_text(&deep, "[");
    refuse(deep.data, deep.len, "f.yaml:1:20: wanted at most 16 levels\n");
    /* Only len bytes count, whatever follows. */
    buf_init(&complaints, BUF_MAX_CONFIG);
    const char *text;
    ck_ok(yaml_parse("f.yaml", "a: 123", 4, &yaml, &complaints, &err));
    ck_assert(yaml_text(yaml, yaml_root(yaml), "a", &text));
    ck_assert_str_eq(text, "1");
    close_with("");
}
END_TEST

START_TEST(lines_stay_printable)
{
    const struct yaml_node *root = open_text("\"a\\nb\\e[31m\": \"\\e[2J\"\n");
    (void)root;
    close_with("f.yaml:1:1: a\\x0ab\\x1b[31m: wanted a known key\n");
}
END_TEST

START_TEST(hopeless_bytes_do_no_harm)
{
    /* Every prefix of a text with everything in it: parsed or refused, never worse. */
    static const char all[] = "%YAML 1.2\n---\n? a\n: |\n  x\n\"b\\u00e9\": [1, {c: 'd'}, &e *e]\n"
                              "f: >-\n  g\n\n  h\n!t i: ~\n...\n";

    for (size_t len = 0; len < sizeof all; len++) {
        struct yaml *some = NULL;

        buf_init(&complaints, BUF_MAX_CONFIG);
        if (yaml_parse("f", all, len, &some, &complaints, &err) == 0)
            yaml_finish(some, &err);
        yaml_free(some);
        buf_done(&complaints);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/yaml");
    TCase *tcase = tcase_create("yaml");

    tcase_add_test(tcase, every_reader_reads);
    tcase_add_loop_test(tcase, every_mistake_has_its_line, 0, (int)COUNT_OF(mistakes));
    tcase_add_test(tcase, all_mistakes_come_out_of_one_pass);
    tcase_add_test(tcase, what_is_no_mapping_is_told_once);
    tcase_add_test(tcase, nothing_is_an_empty_mapping);
    tcase_add_test(tcase, a_key_that_is_found_by_walking_is_known);
    tcase_add_test(tcase, broken_text_is_refused_with_its_place);
    tcase_add_test(tcase, what_only_confuses_is_refused);
    tcase_add_test(tcase, depth_and_bytes_are_bounded);
    tcase_add_test(tcase, lines_stay_printable);
    tcase_add_test(tcase, hopeless_bytes_do_no_harm);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
