#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "pki/delivery/pbe.h"
#include "tests/pki/delivery/making.h"
#include "tests/testing.h"

static const char *const words[] = {"wrong", "geheim-\xc3\xa4"};
static const struct delivery_options with_words = {words, COUNT_OF(words), false};
static const struct delivery_options keeping = {words, COUNT_OF(words), true};
static const struct delivery_options with_wrong = {words, 1, false};

#define LEAF "certificate CN=www.example.com"
#define BOTH LEAF "; certificate CN=CA"
#define KEY "; key a private key (EC P-256)"
#define NO_WORD                                                                        \
    "key an encrypted private key that needs a password, and none is configured: set " \
    "drop.passwords"
#define NO_WORD_12 \
    "broken a PKCS#12 file that needs a password, and none is configured: set drop.passwords"

static void setup(void)
{
    making_certificates();
}

/* Makes x.p12 of leaf, key and CA, unless the arguments say otherwise. */
static struct blob make(const char *arguments)
{
    AUTO_FREE char *line =
        mem_printf("openssl pkcs12 -export -inkey k.pem -in c.pem -certfile ca.pem -name friend "
                   "-passout 'pass:geheim-\xc3\xa4' -out x.p12 %s",
                   arguments);

    making(line);
    return made("x.p12");
}

static void ck_told(struct span file, const struct delivery_options *options, const char *wanted,
                    const char *row)
{
    AUTO_OBJECTS struct delivery_objects objects = making_read(file, options);
    AUTO_FREE char *told = making_told(&objects);

    ck_assert_msg(strcmp(told, wanted) == 0, "%s:\nwanted %s\ngot    %s", row, wanted, told);
}

/* What is written today, what old Windows and old Java wrote, and odd choices of options. */
START_TEST(test_forms)
{
    static const struct {
        const char *arguments, *with, *without;
    } rows[] = {
        {"", BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-legacy", BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-legacy -descert", BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1", BOTH KEY,
         NO_WORD "; " NO_WORD_12},
        {"-keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha512", BOTH KEY,
         NO_WORD "; " NO_WORD_12},
        {"-keypbe PBE-MD5-DES -certpbe PBE-SHA1-RC4-128 -provider legacy -provider default",
         BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-keypbe NONE -certpbe NONE", BOTH KEY, BOTH KEY "; " NO_WORD_12},
        {"-certpbe NONE", BOTH KEY, BOTH "; " NO_WORD "; " NO_WORD_12},
        {"-iter 1 -nomaciter", BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-iter 100000", BOTH KEY, NO_WORD "; " NO_WORD_12},
        {"-nokeys", BOTH, NO_WORD_12},
        {"-nocerts", "certificate CN=CA" KEY, NO_WORD "; " NO_WORD_12},
        {"-inkey rk.pem -in ca.pem", "certificate CN=CA; key a private key (RSA 2048)",
         NO_WORD "; " NO_WORD_12},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BLOB struct blob file = make(rows[i].arguments);

        ck_told(blob_span(&file), &with_words, rows[i].with, rows[i].arguments);
        ck_told(blob_span(&file), NULL, rows[i].without, rows[i].arguments);
    }
}
END_TEST

/* Nobody told the password: many programs then take the empty one, or none at all. */
START_TEST(test_empty_password)
{
    AUTO_BLOB struct blob file = make("-passout pass:");

    ck_told(blob_span(&file), NULL, BOTH KEY, "empty");
    ck_told(blob_span(&file), &with_words, BOTH KEY, "empty, others configured");
}
END_TEST

/* Made by hand: the command line has no way to it. */
static struct blob pack(const char *password, int nid_key, int nid_cert, bool mac)
{
    AUTO_BLOB struct blob c = made("c.der");
    AUTO_BLOB struct blob k = {0};
    const uint8_t *at = c.data;
    uint8_t *der = NULL;

    making("openssl pkcs8 -topk8 -nocrypt -in k.pem -outform DER -out k.der");
    k = made("k.der");
    X509 *x509 = d2i_X509(NULL, &at, (long)c.len);
    at = k.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)k.len);
    PKCS12 *p12 =
        PKCS12_create(password, "n", key, x509, NULL, nid_key, nid_cert, 2048, mac ? 2048 : -1, 0);
    ck_assert_ptr_nonnull(p12);
    int len = i2d_PKCS12(p12, &der);
    struct blob out = blob_copy(span_of(der, (size_t)len));
    OPENSSL_free(der);
    PKCS12_free(p12);
    EVP_PKEY_free(key);
    X509_free(x509);
    ERR_clear_error();
    return out;
}

