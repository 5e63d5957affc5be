#include "notify/template.h"

#include <string.h>

#include "base/embed.h"
#include "base/text.h"
#include "notify/mail.h"
#include "tests/testing.h"

static struct error err;
static struct fields fields;

static void set_up(void)
{
    fields_set(&fields, "name", "www");
    fields_set(&fields, "foul", "a\r\nb\x1b[2J\xe2\x80\xae{name}");
    fields_set(&fields, "block", "one\n\n  two\r\nthr\x07\x65\x65\n\n");
    fields_set(&fields, "empty", "");
}

static void tear_down(void)
{
    fields_done(&fields);
}

static void ck_body(const char *template, const char *wanted)
{
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *body = NULL;
    AUTO_FREE char *text = mem_printf("Subject: s\n\n%s", template);

    ck_ok(template_fill("t", text, &fields, &subject, &body, &err));
    ck_assert_str_eq(body, wanted);
}

START_TEST(test_fields_and_braces)
{
    ck_body("", "");
    ck_body("plain", "plain\n");
    ck_body("{name}, {name}{empty}.\n", "www, www.\n");
    ck_body("{{name}} }}{{ {{{name}}}\n", "{name} }{ {www}\n");
    ck_body("a\n\n\nb\n", "a\n\n\nb\n");
}
END_TEST

START_TEST(test_values_are_harmless_and_no_templates)
{
    ck_body("x {foul}\n", "x a\\x0d\\x0ab\\x1b[2J\\u{202e}{name}\n");
    ck_body("{foul}", "a\nb\\x1b[2J\\u{202e}{name}\n");
    ck_body("{block}.\n", "one\\x0a\\x0a  two\\x0d\\x0athr\\x07ee\\x0a\\x0a.\n");
}
END_TEST

START_TEST(test_blocks)
{
    ck_body("{block}\n", "one\n\n  two\nthr\\x07ee\n");
    ck_body("a\n   {block}\nb\n", "a\n   one\n\n     two\n   thr\\x07ee\nb\n");
    ck_body("a\n  {empty}\nb\n", "a\nb\n");
    /* Two on a line are no block. */
    ck_body(" {name}{name}\n", " wwwwww\n");
    ck_body("{{name}}\n", "{name}\n");
}
END_TEST

static const struct {
    const char *template;
    const char *message;
} bad[] = {
    {"", "t:1: wanted \"Subject: ...\""},
    {"Subject: x", "t:1: wanted"},
    {"Subject: x\n", "t:1: wanted"},
    {"Subject: x\nbody\n", "t:1: wanted"},
    {"subject: x\n\nbody\n", "t:1: wanted"},
    {"Subject: {gone}\n\nbody\n", "t:1: field {gone}: the notice has none"},
    {"Subject: x\n\na\nb {gone} c\n", "t:4: field {gone}"},
    {"Subject: x\n\n{gone}\n", "t:3: field {gone}"},
    {"Subject: x\n\n{Name}\n", "t:3: stray \"{\""},
    {"Subject: x\n\n{}\n", "t:3: stray \"{\""},
    {"Subject: x\n\n{name\n", "t:3: stray \"{\""},
    {"Subject: x\n\n{\nname}\n", "t:3: stray \"{\""},
    {"Subject: x\n\n{name }\n", "t:3: stray \"{\""},
    {"Subject: x\n\nname} \n", "t:3: stray \"}\""},
    {"Subject: x\n\n{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n",
     "t:3: stray"},
};

START_TEST(test_refuses)
{
    char *subject = (char *)&fields;
    char *body = (char *)&err;

    ck_fails(template_fill("t", bad[_i].template, &fields, &subject, &body, &err), E_INPUT,
             bad[_i].message);
    ck_assert_ptr_eq(subject, &fields);
    ck_assert_ptr_eq(body, &err);
}
END_TEST

START_TEST(test_subject)
{
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *body = NULL;
    char text[2000];

    ck_ok(template_fill("t", "Subject: {name}: {foul}\n\n", &fields, &subject, &body, &err));
    ck_assert_str_eq(subject, "www: a\\x0d\\x0ab\\x1b[2J\\u{202e}{name}");
    ck_assert_str_eq(body, "");
    free(TAKE(subject));
    free(TAKE(body));
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fields_set(&fields, "name", text);
    ck_ok(template_fill("t", "Subject: {name}\n\n", &fields, &subject, &body, &err));
    ck_assert_uint_eq(strlen(subject), TEMPLATE_SUBJECT_MAX);
    ck_assert(text_ends(subject, "x..."));
}
END_TEST

