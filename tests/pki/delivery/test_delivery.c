#include "pki/delivery/delivery.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/text.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

static struct error err;
static EVP_PKEY *key;
static struct blob leaf, ca;
static char *leaf_pem, *ca_pem;

static void setup(void)
{
    key = EVP_EC_gen("P-256");
    leaf = forge_certificate(&(struct forge){
        .common_name = "www.example.com", .issuer_name = "CA", .key = key, .signer = key});
    ca = forge_certificate(&(struct forge){
        .common_name = "CA", .key = key, .extensions = {{"basicConstraints", "CA:TRUE"}}});
    leaf_pem = forge_pem("CERTIFICATE", blob_span(&leaf));
    ca_pem = forge_pem("CERTIFICATE", blob_span(&ca));
}

static void teardown(void)
{
    EVP_PKEY_free(key);
    blob_done(&leaf);
    blob_done(&ca);
    free(leaf_pem);
    free(ca_pem);
}

static struct delivery_objects read_all(struct span file)
{
    struct delivery_objects objects = {0};

    ck_ok(delivery_read(file, NULL, &objects, &err));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return objects;
}

static void ck_is_cert(const struct object *object, const struct blob *der)
{
    ck_assert_msg(object->kind == OBJECT_CERTIFICATE, "%s", object->note);
    ck_assert(span_equal(blob_span(&object->der), blob_span(der)));
}

/* The file holds exactly the leaf, or the leaf and the CA. */
static void ck_holds(struct span file, size_t count, const char *what)
{
    AUTO_OBJECTS struct delivery_objects objects = read_all(file);

    ck_assert_msg(objects.count == count, "%s: %s", what, objects.summary);
    ck_is_cert(&objects.items[0], &leaf);
    if (count > 1)
        ck_is_cert(&objects.items[1], &ca);
}

/* The file holds one object of a kind without any bytes kept. */
static void ck_only(struct span file, enum object_kind kind, const char *note)
{
    AUTO_OBJECTS struct delivery_objects objects = read_all(file);

    ck_assert_msg(objects.count == 1, "%s: wanted 1, got %zu", note, objects.count);
    ck_assert_msg(objects.items[0].kind == kind, "%s", objects.items[0].note);
    ck_assert_msg(strstr(objects.items[0].note, note), "wanted \"%s\" in: %s", note,
                  objects.items[0].note);
    ck_assert_ptr_null(objects.items[0].der.data);
}

static void ck_nothing(struct span file, const char *summary)
{
    AUTO_OBJECTS struct delivery_objects objects = read_all(file);

    ck_assert_uint_eq(objects.count, 0);
    ck_assert_msg(strstr(objects.summary, summary), "wanted \"%s\" in: %s", summary,
                  objects.summary);
}

/* text with every piece replaced; owned by the caller. */
static char *replaced(const char *text, const char *piece, const char *with)
{
    AUTO_BUF struct buf out;
    const char *hit;

    buf_init(&out, 4 << 20);
    for (; (hit = strstr(text, piece)) != NULL; text = hit + strlen(piece)) {
        buf_add(&out, text, (size_t)(hit - text));
        buf_add_text(&out, with);
    }
    buf_add_text(&out, text);
    return mem_strdup(buf_text(&out));
}

START_TEST(test_pem)
{
    AUTO_FREE char *both = mem_printf("%s%s", leaf_pem, ca_pem);
    AUTO_OBJECTS struct delivery_objects objects = read_all(span_text(both));

    ck_holds(span_text(leaf_pem), 1, "leaf");
    ck_holds(span_text(both), 2, "both");
    ck_assert_str_eq(objects.summary, "PEM with 2 certificates");
    ck_assert_str_eq(objects.items[0].note, "a certificate for CN=www.example.com");
    ck_assert_str_eq(objects.items[1].note, "a CA certificate for CN=CA");
}
END_TEST

