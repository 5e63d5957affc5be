/* Another sealing key: whatever was sealed opens, whenever the process dies. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/keeper.h"
#include "tests/testing.h"

enum { ID = 17, CALLS_MAX = 60 };

static struct error err;
static struct keeper *keeper;
static char *path;

static struct keeper *open_it(void)
{
    struct keeper *opened = NULL;

    ck_ok(keeper_open(path, false, &opened, &err));
    return opened;
}

static void setup(void)
{
    path = testing_path("sealing.key");
    ck_ok(keeper_open(path, true, &keeper, &err));
}

static void teardown(void)
{
    keeper_free(keeper);
    free(path);
}

static void make(struct keeper *by, struct sealed_key *ret)
{
    AUTO_NAMES struct names names = {0};
    AUTO_BLOB struct blob csr = {0};

    ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    ck_ok(keeper_make_request(by, ID, &(struct key_request){KEY_EC_P256, {0}, &names}, ret, &csr,
                              &err));
}

static bool opens(struct keeper *by, const struct sealed_key *key)
{
    return keeper_check(by, ID, key, (struct span){0}, (struct span){0}, &err) == 0;
}

/* The id stands behind the version. */
static bool is_under(const struct sealed_key *key, const uint8_t id[SEALING_ID_LEN])
{
    return memcmp(key->sealed.data + 1, id, SEALING_ID_LEN) == 0;
}

static char *old_path(const uint8_t id[SEALING_ID_LEN])
{
    char hex[2 * SEALING_ID_LEN + 1];

    return mem_printf("%s.old-%s", path, text_hex(id, SEALING_ID_LEN, hex));
}

static int count_files(const char *part)
{
    DIR *dir = opendir(testing_dir());
    int count = 0;

    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return count;
}

START_TEST(test_rotate)
{
    struct sealed_key before = {0}, after = {0};
    uint8_t old[SEALING_ID_LEN], new[SEALING_ID_LEN];
    struct sealing_ids ids;
    struct stat st;
    AUTO_BLOB struct blob was = {0}, is = {0}, kept = {0};

    keeper_id(keeper, old);
    AUTO_FREE char *kept_path = old_path(old);
    make(keeper, &before);
    ck_ok(file_read(path, 100, &was, &err));
    ck_ok(keeper_rotate(keeper, &err));
    ck_ok(file_read(path, 100, &is, &err));
    ck_ok(file_read(kept_path, 100, &kept, &err));
    ck_assert(span_equal(blob_span(&was), blob_span(&kept)));
    ck_assert(!span_equal(blob_span(&was), blob_span(&is)));
    ck_assert_uint_eq(32, is.len);
    ck_assert_int_eq(0, stat(path, &st));
    ck_assert_uint_eq(0600, st.st_mode & 07777);
    ck_assert_int_eq(0, stat(kept_path, &st));
    ck_assert_uint_eq(0600, st.st_mode & 07777);

    keeper_id(keeper, new);
    keeper_ids(keeper, &ids);
    ck_assert_uint_eq(2, ids.count);
    ck_assert_mem_eq(new, ids.items[0], sizeof new);
    ck_assert_mem_eq(old, ids.items[1], sizeof old);
    ck_assert_mem_ne(old, new, sizeof new);
    ck_assert(sealing_ids_has(&ids, old) && sealing_ids_has(&ids, new));
    make(keeper, &after);
    ck_assert(is_under(&before, old) && is_under(&after, new));
    ck_assert(opens(keeper, &before) && opens(keeper, &after));

    struct keeper *again = open_it();
    ck_assert(opens(again, &before) && opens(again, &after));
    AUTO_BLOB struct blob moved = {0};
    ck_ok(keeper_reseal(again, ID, &before, ID, &moved, &err));
    blob_done(&before.sealed);
    before.sealed = blob_take(&moved);
    ck_assert(is_under(&before, new));
    keeper_free(again);

    /* Nothing is left under the old one: it may go. */
    ck_assert_int_eq(0, unlink(kept_path));
    again = open_it();
    ck_assert(opens(again, &before) && opens(again, &after));
    keeper_free(again);
    sealed_key_done(&before);
    sealed_key_done(&after);
}
END_TEST