/* Without a MAC it is what opens that tells the password. */
START_TEST(test_no_mac)
{
    AUTO_BLOB struct blob file = pack(words[1], NID_aes_256_cbc, NID_aes_128_cbc, false);
    AUTO_BLOB struct blob none = pack(NULL, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                                      NID_pbe_WithSHA1And3_Key_TripleDES_CBC, true);

    ck_told(blob_span(&file), &with_words, LEAF KEY, "no MAC");
    ck_told(blob_span(&file), NULL, NO_WORD "; " NO_WORD_12, "no MAC");
    ck_told(blob_span(&none), NULL, LEAF KEY, "the NULL password");
}
END_TEST

START_TEST(test_wrong_password)
{
    AUTO_BLOB struct blob file = make("");

    ck_told(blob_span(&file), &with_wrong,
            "key an encrypted private key that none of the configured passwords opens: set "
            "drop.passwords; broken a PKCS#12 file that none of the configured passwords opens: "
            "set drop.passwords",
            "wrong");
}
END_TEST

START_TEST(test_key)
{
    AUTO_BLOB struct blob file = make("");
    AUTO_OBJECTS struct delivery_objects kept = making_read(blob_span(&file), &keeping);
    AUTO_OBJECTS struct delivery_objects left = making_read(blob_span(&file), &with_words);

    making("openssl pkcs8 -topk8 -nocrypt -in k.pem -outform DER -out k.der");
    AUTO_BLOB struct blob key = made("k.der");
    ck_assert_str_eq(kept.summary, "PKCS#12 with 2 certificates, 1 private key");
    ck_assert_uint_eq(kept.count, 3);
    ck_assert(span_equal(blob_span(&kept.items[2].key), blob_span(&key)));
    ck_assert_uint_eq(left.items[2].key.len, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct object *item = i ? &left.items[2] : &kept.items[2];

        ck_assert(item->has_spki);
        ck_assert_mem_eq(item->spki_sha256, kept.items[0].cert.spki_sha256, SHA256_LEN);
    }
}
END_TEST

/* The sender's choice of work is refused before it is done: the test's time limit is far below. */
START_TEST(test_iterations)
{
    AUTO_BLOB struct blob most = make("-iter 600000");
    AUTO_BLOB struct blob mac = make("-iter 600001");
    AUTO_BLOB struct blob safes = make("-iter 20000000 -keypbe NONE -certpbe NONE");
    AUTO_BLOB struct blob file = make("-iter 2000000000 -keypbe NONE -certpbe NONE -nomac");
    static const struct delivery_options only = {words + 1, 1, false};
    const char *refused =
        "broken a PKCS#12 file, not read: iteration count: wanted at most 600000, got ";
    AUTO_FREE char *by_one = mem_printf("%s600001", refused);
    AUTO_FREE char *by_far = mem_printf("%s20000000", refused);

    ck_told(blob_span(&most), &only, BOTH KEY, "the most");
    ck_told(blob_span(&mac), &only, by_one, "one too many");
    ck_told(blob_span(&safes), &only, by_far, "far too many");
    ck_told(blob_span(&file), &only, BOTH KEY, "no password in use");
}
END_TEST

/* Without a MAC each part has a count of its own. */
START_TEST(test_iterations_of_parts)
{
    AUTO_BLOB struct blob file = pack(words[1], NID_aes_256_cbc, NID_aes_128_cbc, false);
    static const uint8_t count[] = {0x02, 0x02, 0x08, 0x00}; /* INTEGER 2048 */
    size_t changed = 0;

    for (size_t i = 0; i + sizeof count < file.len; i++) {
        if (memcmp(file.data + i, count, sizeof count) != 0)
            continue;
        file.data[i + 2] = 0xFF; /* below zero */
        changed++;
    }
    ck_assert_uint_eq(changed, 2);
    ck_told(blob_span(&file), &with_words,
            "key an encrypted private key, not read: iteration count: wanted at most 600000, got "
            "one below 0 or of more than 64 bits; broken a PKCS#12 file, not read: iteration "
            "count: wanted at most 600000, got one below 0 or of more than 64 bits",
            "negative");
}
END_TEST

