#include "pki/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "pki/keeper.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTHER_ALLOCATOR
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define OTHER_ALLOCATOR
#endif

enum { KEY_MAX = 256, CHUNK = 1 << 16, SECRET_LEN = 32, SECRETS_MAX = 4 };

static struct error err;

/* What is looked for, where the search does not look: every byte is inverted. */
static uint8_t inverted[KEY_MAX];
static size_t inverted_len;
/* Sealing keys likewise. */
static uint8_t secrets[SECRETS_MAX][SECRET_LEN];
static size_t secret_count;

/* The PKCS#8 in a PEM block, without a copy of it in the heap. */
static void remember(const struct blob *pem)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----";
    uint8_t packed[KEY_MAX], der[KEY_MAX];
    size_t len = 0;

    ck_assert(pem->len > sizeof begin && memcmp(pem->data, begin, strlen(begin)) == 0);
    for (size_t i = strlen(begin); i < pem->len && pem->data[i] != '-'; i++)
        if (pem->data[i] != '\n' && len < sizeof packed)
            packed[len++] = pem->data[i];
    int whole = EVP_DecodeBlock(der, packed, (int)len);
    ck_assert_int_gt(whole, 0);
    inverted_len = (size_t)whole - (packed[len - 1] == '=') - (packed[len - 2] == '=');
    for (size_t i = 0; i < inverted_len; i++)
        inverted[i] = (uint8_t)~der[i];
    mem_wipe(packed, sizeof packed);
    mem_wipe(der, sizeof der);
}

/* The private number, at its place in what RFC 5958 and RFC 5915 make of a P-256 key. glibc writes
 * two pointers over the beginning of what it frees, so the whole is not looked for. */
static bool is_key(const uint8_t *at)
{
    enum { NUMBER_AT = 36, NUMBER_LEN = 32 };

    for (size_t i = 0; i < NUMBER_LEN; i++)
        if ((at[i] ^ inverted[NUMBER_AT + i]) != 0xFF)
            return false;
    return true;
}

/* The sealing key in a file, without a copy of it in the heap. */
static void remember_secret(const char *path)
{
    uint8_t *to = secrets[secret_count++];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(SECRET_LEN, read(fd, to, SECRET_LEN));
    for (size_t i = 0; i < SECRET_LEN; i++)
        to[i] = (uint8_t)~to[i];
    close(fd);
}

/* Without its beginning, for the same reason. */
static bool is_secret(const uint8_t *at)
{
    for (size_t k = 0; k < secret_count; k++) {
        size_t i = 2 * sizeof(void *);

        while (i < SECRET_LEN && (at[i] ^ secrets[k][i]) == 0xFF)
            i++;
        if (i == SECRET_LEN)
            return true;
    }
    return false;
}

static size_t count_in(int memory, size_t from, size_t to)
{
    enum { OVERLAP = 32 };
    static uint8_t chunk[CHUNK];
    size_t count = 0;

    for (; from + OVERLAP <= to; from += CHUNK - OVERLAP + 1) {
        size_t wanted = to - from < CHUNK ? to - from : CHUNK;
        ssize_t got = pread(memory, chunk, wanted, (off_t)from);

        for (ssize_t i = 0; i + OVERLAP <= got; i++)
            count += is_key(chunk + i) || is_secret(chunk + i);
    }
    mem_wipe(chunk, sizeof chunk);
    return count;
}

/* Copies of the key in the heap: of main's arena, and in what malloc mapped. */
static size_t count_copies(size_t *ret_bytes)
{
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    size_t count = 0, bytes = 0;

    ck_assert_int_ge(memory, 0);
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps)) {
        size_t from, to;
        char writable, name[256] = "";

        if (sscanf(line, "%zx-%zx r%c%*s %*s %*s %*s %255s", &from, &to, &writable, name) < 3 ||
            writable != 'w' || (name[0] && strcmp(name, "[heap]") != 0))
            continue;
        count += count_in(memory, from, to);
        bytes += to - from;
    }
    fclose(maps);
    close(memory);
    *ret_bytes = bytes;
    return count;
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
    uint8_t *planted = mem_alloc(1, KEY_MAX);
    for (size_t i = 0; i < inverted_len; i++)
        planted[i] = (uint8_t)~inverted[i];
    during = count_copies(&bytes);
    mem_wipe(planted, KEY_MAX);
    free(planted);
    ck_assert_uint_gt(during, 0);
    ck_assert_uint_gt(bytes, 0);
    bundle_done(&bundle);
    sealed_key_done(&key);
    keeper_free(keeper);
    after = count_copies(&bytes);
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