START_TEST(test_old_key_gone)
{
    struct sealed_key before = {0};
    uint8_t old[SEALING_ID_LEN], new[SEALING_ID_LEN];
    char hex[2 * SEALING_ID_LEN + 1];

    keeper_id(keeper, old);
    AUTO_FREE char *kept_path = old_path(old);
    make(keeper, &before);
    ck_ok(keeper_rotate(keeper, &err));
    keeper_id(keeper, new);
    ck_assert_int_eq(0, unlink(kept_path));
    struct keeper *again = open_it();
    ck_assert(!opens(again, &before));
    ck_assert_int_eq(E_CORRUPT, err.code);
    ck_assert_ptr_nonnull(strstr(err.text, text_hex(old, sizeof old, hex)));
    ck_assert_ptr_nonnull(strstr(err.text, text_hex(new, sizeof new, hex)));
    keeper_free(again);
    sealed_key_done(&before);
}
END_TEST

/* An administrator put another key in place and names the one before. */
START_TEST(test_previous)
{
    struct sealed_key before = {0};
    AUTO_FREE char *other = testing_path("given");
    struct keeper *made = NULL;

    make(keeper, &before);
    ck_ok(keeper_open(other, true, &made, &err));
    ck_assert(!opens(made, &before));
    ck_fails(keeper_open_previous(made, "/nowhere/key", &err), E_NOT_FOUND, "/nowhere");
    ck_ok(keeper_open_previous(made, path, &err));
    ck_ok(keeper_open_previous(made, path, &err));
    ck_assert(opens(made, &before));
    struct sealing_ids ids;
    keeper_ids(made, &ids);
    ck_assert_uint_eq(2, ids.count);
    keeper_free(made);
    sealed_key_done(&before);
}
END_TEST

START_TEST(test_refused)
{
    AUTO_FREE char *other = testing_path("other.key");
    AUTO_FREE char *aside = testing_path("aside");
    uint8_t first[SEALING_ID_LEN], now[SEALING_ID_LEN];
    struct keeper *made = NULL;

    /* Somebody exchanged the file under a running daemon. */
    ck_ok(keeper_open(other, true, &made, &err));
    keeper_free(made);
    keeper_id(keeper, first);
    ck_assert_int_eq(0, rename(path, aside));
    ck_assert_int_eq(0, rename(other, path));
    ck_fails(keeper_rotate(keeper, &err), E_CORRUPT, "put the right one back");
    ck_assert_int_eq(0, count_files(".old-"));
    ck_assert_int_eq(0, rename(aside, path));

    /* An old one that others may read stops the start, as the one in force does. */
    AUTO_FREE char *kept_path = old_path(first);
    ck_ok(keeper_rotate(keeper, &err));
    ck_assert_int_eq(0, chmod(kept_path, 0644));
    ck_fails(keeper_open(path, false, &made, &err), E_DENIED, "chmod 0600");
    ck_assert_int_eq(0, chmod(kept_path, 0600));

    for (int i = 2; i < SEALING_KEYS_MAX; i++)
        ck_ok(keeper_rotate(keeper, &err));
    keeper_id(keeper, first);
    ck_fails(keeper_rotate(keeper, &err), E_TOO_LARGE, "no backup needs");
    keeper_id(keeper, now);
    ck_assert_mem_eq(first, now, sizeof now);
    made = open_it();
    struct sealing_ids ids;
    keeper_ids(made, &ids);
    ck_assert_uint_eq(SEALING_KEYS_MAX, ids.count);
    keeper_free(made);
}
END_TEST

START_TEST(test_link)
{
    AUTO_FREE char *folder = testing_path("vault");
    AUTO_FREE char *real = testing_path("vault/real.key");
    struct sealed_key before = {0};
    struct stat st;

    ck_assert_int_eq(0, mkdir(folder, 0700));
    ck_assert_int_eq(0, rename(path, real));
    ck_assert_int_eq(0, symlink(real, path));
    make(keeper, &before);
    struct keeper *linked = open_it();
    ck_ok(keeper_rotate(linked, &err));
    keeper_free(linked);
    ck_assert_int_eq(0, lstat(path, &st));
    ck_assert(S_ISLNK(st.st_mode));
    linked = open_it();
    ck_assert(opens(linked, &before));
    keeper_free(linked);
    sealed_key_done(&before);
}
END_TEST

#ifdef UNLAPSED_FAULTS
struct strike {
    int left; /* calls before it strikes */
    bool kill;
};

