#include "pki/delivery/mail.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/delivery/field.h"
#include "tests/pki/delivery/sample.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

#define HEAD \
    "From: CA <ca@example.com>\nTo: a@example.com\nSubject: =?utf-8?Q?Ihr?=\nMIME-Version: 1.0\n"
#define MIXED \
    HEAD "Content-Type: multipart/mixed; boundary=\"a b\"\n\nOld mail programs see this.\n"

static struct error err;

static void ck_origin(struct span mail, const char *origin, const char *summary)
{
    AUTO_OBJECTS struct delivery_objects objects = sample_read(mail);

    ck_assert_uint_ge(objects.count, 1);
    ck_assert_str_eq(objects.items[0].origin, origin);
    ck_assert_str_eq(objects.summary, summary);
}

/* The certificates in the body itself. */
START_TEST(test_body)
{
    AUTO_FREE char *equals = sample_replaced(sample_pem(), "=", "=3D");
    AUTO_FREE char *digits = sample_base64(span_text(sample_pem()));
    const struct {
        const char *head, *body;
    } rows[] = {
        {"", sample_pem()},
        {"Content-Type: text/plain; charset=utf-8\n", sample_pem()},
        {"Content-Transfer-Encoding: 8bit\n", sample_pem()},
        {"content-transfer-encoding:quoted-printable\n", equals},
        {"Content-Transfer-Encoding:\n\tBASE64\n", digits},
        {"Content-Transfer-Encoding: base64\n", sample_pem()}, /* a lie */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *mail = mem_printf(HEAD "%s\n%s", rows[i].head, rows[i].body);
        AUTO_FREE char *crlf = sample_replaced(mail, "\n", "\r\n");
        AUTO_FREE char *cr = sample_replaced(mail, "\n", "\r");
        AUTO_FREE char *mark = mem_printf("\xEF\xBB\xBF\r\n%s", crlf);
        AUTO_FREE char *mbox = mem_printf(
            "From a@b Mon Sep  2 10:00:00 2026\n%s\n\nFrom c@d Tue\n" HEAD "\nbye\n", mail);

        sample_holds(span_text(mail), 2, rows[i].head);
        sample_holds(span_text(crlf), 2, "CRLF");
        sample_holds(span_text(cr), 2, "CR");
        sample_holds(span_text(mark), 2, "byte order mark");
        sample_holds(span_text(mbox), 2, "mbox");
    }
    AUTO_FREE char *mail = mem_printf(HEAD "\n%s", sample_pem());
    ck_origin(span_text(mail), "mail text", "mail: PEM with 2 certificates");
}
END_TEST

