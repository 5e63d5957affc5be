#include "pki/delivery/base64.h"

#include <string.h>

#include "base/buf.h"
#include "tests/pki/delivery/sample.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

/* Base64 of two certificates without markers, as people send it. */
START_TEST(test_bare)
{
    static const struct {
        const char *before, *between, *behind;
    } rows[] = {
        {"", "", ""},
        {"Dear customer,\n\n", "\nand its authority:\n\n", "\nKind regards\n"},
        {"{\"x5c\": [\"", "\", \"", "\"]}"},
        {"<X509Certificate>", "</X509Certificate>\n<X509Certificate>", "</X509Certificate>"},
        {"- ", "- ", ""},
        {"cert=", "chain=", "\n"},
        {"\xEF\xBB\xBF", "\r\n", "\r\n"},
    };
    AUTO_FREE char *leaf = sample_base64(sample_leaf()), *ca = sample_base64(sample_ca());

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text =
            mem_printf("%s%s%s%s%s", rows[i].before, leaf, rows[i].between, ca, rows[i].behind);

        sample_holds(span_text(text), 2, rows[i].before);
    }
}
END_TEST

START_TEST(test_bare_coats)
{
    static const char *const rows[][2] = {
        {"\n", ""},    {"\n", " "},    {"\n", "\r"},  {"\n", "\n\n"}, {"\n", "\n> "},
        {"\n", "\\n"}, {"\n", "<br>"}, {"=", ""},     {"+", "-"},     {"/", "_"},
        {"+", "%2B"},  {"=", "=3D"},   {"\n", "=\n"}, {"\n", "\n\t"}, {"/", "\\/"},
    };
    AUTO_FREE char *leaf = sample_base64(sample_leaf());

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = sample_replaced(leaf, rows[i][0], rows[i][1]);
        AUTO_FREE char *prose = mem_printf("Hello,\n\n%s\n\nbye\n", text);

        sample_holds(span_text(text), 1, rows[i][1]);
        if (strchr(leaf, rows[i][0][0]) && rows[i][0][0] == '\n')
            sample_holds(span_text(prose), 1, rows[i][1]);
    }
}
END_TEST

/* Next to PEM, and in front of an END whose BEGIN is lost. */
START_TEST(test_bare_and_pem)
{
    AUTO_FREE char *ca = sample_base64(sample_ca());
    AUTO_FREE char *leaf = sample_base64(sample_leaf());
    AUTO_FREE char *after = mem_printf("%s\n\n%s", sample_leaf_pem(), ca);
    AUTO_FREE char *lost = mem_printf("%s-----END CERTIFICATE-----\n", leaf);

    sample_holds(span_text(after), 2, "behind");
    sample_holds(span_text(lost), 1, "without BEGIN");
}
END_TEST

/* A part of one is named, not read; what follows it is still found. */
START_TEST(test_bare_cut)
{
    AUTO_FREE char *leaf = sample_base64(sample_leaf()), *ca = sample_base64(sample_ca());
    size_t digits = strcspn(leaf, "=");

    digits = digits == strlen(leaf) ? strlen(leaf) - 1 : digits;
    for (size_t len = 64; len < digits; len += 3) {
        AUTO_FREE char *cut = mem_printf("%.*s", (int)len, leaf);
        AUTO_FREE char *more = mem_printf("%.*s\n\nRegards\n\n%s", (int)len, ca, leaf);

        sample_only(span_text(cut), OBJECT_BROKEN, "truncated");
        if (len < strlen(ca) - 5)
            sample_holds(span_text(more), 1, "behind a cut one");
    }
}
END_TEST

/* In hexadecimal: {between two bytes, in front of a byte, between lines}, 16 bytes in a line. */
START_TEST(test_hex)
{
    static const char *const rows[][4] = {
        {" ", "", "\n", ""},
        {":", "", ":\n", ""},
        {"", "", "\n", ""},
        {"", "", "", ""},
        {", ", "0x", ",\n", ""},
        {" ", "", "\n", "%08x: "},
        {" ", "", "  |....|\n", "%08x  "},
    };
    struct span leaf = sample_leaf();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text;

        buf_init(&text, 16 * leaf.len);
        for (size_t k = 0; k < leaf.len; k++) {
            if (k % 16 == 0)
                buf_printf(&text, rows[i][3], (unsigned int)k);
            buf_printf(&text, "%s%02x%s", rows[i][1], leaf.data[k], rows[i][k % 16 == 15 ? 2 : 0]);
        }
        sample_holds(span_of(text.data, text.len), 1, rows[i][0]);
        AUTO_OBJECTS struct delivery_objects objects = sample_read(span_of(text.data, text.len));
        ck_assert_str_eq(objects.summary, "hexadecimal with 1 certificate");
        sample_nothing(span_of(text.data, text.len / 2), "plain text");
    }
}
END_TEST