/* What ships: every kind has its template, and it names notice fields only. */
START_TEST(test_shipped)
{
    AUTO_FIELDS struct fields notice = FIELDS_EMPTY;
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *text = NULL;
    enum notice_kind kind = (enum notice_kind)_i;

    notice_fields_init(&notice);
    fields_set(&notice, "certificate", "www");
    fields_set(&notice, "host", "web01");
    ck_ok(mail_render_text(kind, &notice, &subject, &text, &err));
    ck_assert(text_starts(subject, "[web01] "));
    /* Only what is about none of them names no certificate. */
    ck_assert(kind == NOTICE_UNUSABLE || kind == NOTICE_DROP_TROUBLE || kind == NOTICE_DROP_WELL ||
              kind == NOTICE_BACKUP_TROUBLE || kind == NOTICE_BACKUP_WELL ||
              kind == NOTICE_DAMAGED || strstr(subject, "www"));
    ck_assert_ptr_nonnull(strstr(text, "You get this mail because"));
    ck_assert_ptr_nonnull(strstr(text, "Also told: "));
    ck_assert_ptr_nonnull(strstr(text, "To look further"));
    /* The next action stands before the facts. */
    const char *steps = strstr(text, "  1. ");
    const char *facts = strstr(text, "\nFacts\n");
    ck_assert_ptr_nonnull(steps);
    ck_assert_ptr_nonnull(facts);
    ck_assert(steps < facts);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 80, "too wide: %.*s", (int)strcspn(line, "\n"), line);
}
END_TEST

START_TEST(test_shipped_have_a_kind)
{
    for (const struct embedded_file *file = embedded_templates; file->name; file++) {
        AUTO_FREE char *name = mem_strdup(file->name);
        enum notice_kind kind;

        ck_assert(text_ends(name, ".txt"));
        name[strlen(name) - 4] = '\0';
        ck_assert_msg(notice_kind_parse(name, &kind), "a template without a kind: %s", name);
        ck_assert_str_eq(notice_kind_text(kind), name);
    }
}
END_TEST

/* A notice that lacks a field of the contract is our bug, and says so. */
START_TEST(test_shipped_need_their_fields)
{
    AUTO_FIELDS struct fields none = FIELDS_EMPTY;
    char *subject, *text;

    ck_fails(mail_render_text((enum notice_kind)_i, &none, &subject, &text, &err), E_INPUT,
             "the notice has none");
}
END_TEST

static bool has_csr(enum notice_kind kind)
{
    return kind == NOTICE_CSR_READY || kind == NOTICE_REMINDER || kind == NOTICE_REJECTED ||
           kind == NOTICE_EXPIRES || kind == NOTICE_EXPIRED;
}

START_TEST(test_shipped_show_the_csr)
{
    static const char csr[] = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"
                              "-----END CERTIFICATE REQUEST-----\n";
    AUTO_FIELDS struct fields notice = FIELDS_EMPTY;
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *text = NULL;

    notice_fields_init(&notice);
    fields_set(&notice, "csr", csr);
    ck_ok(mail_render_text((enum notice_kind)_i, &notice, &subject, &text, &err));
    /* Flush left, byte by byte: it is copied from here. */
    AUTO_FREE char *wanted = mem_printf("\n\n%s\n", csr);
    ck_assert((strstr(text, wanted) != NULL) == has_csr((enum notice_kind)_i));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify/template");
    TCase *tc = tcase_create("template");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_fields_and_braces);
    tcase_add_test(tc, test_values_are_harmless_and_no_templates);
    tcase_add_test(tc, test_blocks);
    tcase_add_loop_test(tc, test_refuses, 0, (int)COUNT_OF(bad));
    tcase_add_test(tc, test_subject);
    tcase_add_loop_test(tc, test_shipped, 0, NOTICE_KINDS);
    tcase_add_test(tc, test_shipped_have_a_kind);
    tcase_add_loop_test(tc, test_shipped_need_their_fields, 0, NOTICE_KINDS);
    tcase_add_loop_test(tc, test_shipped_show_the_csr, 0, NOTICE_KINDS);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
