#include "daemon/keep/keep.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/daemon/keep/harness.h"
#include "tests/pki/authority.h"

enum { ID = HARNESS_RENEWAL, LARGE = 4 << 20 };

static struct error err;
static const struct span none;

/* The same sealing key, opened in this process. */
static struct keeper *open_here(void)
{
    AUTO_FREE char *path = testing_path("sealing.key");
    struct keeper *keeper = NULL;

    ck_ok(keeper_open(path, false, &keeper, &err));
    return keeper;
}

/* All that a keeper in this process says is said by the one in its own. */
START_TEST(every_type)
{
    struct keep *keep = harness_open((struct keep_options){0});
    struct keeper *here = open_here();
    struct sealed_key key = {0}, moved = {0};
    AUTO_BLOB struct blob csr = {0};
    struct sealing_ids mine, theirs;

    keep_ids(keep, &theirs);
    keeper_ids(here, &mine);
    ck_assert_uint_eq(1, theirs.count);
    ck_assert_mem_eq(mine.items[0], theirs.items[0], SEALING_ID_LEN);
    ck_ok(harness_make(keep, (enum key_type)_i, &key, &csr, &err));
    ck_ok(keeper_check(here, ID, &key, blob_span(&csr), none, &err));
    ck_ok(keep_check(keep, ID, &key, blob_span(&csr), none, &err));
    memcpy(moved.spki_sha256, key.spki_sha256, SHA256_LEN);
    ck_ok(keep_reseal(keep, ID, &key, 4, &moved.sealed, &err));
    ck_ok(keeper_check(here, 4, &moved, blob_span(&csr), none, &err));
    ck_fails(keeper_check(here, ID, &moved, none, none, &err), E_CORRUPT, "does not open");
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    sealed_key_done(&key);
    sealed_key_done(&moved);
    keeper_free(here);
    keep_close(keep);
}
END_TEST

START_TEST(signed_off)
{
    struct keep *keep = harness_open((struct keep_options){0});
    struct keeper *here = open_here();
    const struct span message = span_text("events 1 to 5");
    uint8_t mac[SHA256_LEN] = {0};
    bool fits = false;

    ck_ok(keep_sign_off(keep, message, mac, &err));
    ck_ok(keeper_signed_off(here, message, mac, &fits, &err));
    ck_assert(fits);
    fits = false;
    ck_ok(keep_signed_off(keep, message, mac, &fits, &err));
    ck_assert(fits);
    ck_ok(keep_signed_off(keep, span_text("events 1 to 6"), mac, &fits, &err));
    ck_assert(!fits);
    AUTO_FREE char *large = mem_alloc(1, LARGE);
    ck_fails(keep_sign_off(keep, span_of(large, LARGE), mac, &err), E_TOO_LARGE, "got 4194304");
    keeper_free(here);
    keep_close(keep);
}
END_TEST

START_TEST(subject_and_names)
{
    struct keep *keep = harness_open((struct keep_options){0});
    AUTO_NAMES struct names names = {0};
    const struct key_request request = {
        KEY_EC_P256, {"www.example.com", "Example", "DE", "Bayern", "M\xC3\xBCnchen"}, &names};
    struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};

    ck_ok(names_add_tagged(&names, "dns:www.example.com", &err));
    ck_ok(names_add_tagged(&names, "ip:2001:db8::1", &err));
    ck_ok(keep_make_request(keep, ID, &request, &key, &csr, &err));
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "R", .ca = true});
    const struct authority *leaf =
        authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)});
    AUTO_CERT struct cert cert = {0};
    ck_ok(cert_parse(authority_der(leaf), &cert, &err));
    ck_assert_uint_eq(2, cert.names.count);
    ck_assert_str_eq("2001:db8::1", cert.names.items[1].text);
    /* In the order of struct subject, each in its place. */
    static const char *const texts[] = {"www.example.com", "Example", "DE", "Bayern", "nchen"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ck_assert_msg(memmem(csr.data, csr.len, texts[i], strlen(texts[i])), "%s", texts[i]);
    struct key_request bad = request;
    bad.subject.country = "Germany";
    ck_fails(keep_make_request(keep, ID, &bad, &key, &csr, &err), E_INPUT, "Germany");
    sealed_key_done(&key);
    keep_close(keep);
}
END_TEST

