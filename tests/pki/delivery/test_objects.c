#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "tests/pki/delivery/making.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

static struct error err;
static struct blob leaf, ca;

static void setup(void)
{
    making_certificates();
    leaf = made("c.der");
    ca = made("ca.der");
}

static void teardown(void)
{
    blob_done(&leaf);
    blob_done(&ca);
}

#define LEAF "certificate CN=www.example.com"
#define CA "certificate CN=CA"

static void ck_told(struct span file, const char *wanted, const char *row)
{
    AUTO_OBJECTS struct delivery_objects objects = making_read(file, NULL);
    AUTO_FREE char *told = making_told(&objects);

    ck_assert_msg(strcmp(told, wanted) == 0, "%s:\nwanted %s\ngot    %s", row, wanted, told);
}

static void ck_made(const char *script, const char *wanted)
{
    making(script);
    AUTO_BLOB struct blob file = made("x");
    ck_told(blob_span(&file), wanted, script);
}

/* An element around content, with a length of two bytes. */
static void wrap(struct buf *out, int tag, struct span content)
{
    uint8_t head[] = {(uint8_t)tag, 0x82, (uint8_t)(content.len >> 8), (uint8_t)content.len};

    buf_add(out, head, sizeof head);
    buf_add(out, content.data, content.len);
}

static struct span bytes_of(const struct buf *buf)
{
    return span_of(buf->data, buf->len);
}

START_TEST(test_glued)
{
    ck_made("cat c.der ca.der >x", LEAF "; " CA);
    ck_made("cat ca.der c.der ca.der c.der >x", CA "; " LEAF);
    ck_made("{ cat c.der; printf '\\r\\n'; } >x", LEAF);
    ck_made("{ cat c.der; head -c 4096 /dev/zero; } >x", LEAF);
    ck_made("openssl crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out p && cat c.der p >x",
            LEAF "; " CA);
    ck_made("{ cat c.der; echo 12345; } >x", LEAF "; broken damaged: 6 bytes follow the end of it");
    ck_made("{ cat c.der; head -c 300 ca.der; } >x",
            LEAF "; broken truncated: the end of what was announced is missing");
    ck_made("openssl pkey -in k.pem -outform DER -out k && cat c.der k >x",
            LEAF "; key a private key (EC P-256)");
}
END_TEST

/* DER and PEM one behind the other. */
START_TEST(test_glued_forms)
{
    ck_made("cat c.der ca.pem >x", LEAF "; " CA);
    ck_made("cat c.pem ca.der >x", LEAF "; " CA);
    ck_made("cat c.der c.pem ca.der >x", LEAF "; " CA);
    ck_made("{ printf '%s' \"$(cat c.pem)\"; cat ca.der; printf '\\r\\n'; } >x", LEAF "; " CA);
    ck_made("{ cat c.pem; head -c 300 ca.der; } >x",
            LEAF "; broken truncated: the end of what was announced is missing");
    ck_made("{ cat c.pem; printf '0A0%070d' 1; } >x", LEAF);
    ck_made("{ cat c.der; echo '-----BEGIN '; head -c 100 /dev/zero; } >x", LEAF
            "; broken damaged: 112 bytes follow the end of it: plain text without a \"-----BEGIN "
            "CERTIFICATE-----\" block");
    ck_made("openssl pkey -in k.pem -pubout -out p && cat c.der p >x", LEAF
            "; broken damaged: 178 bytes follow the end of it: PEM with nothing that can be used: "
            "a public key");
}
END_TEST

/* RFC 4346: a SEQUENCE of certificates; and the one of Netscape. */
START_TEST(test_sequences)
{
    AUTO_BUF struct buf both, path, one, odd;

    buf_init(&both, 1 << 16);
    buf_init(&path, 1 << 16);
    buf_init(&one, 1 << 16);
    buf_init(&odd, 1 << 16);
    buf_add(&both, leaf.data, leaf.len);
    wrap(&one, 0x30, bytes_of(&both));
    buf_add(&both, ca.data, ca.len);
    wrap(&path, 0x30, bytes_of(&both));
    ck_told(bytes_of(&path), LEAF "; " CA, "PkiPath");
    ck_told(bytes_of(&one), LEAF, "PkiPath of one");
    buf_add(&both, "\x30\x03\x02\x01\x05", 5);
    wrap(&odd, 0x30, bytes_of(&both));
    ck_told(bytes_of(&odd), "broken damaged: not a readable certificate", "a foreign element");
    ck_made("cat c.pem ca.pem >both.pem && openssl nseq -toseq -in both.pem -out x", LEAF "; " CA);
}
END_TEST

