#include "pki/cert.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

static struct error err;

static int parse(const struct forge *forge, struct cert *ret)
{
    AUTO_BLOB struct blob der = forge_certificate(forge);
    int rc = cert_parse(blob_span(&der), ret, &err);

    ck_assert_uint_eq(ERR_peek_error(), 0); /* nothing is left for whoever calls OpenSSL next */
    return rc;
}

static void ck_hash(const uint8_t hash[SHA256_LEN], const uint8_t wanted[SHA256_LEN])
{
    ck_assert_mem_eq(hash, wanted, SHA256_LEN);
}

START_TEST(test_plain)
{
    static const struct forge forge = {
        .common_name = "www.example.com",
        .issuer_name = "Some CA",
        .extensions = {{"subjectAltName", "DNS:WWW.Example.com,IP:192.0.2.1,IP:2001:db8::1,"
                                          "email:A@B.Example,URI:HTTPS://X/Y,RID:1.2.3,"
                                          "otherName:1.2.3.4;UTF8:ignored,DNS:my_host"},
                       {"basicConstraints", "CA:FALSE"}},
    };
    AUTO_BLOB struct blob der = forge_certificate(&forge);
    AUTO_CERT struct cert cert = {0};
    uint8_t hash[SHA256_LEN];
    char text[UTC_TEXT_MAX];

    ck_ok(cert_parse(blob_span(&der), &cert, &err));
    ck_assert_str_eq(cert.subject, "CN=www.example.com");
    ck_assert_str_eq(cert.issuer, "CN=Some CA");
    ck_assert_str_eq(cert.serial, "01");
    ck_assert_str_eq(cert.key_text, "EC P-256");
    ck_assert_int_eq(cert.key_bits, 256);
    ck_assert_str_eq(cert.signature_text, "ecdsa-with-SHA256");
    ck_assert_int_eq(cert.signature_security, 128);
    ck_assert_str_eq(utc_format(cert.not_before, text), "2026-01-01T00:00:00Z");
    ck_assert_str_eq(utc_format(cert.not_after, text), "2027-01-01T00:00:00Z");
    ck_assert(!cert.is_ca && !cert.self_issued && !cert.self_signed);
    ck_assert(cert.usable_as_server && cert.usable_as_client);
    sha256_of(blob_span(&der), hash);
    ck_hash(cert.sha256, hash);
    AUTO_FREE char *joined = names_join(&cert.names);
    ck_assert_str_eq(joined, "dns:www.example.com, ip:192.0.2.1, ip:2001:db8::1, "
                             "email:A@b.example, uri:https://x/Y, dns:my_host");
}
END_TEST

/* The same key and names under another signature have the same hashes. */
START_TEST(test_hashes)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    struct cert a = {0}, b = {0}, c = {0};
    uint8_t *spki = NULL, hash[SHA256_LEN];

    ck_ok(parse(&(struct forge){.common_name = "www", .issuer_name = "CA", .key = key}, &a));
    ck_ok(parse(&(struct forge){.common_name = "CA", .issuer_name = "x", .key = key}, &b));
    ck_ok(parse(&(struct forge){.common_name = "CA", .issuer_name = "x", .key = other}, &c));
    ck_hash(a.spki_sha256, b.spki_sha256);
    ck_assert_mem_ne(b.spki_sha256, c.spki_sha256, SHA256_LEN);
    ck_hash(a.issuer_sha256, b.subject_sha256);
    ck_assert_mem_ne(a.subject_sha256, b.subject_sha256, SHA256_LEN);
    ck_assert_mem_ne(a.sha256, b.sha256, SHA256_LEN);

    int len = i2d_PUBKEY(key, &spki);
    sha256_of(span_of(spki, (size_t)len), hash);
    ck_hash(a.spki_sha256, hash);
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    cert_done(&a);
    cert_done(&b);
    cert_done(&c);
}
END_TEST