START_TEST(bundles)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "R", .ca = true});
    const struct authority *leaf = authority_make(root, &(struct authority_plan){.subject = "w"});
    struct keep *keep = harness_open((struct keep_options){0});
    struct keeper *here = open_here();
    struct sealed_key key = {0};
    struct bundle ours = {0}, theirs = {0};
    AUTO_BLOBS struct blobs chain = {0};

    ck_ok(keep_seal(keep, ID, span_text(authority_key_pem(leaf)), &key, &err));
    for (size_t round = 0; round < 2; round++) {
        ck_ok(keeper_build_bundle(here, ID, &key, authority_der(leaf), &chain, &ours, &err));
        ck_ok(keep_build_bundle(keep, ID, &key, authority_der(leaf), &chain, &theirs, &err));
        for (size_t i = 0; i < BUNDLE_PARTS; i++)
            ck_assert(span_equal(blob_span(&ours.parts[i]), blob_span(&theirs.parts[i])));
        bundle_done(&ours);
        bundle_done(&theirs);
        blobs_add(&chain, authority_der(root));
    }
    sealed_key_done(&key);
    keeper_free(here);
    keep_close(keep);
}
END_TEST

/* The last failure, and the one of the keeper in this process. */
static void same_failure(int rc, int here_rc, const struct error *here)
{
    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(here_rc, rc);
    ck_assert_int_eq(here->code, err.code);
    ck_assert_str_eq(here->text, err.text);
}

