#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/cert.h"
#include "pki/delivery/key.h"
#include "tests/pki/delivery/making.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

static const char *const words[] = {"wrong", "geheim"};
static const struct delivery_options with_words = {words, COUNT_OF(words), false};
static const struct delivery_options keeping = {words, COUNT_OF(words), true};
static const struct delivery_options with_wrong = {words, 1, true};

static void setup(void)
{
    making_certificates();
    making("openssl pkcs8 -topk8 -nocrypt -in rk.pem -outform DER -out rk.der && "
           "openssl pkey -in rk.pem -pubout -outform DER -out rk.pub");
}

/* The file holds one key and nothing else. */
static void ck_key(struct span file, const struct delivery_options *options, const char *note,
                   bool whose, const char *row)
{
    AUTO_OBJECTS struct delivery_objects objects = making_read(file, options);
    bool kept = options && options->keep_keys && whose;

    ck_assert_msg(objects.count == 1, "%s: %zu: %s", row, objects.count, objects.summary);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_PRIVATE_KEY);
    ck_assert_msg(strcmp(objects.items[0].note, note) == 0, "%s:\nwanted %s\ngot    %s", row, note,
                  objects.items[0].note);
    ck_assert_msg(objects.items[0].has_spki == whose, "%s", row);
    ck_assert_msg((objects.items[0].key.len > 0) == kept, "%s", row);
}

/* Every way OpenSSL writes one. */
START_TEST(test_forms)
{
    static const struct {
        const char *script, *note;
        bool whose;
    } rows[] = {
        {"openssl pkcs8 -topk8 -nocrypt -in rk.pem -out x", "RSA 2048", true},
        {"openssl pkcs8 -topk8 -nocrypt -in rk.pem -outform DER -out x", "RSA 2048", true},
        {"openssl rsa -in rk.pem -traditional -out x", "RSA 2048", true},
        {"openssl rsa -in rk.pem -traditional -outform DER -out x", "RSA 2048", true},
        {"openssl ec -in k.pem -out x", "EC P-256", true},
        {"openssl ec -in k.pem -outform DER -out x", "EC P-256", true},
        {"openssl ec -in k.pem -no_public -outform DER -out x", "EC P-256", true},
        {"openssl ecparam -name secp384r1 -genkey -out x", "EC P-384", true},
        {"openssl ecparam -name secp256k1 -genkey -out x", "EC secp256k1", true},
        {"openssl genpkey -algorithm ed25519 -out x", "Ed25519", true},
        {"openssl genpkey -algorithm ed448 -outform DER -out x", "Ed448", true},
        {"openssl genpkey -algorithm RSA-PSS -out x", "RSA-PSS 2048", true},
        {"openssl genpkey -algorithm x25519 -out x", "for key agreement, not for certificates",
         false},
        {"openssl dsaparam -genkey -noout -out d 1024 && "
         "openssl dsa -in d -outform DER -out x -provider default",
         "DSA, which is not read", false},
        {"openssl dsaparam -genkey -noout -out d 1024 && "
         "openssl pkcs8 -topk8 -nocrypt -in d -out x",
         "DSA, which is not read", false},
        {"openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out x",
         "EC on a curve without a name, which is not read", false},
        {"openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout | "
         "openssl pkcs8 -topk8 -nocrypt -outform DER -out x",
         "EC on a curve without a name, which is not read", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        making(rows[i].script);
        AUTO_BLOB struct blob file = made("x");
        AUTO_FREE char *note = mem_printf("a private key (%s)", rows[i].note);

        AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), &keeping);
        ck_assert_msg(objects.count == 1, "%s: %s", rows[i].script, objects.summary);
        ck_assert_msg(text_ends(objects.items[0].note, note), "%s: %s", rows[i].script,
                      objects.items[0].note);
        ck_assert_msg(objects.items[0].has_spki == rows[i].whose, "%s", rows[i].script);
        ck_assert_msg((objects.items[0].key.len > 0) == rows[i].whose, "%s", rows[i].script);
    }
}
END_TEST

