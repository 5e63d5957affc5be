#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/testing.h"

static struct error err;

static struct proc_result run(const char *script)
{
    struct proc_result result;

    ck_ok(proc_run((const char *[]){"/bin/sh", "-c", script, NULL}, 20, &result, &err));
    return result;
}

#define ck_prints(script, text)                             \
    do {                                                    \
        AUTO_PROC struct proc_result result_ = run(script); \
        ck_assert_str_eq(buf_text(&result_.output), text);  \
        ck_assert_int_eq(result_.exit_status, 0);           \
    } while (0)

START_TEST(output_and_status)
{
    AUTO_PROC struct proc_result result = run("echo out; echo err >&2; exit 7");

    ck_assert_str_eq(buf_text(&result.output), "out\nerr\n");
    ck_assert_int_eq(result.exit_status, 7);
    ck_assert_int_eq(result.signal, 0);
    AUTO_PROC struct proc_result killed = run("kill -9 $$");
    ck_assert_int_eq(killed.exit_status, -1);
    ck_assert_int_eq(killed.signal, SIGKILL);
}
END_TEST

START_TEST(arguments_are_not_a_shell_line)
{
    AUTO_PROC struct proc_result result = {0};

    ck_ok(proc_run((const char *[]){"/bin/echo", "$HOME; ls `id` \"x", "", "y", NULL}, 20, &result,
                   &err));
    ck_assert_str_eq(buf_text(&result.output), "$HOME; ls `id` \"x  y\n");
}
END_TEST

START_TEST(what_cannot_be_executed)
{
    AUTO_FREE char *text = testing_path("text");
    AUTO_FREE char *script = testing_path("script");
    struct proc_result result = {.exit_status = 42};

    ck_ok(file_replace(text, span_text("x"), FILE_PUBLIC, &err));
    ck_ok(file_replace(script, span_text("echo no interpreter\n"), FILE_PUBLIC, &err));
    ck_assert_int_eq(chmod(script, 0755), 0);
    ck_fails(proc_run((const char *[]){"echo", NULL}, 5, &result, &err), E_INPUT, "absolute");
    ck_fails(proc_run((const char *[]){NULL}, 5, &result, &err), E_INPUT, "absolute");
    ck_fails(proc_run((const char *[]){"/no/such", NULL}, 5, &result, &err), E_NOT_FOUND,
             "/no/such");
    ck_fails(proc_run((const char *[]){text, NULL}, 5, &result, &err), E_DENIED, "executed");
    ck_fails(proc_run((const char *[]){script, NULL}, 5, &result, &err), E_IO, "format");
    ck_assert_int_eq(result.exit_status, 42);
    /* The same status, but from a program that ran. */
    AUTO_PROC struct proc_result ran = run("exit 127");
    ck_assert_int_eq(ran.exit_status, 127);
}
END_TEST

START_TEST(surroundings_are_clean)
{
    setenv("SECRET", "in the environment", 1);
    umask(077);
    ck_assert_int_ge(open("/etc/passwd", O_RDONLY), 0); /* on purpose without O_CLOEXEC */
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);

    AUTO_PROC struct proc_result result = {0};
    ck_ok(proc_run((const char *[]){"/usr/bin/env", NULL}, 20, &result, &err));
    ck_assert_str_eq(buf_text(&result.output), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n");
    ck_prints("pwd; umask; wc -c", "/\n0022\n0\n");
    /* 3 is the folder that ls itself reads. */
    ck_prints("ls /proc/self/fd", "0\n1\n2\n3\n");
    ck_prints("grep -E 'SigBlk|SigIgn' /proc/self/status",
              "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    ck_prints("read -r pid name state parent group rest < /proc/$$/stat; test $$ = $group", "");
    /* And what was blocked stays blocked here. */
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    ck_assert_int_eq(sigismember(&now, SIGTERM), 1);
}
END_TEST

START_TEST(standard_descriptors_may_be_closed)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    ck_prints("echo out; echo err >&2; wc -c", "out\nerr\n0\n");
}
END_TEST

START_TEST(output_is_bounded)
{
    AUTO_PROC struct proc_result result = run("head -c 3000000 /dev/zero | tr '\\0' x; exit 3");

    ck_assert_uint_eq(result.output.len, BUF_MAX_COMMAND_OUTPUT);
    ck_assert_int_eq(result.exit_status, 3);
}
END_TEST

static pid_t read_pid(const char *path)
{
    AUTO_BLOB struct blob data = {0};
    int64_t pid;

    ck_ok(file_read(path, 32, &data, &err));
    data.data[data.len - 1] = '\0';
    ck_assert(text_number((const char *)data.data, 2, INT32_MAX, &pid));
    return (pid_t)pid;
}

