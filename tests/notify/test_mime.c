#include "notify/mime.h"

#include <string.h>

#include "base/text.h"
#include "tests/testing.h"

static struct error err;
static struct buf out;

static void set_up(void)
{
    buf_init(&out, 1 << 20);
}

static void tear_down(void)
{
    buf_done(&out);
}

/* No line is longer than max, and every one ends in CRLF. */
static void ck_lines(const char *text, size_t max)
{
    for (size_t len; *text != '\0'; text += len + 2) {
        len = strcspn(text, "\r\n");
        ck_assert_msg(len <= max, "%zu: %.*s", len, (int)len, text);
        ck_assert_int_eq(strncmp(text + len, "\r\n", 2), 0);
    }
}

START_TEST(test_short_headers)
{
    ck_ok(mime_header_text(&out, "Subject", "[web01] CSR ready: www", &err));
    ck_ok(mime_header_text(&out, "X-Empty", "", &err));
    ck_ok(mime_header(&out, "To", "<a@b.example>  ", &err));
    ck_assert_str_eq(buf_text(&out),
                     "Subject: [web01] CSR ready: www\r\nX-Empty:\r\nTo: <a@b.example>\r\n");
}
END_TEST

START_TEST(test_folding)
{
    char value[4000] = "";
    char unfolded[4100] = "";

    for (int i = 0; i < 300; i++)
        memcpy(value + strlen(value), i % 7 ? "word " : "two  blanks ", i % 7 ? 6 : 13);
    value[strlen(value) - 1] = '\0';
    ck_ok(mime_header_text(&out, "Subject", value, &err));
    ck_lines(buf_text(&out), 76);
    for (const char *c = buf_text(&out); *c != '\0'; c++)
        if (*c != '\r' && *c != '\n')
            unfolded[strlen(unfolded)] = *c;
    ck_assert_str_eq(unfolded + strlen("Subject: "), value);
    ck_assert_ptr_null(strstr(buf_text(&out), " \r\n"));
}
END_TEST

