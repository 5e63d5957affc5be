/*
 * What the machine itself can do, with OpenSSL, SQLite and the file system alone: the limits that
 * the daemon's figures are divided by. Prints one JSON object of seconds for each single piece of
 * work.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sqlite3.h>

#define MUST(condition)                                                  \
    do {                                                                 \
        if (!(condition)) {                                              \
            fprintf(stderr, "raw: line %d: " #condition "\n", __LINE__); \
            exit(1);                                                     \
        }                                                                \
    } while (0)

static double read_clock(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Seconds for one call, the median of five rounds. */
static double time_by(clockid_t clock, void (*work)(void *self), void *self, int calls)
{
    double rounds[5];

    for (int round = 0; round < 5; round++) {
        double began = read_clock(clock);

        for (int i = 0; i < calls; i++)
            work(self);
        rounds[round] = (read_clock(clock) - began) / calls;
    }
    qsort(rounds, 5, sizeof rounds[0], by_size);
    return rounds[2];
}

static double time_of(void (*work)(void *self), void *self, int calls)
{
    return time_by(CLOCK_MONOTONIC, work, self, calls);
}

static void make_key(void *self)
{
    (void)self;
    EVP_PKEY *key = EVP_EC_gen("P-256");

    MUST(key);
    EVP_PKEY_free(key);
}

/* Key, CSR with a subject and a name, signed; and both in DER. */
static void make_request(void *self)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = X509_NAME_new();
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:www.example.com");
    unsigned char *out = NULL;

    (void)self;
    MUST(key && request && subject && extensions && names);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               (const unsigned char *)"www.example.com", -1, -1, 0);
    sk_X509_EXTENSION_push(extensions, names);
    MUST(X509_REQ_set_version(request, 0) && X509_REQ_set_subject_name(request, subject) &&
         X509_REQ_set_pubkey(request, key) && X509_REQ_add_extensions(request, extensions) &&
         X509_REQ_sign(request, key, EVP_sha256()) > 0);
    MUST(i2d_X509_REQ(request, &out) > 0);
    OPENSSL_free(out);
    out = NULL;
    MUST(i2d_PrivateKey(key, &out) > 0);
    OPENSSL_free(out);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_NAME_free(subject);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
}

enum { REQUESTS_A_CORE = 300 };

static void *make_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < REQUESTS_A_CORE; i++)
        make_request(NULL);
    return NULL;
}

static double requests_on_all_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[64];
    double rounds[5];

    if (cores > 64)
        cores = 64;
    for (int round = 0; round < 5; round++) {
        double began = read_clock(CLOCK_MONOTONIC);

        for (long i = 0; i < cores; i++)
            MUST(pthread_create(&threads[i], NULL, make_many, NULL) == 0);
        for (long i = 0; i < cores; i++)
            pthread_join(threads[i], NULL);
        rounds[round] = (read_clock(CLOCK_MONOTONIC) - began) / (double)(cores * REQUESTS_A_CORE);
    }
    qsort(rounds, 5, sizeof rounds[0], by_size);
    return rounds[2];
}

struct signed_data {
    EVP_PKEY *key;
    unsigned char signature[128];
    size_t len;
};

static void verify(void *self)
{
    struct signed_data *data = self;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    MUST(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, data->key) == 1);
    MUST(EVP_DigestVerify(context, data->signature, data->len, (const unsigned char *)"x", 1) == 1);
    EVP_MD_CTX_free(context);
}

static void sign_once(struct signed_data *ret)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    *ret = (struct signed_data){.key = EVP_EC_gen("P-256"), .len = sizeof ret->signature};
    MUST(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, ret->key) == 1);
    MUST(EVP_DigestSign(context, ret->signature, &ret->len, (const unsigned char *)"x", 1) == 1);
    EVP_MD_CTX_free(context);
}

static sqlite3 *open_database(void)
{
    sqlite3 *db = NULL;

    unlink("raw.db");
    MUST(sqlite3_open("raw.db", &db) == SQLITE_OK);
    MUST(sqlite3_exec(db,
                      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                      "CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, data BLOB);",
                      NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

static void commit_one(void *self)
{
    MUST(sqlite3_exec(self, "INSERT INTO t (at, data) VALUES (1, zeroblob(500))", NULL, NULL,
                      NULL) == SQLITE_OK);
}

static void commit_hundred(void *self)
{
    MUST(sqlite3_exec(self, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 100; i++)
        commit_one(self);
    MUST(sqlite3_exec(self, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
}

static void sync_page(void *self)
{
    static const char page[4096];
    int fd = *(int *)self;

    MUST(pwrite(fd, page, sizeof page, 0) == sizeof page && fsync(fd) == 0);
}

static void replace_file(void *self)
{
    static const char data[2048];
    int dir = *(int *)self;
    int fd = openat(dir, "raw.new", O_WRONLY | O_CREAT | O_EXCL, 0600);

    MUST(fd >= 0 && write(fd, data, sizeof data) == sizeof data && fsync(fd) == 0);
    close(fd);
    MUST(renameat(dir, "raw.new", dir, "raw.file") == 0 && fsync(dir) == 0);
}

int main(int argc, char **argv)
{
    struct signed_data data;

    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: raw FOLDER\n");
        return 2;
    }
    sign_once(&data);
    sqlite3 *db = open_database();
    int page = open("raw.page", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    printf("{\"cores\": %ld, \"key\": %.9f, ", sysconf(_SC_NPROCESSORS_ONLN),
           time_of(make_key, NULL, 400));
    printf("\"key_and_csr\": %.9f, ", time_of(make_request, NULL, 200));
    printf("\"key_and_csr_cpu\": %.9f, ",
           time_by(CLOCK_PROCESS_CPUTIME_ID, make_request, NULL, 200));
    printf("\"key_and_csr_all_cores\": %.9f, ", requests_on_all_cores());
    printf("\"verify\": %.9f, ", time_of(verify, &data, 400));
    printf("\"commit\": %.9f, ", time_of(commit_one, db, 50));
    printf("\"row_of_hundred\": %.9f, ", time_of(commit_hundred, db, 5) / 100);
    printf("\"fsync\": %.9f, ", time_of(sync_page, &page, 50));
    printf("\"file\": %.9f}\n", time_of(replace_file, &dir, 30));
    sqlite3_close(db);
    close(page);
    close(dir);
    for (const char *const *name = (const char *const[]){"raw.db", "raw.db-wal", "raw.db-shm",
                                                         "raw.page", "raw.file", NULL};
         *name; name++)
        unlink(*name);
    EVP_PKEY_free(data.key);
    return 0;
}