START_TEST(failures_are_told_as_they_are)
{
    static const char locked[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    static const char *const keys[] = {"", "no key", locked};
    struct keep *keep = harness_open((struct keep_options){0});
    struct keeper *here = open_here();
    AUTO_FREE uint8_t *large = mem_alloc(LARGE, 1);
    const struct authority *stranger =
        authority_make(NULL, &(struct authority_plan){.subject = "R", .ca = true});
    struct sealed_key key = {0}, ret = {0};
    struct names names = {0};
    AUTO_BLOB struct blob csr = {0};
    const struct key_request request = {KEY_EC_P256, {0}, &names};
    struct bundle bundle = {0};
    const struct blobs chain = {0};
    struct error why = {0};

    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        same_failure(keep_seal(keep, ID, span_text(keys[i]), &ret, &err),
                     keeper_seal(here, ID, span_text(keys[i]), &ret, &why), &why);
    same_failure(keep_seal(keep, ID, span_of(large, (1 << 20) + 1), &ret, &err),
                 keeper_seal(here, ID, span_of(large, (1 << 20) + 1), &ret, &why), &why);
    ck_fails(keep_seal(keep, ID, span_of(large, LARGE), &ret, &err), E_TOO_LARGE,
             "private key: wanted at most");
    same_failure(keep_make_request(keep, ID, &request, &ret, &csr, &err),
                 keeper_make_request(here, ID, &request, &ret, &csr, &why), &why);
    same_failure(keep_check(keep, ID + 1, &key, none, none, &err),
                 keeper_check(here, ID + 1, &key, none, none, &why), &why);
    same_failure(keep_check(keep, ID, &key, none, authority_der(stranger), &err),
                 keeper_check(here, ID, &key, none, authority_der(stranger), &why), &why);
    same_failure(
        keep_build_bundle(keep, ID, &key, authority_der(stranger), &chain, &bundle, &err),
        keeper_build_bundle(here, ID, &key, authority_der(stranger), &chain, &bundle, &why), &why);
    key.sealed.data[key.sealed.len - 1] ^= 1;
    same_failure(keep_reseal(keep, ID, &key, 4, &csr, &err),
                 keeper_reseal(here, ID, &key, 4, &csr, &why), &why);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    sealed_key_done(&key);
    keeper_free(here);
    keep_close(keep);
}
END_TEST

static void write_key(const char *path, size_t len, mode_t mode)
{
    static const uint8_t bytes[64] = "a sealing key of a test, 32 or other";
    struct file_access access = {(uid_t)-1, (gid_t)-1, mode};

    ck_ok(file_replace(path, span_of(bytes, len), access, &err));
}

/* What is wrong with the file, in the words of keeper_open, and the file is as it was. */
static void refused(const char *path, int code, const char *piece)
{
    struct keep *keep = NULL;
    struct keeper *here = NULL;
    struct error why = {0};
    struct stat before, after;
    bool was = stat(path, &before) == 0;

    ck_assert_int_eq(code, keeper_open(path, false, &here, &why));
    ck_fails(harness_try((struct keep_options){.path = path}, &keep, &err), code, piece);
    ck_assert_msg(strstr(err.text, why.text), "%s / %s", err.text, why.text);
    ck_assert_int_eq(was, stat(path, &after) == 0);
    ck_assert(!was || (before.st_ino == after.st_ino && before.st_size == after.st_size &&
                       before.st_mode == after.st_mode));
}

START_TEST(sealing_keys_that_are_none)
{
    AUTO_FREE char *path = testing_path("other.key");
    struct keep *keep = NULL;
    struct stat st;

    refused(path, E_NOT_FOUND, "other.key");
    write_key(path, 31, 0600);
    refused(path, E_CORRUPT, "wanted 32 bytes, got 31");
    write_key(path, 32, 0640);
    refused(path, E_DENIED, "chmod 0600");
    refused(testing_dir(), E_CORRUPT, "regular file");
    ck_fails(
        harness_try((struct keep_options){.path = "/nowhere/at/all", .create = true}, &keep, &err),
        E_NOT_FOUND, "/nowhere");
    unlink(path);
    ck_ok(harness_try((struct keep_options){.path = path, .create = true}, &keep, &err));
    ck_assert_int_eq(0, stat(path, &st));
    ck_assert_uint_eq(0100600, st.st_mode);
    ck_assert_int_eq(32, st.st_size);
    keep_close(keep);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

/* Whoever replaces a keeper serves under the same sealing key, or not at all. */
START_TEST(sealing_key_changes_meanwhile)
{
    AUTO_FREE char *path = testing_path("sealing.key");
    AUTO_FREE char *aside = testing_path("aside.key");
    struct keep *keep = harness_open((struct keep_options){0});

    harness_make_well(keep);
    ck_assert_int_eq(0, rename(path, aside));
    harness_make_well(keep); /* as long as the process lives */
    kill(harness_child(), SIGKILL);
    ck_fails(harness_fault(keep, "none", &err), E_COMMAND, "sealing.key");
    ck_assert_int_eq(RETRY_TRANSIENT, code_retry(err.code));
    ck_assert_int_eq(-1, access(path, F_OK)); /* none is made in its place */
    write_key(path, 32, 0600);
    ck_fails(harness_fault(keep, "none", &err), E_COMMAND, "put the right one back");
    ck_assert_int_eq(0, rename(aside, path));
    harness_make_well(keep);
    keep_close(keep);
}
END_TEST

/* Where a sealing key stands among those that are there, the one in force first. */
static size_t place_of(struct keep *keep, const uint8_t *id)
{
    struct sealing_ids ids;
    size_t at = 0;

    keep_ids(keep, &ids);
    while (at < ids.count && memcmp(ids.items[at], id, SEALING_ID_LEN) != 0)
        at++;
    ck_assert_uint_lt(at, ids.count);
    return at;
}

START_TEST(rotation)
{
    struct keep *keep = harness_open((struct keep_options){0});
    struct sealed_key key = {0}, again = {0};
    struct sealing_ids before, after;
    AUTO_BLOB struct blob csr = {0};

    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    keep_ids(keep, &before);
    ck_ok(keep_rotate(keep, &err));
    ck_assert_uint_eq(0, harness_children(getpid(), (pid_t[1]){0}, 1));
    keep_ids(keep, &after);
    ck_assert_uint_eq(2, after.count);
    ck_assert(memcmp(before.items[0], after.items[0], SEALING_ID_LEN) != 0);
    ck_assert_uint_eq(1, place_of(keep, before.items[0]));
    ck_ok(keep_check(keep, ID, &key, blob_span(&csr), none, &err));
    ck_assert_uint_eq(1, place_of(keep, key.sealed.data + 1));
    memcpy(again.spki_sha256, key.spki_sha256, SHA256_LEN);
    ck_ok(keep_reseal(keep, ID, &key, ID, &again.sealed, &err));
    ck_assert_uint_eq(0, place_of(keep, again.sealed.data + 1));
    /* A keeper that comes back has both, too. */
    kill(harness_child(), SIGKILL);
    ck_ok(keep_check(keep, ID, &again, blob_span(&csr), none, &err));
    ck_ok(keep_check(keep, ID, &key, blob_span(&csr), none, &err));
    sealed_key_done(&key);
    sealed_key_done(&again);
    keep_close(keep);
}
END_TEST

/* A change whose end nobody heard, since its process was killed: the next process tells. */
START_TEST(rotation_unheard)
{
    AUTO_FREE char *path = testing_path("sealing.key");
    struct keep *keep = harness_open((struct keep_options){0});
    struct keeper *here = open_here();
    struct sealing_ids theirs, mine;
    struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};

    ck_ok(keeper_rotate(here, &err));
    keeper_ids(here, &mine);
    keeper_free(here);
    kill(harness_child(), SIGKILL);
    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    keep_ids(keep, &theirs);
    ck_assert_mem_eq(mine.items[0], theirs.items[0], SEALING_ID_LEN);
    ck_assert_uint_eq(0, place_of(keep, key.sealed.data + 1));
    ck_assert_int_eq(0, unlink(path));
    ck_fails(keep_rotate(keep, &err), E_NOT_FOUND, "sealing.key");
    sealed_key_done(&key);
    keep_close(keep);
}
END_TEST

static atomic_bool rotated;

static void *make_meanwhile(void *keep)
{
    while (!atomic_load(&rotated)) {
        struct sealed_key key = {0};
        AUTO_BLOB struct blob csr = {0};
        struct sealing_ids before;

        keep_ids(keep, &before);
        ck_assert_int_eq(0, harness_make(keep, KEY_EC_P256, &key, &csr, &err));
        ck_assert_uint_le(place_of(keep, key.sealed.data + 1), place_of(keep, before.items[0]));
        sealed_key_done(&key);
    }
    return NULL;
}

/* Nothing is sealed under a key that was not in force any more when it was asked for. */
START_TEST(rotation_at_work)
{
    struct keep *keep = harness_open((struct keep_options){0});
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, make_meanwhile, keep);
    for (int i = 0; i < 4; i++) {
        usleep(100000);
        ck_ok(keep_rotate(keep, &err));
    }
    atomic_store(&rotated, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    keep_close(keep);
}
END_TEST

START_TEST(previous_key)
{
    AUTO_FREE char *path = testing_path("new.key");
    AUTO_FREE char *previous = testing_path("sealing.key");
    struct keep *keep = harness_open((struct keep_options){0});
    struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};

    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    keep_close(keep);
    const struct keep_options options = {.path = path, .previous = previous, .create = true};
    ck_ok(harness_try(options, &keep, &err));
    ck_ok(keep_check(keep, ID, &key, blob_span(&csr), none, &err));
    ck_assert_uint_eq(1, place_of(keep, key.sealed.data + 1));
    keep_close(keep);
    ck_assert_int_eq(0, unlink(previous));
    ck_fails(harness_try(options, &keep, &err), E_CONFIG, "sealing-key-previous: ");
    sealed_key_done(&key);
}
END_TEST