START_TEST(test_encoded_words)
{
    ck_ok(mime_header_text(&out, "Subject", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac", &err));
    ck_assert_str_eq(buf_text(&out), "Subject: =?UTF-8?B?Z3LDvMOfIOKCrA==?=\r\n");
    buf_done(&out);
    /* What looks encoded would be decoded. */
    ck_ok(mime_header_text(&out, "Subject", "=?UTF-8?B?Z3LDvMOf?=", &err));
    ck_assert_str_eq(buf_text(&out), "Subject: =?UTF-8?B?PT9VVEYtOD9CP1ozTER2TU9mPz0=?=\r\n");
}
END_TEST

/* RFC 2047 5 (3): a character never spans two words. This one would begin in the last byte of the
 * first. */
START_TEST(test_encoded_words_hold_whole_characters)
{
    ck_ok(mime_header_text(&out, "Subject",
                           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xe2\x82\xac"
                           "y",
                           &err));
    ck_assert_str_eq(buf_text(&out),
                     "Subject: =?UTF-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=?=\r\n"
                     " =?UTF-8?B?4oKseQ==?=\r\n");
}
END_TEST

START_TEST(test_long_encoded_words)
{
    char value[2000] = "";

    for (int i = 0; i < 300; i++)
        memcpy(value + strlen(value), i % 3 ? "\xe2\x82\xac" : "\xc3\xbc", i % 3 ? 4 : 3);
    ck_ok(mime_header_text(&out, "X-Unlapsed-Certificate", value, &err));
    ck_lines(buf_text(&out), 76);
    buf_done(&out);
    /* A word too long to fold is encoded, too. */
    memset(value, 'x', 1500);
    value[1500] = '\0';
    ck_ok(mime_header_text(&out, "Subject", value, &err));
    ck_lines(buf_text(&out), 76);
    ck_fails(mime_header(&out, "To", value, &err), E_INPUT, "header To: wanted ASCII");
}
END_TEST

START_TEST(test_header_refuses)
{
    static const char *const bad[] = {"a\rb", "a\nBcc: x", "a\r\n\r\nbody",
                                      "a\tb", "a\x7f",     "\x1b"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_fails(mime_header_text(&out, "Subject", bad[i], &err), E_INPUT, "control characters");
        ck_fails(mime_header(&out, "To", bad[i], &err), E_INPUT, "control characters");
    }
    ck_fails(mime_header_text(&out, "Subject", "\xff", &err), E_INPUT, "wanted UTF-8");
    ck_fails(mime_header(&out, "To", "\xc3\xbc@b.example", &err), E_INPUT, "wanted ASCII");
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(test_date)
{
    char date[MIME_DATE_MAX];

    ck_ok(mime_date(1795366634, date, &err));
    ck_assert_str_eq(date, "Sun, 22 Nov 2026 16:57:14 +0000");
    ck_ok(mime_date(0, date, &err));
    ck_assert_str_eq(date, "Thu, 01 Jan 1970 00:00:00 +0000");
    ck_fails(mime_date(UTC_NEVER, date, &err), E_INPUT, "four digits");
    ck_fails(mime_date(253402300800, date, &err), E_INPUT, "four digits");
    ck_fails(mime_date(INT64_MIN, date, &err), E_INPUT, "four digits");
    ck_assert_str_eq(date, "Thu, 01 Jan 1970 00:00:00 +0000");
}
END_TEST

START_TEST(test_file_name)
{
    static const struct {
        const char *name, *safe;
    } rows[] = {{"www.example.com.csr", "www.example.com.csr"},
                {"", "_"},
                {"../../etc/passwd", "_._.._etc_passwd"},
                {".bashrc", "_bashrc"},
                {"a\"; x=\"\r\nb", "a___x____b"},
                {"*.example.com.csr", "_.example.com.csr"},
                {"\xc3\xbc.csr", "__.csr"}};
    char safe[MIME_FILE_NAME_MAX], name[300];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_str_eq(mime_file_name(rows[i].name, safe), rows[i].safe);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_uint_eq(strlen(mime_file_name(name, safe)), 100);
}
END_TEST

START_TEST(test_plain)
{
    char wide[300];

    ck_assert(mime_is_plain(""));
    ck_assert(mime_is_plain("one\n\ntwo"));
    ck_assert(!mime_is_plain("tab\there"));
    ck_assert(!mime_is_plain("cr\r\n"));
    ck_assert(!mime_is_plain("\xc3\xbc"));
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    ck_assert(!mime_is_plain(wide));
    mime_add_plain(&out, "one\n\ntwo");
    ck_assert_str_eq(buf_text(&out), "one\r\n\r\ntwo\r\n");
}
END_TEST

START_TEST(test_quoted_printable)
{
    char wide[1000];

    mime_add_quoted_printable(&out, "a=b \n\xc3\xbc\x7f\n\n end ");
    ck_assert_str_eq(buf_text(&out), "a=3Db=20\r\n=C3=BC=7F\r\n\r\n end=20\r\n");
    buf_done(&out);
    for (size_t i = 0; i < sizeof wide - 1; i++)
        wide[i] = i % 5 ? '=' : 'w';
    wide[sizeof wide - 1] = '\0';
    mime_add_quoted_printable(&out, wide);
    ck_lines(buf_text(&out), 76);
}
END_TEST

/* RFC 4648 10 */
START_TEST(test_base64)
{
    static const struct {
        const char *data, *text;
    } rows[] = {{"", ""},
                {"f", "Zg==\r\n"},
                {"fo", "Zm8=\r\n"},
                {"foo", "Zm9v\r\n"},
                {"foob", "Zm9vYg==\r\n"},
                {"fooba", "Zm9vYmE=\r\n"},
                {"foobar", "Zm9vYmFy\r\n"},
                {"\xff\xfe\xfb\xf0", "//778A==\r\n"}};
    uint8_t wide[1000];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        mime_add_base64(&out, span_text(rows[i].data));
        ck_assert_str_eq(buf_text(&out), rows[i].text);
        buf_done(&out);
    }
    memset(wide, 'w', sizeof wide);
    mime_add_base64(&out, span_of(wide, sizeof wide));
    ck_lines(buf_text(&out), 76);
    ck_assert_uint_eq(out.len, 1336 + 18 * 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify/mime");
    TCase *tc = tcase_create("mime");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_short_headers);
    tcase_add_test(tc, test_folding);
    tcase_add_test(tc, test_encoded_words);
    tcase_add_test(tc, test_encoded_words_hold_whole_characters);
    tcase_add_test(tc, test_long_encoded_words);
    tcase_add_test(tc, test_header_refuses);
    tcase_add_test(tc, test_date);
    tcase_add_test(tc, test_file_name);
    tcase_add_test(tc, test_plain);
    tcase_add_test(tc, test_quoted_printable);
    tcase_add_test(tc, test_base64);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
