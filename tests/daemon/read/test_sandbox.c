/* What a reader cannot do, seen from outside and by trying it from inside. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "daemon/role/sandbox.h"
#include "tests/daemon/read/harness.h"

static struct error err;

static void look_from_outside(pid_t pid)
{
    static const char *const nothing[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
    static const char *const limits[] = {"Max core file size", "Max file size", "Max open files",
                                         "Max processes"};

    ck_assert_str_eq("unlapsed-reader", harness_proc(pid, "status", "Name"));
    ck_assert_str_eq("2", harness_proc(pid, "status", "Seccomp"));
    ck_assert_str_eq("1", harness_proc(pid, "status", "NoNewPrivs"));
    ck_assert_str_eq("1", harness_proc(pid, "status", "Threads"));
    for (size_t i = 0; i < COUNT_OF(nothing); i++)
        ck_assert_str_eq("0000000000000000", harness_proc(pid, "status", nothing[i]));
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        ck_assert_msg(strncmp(harness_proc(pid, "limits", limits[i]), "0 ", 2) == 0, "%s: %s",
                      limits[i], harness_proc(pid, "limits", limits[i]));
    ck_assert_int_eq(0, strncmp(harness_proc(pid, "limits", "Max cpu time"), "60 ", 3));
    if (!SANDBOX_SANITIZER)
        ck_assert_int_eq(
            0, strncmp(harness_proc(pid, "limits", "Max address space"), "268435456 ", 10));
}

/* Three times the null device, and the socket; as root, whose eyes see it. */
static void look_at_files(pid_t pid)
{
    for (int fd = 0; fd < 8; fd++) {
        AUTO_FREE char *path = mem_printf("/proc/%d/fd/%d", (int)pid, fd);
        char target[256] = "";
        ssize_t len = readlink(path, target, sizeof target - 1);

        if (SANDBOX_SANITIZER && fd == STDERR_FILENO)
            continue;
        if (fd < 3)
            ck_assert_str_eq("/dev/null", target);
        else if (fd == 3)
            ck_assert_ptr_nonnull(strstr(target, "socket:"));
        else
            ck_assert_int_lt(len, 0);
    }
}

/* How many bytes of environment it was started with. */
static size_t environment_of(pid_t pid)
{
    AUTO_FREE char *path = mem_printf("/proc/%d/environ", (int)pid);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    char bytes[4096];
    ssize_t len = read(fd, bytes, sizeof bytes);

    ck_assert_int_ge(len, 0);
    return (size_t)len;
}

START_TEST(outside_as_root)
{
    struct reader *reader = harness_open((struct reader_options){0});
    char root[128] = "";

    if (getuid() != 0) {
        printf("# skipped: wants root\n");
        reader_close(reader);
        return;
    }
    /* What the agent holds is not handed on. */
    ck_assert_int_ge(open("/etc/passwd", O_RDONLY), 0); /* NOLINT: left open to be inherited */
    setenv("SECRET", "of the agent", 1);
    harness_read_well(reader);
    pid_t pid = harness_child();
    look_from_outside(pid);
    look_at_files(pid);
    ck_assert_str_eq("65534\t65534\t65534\t65534", harness_proc(pid, "status", "Uid"));
    ck_assert_str_eq("65534\t65534\t65534\t65534", harness_proc(pid, "status", "Gid"));
    ck_assert_str_eq("", harness_proc(pid, "status", "Groups"));
    if (!SANDBOX_SANITIZER)
        ck_assert_uint_eq(0, environment_of(pid));
    AUTO_FREE char *path = mem_printf("/proc/%d/root", (int)pid);
    ck_assert_int_gt(readlink(path, root, sizeof root - 1), 0);
    ck_assert_ptr_nonnull(strstr(root, "/fdinfo"));
    reader_close(reader);
}
END_TEST

START_TEST(outside_as_somebody)
{
    harness_become_somebody();
    if (!harness_other_user())
        return;
    struct reader *reader = harness_open((struct reader_options){0});
    harness_read_well(reader);
    look_from_outside(harness_child());
    reader_close(reader);
}
END_TEST

/* Which signal answers it. */
static const struct {
    const char *fault;
    const char *reason;
} forbidden[] = {
    {"crash", "ended by signal 11 (Segmentation fault)"},
    {"exit", "ended with exit status 7"},
    {"open", "ended by signal 31 (Bad system call)"},
    {"write", "ended by signal 31"},
    {"socket", "ended by signal 31"},
    {"connect", "ended by signal 31"},
    {"sendto", "ended by signal 31"},
    {"stdout", "ended by signal 31"},
    {"clone", "ended by signal 31"},
    {"execve", "ended by signal 31"},
    {"kill", "ended by signal 31"},
    {"tgkill", "ended by signal 31"},
    {"ptrace", "ended by signal 31"},
    {"setrlimit", "ended by signal 31"},
    {"setuid", "ended by signal 31"},
    {"mmap-exec", "ended by signal 31"},
    {"mprotect-exec", "ended by signal 31"},
};