#define DROP "openssl crl2pkcs7 -nocrl -certfile c.pem -certfile ca.pem -outform DER -out p && "
#define CRL                                                                              \
    "touch index && echo '[c]\ndatabase=index\ndefault_md=sha256\n' >cnf && openssl ca " \
    "-config cnf -name c -gencrl -keyfile rk.pem -cert ca.pem -crldays 30 -out crl.pem && "

START_TEST(test_pkcs7)
{
    ck_made(DROP "openssl pkcs7 -in p -inform DER -out x", LEAF "; " CA);
    ck_made("echo text >t && openssl smime -sign -in t -signer c.pem -inkey k.pem -certfile ca.pem "
            "-outform DER -nodetach -binary -out x",
            CA "; " LEAF);
    /* Signers named by key are CMS, which is no PKCS#7. */
    ck_made("echo text >t && openssl cms -sign -in t -signer c.pem -inkey k.pem -certfile ca.pem "
            "-keyid -outform DER -nodetach -binary -out x",
            LEAF "; " CA);
    ck_made("openssl smime -encrypt -aes128 -in c.pem -outform DER -out x ca.pem",
            "broken an encrypted message (PKCS#7), which only its receiver can open");
    ck_made(
        "echo t | openssl cms -EncryptedData_encrypt -secretkey 000102030405060708090a0b0c0d0e0f "
        "-aes128 -outform DER -out x",
        "broken an encrypted message (PKCS#7)");
    ck_made("echo t | openssl cms -digest_create -outform DER -out x",
            "broken a PKCS#7 of data with its digest");
    ck_made("echo t | openssl cms -data_create -outform DER -out x",
            "broken a PKCS#7 of plain data");
}
END_TEST

START_TEST(test_crl)
{
    making(CRL "openssl crl2pkcs7 -in crl.pem -certfile c.pem -outform DER -out both && "
               "openssl crl2pkcs7 -in crl.pem -outform DER -out alone");
    AUTO_BLOB struct blob both = made("both"), alone = made("alone"), crl = made("crl.pem");
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&both), NULL);
    AUTO_OBJECTS struct delivery_objects only = making_read(blob_span(&alone), NULL);
    AUTO_OBJECTS struct delivery_objects pem = making_read(blob_span(&crl), NULL);

    ck_assert_uint_eq(objects.count, 2);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_CERTIFICATE);
    ck_assert_int_eq(objects.items[1].kind, OBJECT_CRL);
    ck_assert_uint_eq(only.count, 1);
    ck_assert_uint_eq(pem.count, 1);
    ck_assert(span_equal(blob_span(&only.items[0].der), blob_span(&pem.items[0].der)));
    ck_assert(span_equal(blob_span(&only.items[0].der), blob_span(&objects.items[1].der)));
    ck_assert_msg(
        text_starts(pem.items[0].note, "a list of revoked certificates (CRL), made on 20"), "%s",
        pem.items[0].note);
    ck_assert_ptr_nonnull(strstr(pem.items[0].note, ", valid until 20"));
    ck_assert_msg(text_ends(pem.items[0].note, ", of CN=CA"), "%s", pem.items[0].note);
}
END_TEST

START_TEST(test_request)
{
    making("openssl req -new -key k.pem -subj '/CN=www.example.com' -addext "
           "subjectAltName=DNS:www.example.com,IP:192.0.2.1 -out r.pem && openssl pkey -in k.pem "
           "-pubout -outform DER -out pub");
    AUTO_BLOB struct blob file = made("r.pem"), pub = made("pub");
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), NULL);
    uint8_t spki[SHA256_LEN];

    sha256_of(blob_span(&pub), spki);
    ck_assert_uint_eq(objects.count, 1);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_CSR);
    ck_assert_str_eq(objects.items[0].note,
                     "a certificate request (CSR) for CN=www.example.com, names "
                     "dns:www.example.com, ip:192.0.2.1, not a certificate");
    ck_assert(objects.items[0].has_spki);
    ck_assert_mem_eq(objects.items[0].spki_sha256, spki, SHA256_LEN);
}
END_TEST

START_TEST(test_others)
{
    ck_made("openssl pkey -in k.pem -pubout -outform DER -out x",
            "other a public key without a certificate");
    ck_made("openssl ocsp -issuer ca.pem -cert ca.pem -reqout req && touch index && openssl ocsp "
            "-index index -rsigner ca.pem -rkey rk.pem -CA ca.pem -reqin req -respout x",
            "other an OCSP response (whether a certificate is revoked), not a certificate");
    ck_made("printf '\\060\\012\\060\\003\\002\\001\\000\\060\\003\\006\\001\\052' >x",
            "other a time stamp, not a certificate");
    ck_made("printf '\\060\\003\\001\\001\\377' >x", "broken not a certificate, but other data");
}
END_TEST