/* One attachment; its header, its content and what it is called. */
START_TEST(test_attachment)
{
    AUTO_FREE char *pem64 = sample_base64(span_text(sample_pem()));
    AUTO_FREE char *equals = sample_replaced(sample_pem(), "=", "=3D");
    const struct {
        const char *head, *body, *origin;
    } rows[] = {
        {"Content-Type: application/x-pem-file; name=chain.pem\nContent-Transfer-Encoding: "
         "base64\n",
         pem64, "attachment chain.pem"},
        {"Content-Disposition: attachment; filename=\"a \\\"b\\\"; c.pem\"\n", sample_pem(),
         "attachment a \"b\"; c.pem"},
        {"Content-Disposition: attachment;\n filename*0*=utf-8'de'%e2%82%ac;\n\tfilename*1=.pem\n",
         sample_pem(), "attachment \xE2\x82\xAC.pem"},
        {"Content-Type: text/plain; name=\"=?utf-8?B?w7wu?= =?utf-8?Q?cr=74_?=\"\n"
         "Content-Transfer-Encoding: quoted-printable\n",
         equals, "attachment \xC3\xBC.crt "},
        {"Content-Disposition: attachment; filename=\"\x1b[2J\x07.pem\"\n", sample_pem(),
         "attachment \\x1b[2J\\x07.pem"},
        {"Content-Type: application/octet-stream\n", sample_pem(),
         "attachment 1 (application/octet-stream)"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *mail =
            mem_printf(MIXED "--a b \t\n\nSee attached.\n--a b \t\n%s\n%s\n--a b--\nepilogue\n",
                       rows[i].head, rows[i].body);
        AUTO_FREE char *crlf = sample_replaced(mail, "\n", "\r\n");
        AUTO_FREE char *open = sample_replaced(mail, "--a b--\nepilogue\n", "");
        AUTO_FREE char *unnamed = sample_replaced(mail, "; boundary=\"a b\"", "");

        sample_holds(span_text(mail), 2, rows[i].origin);
        sample_holds(span_text(crlf), 2, rows[i].origin);
        sample_holds(span_text(open), 2, "without the last boundary");
        sample_holds(span_text(unnamed), 2, "without the boundary's name");
        ck_origin(span_text(mail), rows[i].origin,
                  "mail with 1 attachment: PEM with 2 certificates");
    }
}
END_TEST

/* What was added in front of the parts or behind them, and what was not. */
START_TEST(test_around)
{
    static const char part[] = "--a b\nContent-Type: application/pkix-cert; name=1.cer\n"
                               "Content-Transfer-Encoding: base64\n\n";
    AUTO_FREE char *leaf = sample_base64(sample_leaf());
    AUTO_FREE char *behind = mem_printf(MIXED "%s%s\n--a b--\n%s", part, leaf, sample_pem());
    AUTO_FREE char *front = mem_printf(MIXED "%s\n%s%s\n--a b--\n", sample_pem(), part, leaf);
    AUTO_FREE char *neither = mem_printf(MIXED "%s%s\n--a b--\nBye\n", part, leaf);

    sample_holds(span_text(behind), 2, "behind");
    sample_holds(span_text(front), 2, "in front");
    ck_origin(span_text(front), "mail text", "mail with 1 attachment: PEM with 2 certificates");
    ck_origin(span_text(neither), "attachment 1.cer",
              "mail with 1 attachment: DER with 1 certificate");
}
END_TEST

/* DER and PKCS#7, the signature of a signed mail, and two attachments together. */
START_TEST(test_binary)
{
    struct blob certs[] = {blob_copy(sample_leaf()), blob_copy(sample_ca())};
    AUTO_BLOB struct blob pkcs7 = forge_pkcs7(certs, 2);
    AUTO_FREE char *p7s = sample_base64(blob_span(&pkcs7));
    AUTO_FREE char *leaf = sample_base64(sample_leaf()), *ca = sample_base64(sample_ca());
    AUTO_FREE char *signed_mail = mem_printf(
        HEAD
        "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n"
        "\n--b\n\nHello\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\n"
        "Content-Transfer-Encoding: base64\n\n%s\n--b--\n",
        p7s);
    AUTO_FREE char *two =
        mem_printf(MIXED "--a b\nContent-Type: application/pkix-cert; name=1.cer\n"
                         "Content-Transfer-Encoding: base64\n\n%s\n--a b\n"
                         "Content-Disposition: attachment; filename=2.cer\n"
                         "Content-Transfer-Encoding: base64\n\n%s\n--a b--\n",
                   leaf, ca);

    blob_done(&certs[0]);
    blob_done(&certs[1]);
    sample_holds(span_text(signed_mail), 2, "signed");
    ck_origin(span_text(signed_mail), "attachment smime.p7s",
              "mail with 1 attachment: PKCS#7 in DER with 2 certificates");
    sample_holds(span_text(two), 2, "two");
    ck_origin(span_text(two), "attachment 1.cer", "mail with 2 attachments with 2 certificates");
}
END_TEST

/* A forward within a forward, as message/rfc822 and as an .eml file. */
START_TEST(test_forwarded)
{
    AUTO_FREE char *inner =
        mem_printf(MIXED "--a b\nContent-Disposition: attachment; filename=c.pem\n\n%s\n--a b--\n",
                   sample_pem());
    AUTO_FREE char *middle = mem_printf(
        HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: message/rfc822\n\n"
             "%s\n--m--\n",
        inner);
    AUTO_FREE char *outer = mem_printf(
        HEAD "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
             "%s\n--o--\n",
        middle);
    AUTO_FREE char *digits = sample_base64(span_text(inner));
    AUTO_FREE char *file = mem_printf(HEAD "Content-Type: multipart/mixed; boundary=o\n\n--o\n"
                                           "Content-Disposition: attachment; filename=mail.eml\n"
                                           "Content-Transfer-Encoding: base64\n\n%s\n--o--\n",
                                      digits);

    sample_holds(span_text(outer), 2, "forwarded");
    ck_origin(span_text(outer), "attachment c.pem",
              "mail with 1 attachment: PEM with 2 certificates");
    sample_holds(span_text(file), 2, "as a file");
    ck_origin(span_text(file), "attachment mail.eml > attachment c.pem",
              "mail with 1 attachment: mail with 1 attachment: PEM with 2 certificates");
}
END_TEST

/* Nested deeper, and more parts, than is read: said, and what came before is kept. */
START_TEST(test_bounds)
{
    AUTO_BUF struct buf mail;

    buf_init(&mail, 1 << 20);
    buf_add_text(&mail, HEAD "Content-Type: multipart/mixed; boundary=b\n\n");
    buf_printf(&mail, "--b\n\n%s\n", sample_pem());
    for (int i = 0; i < 100; i++)
        buf_add_text(&mail, "--b\nContent-Disposition: attachment; filename=x\n\nhello\n");
    sample_holds(span_of(mail.data, mail.len), 2, "many");
    ck_origin(span_of(mail.data, mail.len), "mail text",
              "mail with 63 attachments (not all of it was read): PEM with 2 certificates");
    mail.len = 0;
    for (int i = 0; i < 20; i++)
        buf_printf(&mail, HEAD "Content-Type: message/rfc822\n\n");
    sample_nothing(span_of(mail.data, mail.len), "not all of it was read");
}
END_TEST

START_TEST(test_without)
{
    static const struct {
        struct span file;
        const char *summary;
    } rows[] = {
        {BYTES(HEAD "\nYour order was received.\n"), "mail, without a certificate"},
        {BYTES(MIXED
               "--a b\nContent-Type: image/png; name=logo.png\n\n\x89PNG\r\n\x1a\n\0\n--a b--"),
         "mail with 1 attachment, without a certificate: a picture (PNG)"},
        {BYTES(HEAD), "mail, without a certificate"},
        {BYTES("From: a\nthe beginning of a letter\n"), "plain text"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        sample_nothing(rows[i].file, rows[i].summary);
    sample_only((struct span)BYTES(MIXED "--a b\nContent-Type: application/ms-tnef\n"
                                         "Content-Transfer-Encoding: base64\n\neJ8+IgAAAAA=\n"),
                OBJECT_BROKEN, "winmail.dat");
}
END_TEST

/* A mail may be as large as DELIVERY_FILE_MAX; one certificate beside a long film is found. */
START_TEST(test_large)
{
    AUTO_BUF struct buf mail;
    struct delivery_objects objects = {0};

    buf_init(&mail, 2 * DELIVERY_FILE_MAX);
    buf_printf(&mail, MIXED "--a b\n\n%s\n--a b\nContent-Type: video/mp4\n\n", sample_pem());
    while (mail.len < DELIVERY_FILE_MAX)
        buf_add_text(&mail, "a line of the film\n");
    sample_holds(span_of(mail.data, DELIVERY_FILE_MAX), 2, "large");
    ck_fails(delivery_read(span_of(mail.data, DELIVERY_FILE_MAX + 1), NULL, &objects, &err),
             E_TOO_LARGE, "10485760");
}
END_TEST

START_TEST(test_fields)
{
    static const struct {
        const char *value, *wanted;
    } rows[] = {
        {"a/b; name=x", "x"},
        {"a/b; other=y; NAME = \"x y\" ", "x y"},
        {"a/b; name*=us-ascii'en'a%20b", "a b"},
        {"a/b; name*=%41%4", "A%4"},
        {"a/b; name*0=a; name*1=\"b;c\"; name*2*=%64", "ab;cd"},
        {"a/b; filename=x", ""},
        {"a/b; name", ""},
        {"a/b; name=", ""},
        {"a/b; name=\"x", "x"},
        {"a/b; name=\"x\\", "x\\"},
        {"name=x", ""},
    };
    char value[64], small[4];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        field_parameter(rows[i].value, "name", value, sizeof value);
        ck_assert_str_eq(value, rows[i].wanted);
    }
    ck_assert(field_parameter("a; name=abcdef", "name", small, sizeof small));
    ck_assert_str_eq(small, "abc");
    ck_assert(field_file_name("a; name=\"=?x?B?QQ?= =?x?q?=42_c?= =?x\"", "name", value, 64));
    ck_assert_str_eq(value, "AB c=?x");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/mail");
    TCase *tcase = tcase_create("mail");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, sample_make, sample_done);
    tcase_add_test(tcase, test_body);
    tcase_add_test(tcase, test_attachment);
    tcase_add_test(tcase, test_around);
    tcase_add_test(tcase, test_binary);
    tcase_add_test(tcase, test_forwarded);
    tcase_add_test(tcase, test_bounds);
    tcase_add_test(tcase, test_without);
    tcase_add_test(tcase, test_large);
    tcase_add_test(tcase, test_fields);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