START_TEST(programs_that_are_no_keeper)
{
    struct keep *keep = NULL;

    ck_fails(harness_try((struct keep_options){.program = "/nonexistent"}, &keep, &err),
             E_NOT_FOUND, "/nonexistent cannot be started");
    ck_fails(harness_try((struct keep_options){.program = "/bin/true"}, &keep, &err), E_COMMAND,
             "keeper: while it was set up it ended with");
}
END_TEST

START_TEST(killed_at_rest)
{
    struct keep *keep = harness_open((struct keep_options){0});

    for (size_t i = 1; i <= 3; i++) {
        harness_make_well(keep);
        kill(harness_child(), SIGKILL);
        harness_make_well(keep);
        ck_assert_uint_eq(i, harness_tellings);
        ck_assert_ptr_nonnull(strstr(harness_told, "the keeper ended by signal 9 (Killed) while it "
                                                   "made the key of renewal 17"));
        harness_child(); /* not a zombie beside it */
    }
    keep_close(keep);
}
END_TEST

/* Kills keepers as they work, so many of them one after the other, some after a moment. */
static void *kill_keepers(void *count)
{
    pid_t last = 0;

    for (int left = *(int *)count; left > 0;) {
        pid_t pids[4];

        if (harness_children(getpid(), pids, COUNT_OF(pids)) == 1 && pids[0] != last &&
            strcmp(harness_proc(pids[0], "status", "Seccomp"), "2") == 0) {
            usleep(50000);
            kill(pids[0], SIGKILL);
            last = pids[0];
            left--;
        }
        usleep(1000);
    }
    return NULL;
}

