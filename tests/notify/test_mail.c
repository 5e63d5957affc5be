#include "notify/mail.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "tests/testing.h"

static const char csr[] = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"
                          "-----END CERTIFICATE REQUEST-----\n";

static struct error err;
static struct fields fields;
static struct mail_envelope envelope;
static struct mail_attachment files[2];
static struct blob message;

static void set_up(void)
{
    notice_fields_init(&fields);
    fields_set(&fields, "certificate", "www");
    fields_set(&fields, "host", "web01");
    fields_set(&fields, "csr", csr);
    envelope = (struct mail_envelope){.from = "unlapsed@web01.example",
                                      .recipient = "ops@example.com",
                                      .host = "web01.example",
                                      .message_id = "notice-17",
                                      .thread_id = "renewal-4",
                                      .date = 1795366634,
                                      .certificate = "www"};
    files[0] = (struct mail_attachment){"www.csr", "application/pkcs10", span_text(csr)};
    files[1] = (struct mail_attachment){"www.txt", "text/plain", span_text(csr)};
}

static void tear_down(void)
{
    fields_done(&fields);
    blob_done(&message);
}

static const char *render(enum notice_kind kind, size_t count)
{
    blob_done(&message);
    ck_ok(mail_render(kind, &envelope, &fields, files, count, &message, &err));
    return (const char *)message.data;
}

static void ck_header(const char *mail, const char *line)
{
    AUTO_FREE char *wanted = mem_printf("\r\n%s\r\n", line);
    const char *at = strstr(mail, wanted);

    ck_assert_msg(at && at < strstr(mail, "\r\n\r\n"), "no header: %s", line);
}

START_TEST(test_headers)
{
    const char *mail = render(NOTICE_CSR_READY, 2);

    ck_assert(text_starts(mail, "Date: Sun, 22 Nov 2026 16:57:14 +0000\r\n"));
    ck_header(mail, "From: \"unlapsed on web01.example\" <unlapsed@web01.example>");
    ck_header(mail, "To: <ops@example.com>");
    ck_header(mail, "Subject: [web01] CSR ready: www - send it to your authority");
    ck_header(mail, "Message-ID: <notice-17@web01.example>");
    ck_header(mail, "In-Reply-To: <renewal-4@web01.example>");
    ck_header(mail, "References: <renewal-4@web01.example>");
    ck_header(mail, "Auto-Submitted: auto-generated");
    ck_header(mail, "X-Auto-Response-Suppress: All");
    ck_header(mail, "X-Unlapsed-Kind: csr-ready");
    ck_header(mail, "X-Unlapsed-Certificate: www");
    ck_header(mail, "MIME-Version: 1.0");
    ck_assert_ptr_null(strstr(mail, "\r\nImportance:"));
    /* The PEM can be copied out of the raw mail. */
    ck_assert_ptr_nonnull(strstr(mail, "\r\n-----BEGIN CERTIFICATE REQUEST-----\r\nMIIB\r\n"));
}
END_TEST

START_TEST(test_optional_headers)
{
    envelope.thread_id = NULL;
    envelope.certificate = NULL;
    envelope.host = "";
    const char *mail = render(NOTICE_EXPIRED, 0);
    ck_assert_ptr_null(strstr(mail, "References:"));
    ck_assert_ptr_null(strstr(mail, "In-Reply-To:"));
    ck_assert_ptr_null(strstr(mail, "X-Unlapsed-Certificate:"));
    ck_assert_ptr_null(strstr(mail, "multipart"));
    ck_header(mail, "Message-ID: <notice-17@localhost>");
    ck_header(mail, "Content-Type: text/plain; charset=utf-8");
    ck_header(mail, "Importance: high");
    ck_header(render(NOTICE_ROLLED_BACK, 0), "Importance: high");
    for (int kind = 0; kind < NOTICE_KINDS; kind++)
        if (kind != NOTICE_ROLLED_BACK && kind != NOTICE_EXPIRED && kind != NOTICE_KEY_DISCLOSED)
            ck_assert_ptr_null(strstr(render((enum notice_kind)kind, 0), "\r\nImportance:"));
}
END_TEST