START_TEST(test_keys)
{
    static const struct {
        const char *type, *detail;
        size_t bits;
        const char *digest, *text, *signature;
        int key_bits, security;
    } rows[] = {
        {"EC", "P-384", 0, "SHA384", "EC P-384", "ecdsa-with-SHA384", 384, 192},
        {"EC", "P-521", 0, "SHA512", "EC P-521", "ecdsa-with-SHA512", 521, 256},
        {"EC", "secp256k1", 0, "SHA256", "EC secp256k1", "ecdsa-with-SHA256", 256, 128},
        {"RSA", NULL, 2048, "SHA256", "RSA 2048", "sha256WithRSAEncryption", 2048, 128},
        {"RSA", NULL, 1024, "SHA1", "RSA 1024", "sha1WithRSAEncryption", 1024, 63},
        {"ED25519", NULL, 0, NULL, "Ed25519", "ED25519", 256, 128},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_CERT struct cert cert = {0};
        EVP_PKEY *key = rows[i].detail     ? EVP_EC_gen(rows[i].detail)
                        : rows[i].bits > 0 ? EVP_RSA_gen((unsigned)rows[i].bits)
                                           : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type);

        ck_ok(parse(&(struct forge){.common_name = "x", .key = key, .digest = rows[i].digest},
                    &cert));
        ck_assert_str_eq(cert.key_text, rows[i].text);
        ck_assert_str_eq(cert.signature_text, rows[i].signature);
        ck_assert_int_eq(cert.key_bits, rows[i].key_bits);
        ck_assert_int_eq(cert.signature_security, rows[i].security);
        ck_assert(cert.self_signed);
        EVP_PKEY_free(key);
    }
}
END_TEST

/* Longer than any verification should be asked to work with. The key need not be a real one. */
START_TEST(test_key_too_large)
{
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    AUTO_CERT struct cert cert = {0};
    EVP_PKEY *huge = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    uint8_t modulus[1025], exponent[] = {1, 0, 1};

    memset(modulus, 0xA5, sizeof modulus);
    OSSL_PARAM params[] = {OSSL_PARAM_BN("n", modulus, sizeof modulus),
                           OSSL_PARAM_BN("e", exponent, sizeof exponent), OSSL_PARAM_END};
    ck_assert(EVP_PKEY_fromdata_init(ctx) > 0);
    ck_assert(EVP_PKEY_fromdata(ctx, &huge, EVP_PKEY_PUBLIC_KEY, params) > 0);
    ck_fails(parse(&(struct forge){.common_name = "x", .key = huge, .signer = signer}, &cert),
             E_TOO_LARGE, "8192 bits, got 8200");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(huge);
    EVP_PKEY_free(signer);
}
END_TEST

START_TEST(test_self_signed)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    struct cert own = {0}, foreign = {0}, renamed = {0};

    ck_ok(parse(&(struct forge){.common_name = "a", .key = key}, &own));
    ck_assert(own.self_issued && own.self_signed && !own.is_ca);
    ck_ok(parse(&(struct forge){.common_name = "a", .key = key, .signer = other}, &foreign));
    ck_assert(foreign.self_issued && !foreign.self_signed);
    ck_ok(parse(&(struct forge){.common_name = "a", .issuer_name = "b", .key = key}, &renamed));
    ck_assert(!renamed.self_issued && !renamed.self_signed);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}
END_TEST

START_TEST(test_ca)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    struct cert cert = {0};

    ck_ok(parse(&(struct forge){.common_name = "a",
                                .issuer_name = "b",
                                .extensions = {{"basicConstraints", "critical,CA:TRUE"}}},
                &cert));
    ck_assert(cert.is_ca);
    ck_ok(parse(&(struct forge){.common_name = "a"}, &cert));
    ck_assert(!cert.is_ca); /* version 3 must say so */
    ck_ok(parse(&(struct forge){.version = 1, .common_name = "a"}, &cert));
    ck_assert(cert.is_ca);
    ck_ok(parse(&(struct forge){.version = 1, .common_name = "a", .signer = other}, &cert));
    ck_assert(!cert.is_ca);
    EVP_PKEY_free(other);
}
END_TEST