/* What mail programs, editors and cat make of it. */
START_TEST(test_pem_coats)
{
    static const char *const changes[][2] = {
        {"\n", "\r\n"},
        {"\n", "\r"},
        {"\n", "\n\n"},
        {"\n", "\n    "},
        {"\n", "\n\t"},
        {"\n", " \n"},
        {"\n", "\n> "},
        {"\n", "\r\n> > "},
        {"\n", "\n>>"},
        {"\n", " "},
        {"\n", "\n\f\v"},
        {"CERTIFICATE", "X509 CERTIFICATE"},
        {"CERTIFICATE", "PKCS7"},
        {"CERTIFICATE", "CERTIFICATE CHAIN"},
        {"CERTIFICATE-", "CERTIFICATE -"},
        {"-----\n-----", "----------"},
        {"-----BEGIN", "Dear customer,\n-- \nBag Attributes\n    localKeyID: 01\n-----BEGIN"},
        {"-----BEGIN", "\xEF\xBB\xBF-----BEGIN"},
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        AUTO_FREE char *both = mem_printf("%s%s", leaf_pem, ca_pem);
        AUTO_FREE char *changed = replaced(both, changes[i][0], changes[i][1]);

        ck_assert_str_ne(both, changed);
        ck_holds(span_text(changed), 2, changes[i][1]);
    }
}
END_TEST

/* Anything may stand around the blocks, also binary data and things that only look like markers. */
START_TEST(test_pem_noise)
{
    static const char before[] =
        "\0\1\xff-----BEGIN nothing-----\n-----END-----BEGIN \n------\n---";
    static const char between[] =
        "\0-----BEGIN EC PARAMETERS-----\n!\n-----END EC PARAMETERS-----\n";
    AUTO_BUF struct buf file;

    buf_init(&file, BUF_MAX_DELIVERY);
    buf_add(&file, before, sizeof before);
    buf_add_text(&file, leaf_pem);
    buf_add(&file, between, sizeof between);
    buf_add_text(&file, ca_pem);
    buf_add_text(&file, "-----BEGIN ");
    ck_holds(span_of(file.data, file.len), 2, "noise");
}
END_TEST

START_TEST(test_once)
{
    AUTO_FREE char *text = mem_printf("%s%s%s%s", leaf_pem, ca_pem, leaf_pem, ca_pem);
    struct blob certs[] = {leaf, ca};
    AUTO_BLOB struct blob pkcs7 = forge_pkcs7(certs, 2);
    AUTO_FREE char *coat = forge_pem("PKCS7", blob_span(&pkcs7));
    AUTO_FREE char *mixed = mem_printf("%s%s%s", leaf_pem, coat, coat);

    ck_holds(span_text(text), 2, "twice");
    ck_holds(span_text(mixed), 2, "PEM and PKCS#7");
}
END_TEST

/* Repetitions do not count against the limit: the file's size bounds them. */
START_TEST(test_once_many)
{
    AUTO_BUF struct buf file;

    buf_init(&file, BUF_MAX_DELIVERY);
    for (int i = 0; i < 2 * DELIVERY_OBJECTS_MAX; i++)
        buf_add_text(&file, leaf_pem);
    ck_assert(!file.full);
    ck_holds(span_of(file.data, file.len), 1, "many");
}
END_TEST

START_TEST(test_der)
{
    AUTO_OBJECTS struct delivery_objects objects = read_all(blob_span(&leaf));
    AUTO_BUF struct buf file;

    ck_assert_str_eq(objects.summary, "DER with 1 certificate");
    ck_holds(blob_span(&leaf), 1, "DER");
    for (size_t len = 4; len < leaf.len; len++)
        ck_only(span_of(leaf.data, len), OBJECT_BROKEN, "truncated");
    buf_init(&file, BUF_MAX_DELIVERY);
    buf_add(&file, leaf.data, leaf.len);
    buf_add(&file, "\n", 1);
    ck_holds(span_of(file.data, file.len), 1, "padded");
    ck_assert_uint_eq(leaf.data[1], 0x82);
    leaf.data[8] ^= 1; /* the tag of the version */
    ck_only(blob_span(&leaf), OBJECT_BROKEN, "damaged");
}
END_TEST