START_TEST(test_attachments)
{
    files[0].file_name = "w\"w\r\nw/../.csr";
    const char *mail = render(NOTICE_CSR_READY, 2);

    ck_assert_ptr_nonnull(strstr(mail, "\r\nContent-Type: application/pkcs10;\r\n "
                                       "name=\"w_w__w_.._.csr\"\r\n"));
    ck_assert_ptr_nonnull(strstr(mail, "\r\nContent-Type: text/plain; charset=utf-8;\r\n "
                                       "name=\"www.txt\"\r\n"));
    ck_assert_ptr_nonnull(strstr(mail, "\r\nContent-Disposition: attachment;\r\n "
                                       "filename=\"www.txt\"\r\n"));
    ck_assert_ptr_nonnull(strstr(mail, "\r\n--=_unlapsed_0--\r\n"));
}
END_TEST

START_TEST(test_boundary_is_not_in_the_text)
{
    fields_set(&fields, "csr", "--=_unlapsed_0\n--=_unlapsed_1--");
    const char *mail = render(NOTICE_CSR_READY, 2);

    ck_assert_ptr_nonnull(strstr(mail, "boundary=\"=_unlapsed_2\""));
}
END_TEST

/* Hostile or merely odd values everywhere: lines stay short and end in CRLF, no header is added. */
START_TEST(test_every_line_is_sound)
{
    char wide[5000];

    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    for (size_t i = 0; i < fields.count; i++) {
        AUTO_FREE char *value =
            mem_printf("\xc3\xbc\r\nBcc: evil@example.com\r\n\r\n.\r\n%s", wide);

        fields_set(&fields, fields.items[i].key, value);
    }
    const char *mail = render((enum notice_kind)_i, 2);
    size_t line = 0, longest = 0, unsound = 0;

    for (size_t i = 0; i < message.len; i++) {
        bool lf = mail[i] == '\n';

        unsound += mail[i] == '\0' || (lf && (i == 0 || mail[i - 1] != '\r')) ||
                   (mail[i] == '\r' && mail[i + 1] != '\n');
        line = lf ? 0 : line + 1;
        longest = line > longest ? line : longest;
    }
    ck_assert_uint_eq(unsound, 0);
    ck_assert_uint_le(longest, 998 + 1); /* with its CR */
    ck_assert(text_ends(mail, "\r\n"));
    const char *bcc = strstr(mail, "\nBcc:");
    ck_assert(!bcc || bcc > strstr(mail, "\r\n\r\n"));
}
END_TEST

START_TEST(test_ids_are_sanitised)
{
    envelope.message_id = "a@b <c>\"";
    envelope.host = "h\xc3\xb6st \"x\\";
    const char *mail = render(NOTICE_CSR_READY, 0);

    ck_header(mail, "Message-ID: <a-b--c--@h--st--x->");
    ck_header(mail, "From: \"unlapsed on this machine\" <unlapsed@web01.example>");
    envelope.host = "h\xc3\xb6st";
    ck_header(render(NOTICE_CSR_READY, 0),
              "From: \"unlapsed on this machine\" <unlapsed@web01.example>");
}
END_TEST

static void ck_refused(const char *piece)
{
    struct blob out = {(uint8_t *)&err, 7};

    ck_fails(mail_render(NOTICE_CSR_READY, &envelope, &fields, files, 2, &out, &err), E_INPUT,
             piece);
    ck_assert_uint_eq(out.len, 7);
}

START_TEST(test_envelope_refuses)
{
    const char **const values[] = {&envelope.from,      &envelope.recipient,
                                   &envelope.host,      &envelope.message_id,
                                   &envelope.thread_id, &envelope.certificate};

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        const char *kept = *values[i];

        *values[i] = "a@example.com\r\nBcc: evil@example.com";
        ck_refused("\\x0d\\x0aBcc");
        *values[i] = "a@example.com\nx";
        ck_refused("\\x0a");
        *values[i] = kept;
    }
    envelope.from = "a@example.com, evil@example.com";
    ck_refused("mail address");
    envelope.from = "unlapsed@web01.example";
    envelope.recipient = "ops@example.com>, <evil@example.com";
    ck_refused("mail address");
    envelope.recipient = "ops@example.com";
    envelope.date = UTC_NEVER;
    ck_refused("Date");
}
END_TEST

START_TEST(test_attachment_refuses)
{
    static const char *const types[] = {"", "text", "text/plain; x", "text/plain\r\nX: y",
                                        "a/\"b\""};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        files[1].content_type = types[i];
        ck_refused("wanted a content type");
    }
}
END_TEST