/* What is past a limit is named with what was wanted; the rest of the file counts. */
START_TEST(test_limits)
{
    AUTO_BUF struct buf names, file;
    AUTO_FREE uint8_t *filler = mem_alloc(CERT_DER_MAX, 1);

    buf_init(&names, 1 << 20);
    buf_init(&file, BUF_MAX_DELIVERY);
    for (int i = 0; i <= CERT_SAN_MAX; i++)
        buf_printf(&names, "%sDNS:n%d.example", i > 0 ? "," : "", i);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO_BLOB struct blob many = forge_certificate(&(struct forge){
        .common_name = "many", .key = key, .extensions = {{"subjectAltName", buf_text(&names)}}});
    AUTO_BLOB struct blob large = forge_certificate(
        &(struct forge){.common_name = "large",
                        .key = key,
                        .extensions = {{"nsComment", NULL, span_of(filler, CERT_DER_MAX)}}});
    AUTO_BLOB struct blob version =
        forge_certificate(&(struct forge){.common_name = "v", .key = key, .version = 9});
    EVP_PKEY_free(key);
    buf_add(&file, leaf.data, leaf.len);
    buf_add(&file, many.data, many.len);
    buf_add(&file, large.data, large.len);
    buf_add(&file, version.data, version.len);
    buf_add(&file, ca.data, ca.len);
    AUTO_FREE char *wanted = mem_printf(
        LEAF "; broken certificate: names: wanted at most 1000, got 1001; broken certificate: "
             "wanted at most 65536 bytes, got %zu; broken certificate: version: wanted 1, 2 or 3, "
             "got another; " CA,
        large.len);
    ck_told(bytes_of(&file), wanted, "limits");
}
END_TEST

/* A key that would cost everybody who checks with it. */
START_TEST(test_rsa_limit)
{
    AUTO_BUF struct buf spki, bits, numbers, modulus;
    static uint8_t number[1100];

    /* Nothing is verified before the size is known. */
    buf_init(&spki, 1 << 16);
    buf_init(&bits, 1 << 16);
    buf_init(&numbers, 1 << 16);
    buf_init(&modulus, 1 << 16);
    memset(number, 0x7F, sizeof number);
    wrap(&modulus, 0x02, span_of(number, sizeof number));
    buf_add(&modulus, "\x02\x03\x01\x00\x01", 5);
    buf_add(&bits, "\0", 1);
    wrap(&bits, 0x30, bytes_of(&modulus));
    buf_add(&spki, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);
    wrap(&spki, 0x03, bytes_of(&bits));
    wrap(&numbers, 0x30, bytes_of(&spki));
    const uint8_t *at = (const uint8_t *)numbers.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)numbers.len);
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    AUTO_BLOB struct blob cert =
        forge_certificate(&(struct forge){.common_name = "huge", .key = key, .signer = signer});
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    ck_told(blob_span(&cert), "broken certificate: key: wanted at most 8192 bits, got 8799", "RSA");
}
END_TEST

/* One more than the most is refused whole, and says so. */
START_TEST(test_count)
{
    AUTO_BUF struct buf file;
    struct delivery_objects objects = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");

    buf_init(&file, BUF_MAX_DELIVERY);
    for (int i = 0; i < DELIVERY_OBJECTS_MAX; i++) {
        AUTO_FREE char *name = mem_printf("n%d", i);
        AUTO_BLOB struct blob cert =
            forge_certificate(&(struct forge){.common_name = name, .key = key});
        buf_add(&file, cert.data, cert.len);
    }
    EVP_PKEY_free(key);
    AUTO_OBJECTS struct delivery_objects most = making_read(bytes_of(&file), NULL);
    ck_assert_uint_eq(most.count, DELIVERY_OBJECTS_MAX);
    buf_add(&file, leaf.data, leaf.len);
    ck_fails(delivery_read(bytes_of(&file), NULL, &objects, &err), E_TOO_LARGE, "256");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/objects");
    TCase *tcase = tcase_create("objects");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_glued);
    tcase_add_test(tcase, test_glued_forms);
    tcase_add_test(tcase, test_sequences);
    tcase_add_test(tcase, test_pkcs7);
    tcase_add_test(tcase, test_crl);
    tcase_add_test(tcase, test_request);
    tcase_add_test(tcase, test_others);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_rsa_limit);
    tcase_add_test(tcase, test_count);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