/* Gone, or a zombie that nobody reaps (containers without an init). */
static bool has_ended(pid_t pid)
{
    AUTO_FREE char *path = mem_printf("/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    char line[256] = "";

    if (!file)
        return true;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    return !got || strstr(line, ") Z ") || strstr(line, ") X ");
}

/* It was killed, but may not have had its turn to die yet. */
static void ck_ends(pid_t pid)
{
    for (int i = 0; i < 100 && !has_ended(pid); i++)
        usleep(50000);
    ck_assert(has_ended(pid));
}

/* Three seconds, so that a loaded machine has let the shell write its child down by then. */
START_TEST(the_group_dies_at_the_deadline)
{
    AUTO_FREE char *path = testing_path("pid");
    AUTO_FREE char *script =
        mem_printf("trap '' TERM; sleep 300 & echo $! > %s; wait; sleep 300", path);
    struct proc_result result = {.exit_status = 42};

    ck_fails(proc_run((const char *[]){"/bin/sh", "-c", script, NULL}, 3, &result, &err), E_TIMEOUT,
             "within 3 s");
    ck_assert_int_eq(result.exit_status, 42);
    ck_ends(read_pid(path));
}
END_TEST

START_TEST(a_member_that_ignores_term_dies_too)
{
    AUTO_FREE char *path = testing_path("pid");
    AUTO_FREE char *script = mem_printf("(trap '' TERM; sleep 300) & echo $! > %s; wait", path);
    struct proc_result result;

    ck_fails(proc_run((const char *[]){"/bin/sh", "-c", script, NULL}, 3, &result, &err), E_TIMEOUT,
             "/bin/sh");
    ck_ends(read_pid(path));
}
END_TEST

START_TEST(endless_output_has_a_deadline)
{
    struct proc_result result;

    ck_fails(proc_run((const char *[]){"/usr/bin/yes", NULL}, 1, &result, &err), E_TIMEOUT, "yes");
}
END_TEST

START_TEST(a_grandchild_that_keeps_the_pipe_is_left_alone)
{
    AUTO_FREE char *path = testing_path("pid");
    AUTO_FREE char *script = mem_printf("sleep 300 & echo $! > %s; echo started", path);

    AUTO_PROC struct proc_result result = {0};
    ck_ok(proc_run((const char *[]){"/bin/sh", "-c", script, NULL}, 250, &result, &err));
    ck_assert_str_eq(buf_text(&result.output), "started\n");
    pid_t pid = read_pid(path);
    ck_assert(!has_ended(pid));
    kill(pid, SIGKILL);
}
END_TEST

START_TEST(checked)
{
    ck_ok(proc_run_checked((const char *[]){"/bin/true", NULL}, 20, &err));
    ck_fails(
        proc_run_checked(
            (const char *[]){"/bin/sh", "-c", "echo; echo one; echo two; exit 3", NULL}, 20, &err),
        E_COMMAND, "exit status 3: one | two");
    ck_fails(proc_run_checked((const char *[]){"/bin/false", NULL}, 20, &err), E_COMMAND,
             "command /bin/false: exit status 1: it printed nothing");
    ck_fails(proc_run_checked((const char *[]){"/bin/sh", "-c", "kill -TERM $$", NULL}, 20, &err),
             E_COMMAND, "signal 15");
    ck_fails(
        proc_run_checked((const char *[]){"/bin/sh", "-c", "yes line | head -5000; exit 1", NULL},
                         20, &err),
        E_COMMAND, "line | line");
    ck_fails(proc_run_checked((const char *[]){"/no/such", NULL}, 20, &err), E_NOT_FOUND,
             "no/such");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/proc");
    TCase *quick = tcase_create("quick");
    TCase *deadline = tcase_create("deadline");

    tcase_add_test(quick, output_and_status);
    tcase_add_test(quick, arguments_are_not_a_shell_line);
    tcase_add_test(quick, what_cannot_be_executed);
    tcase_add_test(quick, surroundings_are_clean);
    tcase_add_test(quick, standard_descriptors_may_be_closed);
    tcase_add_test(quick, output_is_bounded);
    tcase_add_test(quick, a_grandchild_that_keeps_the_pipe_is_left_alone);
    tcase_add_test(quick, checked);
    suite_add_tcase(suite, quick);
    tcase_set_timeout(quick, TESTING_SLOW_SECONDS);
    tcase_set_timeout(deadline, TESTING_SLOW_SECONDS);
    tcase_add_test(deadline, the_group_dies_at_the_deadline);
    tcase_add_test(deadline, a_member_that_ignores_term_dies_too);
    tcase_add_test(deadline, endless_output_has_a_deadline);
    suite_add_tcase(suite, deadline);
    return testing_run(suite);
}
