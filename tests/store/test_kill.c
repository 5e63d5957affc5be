/* A process that is killed at any instant loses nothing that it was told to be committed. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/certificates.h"
#include "store/events.h"
#include "tests/store/sample.h"

enum { ROUNDS = 20, SEEN_MAX = 40, WAIT_MAX_MICROSECONDS = 4000 };

static struct error err;
static char *path; /* the parent's: a child's testing_path() is in a folder of its own */

static struct inventory *open_it(void)
{
    struct inventory *inventory = NULL;

    ck_ok(inventory_open(path, &inventory, &err));
    return inventory;
}

/* One transaction; the number is announced when commit has returned. */
static void commit_and_announce(struct inventory *inventory, int fd)
{
    int64_t number = 0;

    ck_ok(inventory_begin(inventory, &err));
    ck_ok(certificates_count(inventory, &number, &err));
    AUTO_FREE char *name = mem_printf("c%d", (int)number);
    int64_t id = sample_certificate(inventory, name);
    sample_renewal(inventory, id);
    ck_ok(events_add(inventory, 1, id, 0, "daemon", "added", name, &err));
    ck_ok(inventory_commit(inventory, &err));
    int announced = (int)number;
    if (write(fd, &announced, sizeof announced) != (ssize_t)sizeof announced)
        _exit(1);
}

static pid_t start_child(int fd)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct inventory *inventory = open_it();
        for (;;)
            commit_and_announce(inventory, fd);
    }
    return pid;
}

/* Reads `count` announcements, waits a moment, kills, and reads what else was announced; returns
 * the last number. */
static int kill_after(int count, useconds_t moment)
{
    int ends[2], last = -1, number = 0;
    ssize_t got = 0;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = start_child(ends[1]);
    close(ends[1]);
    while (count-- > 0) {
        got = read(ends[0], &number, sizeof number);
        ck_assert_int_eq(got, sizeof number);
        last = number;
    }
    usleep(moment);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    while ((got = read(ends[0], &number, sizeof number)) == (ssize_t)sizeof number)
        last = number;
    close(ends[0]);
    return last;
}

static void ck_whole(int last)
{
    struct inventory *inventory = open_it();
    int64_t count = 0;

    ck_ok(inventory_check(inventory, &err));
    ck_ok(certificates_count(inventory, &count, &err));
    /* At most the one that was committed but not yet announced is more. */
    ck_assert_int_ge(count, last + 1);
    ck_assert_int_le(count, last + 2);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM renewals"), count);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM events"), count);
    ck_assert_int_eq(sample_trail_is_whole(inventory), count);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM certificate_names"), 2 * count);
    inventory_close(inventory);
}

START_TEST(announced_commits_are_there)
{
    unsigned seed = (unsigned)getpid();

    path = testing_path("inventory.db");
    for (int round = 0; round < ROUNDS; round++) {
        int count = 1 + rand_r(&seed) % SEEN_MAX;
        useconds_t moment = (useconds_t)(rand_r(&seed) % WAIT_MAX_MICROSECONDS);

        ck_whole(kill_after(count, moment));
    }
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/kill");
    TCase *kill_case = tcase_create("kill");

    tcase_set_timeout(kill_case, TESTING_SLOW_SECONDS);
    tcase_add_test(kill_case, announced_commits_are_there);
    suite_add_tcase(suite, kill_case);
    return testing_run(suite);
}