START_TEST(test_encrypted)
{
    static const char *const scripts[] = {
        "openssl pkcs8 -topk8 -in rk.pem -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -in rk.pem -outform DER -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -v2 des3 -v2prf hmacWithSHA1 -in rk.pem -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -iter 600000 -in rk.pem -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -scrypt -in rk.pem -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in rk.pem -out x -passout pass:geheim",
        "openssl pkcs8 -topk8 -v1 PBE-MD5-DES -in rk.pem -out x -passout pass:geheim $LEGACY",
        "openssl rsa -in rk.pem -traditional -aes128 -out x -passout pass:geheim",
        "openssl rsa -in rk.pem -traditional -des3 -out x -passout pass:geheim",
        "openssl rsa -in rk.pem -traditional -des -out x -passout pass:geheim $LEGACY",
    };
    AUTO_BLOB struct blob key = made("rk.der"), pub = made("rk.pub");
    uint8_t spki[SHA256_LEN];

    sha256_of(blob_span(&pub), spki);
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        making(scripts[i]);
        AUTO_BLOB struct blob file = made("x");
        AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), &keeping);

        ck_key(blob_span(&file), &with_words, "a private key (RSA 2048)", true, scripts[i]);
        ck_assert_msg(span_equal(blob_span(&objects.items[0].key), blob_span(&key)), "%s",
                      scripts[i]);
        ck_assert_mem_eq(objects.items[0].spki_sha256, spki, SHA256_LEN);
        AUTO_OBJECTS struct delivery_objects none = making_read(blob_span(&file), NULL);
        AUTO_OBJECTS struct delivery_objects wrong = making_read(blob_span(&file), &with_wrong);
        ck_assert_msg(text_ends(none.items[0].note,
                                "an encrypted private key that needs a password, and none is "
                                "configured: set drop.passwords"),
                      "%s: %s", scripts[i], none.items[0].note);
        ck_assert_msg(text_ends(wrong.items[0].note,
                                "an encrypted private key that none of the configured passwords "
                                "opens: set drop.passwords"),
                      "%s: %s", scripts[i], wrong.items[0].note);
        ck_assert(!none.items[0].has_spki && !wrong.items[0].has_spki);
    }
}
END_TEST

/* What a hostile sender would like to be computed with: the test's time limit is far below it. */
START_TEST(test_hostile_counts)
{
    static const char *const scripts[][2] = {
        {"openssl pkcs8 -topk8 -iter 600001 -in rk.pem -outform DER -out x -passout pass:geheim",
         "600001"},
        {"openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 5000000 -in rk.pem -outform DER -out x "
         "-passout pass:geheim",
         "5000000"},
        {"openssl pkcs8 -topk8 -scrypt -scrypt_N 16384 -scrypt_r 8 -scrypt_p 12 -in rk.pem "
         "-outform DER -out x -passout pass:geheim",
         "scrypt's N=16384 r=8 p=12"},
    };

    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        making(scripts[i][0]);
        AUTO_BLOB struct blob file = made("x");
        AUTO_FREE char *note = mem_printf("an encrypted private key, not read: iteration count: "
                                          "wanted at most 600000, got %s",
                                          scripts[i][1]);

        ck_key(blob_span(&file), &keeping, note, false, scripts[i][0]);
    }
}
END_TEST

static void put(struct buf *out, const struct buf *content, int tag)
{
    uint8_t head[] = {(uint8_t)tag, 0x82, (uint8_t)(content->len >> 8), (uint8_t)content->len};

    buf_add(out, head, sizeof head);
    buf_add(out, content->data, content->len);
}

/* PKCS#1 with numbers of so many bytes, all odd. */
static struct blob rsa_key(const size_t sizes[9])
{
    AUTO_BUF struct buf content, whole;

    buf_init(&content, 1 << 20);
    buf_init(&whole, 1 << 20);
    for (size_t i = 0; i < 9; i++) {
        AUTO_BUF struct buf number;

        buf_init(&number, 1 << 20);
        for (size_t k = 0; k < sizes[i]; k++)
            buf_add(&number, i == 0 ? "\0" : "\x7F", 1);
        put(&content, &number, 0x02);
    }
    put(&whole, &content, 0x30);
    return buf_take(&whole);
}

