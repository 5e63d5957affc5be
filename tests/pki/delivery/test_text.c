#include "pki/delivery/text.h"

#include <string.h>

#include "tests/pki/delivery/sample.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

/* The ASCII of text as characters of a width, behind a mark. */
static struct blob widened(const char *text, size_t width, bool big_endian, struct span mark)
{
    size_t len = strlen(text);
    struct blob out = {mem_alloc(len * width + mark.len, 1), len * width + mark.len};

    if (mark.len > 0)
        memcpy(out.data, mark.data, mark.len);
    for (size_t i = 0; i < len; i++)
        out.data[mark.len + i * width + (big_endian ? width - 1 : 0)] = (uint8_t)text[i];
    return out;
}

START_TEST(test_charsets)
{
    static const struct {
        size_t width;
        bool big_endian;
        struct span mark;
        const char *name;
    } rows[] = {
        {2, false, BYTES("\xFF\xFE"), "UTF-16"},
        {2, true, BYTES("\xFE\xFF"), "UTF-16"},
        {2, false, BYTES(""), "UTF-16"},
        {2, true, BYTES(""), "UTF-16"},
        {4, false, BYTES("\xFF\xFE\0\0"), "UTF-32"},
        {4, true, BYTES("\0\0\xFE\xFF"), "UTF-32"},
        {4, false, BYTES(""), "UTF-32"},
        {4, true, BYTES(""), "UTF-32"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BLOB struct blob pem =
            widened(sample_pem(), rows[i].width, rows[i].big_endian, rows[i].mark);
        AUTO_BLOB struct blob words =
            widened("Hello there", rows[i].width, rows[i].big_endian, rows[i].mark);
        AUTO_OBJECTS struct delivery_objects objects = sample_read(blob_span(&pem));
        AUTO_FREE char *said = mem_printf("%s text without a certificate", rows[i].name);
        AUTO_FREE char *summary = mem_printf("PEM in %s with 2 certificates", rows[i].name);

        sample_holds(blob_span(&pem), 2, said);
        sample_nothing(blob_span(&words), said);
        ck_assert_str_eq(objects.summary, summary);
    }
}
END_TEST

/* {what is replaced, by what} in the PEM of two certificates. */
START_TEST(test_letters)
{
    static const char *const rows[][2] = {
        {"\n", "\r"},                                  /* an old Macintosh */
        {"\n", "\xC2\xA0\n\xC2\xA0"},                  /* blanks that do not break */
        {"\n", "\xA0\n\xA0"},                          /* the same in Windows-1252 */
        {"\n", "\xE2\x80\x8B\n\xEF\xBB\xBF"},          /* no width at all */
        {"M", "M\xC2\xAD"},                            /* a hyphen that is not shown */
        {"\n", "\xE2\x80\xA8"},                        /* line separator */
        {"-----", "\xE2\x80\x94\xE2\x80\x94"},         /* em dashes */
        {"-----", "\xE2\x80\x94"},                     /* one of them for all five */
        {"-----", "\xE2\x80\x93---"},                  /* en dash and the rest */
        {"-", "\xE2\x80\x90"},                         /* hyphen */
        {"-", "\xE2\x80\x91"},                         /* hyphen that does not break */
        {"-", "\xE2\x88\x92"},                         /* minus */
        {"-", "\xEF\xBC\x8D"},                         /* set wide */
        {"-----", "\x97\x97"},                         /* em dashes in Windows-1252 */
        {"-----", "\x96---"},                          /* en dash */
        {"-----", "\xC3\xA2\xE2\x82\xAC\xE2\x80\x9D"}, /* an em dash encoded twice */
        {"\n", "\x1b[0m\n\x1b[32m"},                   /* colours of a terminal */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = sample_replaced(sample_pem(), rows[i][0], rows[i][1]);

        ck_assert_str_ne(text, sample_pem());
        sample_holds_pem(text, rows[i][1]);
    }
}
END_TEST

/* What is escaped in strings of programs, pages and addresses. */
START_TEST(test_escapes)
{
    static const struct {
        const char *what, *before, *behind, *changes[4][2];
    } rows[] = {
        {"JSON", "{\"cert\": \"", "\"}", {{"\n", "\\n"}, {"/", "\\/"}, {"+", "\\u002b"}}},
        {"JSON in JSON", "\"{\\\"c\\\": \\\"", "\\\"}\"", {{"\n", "\\\\n"}}},
        {"with CR", "\"", "\"", {{"\n", "\\r\\n"}}},
        {"shell", "CERT='", "'", {{"\n", "\n"}}},
        {"line ends", "x=\"", "\"", {{"\n", "\\\n"}}},
        {"C", "\"", "\"", {{"\n", "\\n\"\n\""}}},
        {"Java", "String s = \"", "\";", {{"\n", "\\n\" +\n    \""}}},
        {"Java before", "s = \"", "\";", {{"\n", "\\n\"\n  + \""}}},
        {"PHP", "$s = '", "';", {{"\n", "' .\n'"}}},
        {"VB", "s = \"", "\"", {{"\n", "\" & vbCrLf & _\n\""}}},
        {"list", "[\"", "\"]", {{"\n", "\",\n\""}}},
        {"YAML", "cert: |\n  ", "", {{"\n", "\n  "}}},
        {"address", "", "", {{"/", "%2F"}, {"+", "%2B"}, {"\n", "%0A"}, {" ", "%20"}}},
        {"form", "cert=", "", {{"/", "%2F"}, {"+", "%2B"}, {"\n", "%0A"}, {" ", "+"}}},
        {"pre", "<html><pre>", "</pre></html>", {{"=", "="}}},
        {"br", "<html><body>", "</body></html>", {{"\n", "<br />"}}},
        {"p", "<html><p class=\"a\">", "</p></html>", {{"\n", "</p><p class=\"a\">"}}},
        {"span", "<html><div><span>", "</span></div></html>", {{"\n", "</span><br><span>"}}},
        {"entities", "<html>", "</html>", {{"+", "&#43;"}, {"/", "&#x2F;"}, {"=", "&equals;"}}},
        {"dashes", "<html>", "</html>", {{"-", "&#45;"}, {" ", "&nbsp;"}, {"\n", "&#10;"}}},
        {"escaped twice", "<html>", "</html>", {{"+", "&amp;#43;"}, {"\n", "&lt;br&gt;"}}},
        {"CDATA", "<?xml version=\"1.0\"?><a><![CDATA[", "]]></a>", {{"=", "="}}},
        {"comment", "<html><!-- ", " --></html>", {{"=", "="}}},
        {"attribute", "<input value=\"", "\">", {{"=", "="}}},
        {"RTF", "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0\\fs20 ", "}", {{"\n", "\\par\n"}}},
        {"RTF dashes", "{\\rtf1 ", "}", {{"-----", "\\'97\\emdash "}, {"\n", "\\line "}}},
        {"quoted-printable", "", "", {{"=", "=3D"}, {"\n", "\r\n"}, {"-----B", "=2D----B"}}},
        {"soft breaks", "a=3Db\n", "", {{"=", "=3D"}, {"MII", "MI=\r\nI"}, {"CATE-", "CA=\nTE-"}}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = mem_strdup(sample_pem());

        for (size_t k = 0; k < 4 && rows[i].changes[k][0]; k++) {
            char *next = sample_replaced(text, rows[i].changes[k][0], rows[i].changes[k][1]);

            free(text);
            text = next;
        }
        AUTO_FREE char *whole = mem_printf("%s%s%s", rows[i].before, text, rows[i].behind);
        sample_holds_pem(whole, rows[i].what);
    }
}
END_TEST

/* What stands in front of each line. */
START_TEST(test_prefixes)
{
    static const char *const rows[][2] = {
        {"    ", ""}, {"\t", "  "}, {"> ", ""},     {">> > ", ""}, {"| ", ""},
        {"# ", ""},   {"// ", ""},  {" * ", ""},    {"; ", ""},    {"\"", "\\n\""},
        {"'", "',"},  {"+", ""},    {"<bot> ", ""}, {"1: ", ""},   {"   12\t", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = sample_lines(sample_pem(), rows[i][0], rows[i][1]);

        sample_holds_pem(text, rows[i][0]);
    }
}
END_TEST

/* Zeros at the end, as block devices and fixed records have them; and a text that became UTF-16
 * half-way. */
START_TEST(test_zeros)
{
    AUTO_BUF struct buf file;
    AUTO_BLOB struct blob wide =
        widened(strstr(sample_pem() + 1, "-----BEGIN"), 2, false, (struct span){0});

    buf_init(&file, 1 << 16);
    buf_add_text(&file, sample_pem());
    for (int i = 0; i < 999; i++)
        buf_add(&file, "\0", 1);
    sample_holds(span_of(file.data, file.len), 2, "zeros");
    file.len = 0;
    buf_add_text(&file, sample_leaf_pem());
    buf_add(&file, wide.data, wide.len);
    sample_holds(span_of(file.data, file.len), 2, "half and half");
    sample_nothing((struct span)BYTES("Hello there\0\0\0"), "plain text");
}
END_TEST

/* What must not be undone: it only looks like an escape. */
START_TEST(test_innocent)
{
    static const char *const rows[] = {
        "a < b and b > c &c. 100% \\o/ = 5\n",
        "From <ca@example.com> & <b@example.com>: a=b\nc=d\n",
        "{\\rtf is what a letter may begin with <!-- \n",
        "<a very long tag that is not closed &#999999999; &#x; &; %zz \\u12 \\x\n",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = mem_printf("%s%s%s", rows[i], sample_pem(), rows[i]);

        sample_holds(span_text(text), 2, rows[i]);
    }
}
END_TEST

START_TEST(test_names)
{
    static const struct {
        struct span file;
        const char *summary;
    } rows[] = {
        {BYTES("{\"error\": \"not found\"}"), "JSON without a certificate"},
        {BYTES("[1, 2]\n"), "JSON"},
        {BYTES("---\na: b\n"), "YAML"},
        {BYTES("order: 4711\nstate: open\n"), "YAML"},
        {BYTES("<?xml version=\"1.0\"?>\n<a/>"), "XML"},
        {BYTES("{\\rtf1\\ansi Dear customer\\par}"), "RTF"},
        {BYTES("[InternetShortcut]\r\nURL=https://example.com\r\n"), "a link"},
        {BYTES("Certificate:\n    Data:\n        Version: 3 (0x2)\n"), "readable dump"},
        {BYTES("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@example"), "an SSH public key"},
        {BYTES("%PDF-1.7\n%\xe2\xe3\0"), "a PDF document"},
        {BYTES("\x89PNG\r\n\x1a\n\0"), "a picture (PNG)"},
        {BYTES("\xFF\xD8\xFF\xE0\0\x10JFIF"), "a picture (JPEG)"},
        {BYTES("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), "save the mail as .eml"},
        {BYTES("\x78\x9F\x3E\x22\0\0"), "winmail.dat"},
        {BYTES("\xFE\xED\xFE\xED\0\0"), "Java key store"},
        {BYTES("7z\xBC\xAF\x27\x1C\0"), "a 7-Zip archive"},
        {BYTES("Rar!\x1A\7\0"), "a RAR archive"},
        {BYTES("\0\1\2\3\4\5"), "unknown kind"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        sample_nothing(rows[i].file, rows[i].summary);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/text");
    TCase *tcase = tcase_create("text");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, sample_make, sample_done);
    tcase_add_test(tcase, test_charsets);
    tcase_add_test(tcase, test_letters);
    tcase_add_test(tcase, test_escapes);
    tcase_add_test(tcase, test_prefixes);
    tcase_add_test(tcase, test_zeros);
    tcase_add_test(tcase, test_innocent);
    tcase_add_test(tcase, test_names);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