/* A certificate that clients read in more than one way is named, not handed on. */
START_TEST(test_refused_certificate)
{
    AUTO_BLOB struct blob odd = forge_certificate(&(struct forge){.version = 4});
    AUTO_FREE char *pem = forge_pem("CERTIFICATE", blob_span(&odd));
    AUTO_FREE char *both = mem_printf("%s%s", leaf_pem, pem);
    AUTO_OBJECTS struct delivery_objects objects = read_all(span_text(both));

    ck_only(blob_span(&odd), OBJECT_BROKEN, "version");
    ck_assert_uint_eq(objects.count, 2);
    ck_is_cert(&objects.items[0], &leaf);
    ck_assert_int_eq(objects.items[1].kind, OBJECT_BROKEN);
    ck_assert_msg(text_starts(objects.items[1].note, "block 2 (line "), "%s",
                  objects.items[1].note);
    ck_assert_str_eq(objects.summary, "PEM with 1 certificate, 1 unreadable part");
}
END_TEST

START_TEST(test_pkcs7)
{
    static const char *const labels[] = {"PKCS7", "PKCS #7 SIGNED DATA", "CMS", "CERTIFICATE",
                                         "CERTIFICATE CHAIN"};
    struct blob certs[] = {leaf, ca};
    AUTO_BLOB struct blob pkcs7 = forge_pkcs7(certs, 2);
    AUTO_BLOB struct blob none = forge_pkcs7(certs, 0);
    AUTO_OBJECTS struct delivery_objects objects = read_all(blob_span(&pkcs7));

    ck_assert_str_eq(objects.summary, "PKCS#7 in DER with 2 certificates");
    ck_holds(blob_span(&pkcs7), 2, "DER");
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        AUTO_FREE char *pem = forge_pem(labels[i], blob_span(&pkcs7));

        ck_holds(span_text(pem), 2, labels[i]);
    }
    ck_only(blob_span(&none), OBJECT_BROKEN, "without certificates");
    ck_only(span_of(pkcs7.data, pkcs7.len - 1), OBJECT_BROKEN, "truncated");
    ck_only((struct span)BYTES("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"),
            OBJECT_BROKEN, "an encrypted message");
}
END_TEST

/* BER of indefinite length, as streaming writers make it. */
START_TEST(test_pkcs7_indefinite)
{
    struct blob certs[] = {leaf, ca};
    AUTO_BLOB struct blob pkcs7 = forge_pkcs7(certs, 2);
    AUTO_BUF struct buf file;
    size_t head = 2 + (pkcs7.data[1] & 0x7F);

    ck_assert_int_gt(pkcs7.data[1], 0x80);
    buf_init(&file, BUF_MAX_DELIVERY);
    buf_add(&file, "\x30\x80", 2);
    buf_add(&file, pkcs7.data + head, pkcs7.len - head);
    ck_only(span_of(file.data, file.len), OBJECT_BROKEN, "damaged");
    buf_add(&file, "\0\0", 2);
    ck_holds(span_of(file.data, file.len), 2, "indefinite");
    buf_add(&file, "\0", 1);
    ck_holds(span_of(file.data, file.len), 2, "padded");
}
END_TEST

/* The trust settings behind the certificate are left out; behind another label they are damage. */
START_TEST(test_trusted)
{
    const uint8_t *at = leaf.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)leaf.len);
    uint8_t *der = NULL;

    ck_assert(X509_alias_set1(x509, (const uint8_t *)"alias", 5));
    int len = i2d_X509_AUX(x509, &der);
    ck_assert_int_gt(len, (int)leaf.len);
    AUTO_FREE char *trusted = forge_pem("TRUSTED CERTIFICATE", span_of(der, (size_t)len));
    AUTO_FREE char *plain = forge_pem("CERTIFICATE", span_of(der, (size_t)len));
    X509_free(x509);
    OPENSSL_free(der);
    ck_holds(span_text(trusted), 1, "trusted");
    AUTO_OBJECTS struct delivery_objects objects = read_all(span_text(plain));
    ck_assert_uint_eq(objects.count, 2);
    ck_is_cert(&objects.items[0], &leaf);
    ck_assert_ptr_nonnull(strstr(objects.items[1].note, "follow the end"));
}
END_TEST