START_TEST(test_hostile_numbers)
{
    static const struct {
        size_t sizes[9];
        const char *note;
    } rows[] = {
        {{1, 1026, 3, 1026, 513, 513, 513, 513, 513},
         "a private key (RSA of more than 8192 bits, which is not read)"},
        {{1, 256, 3, 4000, 128, 128, 128, 128, 128},
         "a private key (RSA of more than 8192 bits, which is not read)"},
        {{1, 256, 256, 256, 128, 128, 128, 128, 128},
         "a private key (RSA with numbers that no program makes)"},
        {{1, 256, 3, 256, 0, 128, 128, 128, 128},
         "a private key (RSA with numbers that no program makes)"},
        {{1, 4000, 3, 4000, 4000, 4000, 4000, 4000, 4000}, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BLOB struct blob file = rsa_key(rows[i].sizes);
        AUTO_FREE char *large = mem_printf("a private key, not read: wanted at most %d bytes, got "
                                           "%zu",
                                           KEY_DER_MAX, file.len);

        ck_key(blob_span(&file), &keeping, rows[i].note ? rows[i].note : large, false, large);
    }
    AUTO_BLOB struct blob most = rsa_key((size_t[]){1, 1024, 3, 1024, 512, 512, 512, 512, 512});
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&most), &keeping);
    ck_assert_str_eq(objects.items[0].note,
                     "a private key (RSA 8191), damaged: its halves do not belong together");
    ck_assert(!objects.items[0].has_spki);
}
END_TEST

/* Who names somebody else's public half does not get that key called disclosed. */
START_TEST(test_foreign_half)
{
    EVP_PKEY *mine = EVP_EC_gen("P-256"), *theirs = EVP_EC_gen("P-256");
    uint8_t *der = NULL, *point = NULL;
    int len = i2d_PrivateKey(mine, &der);
    size_t point_len = EVP_PKEY_get1_encoded_public_key(theirs, &point);

    ck_assert_uint_eq(point_len, 65);
    ck_key(span_of(der, (size_t)len), &keeping, "a private key (EC P-256)", true, "own half");
    memcpy(der + len - (int)point_len, point, point_len);
    ck_key(span_of(der, (size_t)len), &keeping,
           "a private key (EC P-256), damaged: its halves do not belong together", false,
           "foreign half");
    OPENSSL_free(der);
    OPENSSL_free(point);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
}
END_TEST

/* A cut key was shown all the same. */
START_TEST(test_damaged)
{
    AUTO_BLOB struct blob key = made("rk.der");

    for (size_t len = 40; len < key.len; len += 50)
        ck_key(span_of(key.data, len), &keeping, "a private key (cut off or damaged)", false,
               "cut");
    for (size_t i = 0; i < key.len; i += 7) {
        key.data[i] ^= 4;
        AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&key), &keeping);
        key.data[i] ^= 4;
        for (size_t k = 0; k < objects.count; k++)
            ck_assert(!objects.items[k].has_spki || objects.items[k].key.len > 0);
    }
}
END_TEST

/* Each is told, and what costs time is bounded over all of them. */
START_TEST(test_many)
{
    AUTO_BUF struct buf file;
    AUTO_BLOB struct blob pem = {0};
    size_t read = 0;

    making("openssl genrsa -out big.pem 4096");
    pem = made("big.pem");
    buf_init(&file, BUF_MAX_DELIVERY);
    for (int i = 0; i < DELIVERY_OBJECTS_MAX; i++)
        buf_add(&file, pem.data, pem.len);
    ck_assert(!file.full);
    AUTO_OBJECTS struct delivery_objects objects =
        making_read(span_of(file.data, file.len), &keeping);
    ck_assert_uint_eq(objects.count, DELIVERY_OBJECTS_MAX);
    for (size_t i = 0; i < objects.count; i++)
        read += objects.items[i].has_spki;
    ck_assert_uint_ge(read, 16);
    ck_assert_uint_lt(read, DELIVERY_OBJECTS_MAX);
}
END_TEST

START_TEST(test_in_text)
{
    static const char *const notes[] = {"certificate CN=www.example.com",
                                        "key a private key (EC P-256)",
                                        "key a private key (RSA 2048)"};

    making("openssl ec -in k.pem >ec.pem && { openssl ecparam -name prime256v1; cat ec.pem; echo; "
           "openssl rsa -in rk.pem -traditional -aes128 -passout pass:geheim; cat c.pem; } >x");
    AUTO_BLOB struct blob file = made("x");
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), &with_words);
    AUTO_FREE char *told = making_told(&objects);
    for (size_t i = 0; i < COUNT_OF(notes); i++)
        ck_assert_msg(strstr(told, notes[i]), "wanted %s in %s", notes[i], told);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/key");
    TCase *tcase = tcase_create("key");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, test_forms);
    tcase_add_test(tcase, test_encrypted);
    tcase_add_test(tcase, test_hostile_counts);
    tcase_add_test(tcase, test_hostile_numbers);
    tcase_add_test(tcase, test_foreign_half);
    tcase_add_test(tcase, test_damaged);
    tcase_add_test(tcase, test_many);
    tcase_add_test(tcase, test_in_text);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
