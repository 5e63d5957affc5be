#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "tests/daemon/bind/site.h"

static struct error err;
static struct service service;
static struct deploy_order order;
static struct pair before, after;
static uint8_t previous[SHA256_LEN];
static const struct bundle *wanted; /* what walk() stages */

static void setup(void)
{
    service = site_service();
    pair_make("old.example.com", &before);
    pair_make("new.example.com", &after);
    site_order(&service, "key fullchain", &order);
    wanted = &after.bundle;
}

static void teardown(void)
{
    site_order_done(&order);
    pair_done(&before);
    pair_done(&after);
    authority_done();
}

static bool is_hash_of(const uint8_t hash[SHA256_LEN], const struct pair *pair)
{
    uint8_t hash_of_pair[SHA256_LEN];

    sha256_of(authority_der(pair->leaf), hash_of_pair);
    return memcmp(hash, hash_of_pair, SHA256_LEN) == 0;
}

static bool is_zero(const uint8_t hash[SHA256_LEN])
{
    static const uint8_t none[SHA256_LEN];

    return memcmp(hash, none, SHA256_LEN) == 0;
}

/* Processes die here, the machine does not: what was written stays in its cache, and hundreds of
 * syncs of a real disk would take minutes. */
int fsync(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

enum phase { STAGE = 1, SWAP, RESTORE, CLEAN, DONE };
enum { CRASHED = 100 };

static int calls_left;
static enum phase phase;

static int crash(void *self, const char *call)
{
    (void)self, (void)call;
    if (calls_left-- == 0)
        _exit(CRASHED + (int)phase);
    return 0;
}

/* From `first` on; with `undo` back from what was swapped. */
static int walk(enum phase first, bool undo)
{
    int rc = 0;

    for (phase = first; phase < DONE && rc == 0; phase++) {
        if (phase == STAGE)
            rc = deployer_stage(&order, wanted, previous, &err);
        else if (phase == SWAP)
            rc = deployer_swap(&order, &err);
        else if (phase == RESTORE && undo)
            rc = deployer_restore(&order, &err);
        else if (phase == CLEAN)
            rc = deployer_clean(&order, &err);
    }
    return rc;
}

/* Walks in a process that dies before its disk call `number`; returns the phase it was in, DONE
 * when it got through. */
static enum phase walk_and_die(enum phase first, bool undo, int number)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        calls_left = number;
        file_fault_set(crash, NULL);
        _exit(walk(first, undo) == 0 ? CRASHED + DONE : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) > CRASHED, "call %d: status %x", number,
                  (unsigned)status);
    return (enum phase)(WEXITSTATUS(status) - CRASHED);
}

static const struct crash_row {
    const char *parts;
    bool had_files;
    bool undo;
} crash_rows[] = {
    {"key fullchain", true, false}, {"key fullchain", false, false}, {"key fullchain", true, true},
    {"key fullchain", false, true}, {"key leaf chain", true, false}, {"combined", true, true},
};

static void reset(const struct crash_row *row)
{
    ck_ok(deployer_clean(&order, &err));
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        if (order.files[i])
            unlink(order.files[i]);
    if (row->had_files)
        site_install(&order, &before.bundle);
}

/* Whatever the instant, what the inventory would repeat leads to the same end. */
START_TEST(dies_at_every_call)
{
    const struct crash_row *row = &crash_rows[_i];
    int struck = 0;
    enum phase died = STAGE;

    site_order_done(&order);
    site_order(&service, row->parts, &order);
    for (int call = 0; died != DONE; call++) {
        reset(row);
        died = walk_and_die(STAGE, row->undo, call);
        struck += died != DONE;
        if (died < RESTORE)
            died = STAGE; /* staged again: the inventory does not know how far it came */
        memset(previous, 0, sizeof previous);
        if (died != DONE)
            ck_ok(walk(died, row->undo));
        ck_assert_msg(site_holds(&order, !row->undo       ? &after.bundle
                                         : row->had_files ? &before.bundle
                                                          : NULL),
                      "row %d, call %d", _i, call);
        ck_assert_msg(site_is_clean(), "row %d, call %d", _i, call);
        if (died == STAGE)
            ck_assert_msg(row->had_files ? is_hash_of(previous, &before) : is_zero(previous),
                          "row %d, call %d: the old leaf is known", _i, call);
    }
    ck_assert_int_gt(struck, 20);
}
END_TEST

/* Dies on the way forward, and then the way is back: the swap was never finished. */
START_TEST(dies_and_turns_round)
{
    const struct crash_row *row = &crash_rows[_i];
    enum phase died = STAGE;

    site_order_done(&order);
    site_order(&service, row->parts, &order);
    for (int call = 0; died < CLEAN; call++) {
        reset(row);
        died = walk_and_die(STAGE, false, call);
        if (died >= CLEAN)
            break;
        ck_ok(walk(RESTORE, true));
        ck_assert_msg(site_holds(&order, row->had_files ? &before.bundle : NULL), "row %d, call %d",
                      _i, call);
        ck_assert_msg(site_is_clean(), "row %d, call %d", _i, call);
    }
}
END_TEST

