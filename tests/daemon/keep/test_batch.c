/* Many requests at once. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/daemon/keep/harness.h"

enum { COUNT = 40, SLOW = 4, MOST_PROCESSES = 64 };

static struct error err;
static struct names names;
static struct keep_request requests[COUNT];

/* Renewals 1 to COUNT; the first few take longer. */
static void fill(enum key_type slow)
{
    if (names.count == 0)
        ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    memset(requests, 0, sizeof requests);
    for (size_t i = 0; i < COUNT; i++) {
        requests[i].renewal_id = (int64_t)i + 1;
        requests[i].request = (struct key_request){i < SLOW ? slow : KEY_EC_P256, {0}, &names};
    }
}

/* Each has a key of its own, sealed for its own renewal, and a CSR for it. */
static void all_well(struct keep *keep)
{
    for (size_t i = 0; i < COUNT; i++) {
        struct keep_request *request = &requests[i];

        ck_assert_msg(request->error.code == 0, "%zu: %s", i, request->error.text);
        ck_ok(keep_check(keep, request->renewal_id, &request->key, blob_span(&request->csr),
                         (struct span){0}, &err));
        for (size_t k = 0; k < i; k++)
            ck_assert(memcmp(requests[k].key.spki_sha256, request->key.spki_sha256, SHA256_LEN));
    }
}

static void drop_all(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        sealed_key_done(&requests[i].key);
        blob_done(&requests[i].csr);
    }
}

static size_t processes(void)
{
    pid_t pids[MOST_PROCESSES];

    return harness_children(getpid(), pids, COUNT_OF(pids));
}

/* One process for each processor that we may use. */
START_TEST(all_processors)
{
    struct keep *keep = harness_open((struct keep_options){0});
    cpu_set_t all, one;

    ck_assert_int_eq(0, sched_getaffinity(0, sizeof all, &all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(0, sched_setaffinity(0, sizeof one, &one));
    fill(KEY_RSA_2048);
    keep_make_requests(keep, requests, COUNT);
    ck_assert_uint_eq(1, processes());
    all_well(keep);
    drop_all();
    ck_assert_int_eq(0, sched_setaffinity(0, sizeof all, &all));
    fill(KEY_RSA_2048);
    keep_make_requests(keep, requests, COUNT);
    ck_assert_uint_eq((size_t)CPU_COUNT(&all), processes());
    all_well(keep);
    drop_all();
    keep_make_requests(keep, requests, 0);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    keep_close(keep);
}
END_TEST

/* What is wrong with one is wrong with no other. */
START_TEST(one_is_wrong)
{
    struct keep *keep = harness_open((struct keep_options){0});
    struct names nothing = {0};

    fill(KEY_EC_P384);
    requests[7].request.names = &nothing;
    keep_make_requests(keep, requests, COUNT);
    ck_assert_int_eq(E_INPUT, requests[7].error.code);
    ck_assert_ptr_nonnull(strstr(requests[7].error.text, "wanted 1 to"));
    ck_assert_ptr_null(requests[7].csr.data);
    ck_assert_int_eq(0, harness_make(keep, KEY_EC_P256, &requests[7].key, &requests[7].csr, &err));
    requests[7].renewal_id = HARNESS_RENEWAL;
    requests[7].error = (struct error){0};
    all_well(keep);
    drop_all();
    keep_close(keep);
}
END_TEST

static void *kill_some(void *unused)
{
    for (int left = 4; left > 0;) {
        pid_t pids[MOST_PROCESSES];
        size_t count = harness_children(getpid(), pids, COUNT_OF(pids));

        usleep(30000);
        for (size_t i = 0; i < count && left > 0; i++)
            if (strcmp(harness_proc(pids[i], "status", "Seccomp"), "2") == 0) {
                kill(pids[i], SIGKILL);
                left--;
            }
    }
    return unused;
}

START_TEST(killed_at_work)
{
    struct keep *keep = harness_open((struct keep_options){0});
    pthread_t thread;

    fill(KEY_RSA_3072);
    pthread_create(&thread, NULL, kill_some, NULL);
    keep_make_requests(keep, requests, COUNT);
    pthread_join(thread, NULL);
    all_well(keep);
    ck_assert_uint_ge(harness_tellings, 1);
    ck_assert_ptr_nonnull(strstr(harness_told, "ended by signal 9 (Killed) while it "));
    drop_all();
    keep_close(keep);
}
END_TEST

/* No keeper can be had: each is told so, soon. */
START_TEST(nobody_is_there)
{
    AUTO_FREE char *path = testing_path("sealing.key");
    struct keep *keep = harness_open((struct keep_options){0});

    ck_assert_int_eq(0, unlink(path));
    kill(harness_child(), SIGKILL);
    fill(KEY_EC_P256);
    keep_make_requests(keep, requests, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(E_COMMAND, requests[i].error.code);
        ck_assert_ptr_nonnull(strstr(requests[i].error.text, "sealing.key"));
        ck_assert_ptr_null(requests[i].csr.data);
    }
    ck_assert_uint_eq(1, harness_tellings);
    ck_assert_uint_eq(0, processes());
    keep_close(keep);
}
END_TEST

START_TEST(too_late)
{
    struct keep *keep = harness_open((struct keep_options){.making = {60000, 20}});

    fill(KEY_RSA_4096);
    keep_make_requests(keep, requests, COUNT);
    for (size_t i = 0; i < SLOW; i++)
        if (requests[i].error.code != 0) {
            ck_assert_int_eq(E_COMMAND, requests[i].error.code);
            ck_assert_ptr_nonnull(strstr(requests[i].error.text, "of processor time"));
        }
    ck_assert_uint_ge(harness_tellings, SLOW);
    drop_all();
    keep_close(keep);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, all_processors);
    tcase_add_test(tcase, one_is_wrong);
    tcase_add_test(tcase, killed_at_work);
    tcase_add_test(tcase, nobody_is_there);
    tcase_add_test(tcase, too_late);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