START_TEST(test_too_large)
{
    AUTO_BLOB struct blob big = {mem_alloc(BUF_MAX_MAIL, 1), BUF_MAX_MAIL};

    files[1].data = blob_span(&big);
    ck_fails(mail_render(NOTICE_CSR_READY, &envelope, &fields, files, 2, &message, &err),
             E_TOO_LARGE, "mail: wanted at most");
}
END_TEST

START_TEST(test_keys_never_leave)
{
    static const char key[] = "text\n-----BEGIN EC PRIVATE KEY-----\nMHcC\n";

    files[1].data = span_text(key);
    ck_fails(mail_render(NOTICE_CSR_READY, &envelope, &fields, files, 2, &message, &err), E_REFUSED,
             "keys never leave");
    ck_assert_ptr_null(strstr(err.text, "MHcC"));
    files[1].data = span_text("x");
    fields_set(&fields, "csr", key);
    ck_fails(mail_render(NOTICE_CSR_READY, &envelope, &fields, files, 2, &message, &err), E_REFUSED,
             "keys never leave");
    /* A stranger's file name must not stop the mail that speaks of it. */
    fields_set(&fields, "csr", csr);
    fields_set(&fields, "file", "-----BEGIN PRIVATE KEY-----");
    render(NOTICE_REJECTED, 2);
}
END_TEST

START_TEST(test_kinds)
{
    enum notice_kind kind = NOTICE_FAILED;

    ck_assert_str_eq(notice_kind_text(NOTICE_CSR_READY), "csr-ready");
    for (int i = 0; i < NOTICE_KINDS; i++) {
        ck_assert(notice_kind_parse(notice_kind_text((enum notice_kind)i), &kind));
        ck_assert_int_eq((int)kind, i);
    }
    ck_assert(!notice_kind_parse("", &kind));
    ck_assert(!notice_kind_parse("CSR-ready", &kind));
    ck_assert_int_eq((int)kind, NOTICE_KINDS - 1);
}
END_TEST

static const char *const good_addresses[] = {
    "root@localhost",     "a@b.example",     "first.last+tag@sub-domain.example.com",
    "o'hara@example.com", "x@1.2.3.example", "!#$%&'*+-/=?^_`{|}~@example.com",
};

static const char *const bad_addresses[] = {
    "",
    "root",
    "@example.com",
    "a@",
    "a@b@c",
    "a b@example.com",
    " a@example.com",
    "a@example.com ",
    "a@exa mple.com",
    "<a@example.com>",
    "a@example.com>",
    "a@example.com\r\nRCPT TO:<evil@example.com",
    "a@example.com\n",
    "a\r@example.com",
    "a\t@example.com",
    "a\x7f@example.com",
    "\"quoted local\"@example.com",
    "a,b@example.com",
    "a;b@example.com",
    "a:b@example.com",
    "a\\b@example.com",
    "a(b)@example.com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@.example.com",
    "a@example.com.",
    "a@example..com",
    "a@-example.com",
    "a@example-.com",
    "a@exam_ple.com",
    "a@[192.0.2.1]",
    "\xc3\xbc@example.com",
    "a@\xc3\xbc.example",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@example.com",
};

START_TEST(test_addresses)
{
    char address[300] = "a@";

    for (size_t i = 0; i < COUNT_OF(good_addresses); i++)
        ck_ok(mail_address_check(good_addresses[i], &err));
    for (size_t i = 0; i < COUNT_OF(bad_addresses); i++) {
        ck_assert_msg(mail_address_check(bad_addresses[i], &err) == E_INPUT, "taken: %s",
                      bad_addresses[i]);
        ck_assert(text_starts(err.text, "mail address "));
    }
    memset(address + 2, 'x', 252);
    address[100] = '.';
    ck_ok(mail_address_check(address, &err));
    address[254] = 'x';
    ck_fails(mail_address_check(address, &err), E_INPUT, "mail address");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify/mail");
    TCase *tc = tcase_create("mail");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_headers);
    tcase_add_test(tc, test_optional_headers);
    tcase_add_test(tc, test_attachments);
    tcase_add_test(tc, test_boundary_is_not_in_the_text);
    tcase_add_loop_test(tc, test_every_line_is_sound, 0, NOTICE_KINDS);
    tcase_add_test(tc, test_ids_are_sanitised);
    tcase_add_test(tc, test_envelope_refuses);
    tcase_add_test(tc, test_attachment_refuses);
    tcase_add_test(tc, test_too_large);
    tcase_add_test(tc, test_keys_never_leave);
    tcase_add_test(tc, test_kinds);
    tcase_add_test(tc, test_addresses);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