/* Dies twice: again while what the first death left is being repeated. */
START_TEST(dies_twice)
{
    const struct crash_row *row = &crash_rows[_i];
    enum phase died = STAGE;

    site_order_done(&order);
    site_order(&service, row->parts, &order);
    for (int call = 0; died != DONE; call++) {
        enum phase again = STAGE;

        for (int second = call % 11; again != DONE; second += 11) {
            reset(row);
            died = walk_and_die(STAGE, row->undo, call);
            again = died < RESTORE ? STAGE : died;
            again = walk_and_die(again, row->undo, second);
            if (again != DONE)
                ck_ok(walk(again < RESTORE ? STAGE : again, row->undo));
            ck_assert_msg(site_holds(&order, !row->undo       ? &after.bundle
                                             : row->had_files ? &before.bundle
                                                              : NULL),
                          "row %d, calls %d and %d", _i, call, second);
            ck_assert_msg(site_is_clean(), "row %d, calls %d and %d", _i, call, second);
        }
    }
}
END_TEST

/* The clean of a finished transaction was cut short and is never repeated, and then the next one is
 * cut short too: it must not go back to a mix of both. */
START_TEST(a_clean_cut_short)
{
    struct pair third;
    AUTO_FREE char *kept = testing_path(".www.key.unlapsed-previous");
    enum phase died = CLEAN;

    pair_make("third.example.com", &third);
    for (int call = 0; died != DONE; call++) {
        enum phase again = STAGE;

        for (int second = call % 3; again <= STAGE; second += 3) {
            reset(&crash_rows[0]);
            wanted = &after.bundle;
            ck_ok(deployer_stage(&order, wanted, previous, &err));
            ck_ok(deployer_swap(&order, &err));
            died = walk_and_die(CLEAN, false, call);
            bool begun = access(kept, F_OK) != 0;
            wanted = &third.bundle;
            again = walk_and_die(STAGE, false, second);
            if (again > STAGE)
                break;
            ck_ok(deployer_stage(&order, wanted, previous, &err));
            ck_ok(deployer_swap(&order, &err));
            ck_assert(site_holds(&order, wanted));
            ck_ok(deployer_restore(&order, &err));
            ck_assert_msg(site_holds(&order, begun ? &after.bundle : &before.bundle),
                          "calls %d and %d", call, second);
        }
    }
    pair_done(&third);
}
END_TEST

static int fail_once(void *self, const char *call)
{
    (void)call;
    return calls_left-- == 0 ? *(int *)self : 0;
}

/* The fault loop: call N fails; the step fails cleanly, live files are whole, and the same again
 * succeeds. */
START_TEST(fails_at_every_call)
{
    const struct crash_row *row = &crash_rows[_i];
    int errnums[] = {ENOSPC, EIO, EACCES};
    int codes[] = {E_FULL, E_IO, E_DENIED};

    site_order_done(&order);
    site_order(&service, row->parts, &order);
    for (size_t e = 0; e < COUNT_OF(errnums); e++) {
        int struck = 0;
        bool through = false;

        for (int call = 0; !through; call++) {
            reset(row);
            memset(previous, 7, sizeof previous);
            calls_left = call;
            file_fault_set(fail_once, &errnums[e]);
            int rc = walk(STAGE, row->undo);
            file_fault_set(NULL, NULL);
            through = rc == 0;
            struck += !through;
            ck_assert_msg(through || rc == codes[e], "row %d, call %d: %s", _i, call, err.text);
            enum phase again = phase - 1 < RESTORE ? STAGE : (enum phase)(phase - 1);
            if (!through && again == STAGE && phase - 1 == STAGE)
                ck_assert_msg(site_holds(&order, row->had_files ? &before.bundle : NULL) &&
                                  previous[0] == 7,
                              "row %d, call %d: staging that fails changes nothing", _i, call);
            if (!through)
                ck_ok(walk(again, row->undo));
            ck_assert_msg(site_holds(&order, !row->undo       ? &after.bundle
                                             : row->had_files ? &before.bundle
                                                              : NULL),
                          "row %d, call %d", _i, call);
            ck_assert_msg(site_is_clean(), "row %d, call %d", _i, call);
        }
        ck_assert_int_gt(struck, 20);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/bind/accidents");
    TCase *accidents = tcase_create("accidents");

    tcase_add_checked_fixture(accidents, setup, teardown);
    tcase_set_timeout(accidents, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(accidents, dies_at_every_call, 0, COUNT_OF(crash_rows));
    tcase_add_loop_test(accidents, dies_and_turns_round, 0, COUNT_OF(crash_rows));
    tcase_add_loop_test(accidents, dies_twice, 0, 4);
    tcase_add_test(accidents, a_clean_cut_short);
    tcase_add_loop_test(accidents, fails_at_every_call, 0, COUNT_OF(crash_rows));
    suite_add_tcase(suite, accidents);
    return testing_run(suite);
}