START_TEST(killed_at_work)
{
    struct keep *keep = harness_open((struct keep_options){0});
    int kills = 3 + _i; /* the fourth keeper is the last one that is asked */
    pthread_t thread;

    pthread_create(&thread, NULL, kill_keepers, &kills);
    if (_i == 0) {
        ck_fails(harness_fault(keep, "dawdle", &err), E_FORMAT, "private key");
    } else {
        ck_fails(harness_fault(keep, "hang", &err), E_COMMAND,
                 "the keeper ended by signal 9 (Killed) while it sealed the key of renewal 17");
        ck_assert_int_eq(RETRY_TRANSIENT, code_retry(err.code));
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq((size_t)kills, harness_tellings);
    harness_make_well(keep);
    keep_close(keep);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

/* Nobody is asked a second time at once what took too long the first time. */
START_TEST(deadlines)
{
    struct keep *keep = harness_open((struct keep_options){.others = {60000, 300}});

    ck_fails(harness_fault(keep, "spin", &err), E_COMMAND,
             "took longer than 0.3 s of processor time while it sealed");
    ck_assert_uint_eq(1, harness_tellings);
    harness_make_well(keep);
    keep_close(keep);
    keep = harness_open((struct keep_options){.others = {500, 5000}});
    ck_fails(harness_fault(keep, "hang", &err), E_COMMAND, "took longer than 0.5 s while");
    ck_assert_uint_eq(2, harness_tellings);
    harness_make_well(keep);
    keep_close(keep);
    keep = harness_open((struct keep_options){.making = {60000, 1}});
    struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};
    ck_fails(harness_make(keep, KEY_RSA_4096, &key, &csr, &err), E_COMMAND,
             "0.001 s of processor time while it made the key");
    keep_close(keep);
}
END_TEST

/* Of a keeper that was taken over; the numbers are those of daemon/role/wire.h. */
static const char *const lies[] = {
    "answer 0 x",
    "answer 1 setup",
    "answer 2 ",
    "answer 2 short",
    "answer 2 \x7F\x7F\x7F\x7F no such code",
    "answer 3 make",
    "answer 8 x",
};

START_TEST(lies_are_no_answers)
{
    struct keep *keep = harness_open((struct keep_options){0});

    ck_fails(harness_fault(keep, lies[_i], &err), E_COMMAND, "gave an answer that cannot be one");
    harness_make_well(keep);
    keep_close(keep);
}
END_TEST

/* What is idle for a while ends, but for the one that was used last. */
START_TEST(one_stays)
{
    struct keep *keep = harness_open((struct keep_options){0});
    struct keep_request requests[8] = {0};
    AUTO_NAMES struct names names = {0};
    pid_t pids[64];

    ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        requests[i] =
            (struct keep_request){.renewal_id = 1, .request = {KEY_RSA_2048, {0}, &names}};
    keep_make_requests(keep, requests, COUNT_OF(requests));
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        ck_assert_int_eq(0, requests[i].error.code);
        sealed_key_done(&requests[i].key);
        blob_done(&requests[i].csr);
    }
    size_t count = harness_children(getpid(), pids, COUNT_OF(pids));
    ck_assert_int_eq(count > 1, keep_tidy(keep, 3600000));
    ck_assert_uint_eq(count, harness_children(getpid(), pids, COUNT_OF(pids)));
    ck_assert(!keep_tidy(keep, 0));
    pid_t pid = harness_child();
    keep_tidy(keep, 0);
    harness_make_well(keep);
    ck_assert_int_eq(pid, harness_child());
    keep_close(keep);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

static void *make_one(void *keep)
{
    harness_make_well(keep);
    return NULL;
}

/* Whoever asked first may be gone. */
START_TEST(outlives_who_started_it)
{
    struct keep *keep = harness_open((struct keep_options){0});
    pthread_t thread;

    kill(harness_child(), SIGKILL);
    pthread_create(&thread, NULL, make_one, keep);
    pthread_join(thread, NULL);
    pid_t pid = harness_child();
    usleep(100000);
    harness_make_well(keep);
    ck_assert_int_eq(pid, harness_child());
    ck_assert_uint_eq(1, harness_tellings);
    keep_close(keep);
}
END_TEST

static void *make_a_lot(void *keep)
{
    for (int i = 0; i < 50; i++) {
        struct sealed_key key = {0};
        AUTO_BLOB struct blob csr = {0};
        struct error why = {0};

        if (harness_make(keep, KEY_EC_P256, &key, &csr, &why) < 0 ||
            keep_check(keep, ID, &key, blob_span(&csr), none, &why) < 0)
            return mem_strdup(why.text);
        sealed_key_done(&key);
    }
    return NULL;
}

START_TEST(many_callers)
{
    struct keep *keep = harness_open((struct keep_options){0});
    pthread_t threads[8];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, make_a_lot, keep);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *why = NULL;

        pthread_join(threads[i], &why);
        ck_assert_msg(!why, "%s", (const char *)why);
    }
    keep_close(keep);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keep");
    TCase *tcase = tcase_create("keep");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, NULL, authority_done);
    tcase_add_loop_test(tcase, every_type, 0, KEY_ED25519 + 1);
    tcase_add_test(tcase, signed_off);
    tcase_add_test(tcase, subject_and_names);
    tcase_add_test(tcase, bundles);
    tcase_add_test(tcase, failures_are_told_as_they_are);
    tcase_add_test(tcase, sealing_keys_that_are_none);
    tcase_add_test(tcase, sealing_key_changes_meanwhile);
    tcase_add_test(tcase, rotation);
    tcase_add_test(tcase, rotation_unheard);
    tcase_add_test(tcase, rotation_at_work);
    tcase_add_test(tcase, previous_key);
    tcase_add_test(tcase, programs_that_are_no_keeper);
    tcase_add_test(tcase, killed_at_rest);
    tcase_add_loop_test(tcase, killed_at_work, 0, 2);
    tcase_add_test(tcase, deadlines);
    tcase_add_loop_test(tcase, lies_are_no_answers, 0, COUNT_OF(lies));
    tcase_add_test(tcase, one_stays);
    tcase_add_test(tcase, outlives_who_started_it);
    tcase_add_test(tcase, many_callers);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