START_TEST(test_usage)
{
    static const struct {
        const char *text;
        bool server, client;
    } rows[] = {
        {"serverAuth", true, false},           {"clientAuth", false, true},
        {"serverAuth,clientAuth", true, true}, {"anyExtendedKeyUsage", true, true},
        {"emailProtection", false, false},     {"1.2.3.4,serverAuth", true, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_CERT struct cert cert = {0};

        ck_ok(parse(
            &(struct forge){.common_name = "x", .extensions = {{"extendedKeyUsage", rows[i].text}}},
            &cert));
        ck_assert_msg(cert.usable_as_server == rows[i].server, "%s", rows[i].text);
        ck_assert_msg(cert.usable_as_client == rows[i].client, "%s", rows[i].text);
    }
}
END_TEST

START_TEST(test_dates)
{
    static const struct {
        const char *text;
        utc_t wanted;
        bool good;
    } rows[] = {
        {"260329013000Z", 1774747800, true}, /* no such minute in parts of the world: UTC only */
        {"491231235959Z", 2524607999, true},
        {"500101000000Z", -631152000, true}, /* two digits from 50 are of 19xx */
        {"20500101000000Z", 2524608000, true},
        {"99991231235959Z", UTC_NEVER, true},
        {"99991231235958Z", 253402300798, true},
        {"19000101000000Z", -2208988800, true},
        {"20260229000000Z", 0, false},
        {"20261301000000Z", 0, false},
        {"20260101000060Z", 0, false},
        {"20260101000000", 0, false},
        {"20260101000000.5Z", 0, false},
        {"20260101000000+0100", 0, false},
        {"260101000000+01", 0, false},
        {"202601010000Z", 0, false},
        {"2601010000Z", 0, false},
        {"Z", 0, false},
        {"", 0, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct forge forge = {.common_name = "x", .not_after = rows[i].text};
        AUTO_CERT struct cert cert = {0};

        if (rows[i].good) {
            ck_ok(parse(&forge, &cert));
            ck_assert_msg(cert.not_after == rows[i].wanted, "%s: %lld", rows[i].text,
                          (long long)cert.not_after);
        } else {
            ck_fails(parse(&forge, &cert), E_FORMAT, "notAfter");
        }
        forge = (struct forge){.common_name = "x", .not_before = rows[i].text};
        if (!rows[i].good)
            ck_fails(parse(&forge, &cert), E_FORMAT, "notBefore");
    }
}
END_TEST

/* Spellings that OpenSSL alone would take, in the type that makes them possible. */
START_TEST(test_date_types)
{
    AUTO_CERT struct cert cert = {0};
    struct forge forge = {.not_before = "260101000000Z", .time_type = V_ASN1_UTCTIME};

    forge.not_after = "2601010000+0100";
    ck_fails(parse(&forge, &cert), E_FORMAT, "notAfter");
    forge.not_after = "260101000000+0100";
    ck_fails(parse(&forge, &cert), E_FORMAT, "notAfter");
    forge.not_after = "20260101000000Z";
    ck_fails(parse(&forge, &cert), E_FORMAT, "notAfter");
    forge.time_type = V_ASN1_GENERALIZEDTIME;
    forge.not_before = "20260101000000Z";
    forge.not_after = "202601010000Z";
    ck_fails(parse(&forge, &cert), E_FORMAT, "notAfter");
    forge.not_after = "20270101000000Z";
    ck_ok(parse(&forge, &cert));
}
END_TEST

START_TEST(test_version)
{
    static const struct forge_extension san = {"subjectAltName", "DNS:a"};
    AUTO_CERT struct cert cert = {0};

    ck_ok(parse(&(struct forge){.version = 1, .common_name = "x"}, &cert));
    ck_ok(parse(&(struct forge){.version = 2, .common_name = "x"}, &cert));
    for (int version = 1; version <= 2; version++)
        ck_fails(parse(&(struct forge){.version = version, .extensions = {san}}, &cert), E_FORMAT,
                 "version: wanted 3 because of its extensions");
    ck_fails(parse(&(struct forge){.version = 4, .common_name = "x"}, &cert), E_FORMAT, "version");
    ck_fails(parse(&(struct forge){.version = 1 << 30}, &cert), E_FORMAT, "version");
}
END_TEST

START_TEST(test_serial)
{
    static uint8_t huge[32 << 10];
    AUTO_CERT struct cert cert = {0};

    memset(huge, 0x7A, sizeof huge);
    ck_ok(parse(&(struct forge){.serial = span_of("\x0f\xed\xcb", 3)}, &cert));
    ck_assert_str_eq(cert.serial, "0fedcb");
    ck_ok(parse(&(struct forge){.serial = span_of(huge, sizeof huge)}, &cert));
    ck_assert_str_eq(cert.serial, "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a");
}
END_TEST

START_TEST(test_subject_text)
{
    static const struct {
        const char *common_name, *text;
    } rows[] = {
        {NULL, ""},
        {"a,b+c\"", "CN=a\\,b\\+c\\\""},
        {"B\xc3\xbc"
         "cher",
         "CN=B\xc3\xbc"
         "cher"},
        {"a\r\nBcc: x", "CN=a\\0D\\0ABcc: x"},
        {"\x1b[2J", "CN=\\1B[2J"},
        {"\xe2\x80\xae"
         "moc",
         "CN=\\u{202e}moc"},
        {"\xc2\x85", "CN=\\u{0085}"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_CERT struct cert cert = {0};

        ck_ok(parse(&(struct forge){.common_name = rows[i].common_name}, &cert));
        ck_assert_str_eq(cert.subject, rows[i].text);
    }
}
END_TEST

/* A name with more in it than is shown. */
START_TEST(test_subject_long)
{
    AUTO_CERT struct cert cert = {0};
    char text[65];

    memset(text, '\1', 64);
    text[64] = '\0';
    ck_ok(parse(&(struct forge){.common_name = text}, &cert));
    ck_assert_uint_eq(strlen(cert.subject), 3 + 64 * 3);
}
END_TEST

/* What does not parse, or could be read in two ways, fails the certificate. */
START_TEST(test_extensions)
{
    static const struct {
        struct forge_extension first, second;
        const char *said; /* NULL: accepted */
    } rows[] = {
        {{"subjectAltName", "DNS:a"}, {"subjectAltName", "DNS:b"}, "subjectAltName"},
        {{"subjectAltName", NULL, BYTES("\x30\x05\x82")}, {0}, "broken"},
        {{"subjectAltName", NULL, BYTES("")}, {0}, "broken"},
        {{"subjectAltName",
          NULL,
          {(const uint8_t *)"\x30\x05\x82\x03"
                            "a\0b",
           7}},
         {0},
         "NUL"},
        {{"subjectAltName",
          NULL,
          {(const uint8_t *)"\x30\x05\x81\x03"
                            "a\0b",
           7}},
         {0},
         "NUL"},
        {{"subjectAltName",
          NULL,
          {(const uint8_t *)"\x30\x05\x86\x03"
                            "a\0b",
           7}},
         {0},
         "NUL"},
        {{"subjectAltName",
          NULL,
          {(const uint8_t *)"\x30\x05\x87\x03"
                            "a\0b",
           7}},
         {0},
         NULL},
        {{"subjectAltName", NULL, BYTES("\x30\0")}, {0}, NULL},
        {{"extendedKeyUsage", "serverAuth"}, {"extendedKeyUsage", "clientAuth"}, "two"},
        {{"extendedKeyUsage", NULL, BYTES("\x05\0")}, {0}, "broken"},
        {{"basicConstraints", "CA:FALSE"}, {"basicConstraints", "CA:TRUE"}, "two"},
        {{"basicConstraints", NULL, BYTES("\x04\0")}, {0}, "broken"},
        {{"nsComment", NULL, BYTES("\xff")}, {0}, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct forge forge = {.common_name = "x", .extensions = {rows[i].first, rows[i].second}};
        AUTO_CERT struct cert cert = {0};

        if (rows[i].said)
            ck_fails(parse(&forge, &cert), E_FORMAT, rows[i].said);
        else
            ck_ok(parse(&forge, &cert));
        ck_assert_uint_eq(cert.names.count, 0);
    }
}
END_TEST

START_TEST(test_issuer_urls)
{
    static const char long_url[] = "caIssuers;URI:http://ca.example/";
    AUTO_FREE char *longest = mem_alloc(CERT_URL_MAX + 32, 1);
    static const struct {
        const char *text, *urls;
    } rows[] = {
        {"caIssuers;URI:HTTP://CA.Example/x.cer", "uri:http://ca.example/x.cer"},
        {"OCSP;URI:http://a.example/,caIssuers;URI:https://b.example/", "uri:https://b.example/"},
        {"caIssuers;URI:ldap://a/,caIssuers;URI:file:///etc/passwd,caIssuers;URI:http:", ""},
        {"caIssuers;DNS:http://a.example/,caIssuers;email:http://a@b", ""},
        {"caIssuers;URI:http://a/b c,caIssuers;URI:http://a/\\\\,caIssuers;URI:http://a/\xc3\xbc",
         ""},
        {"caIssuers;URI:http://1,caIssuers;URI:http://2,caIssuers;URI:http://3,"
         "caIssuers;URI:http://4,caIssuers;URI:http://5",
         "uri:http://1, uri:http://2, uri:http://3, uri:http://4"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_CERT struct cert cert = {0};

        ck_ok(parse(&(struct forge){.common_name = "x",
                                    .extensions = {{"authorityInfoAccess", rows[i].text}}},
                    &cert));
        AUTO_FREE char *urls = names_join(&cert.issuer_urls);
        ck_assert_msg(strcmp(urls, rows[i].urls) == 0, "row %zu: %s", i, urls);
    }
    for (size_t more = 0; more < 2; more++) {
        AUTO_CERT struct cert cert = {0};
        size_t len = strlen(long_url) + CERT_URL_MAX - strlen("http://ca.example/") + more;

        memset(longest, 'x', len);
        memcpy(longest, long_url, strlen(long_url));
        longest[len] = '\0';
        ck_ok(parse(
            &(struct forge){.common_name = "x", .extensions = {{"authorityInfoAccess", longest}}},
            &cert));
        ck_assert_uint_eq(cert.issuer_urls.count, more == 0);
    }
    /* A broken one is no reason to refuse: it is only a hint. */
    AUTO_CERT struct cert cert = {0};
    ck_ok(parse(&(struct forge){.common_name = "x",
                                .extensions = {{"authorityInfoAccess", NULL, BYTES("rubbish")}}},
                &cert));
    ck_assert_uint_eq(cert.issuer_urls.count, 0);
}
END_TEST

START_TEST(test_many_names)
{
    AUTO_BUF struct buf text;
    AUTO_CERT struct cert cert = {0};

    buf_init(&text, 1 << 20);
    for (int i = 0; i < CERT_SAN_MAX; i++)
        buf_printf(&text, "%sDNS:host-%d", i > 0 ? "," : "", i);
    struct forge forge = {.extensions = {{"subjectAltName", buf_text(&text)}}};
    ck_ok(parse(&forge, &cert));
    ck_assert_uint_eq(cert.names.count, CERT_SAN_MAX);
    buf_add_text(&text, ",DNS:one-more");
    forge.extensions[0].text = buf_text(&text);
    ck_fails(parse(&forge, &cert), E_TOO_LARGE, "names: wanted at most 1000, got 1001");
    ck_assert_uint_eq(cert.names.count, CERT_SAN_MAX); /* untouched */
}
END_TEST

START_TEST(test_not_a_certificate)
{
    AUTO_BLOB struct blob der = forge_certificate(&(struct forge){.common_name = "x"});
    static uint8_t large[CERT_DER_MAX + 1];
    struct cert cert, before;

    memset(&cert, 0xA5, sizeof cert);
    before = cert;
    ck_fails(cert_parse((struct span){0}, &cert, &err), E_FORMAT, "0 bytes");
    ck_fails(cert_parse(span_text("hello"), &cert, &err), E_FORMAT, "not a certificate");
    ck_fails(cert_parse(span_of(large, sizeof large), &cert, &err), E_TOO_LARGE, "65536");
    ck_fails(cert_parse(span_of(large, sizeof large - 1), &cert, &err), E_FORMAT, "");
    for (size_t len = 0; len < der.len; len++)
        ck_fails(cert_parse(span_of(der.data, len), &cert, &err), E_FORMAT, "");
    AUTO_BLOB struct blob longer = {mem_alloc(der.len + 1, 1), der.len + 1};
    memcpy(longer.data, der.data, der.len);
    ck_fails(cert_parse(blob_span(&longer), &cert, &err), E_FORMAT, "1 bytes follow");
    ck_assert_mem_eq(&cert, &before, sizeof cert);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* Any single damaged byte is read or refused, never worse (the sanitizers watch). */
START_TEST(test_damaged)
{
    AUTO_BLOB struct blob der = forge_certificate(
        &(struct forge){.common_name = "x",
                        .extensions = {{"subjectAltName", "DNS:a,IP:::1,email:a@b,URI:x://y"},
                                       {"extendedKeyUsage", "serverAuth"},
                                       {"basicConstraints", "CA:TRUE"}}});
    size_t refused = 0;

    for (size_t i = 0; i < der.len; i++) {
        for (int change = 0; change < 4; change++) {
            static const uint8_t masks[] = {0x01, 0x80, 0xFF, 0x20};
            AUTO_CERT struct cert cert = {0};

            der.data[i] ^= masks[change];
            refused += cert_parse(blob_span(&der), &cert, &err) < 0;
            ck_assert(text_is_utf8(cert.subject, strlen(cert.subject)));
            ck_assert(text_is_header_safe(cert.subject, strlen(cert.subject)));
            der.data[i] ^= masks[change];
        }
    }
    ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(test_sha256)
{
    uint8_t hash[SHA256_LEN];
    char text[2 * SHA256_LEN + 1];

    sha256_of((struct span){0}, hash);
    ck_assert_str_eq(text_hex(hash, sizeof hash, text),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of(span_text("abc"), hash);
    ck_assert_str_eq(text_hex(hash, sizeof hash, text),
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(test_pem_write)
{
    AUTO_BUF struct buf out;
    uint8_t data[49];

    memset(data, 0, sizeof data);
    buf_init(&out, BUF_MAX_PEM);
    pem_write(&out, "X", span_of(data, 0));
    ck_assert_str_eq(buf_text(&out), "-----BEGIN X-----\n-----END X-----\n");
    buf_done(&out);
    pem_write(&out, "A B", span_of(data, 48));
    ck_assert_str_eq(buf_text(&out),
                     "-----BEGIN A B-----\n"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                     "-----END A B-----\n");
    buf_done(&out);
    pem_write(&out, "X", span_of(data, 49));
    ck_assert_str_eq(buf_text(&out),
                     "-----BEGIN X-----\n"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAA==\n"
                     "-----END X-----\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/cert");
    TCase *tcase = tcase_create("cert");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_plain);
    tcase_add_test(tcase, test_hashes);
    tcase_add_test(tcase, test_keys);
    tcase_add_test(tcase, test_key_too_large);
    tcase_add_test(tcase, test_self_signed);
    tcase_add_test(tcase, test_ca);
    tcase_add_test(tcase, test_usage);
    tcase_add_test(tcase, test_dates);
    tcase_add_test(tcase, test_date_types);
    tcase_add_test(tcase, test_version);
    tcase_add_test(tcase, test_serial);
    tcase_add_test(tcase, test_subject_text);
    tcase_add_test(tcase, test_subject_long);
    tcase_add_test(tcase, test_extensions);
    tcase_add_test(tcase, test_issuer_urls);
    tcase_add_test(tcase, test_many_names);
    tcase_add_test(tcase, test_not_a_certificate);
    tcase_add_test(tcase, test_damaged);
    tcase_add_test(tcase, test_sha256);
    tcase_add_test(tcase, test_pem_write);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