START_TEST(test_strict)
{
    static const struct {
        const char *body;
        bool good;
    } rows[] = {
        {"AAAA", true},  {"AA==", true},      {" A\nA A=\r\n", true}, {"> AAA=", true},
        {"", false},     {"AAA", false},      {"AA=A", false},        {"A===", false},
        {"AB==", false}, {"AAB=", false},     {"AAAA====", false},    {"AA-A", false},
        {"AA.A", false}, {"AA==AA==", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BLOB struct blob out = {0};

        ck_assert_msg(base64_strict(span_text(rows[i].body), &out) == rows[i].good, "\"%s\"",
                      rows[i].body);
        ck_assert(rows[i].good || out.data == NULL);
    }
}
END_TEST

START_TEST(test_loose)
{
    AUTO_BLOB struct blob out = base64_loose(span_text("aGVs\r\n bG8=*d29y\nbGQ"));

    ck_assert(span_equal(blob_span(&out), span_text("helloworld")));
}
END_TEST

/* PEM in base64 once more: a secret of Kubernetes, JSON, and inside of markers. */
START_TEST(test_wrapped)
{
    AUTO_FREE char *lines = sample_base64(span_text(sample_pem()));
    AUTO_FREE char *one = sample_replaced(lines, "\n", "");
    AUTO_FREE char *leaf_lines = sample_base64(span_text(sample_leaf_pem()));
    AUTO_FREE char *leaf = sample_replaced(leaf_lines, "\n", "");
    AUTO_FREE char *indented = sample_replaced(lines, "\n", "\r\n    ");
    AUTO_FREE char *slashes = sample_replaced(one, "/", "\\/");
    const struct {
        const char *format, *digits;
    } rows[] = {
        {"%s", lines},
        {"%s", one},
        {"\xEF\xBB\xBF%s\n", one},
        {"kind: Secret\ndata:\n  ca.crt: %s\n  tls.name: aGVsbG8=\n", one},
        {"kind: Secret\ndata:\n  tls.crt: |\n    %s\n  tls.name: aGVsbG8=\n", indented},
        {"{\"data\": {\"tls.crt\": \"%s\"}}", slashes},
        {"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n", lines},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = sample_replaced(rows[i].format, "%s", rows[i].digits);

        sample_holds(span_text(text), 2, rows[i].format);
    }
    AUTO_FREE char *both = mem_printf("tls.crt: %s\nca.crt: %s\n", leaf, one);
    sample_holds(span_text(both), 2, "two of them");
    AUTO_FREE char *tight = mem_printf("%s\n%s\n", leaf, one);
    sample_holds(span_text(tight), 2, "two lines");
    sample_nothing(span_text("LS0tLS1CRUdJTi"), "plain text");
    sample_nothing(span_text("LS0tLS1CRUdJTiBYLS0tLS0K"), "plain text");
}
END_TEST

/* The text in base64 begins and ends as people write, and so does the one around it. */
START_TEST(test_wrapped_prose)
{
    static const char *const fronts[] = {
        "Here is your certificate:\n\n",
        "# www\n",
        "\n",
        "\xEF\xBB\xBF",
        "Bag Attributes\n    friendlyName: www\nsubject=CN = www.example.com\n",
        "Sehr geehrte Damen und Herren, anbei f\xC3\xBCr Sie:\r\n",
    };
    AUTO_FREE char *leaf = sample_base64(sample_leaf()), *ca = sample_base64(sample_ca());
    AUTO_FREE char *bare = mem_printf("%s\n%s", leaf, ca);
    const char *const inner[] = {sample_pem(), bare};

    for (size_t i = 0; i < COUNT_OF(fronts) * COUNT_OF(inner); i++) {
        const char *front = fronts[i / COUNT_OF(inner)];
        AUTO_FREE char *text =
            mem_printf("%s%s\nKind regards\n", front, inner[i % COUNT_OF(inner)]);
        AUTO_FREE char *lines = sample_base64(span_text(text));
        AUTO_FREE char *one = sample_replaced(lines, "\n", "");
        AUTO_FREE char *mail = mem_printf("Hello,\n\n%s\n\nRegards\n", lines);
        AUTO_FREE char *tight = mem_printf("Certificate\n%sRegards\n", lines);
        AUTO_FREE char *quoted = sample_lines(mail, "> ", "");
        AUTO_FREE char *key = mem_printf("tls.crt=%s\nnamespace=d2Vi\n", one);
        const char *const rows[] = {lines, one, mail, tight, quoted, key};

        for (size_t k = 0; k < COUNT_OF(rows); k++)
            sample_holds(span_text(rows[k]), 2, rows[k]);
    }
}
END_TEST

/* Long words are none, nor is base64 of anything but a text that holds a certificate. */
START_TEST(test_wrapped_nothing)
{
    static const char *const words[] = {
        "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft",
        "/usr/local/share/ca/certificates/of/the/house/and/of/its/many/neighbours/example/crt",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855e3b0c44298fc1c149afbf4",
        "////////////////////////////////////////////////////////////////////////////////////////",
        "================================================================================",
    };
    AUTO_FREE char *prose =
        mem_printf("%s and %s, nothing else in here at all", words[0], words[1]);
    AUTO_FREE char *lines = sample_base64(span_text(prose));

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        AUTO_FREE char *text = mem_printf("Dear customer,\n\n%s\n\nRegards\n", words[i]);

        sample_nothing(span_text(text), "plain text");
    }
    sample_nothing(span_text(lines), "plain text");
    /* Of a text in which one is cut off. */
    AUTO_FREE char *cut = mem_printf("Hello,\n%.300s", sample_pem());
    AUTO_FREE char *wrapped = sample_base64(span_text(cut));
    sample_nothing(span_text(wrapped), "plain text");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/base64");
    TCase *tcase = tcase_create("base64");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, sample_make, sample_done);
    tcase_add_test(tcase, test_bare);
    tcase_add_test(tcase, test_bare_coats);
    tcase_add_test(tcase, test_bare_and_pem);
    tcase_add_test(tcase, test_bare_cut);
    tcase_add_test(tcase, test_hex);
    tcase_add_test(tcase, test_strict);
    tcase_add_test(tcase, test_loose);
    tcase_add_test(tcase, test_wrapped);
    tcase_add_test(tcase, test_wrapped_prose);
    tcase_add_test(tcase, test_wrapped_nothing);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