/* All passwords and parts together are bounded, too. */
START_TEST(test_work)
{
    static const char *many[DELIVERY_PASSWORDS_MAX];
    AUTO_BLOB struct blob file = make("-iter 600000");

    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = "not it";
    ck_told(blob_span(&file),
            &(struct delivery_options){.passwords = many, .password_count = COUNT_OF(many)},
            "broken a PKCS#12 file, not read: iterations: wanted at most 4000000 for all passwords "
            "and keys of a file, got more",
            "work");
}
END_TEST

/* RFC 9579 appendix A has such files; here only the kind of MAC is named in one. */
START_TEST(test_pbmac1)
{
    AUTO_BLOB struct blob file = make("-macalg sha256");
    static const uint8_t sha256[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
    static const uint8_t pbmac1[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0E};
    size_t at = file.len - sizeof sha256;

    while (at > 0 && memcmp(file.data + at, sha256, sizeof sha256) != 0)
        at--;
    ck_assert_uint_gt(at, 0);
    memcpy(file.data + at, pbmac1, sizeof pbmac1);
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), &with_words);
    ck_assert_uint_eq(objects.count, 1);
    ck_assert_ptr_nonnull(strstr(objects.items[0].note, "PBMAC1"));
}
END_TEST

/* Also in PEM, and with line ends behind it; a part of it is damage. */
START_TEST(test_coats)
{
    AUTO_BLOB struct blob file = make("");
    size_t taken = 0, flips = 0;
    AUTO_BLOB struct blob padded = {mem_alloc(file.len + 2, 1), file.len + 2};

    memcpy(padded.data, file.data, file.len);
    memcpy(padded.data + file.len, "\r\n", 2);
    ck_told(blob_span(&padded), &with_words, BOTH KEY, "padded");
    making("{ echo -----BEGIN PKCS12-----; openssl base64 -in x.p12; echo -----END PKCS12-----; } "
           ">x.pem");
    AUTO_BLOB struct blob pem = made("x.pem");
    ck_told(blob_span(&pem), &with_words, BOTH KEY, "PEM");
    for (size_t len = 64; len < file.len; len += 97) {
        AUTO_OBJECTS struct delivery_objects objects =
            making_read(span_of(file.data, len), &with_words);

        ck_assert_uint_eq(objects.count, 1);
        ck_assert_int_eq(objects.items[0].kind, OBJECT_BROKEN);
    }
    /* One damaged bit never makes another certificate: the MAC is over all that matters. */
    AUTO_BLOB struct blob leaf = made("c.der"), ca = made("ca.der");
    for (size_t i = 20; i < file.len; i += 31) {
        file.data[i] ^= 0x10;
        AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), &with_words);
        for (size_t k = 0; k < objects.count; k++) {
            struct span der = blob_span(&objects.items[k].der);

            ck_assert_msg(der.len == 0 || span_equal(der, blob_span(&leaf)) ||
                              span_equal(der, blob_span(&ca)),
                          "bit at %zu", i);
            taken += der.len > 0;
        }
        file.data[i] ^= 0x10;
        flips++;
    }
    ck_assert_uint_lt(taken, flips / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/pkcs12");
    TCase *tcase = tcase_create("pkcs12");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, test_forms);
    tcase_add_test(tcase, test_empty_password);
    tcase_add_test(tcase, test_no_mac);
    tcase_add_test(tcase, test_wrong_password);
    tcase_add_test(tcase, test_key);
    tcase_add_test(tcase, test_iterations);
    tcase_add_test(tcase, test_iterations_of_parts);
    tcase_add_test(tcase, test_work);
    tcase_add_test(tcase, test_pbmac1);
    tcase_add_test(tcase, test_coats);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
