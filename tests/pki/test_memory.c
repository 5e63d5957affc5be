#include "pki/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "pki/keeper.h"
#include "tests/pki/authority.h"
#include "tests/remains.h"
#include "tests/testing.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTHER_ALLOCATOR
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define OTHER_ALLOCATOR
#endif

static struct error err;

/* The private number, at its place in what RFC 5958 and RFC 5915 make of a P-256 key, without a
 * copy of it in the heap. glibc writes two pointers over the beginning of what it frees, so the
 * whole is not looked for. */
static void remember(const struct blob *pem)
{
    enum { KEY_MAX = 256, NUMBER_AT = 36, NUMBER_LEN = 32 };
    static const char begin[] = "-----BEGIN PRIVATE KEY-----";
    uint8_t packed[KEY_MAX], der[KEY_MAX];
    size_t len = 0;

    ck_assert(pem->len > sizeof begin && memcmp(pem->data, begin, strlen(begin)) == 0);
    for (size_t i = strlen(begin); i < pem->len && pem->data[i] != '-'; i++)
        if (pem->data[i] != '\n' && len < sizeof packed)
            packed[len++] = pem->data[i];
    ck_assert_int_gt(EVP_DecodeBlock(der, packed, (int)len), NUMBER_AT + NUMBER_LEN);
    remains_remember(span_of(der + NUMBER_AT, NUMBER_LEN));
    mem_wipe(packed, sizeof packed);
    mem_wipe(der, sizeof der);
}

/* The sealing key in a file, without its beginning, for the same reason, and without a copy of it
 * in the heap. */
static void remember_secret(const char *path)
{
    enum { SECRET_LEN = 32, SKIPPED = 2 * sizeof(void *) };
    uint8_t secret[SECRET_LEN];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(SECRET_LEN, read(fd, secret, SECRET_LEN));
    remains_remember(span_of(secret + SKIPPED, SECRET_LEN - SKIPPED));
    mem_wipe(secret, sizeof secret);
    close(fd);
}

/* Makes a key and installs it as the daemon does; what it leaves is counted. */
static size_t copies_left(void)
{
    AUTO_FREE char *path = testing_path("sealing.key");
    AUTO_NAMES struct names names = {0};
    AUTO_BLOB struct blob csr = {0};
    struct keeper *keeper = NULL;
    struct sealed_key key = {0};
    struct bundle bundle = {0};
    const struct blobs chain = {0};
    size_t during, after, bytes = 0;

    ck_ok(keeper_open(path, true, &keeper, &err));
    ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    ck_ok(keeper_make_request(keeper, 1, &(struct key_request){KEY_EC_P256, {0}, &names}, &key,
                              &csr, &err));
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Root", .ca = true});
    const struct authority *leaf =
        authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)});
    ck_ok(keeper_build_bundle(keeper, 1, &key, authority_der(leaf), &chain, &bundle, &err));
    remember(&bundle.parts[BUNDLE_KEY]);
    remember_secret(path);
    ck_ok(keeper_rotate(keeper, &err));
    remember_secret(path);
    AUTO_BLOB struct blob sealed = {0};
    ck_ok(keeper_reseal(keeper, 1, &key, 1, &sealed, &err));
    /* One that is there on purpose is found. */
    uint8_t *planted = remains_plant();
    during = remains_count(0, &bytes);
    remains_uproot(planted);
    ck_assert_uint_gt(during, 0);
    ck_assert_uint_gt(bytes, 0);
    bundle_done(&bundle);
    sealed_key_done(&key);
    keeper_free(keeper);
    after = remains_count(0, &bytes);
    authority_done();
    return after;
}

/* The reason for all this: it is red when OpenSSL has learnt to wipe. */
START_TEST(test_keys_stay_without)
{
    ck_assert_uint_gt(copies_left(), 0);
}
END_TEST

START_TEST(test_keys_are_wiped)
{
    ck_ok(crypto_wipe_freed(&err));
    ck_assert_uint_eq(0, copies_left());
}
END_TEST

START_TEST(test_too_late)
{
    EVP_MD_CTX_free(EVP_MD_CTX_new());
    ck_fails(crypto_wipe_freed(&err), E_CRYPTO, "in use already");
}
END_TEST

/* Growing, shrinking and emptying keep what OpenSSL relies on. */
START_TEST(test_resize)
{
    ck_ok(crypto_wipe_freed(&err));
    char *text = OPENSSL_realloc(NULL, 6);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "abcde", 6);
    text = OPENSSL_realloc(text, 100000);
    ck_assert_str_eq("abcde", text);
    text = OPENSSL_realloc(text, 3);
    ck_assert_mem_eq("abc", text, 3);
    ck_assert_ptr_null(OPENSSL_realloc(text, 0));
    ck_assert_ptr_null(OPENSSL_malloc(0));
    OPENSSL_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/memory");
    TCase *tcase = tcase_create("memory");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
#ifdef OTHER_ALLOCATOR
    (void)test_keys_stay_without;
    (void)test_keys_are_wiped;
    puts("# the heap is not searched: AddressSanitizer keeps one of its own");
#else
    tcase_add_test(tcase, test_keys_stay_without);
    tcase_add_test(tcase, test_keys_are_wiped);
#endif
    tcase_add_test(tcase, test_too_late);
    tcase_add_test(tcase, test_resize);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