START_TEST(test_request_and_crl)
{
    AUTO_BLOB struct blob csr = forge_request(key), crl = forge_crl(key);
    AUTO_FREE char *csr_pem = forge_pem("NEW CERTIFICATE REQUEST", blob_span(&csr));
    AUTO_FREE char *crl_pem = forge_pem("X509 CRL", blob_span(&crl));
    AUTO_FREE char *mislabelled = forge_pem("CERTIFICATE REQUEST", blob_span(&leaf));
    AUTO_FREE char *text = mem_printf("%s%s%s%s", csr_pem, crl_pem, csr_pem, crl_pem);
    AUTO_OBJECTS struct delivery_objects objects = read_all(span_text(text));
    AUTO_OBJECTS struct delivery_objects der = read_all(blob_span(&csr));

    ck_assert_uint_eq(objects.count, 2);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_CSR);
    ck_assert(span_equal(blob_span(&objects.items[0].der), blob_span(&csr)));
    ck_assert_ptr_nonnull(strstr(objects.items[0].note, "CSR"));
    ck_assert_int_eq(objects.items[1].kind, OBJECT_CRL);
    ck_assert(span_equal(blob_span(&objects.items[1].der), blob_span(&crl)));
    ck_assert_str_eq(objects.summary,
                     "PEM with 1 certificate request (CSR), 1 revocation list (CRL)");
    ck_assert_uint_eq(der.count, 1);
    ck_assert_int_eq(der.items[0].kind, OBJECT_CSR);
    ck_holds(span_text(mislabelled), 1, "the content decides");
}
END_TEST

/* Every form a key comes in is named, and no byte of it is handed on. */
START_TEST(test_private_key)
{
    static const char *const labels[] = {"PRIVATE KEY",         "RSA PRIVATE KEY",
                                         "EC PRIVATE KEY",      "ENCRYPTED PRIVATE KEY",
                                         "OPENSSH PRIVATE KEY", "ANY PRIVATE KEY"};
    EVP_PKEY *rsa = EVP_RSA_gen(1024);
    X509_SIG *sealed;
    uint8_t *ders[4] = {0};
    int lens[4];
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);

    lens[0] = i2d_PrivateKey(key, &ders[0]);
    lens[1] = i2d_PrivateKey(rsa, &ders[1]);
    lens[2] = i2d_PKCS8_PRIV_KEY_INFO(info, &ders[2]);
    sealed = PKCS8_encrypt(-1, EVP_aes_128_cbc(), "x", 1, NULL, 0, 1, info);
    lens[3] = i2d_X509_SIG(sealed, &ders[3]);
    for (size_t i = 0; i < COUNT_OF(ders); i++) {
        struct span der = span_of(ders[i], (size_t)lens[i]);
        AUTO_FREE char *pem = forge_pem("CERTIFICATE", der);

        ck_only(der, OBJECT_PRIVATE_KEY, "private key");
        ck_only(span_text(pem), OBJECT_PRIVATE_KEY, "private key");
        ck_only(span_of(der.data, der.len / 2), OBJECT_PRIVATE_KEY, "private key");
        OPENSSL_free(ders[i]);
    }
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        AUTO_FREE char *whole = mem_printf(
            "-----BEGIN %s-----\nDEK-Info: x\n\nAA\n-----END %s-----\n", labels[i], labels[i]);
        AUTO_FREE char *cut = mem_printf("-----BEGIN %s-----\nAAAA", labels[i]);

        ck_only(span_text(whole), OBJECT_PRIVATE_KEY, "private key");
        ck_only(span_text(cut), OBJECT_PRIVATE_KEY, "private key");
    }
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(rsa);
}
END_TEST

START_TEST(test_other_der)
{
    uint8_t *spki = NULL;
    int len = i2d_PUBKEY(key, &spki);

    ck_only(span_of(spki, (size_t)len), OBJECT_OTHER, "a public key");
    OPENSSL_free(spki);
    ck_only((struct span)BYTES("\x30\x07\x02\x01\x03\x30\x02\x05\x00"), OBJECT_BROKEN, "PKCS#12");
    ck_only((struct span)BYTES("\x30\x00"), OBJECT_BROKEN, "other data");
    ck_only((struct span)BYTES("\x30\x03\x01\x01\xff"), OBJECT_BROKEN, "other data");
    ck_only((struct span)BYTES("\x30\x82\x01"), OBJECT_BROKEN, "other data");
}
END_TEST