static int strike(void *self, const char *call)
{
    struct strike *at = self;

    (void)call;
    if (at->left-- != 0)
        return 0;
    if (at->kill)
        kill(getpid(), SIGKILL);
    return ENOSPC;
}

/* Either key is in force, whole; what was sealed opens; doing it again ends well. */
static void look_after(const struct sealed_key *before, const uint8_t old[SEALING_ID_LEN])
{
    struct keeper *again = open_it();
    uint8_t id[SEALING_ID_LEN];

    ck_assert(opens(again, before));
    keeper_id(again, id);
    if (memcmp(id, old, sizeof id) == 0) {
        ck_ok(keeper_rotate(again, &err));
        ck_assert(opens(again, before));
    }
    ck_assert_int_eq(1, count_files(".old-"));
    ck_assert_int_eq(0, count_files("unlapsed-new"));
    keeper_free(again);
}

static void start_anew(void)
{
    uint8_t id[SEALING_ID_LEN];

    keeper_id(keeper, id);
    AUTO_FREE char *old = old_path(id);
    keeper_free(keeper);
    unlink(old);
    unlink(path);
    ck_ok(keeper_open(path, true, &keeper, &err));
}

START_TEST(test_killed)
{
    int struck = 0;

    for (int at = 0; at < CALLS_MAX; at++) {
        struct sealed_key before = {0};
        uint8_t old[SEALING_ID_LEN];
        int status = 0;

        start_anew();
        make(keeper, &before);
        keeper_id(keeper, old);
        pid_t child = fork();
        if (child == 0) {
            file_fault_set(strike, &(struct strike){at, true});
            _exit(keeper_rotate(keeper, NULL) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(child, waitpid(child, &status, 0));
        ck_assert(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
        look_after(&before, old);
        sealed_key_done(&before);
        if (!WIFSIGNALED(status))
            break;
        struck++;
    }
    ck_assert_int_ge(struck, 8);
    ck_assert_int_lt(struck, CALLS_MAX);
}
END_TEST

/* A failure tells so, and the keeper in hand goes on with what it had. */
START_TEST(test_failing)
{
    int struck = 0;

    for (int at = 0; at < CALLS_MAX; at++) {
        struct sealed_key before = {0}, after = {0};
        uint8_t old[SEALING_ID_LEN], id[SEALING_ID_LEN];

        start_anew();
        make(keeper, &before);
        keeper_id(keeper, old);
        file_fault_set(strike, &(struct strike){at, false});
        int rc = keeper_rotate(keeper, &err);
        file_fault_set(NULL, NULL);
        make(keeper, &after);
        keeper_id(keeper, id);
        ck_assert_int_eq(rc == 0, memcmp(id, old, sizeof id) != 0);
        ck_assert(opens(keeper, &before) && opens(keeper, &after));
        if (rc < 0) {
            ck_assert_int_eq(E_FULL, rc);
            ck_ok(keeper_rotate(keeper, &err));
            ck_assert(opens(keeper, &before) && opens(keeper, &after));
        }
        look_after(&before, old);
        look_after(&after, old);
        sealed_key_done(&before);
        sealed_key_done(&after);
        keeper_free(keeper);
        ck_assert_int_eq(0, unlink(path));
        AUTO_FREE char *kept = old_path(old);
        unlink(kept);
        ck_ok(keeper_open(path, true, &keeper, &err));
        if (rc == 0)
            break;
        struck++;
    }
    ck_assert_int_ge(struck, 8);
    ck_assert_int_lt(struck, CALLS_MAX);
}
END_TEST
#endif

static void *seal_and_open(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        struct sealed_key key = {0};

        make(keeper, &key);
        ck_assert(opens(keeper, &key));
        sealed_key_done(&key);
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t threads[3];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(0, pthread_create(&threads[i], NULL, seal_and_open, NULL));
    for (int i = 0; i < 10; i++)
        ck_ok(keeper_rotate(keeper, &err));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        ck_assert_int_eq(0, pthread_join(threads[i], NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/rotation");
    TCase *tcase = tcase_create("rotation");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_rotate);
    tcase_add_test(tcase, test_old_key_gone);
    tcase_add_test(tcase, test_previous);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_link);
#ifdef UNLAPSED_FAULTS
    tcase_add_test(tcase, test_killed);
    tcase_add_test(tcase, test_failing);
#endif
    tcase_add_test(tcase, test_threads);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