/* Each ends the reader, is this file's fault, and is all that happens. */
static void try_forbidden(const char *fault, const char *reason)
{
    struct reader *reader = harness_open((struct reader_options){0});
    AUTO_FREE char *wanted = mem_printf("the reader %s", reason);

    harness_read_well(reader);
    ck_fails(harness_read(reader, fault, &err), E_REFUSED, wanted);
    ck_assert_ptr_nonnull(strstr(err.text, "while it looked at this file"));
    harness_read_well(reader);
    harness_child();
    ck_assert_int_ne(0, access("/tmp/unlapsed-fault", F_OK));
    reader_close(reader);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "%s left a child", fault);
}

START_TEST(forbidden_as_root)
{
    try_forbidden(forbidden[_i].fault, forbidden[_i].reason);
}
END_TEST

START_TEST(forbidden_as_somebody)
{
    harness_become_somebody();
    if (harness_other_user())
        try_forbidden(forbidden[_i].fault, forbidden[_i].reason);
}
END_TEST

START_TEST(memory_has_an_end)
{
    if (SANDBOX_SANITIZER)
        return;
    try_forbidden("allocate", "ended by signal 6");
}
END_TEST

/* Nothing is read by one that could not be confined: it waits. */
START_TEST(unconfined_reads_nothing)
{
    if (getuid() != 0) {
        printf("# skipped: wants root\n");
        return;
    }
    ck_assert_int_eq(0, prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT, 0, 0, 0));
    struct reader *reader = harness_open((struct reader_options){0});
    AUTO_OBJECTS struct delivery_objects objects = {0};
    ck_fails(reader_try(reader, &err), E_DENIED, "CAP_SYS_CHROOT");
    ck_fails(reader_read_delivery(reader, span_text("x"), &objects, &err), E_COMMAND,
             "reader: confinement: empty root folder");
    ck_assert_int_eq(RETRY_TRANSIENT, code_retry(err.code));
    ck_assert_uint_eq(0, harness_children(getpid(), (pid_t[1]){0}, 1));
    reader_close(reader);
}
END_TEST

START_TEST(by_hand)
{
    AUTO_PROC struct proc_result result = {0};
    AUTO_FREE char *program = mem_printf("%s/daemon/unlapsed", getenv("BUILD_ROOT"));
    const char *const argv[] = {program, "--role=reader", NULL};

    ck_ok(proc_run(argv, 30, &result, &err));
    ck_assert_int_eq(2, result.exit_status);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.output), "not started by hand"));
}
END_TEST

static void *ask_to_spin(void *reader)
{
    struct error unused = {0};

    harness_read(reader, "spin", &unused);
    return NULL;
}

/* The agent: a reader that waits and one that works, then killed. Returns its pid. */
static pid_t start_agent(void)
{
    static const struct reader_options patient = {.limits = {600000, 600000}};
    int ready[2];
    char byte;

    ck_assert_int_eq(0, pipe(ready));
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        struct reader *reader = harness_open(patient);

        harness_read_well(harness_open(patient));
        harness_read_well(reader);
        pthread_create(&thread, NULL, ask_to_spin, reader);
        ck_assert_int_eq(1, write(ready[1], "", 1));
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(1, read(ready[0], &byte, 1));
    close(ready[0]);
    return pid;
}

START_TEST(ends_with_the_agent)
{
    pid_t agent = start_agent(), readers[4];
    int status;

    ck_assert_uint_eq(2, harness_children(agent, readers, COUNT_OF(readers)));
    usleep(200000); /* one of them is at work */
    ck_assert_int_eq(0, kill(agent, SIGKILL));
    ck_assert_int_eq(agent, waitpid(agent, &status, 0));
    /* Check's time limit ends this. */
    for (size_t i = 0; i < 2; i++)
        while (strcmp(harness_proc(readers[i], "status", "Name"), "unlapsed-reader") == 0 &&
               harness_proc(readers[i], "status", "State")[0] != 'Z')
            usleep(10000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox");
    TCase *tcase = tcase_create("sandbox");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, outside_as_root);
    tcase_add_test(tcase, outside_as_somebody);
    tcase_add_loop_test(tcase, forbidden_as_root, 0, COUNT_OF(forbidden));
    tcase_add_loop_test(tcase, forbidden_as_somebody, 0, COUNT_OF(forbidden));
    tcase_add_test(tcase, memory_has_an_end);
    tcase_add_test(tcase, unconfined_reads_nothing);
    tcase_add_test(tcase, by_hand);
    tcase_add_test(tcase, ends_with_the_agent);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