START_TEST(test_pem_damaged)
{
    static const struct {
        const char *text, *note;
    } rows[] = {
        {"-----BEGIN CERTIFICATE-----\nMAAA\n", "block 1 (line 1): truncated: the END"},
        {"a\nb\n-----END CERTIFICATE-----\n", "block 1 (line 3): truncated: the BEGIN"},
        {"-----BEGIN CERTIFICATE-----\nMAAA\n-----END X509 CERTIFICATE-----", "do not belong"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMA=A\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMA==MAAA\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMAAA====\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nM===\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMB==\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMAB=\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nM-AA\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nM>AAA\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\n[...]\n-----END CERTIFICATE-----", "base64"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "other data"},
        {"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----", "other data"},
        {"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----", "other data"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_only(span_text(rows[i].text), OBJECT_BROKEN, rows[i].note);
}
END_TEST

/* A download that stopped: at no place does a part pass for the whole; nothing but the END line may
 * be missing. */
START_TEST(test_pem_cut)
{
    AUTO_FREE char *both = mem_printf("%s%s", leaf_pem, ca_pem);
    size_t first = strlen(leaf_pem) - strlen("\n-----END CERTIFICATE-----\n");
    size_t second = strlen(both) - strlen("\n-----END CERTIFICATE-----\n");

    /* The padding of base64 says nothing. */
    while (leaf_pem[first - 1] == '=')
        first--;
    while (both[second - 1] == '=')
        second--;
    for (size_t len = 1; len < strlen(both) - 1; len++) {
        AUTO_OBJECTS struct delivery_objects objects = read_all(span_of(both, len));
        size_t whole = (len >= first) + (len >= second);

        if (whole > 0)
            ck_is_cert(&objects.items[0], &leaf);
        if (whole > 1)
            ck_is_cert(&objects.items[1], &ca);
        ck_assert_uint_le(objects.count, whole + 1);
        for (size_t i = whole; i < objects.count; i++)
            ck_assert_int_eq(objects.items[i].kind, OBJECT_BROKEN);
    }
    /* The next BEGIN ends a cut block and is read. */
    AUTO_FREE char *cut = mem_printf("%.200s\n%s", ca_pem, leaf_pem);
    AUTO_OBJECTS struct delivery_objects objects = read_all(span_text(cut));
    ck_assert_uint_eq(objects.count, 2);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_BROKEN);
    ck_is_cert(&objects.items[1], &leaf);
}
END_TEST

START_TEST(test_something_else)
{
    static const struct {
        struct span file;
        const char *summary;
    } rows[] = {
        {BYTES(""), "an empty file"},
        {BYTES("\xEF\xBB\xBF \r\n\t"), "an empty file"},
        {BYTES("<!DOCTYPE html>\n<p>Login"), "HTML"},
        {BYTES("\xEF\xBB\xBF\n<HTML><body>"), "HTML"},
        {BYTES("<?xml version=\"1.0\"?>\n<html xmlns=\"x\">"), "HTML"},
        {BYTES("\x1F\x8B\x08\0"), "archive"},
        {BYTES("\xFF\xFE-\0-\0-\0"), "UTF-16"},
        {BYTES("\xFE\xFF\0-\0-\0-"), "UTF-16"},
        {BYTES("-\0-\0-\0-\0-\0"), "UTF-16"},
        {BYTES("\0-\0-\0-\0-"), "UTF-16"},
        {BYTES("Your certificate is attached."), "plain text"},
        {BYTES("Gr\xfc\xdf (Latin-1)"), "plain text"},
        {BYTES("0 s:CN = x"), "plain text"},
        {BYTES("a < b <html"), "plain text"},
        {BYTES("\177ELF\1"), "a program"},
        {BYTES("\1\2\3\4\5"), "unknown kind"},
        {BYTES("-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----"), "nothing"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_nothing(rows[i].file, rows[i].summary);
    ck_nothing((struct span){0}, "an empty file");
}
END_TEST

/* An HTML page that shows a certificate is a delivery all the same. */
START_TEST(test_pem_in_html)
{
    AUTO_FREE char *page = mem_printf("<html><pre>%s</pre></html>", leaf_pem);

    ck_holds(span_text(page), 1, "page");
}
END_TEST

START_TEST(test_limits)
{
    static char large[BUF_MAX_DELIVERY + 1];
    struct delivery_objects objects, before;
    AUTO_BUF struct buf file;

    memset(&objects, 0xA5, sizeof objects);
    before = objects;
    memset(large, ' ', sizeof large);
    ck_fails(delivery_read(span_of(large, sizeof large), NULL, &objects, &err), E_TOO_LARGE,
             "1048576");
    buf_init(&file, BUF_MAX_DELIVERY);
    for (int i = 0; i < DELIVERY_OBJECTS_MAX; i++)
        buf_add_text(&file, "-----BEGIN CERTIFICATE-----\n");
    AUTO_OBJECTS struct delivery_objects most = read_all(span_of(file.data, file.len));
    ck_assert_uint_eq(most.count, DELIVERY_OBJECTS_MAX);
    buf_add_text(&file, leaf_pem);
    ck_fails(delivery_read(span_of(file.data, file.len), NULL, &objects, &err), E_TOO_LARGE, "256");
    ck_assert_mem_eq(&objects, &before, sizeof objects);
}
END_TEST

/* Shapes that cost other readers minutes; here the test's time limit is far away. */
START_TEST(test_hostile_shapes)
{
    static const struct span rows[] = {
        BYTES("-"),
        BYTES("-----BEGIN X-----\n"),
        BYTES("-----END X-----\n"),
        BYTES("-----BEGIN X-----\n-----END X-----\n"),
        BYTES("-----BEGIN "),
        BYTES("\x30\x80"),
        BYTES("\x30\x83\x0f\xff\xff"),
        BYTES("\x30\x84\xff\xff\xff\xff"),
        BYTES("<"),
        BYTES("\0"),
        BYTES(">"),
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf file;
        struct delivery_objects objects = {0};

        buf_init(&file, BUF_MAX_DELIVERY);
        while (!file.full)
            buf_add(&file, rows[i].data, rows[i].len);
        ck_assert_int_eq(delivery_read(span_of(file.data, file.len), NULL, &objects, &err), 0);
        for (size_t k = 0; k < objects.count; k++)
            ck_assert_int_ge(objects.items[k].kind, OBJECT_OTHER);
        delivery_objects_done(&objects);
    }
}
END_TEST

/* Notes and summaries go to terminals and receipts: one printable line, whatever the subject. */
START_TEST(test_notes_are_printable)
{
    AUTO_BLOB struct blob odd = forge_certificate(
        &(struct forge){.common_name = "\x1b[2J\r\nBcc: \xe2\x80\xaex\xe2\x80\xa8"});
    AUTO_OBJECTS struct delivery_objects objects = read_all(blob_span(&odd));
    const char *note = objects.items[0].note;

    ck_assert_uint_eq(objects.count, 1);
    ck_assert(text_is_header_safe(note, strlen(note)));
    ck_assert(text_is_utf8(note, strlen(note)));
    ck_assert_ptr_null(strstr(note, "\xe2\x80"));

    /* Too long: cut between characters. */
    AUTO_BUF struct buf name;
    buf_init(&name, 1024);
    for (int i = 0; i < 63; i++)
        buf_add_text(&name, "\xe2\x82\xac");
    AUTO_BLOB struct blob wide =
        forge_certificate(&(struct forge){.common_name = buf_text(&name), .key = key});
    AUTO_OBJECTS struct delivery_objects cut = read_all(blob_span(&wide));
    ck_assert(text_is_utf8(cut.items[0].note, strlen(cut.items[0].note)));
    ck_assert(text_ends(cut.items[0].note, "..."));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery");
    TCase *tcase = tcase_create("delivery");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_pem);
    tcase_add_test(tcase, test_pem_coats);
    tcase_add_test(tcase, test_pem_noise);
    tcase_add_test(tcase, test_once);
    tcase_add_test(tcase, test_once_many);
    tcase_add_test(tcase, test_der);
    tcase_add_test(tcase, test_refused_certificate);
    tcase_add_test(tcase, test_pkcs7);
    tcase_add_test(tcase, test_pkcs7_indefinite);
    tcase_add_test(tcase, test_trusted);
    tcase_add_test(tcase, test_request_and_crl);
    tcase_add_test(tcase, test_private_key);
    tcase_add_test(tcase, test_other_der);
    tcase_add_test(tcase, test_pem_damaged);
    tcase_add_test(tcase, test_pem_cut);
    tcase_add_test(tcase, test_something_else);
    tcase_add_test(tcase, test_pem_in_html);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_hostile_shapes);
    tcase_add_test(tcase, test_notes_are_printable);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
