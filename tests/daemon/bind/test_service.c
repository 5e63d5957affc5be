#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "tests/daemon/bind/server.h"
#include "tests/daemon/bind/site.h"

static struct error err;
static struct service service;
static struct deploy_order order;
static struct pair before, after;
static struct server server;
static struct bind_endpoint endpoints[2];
static uint8_t previous[SHA256_LEN];

/* ---- commands and pid files ---- */

static void setup(void)
{
    service = site_service();
    site_order(&service, "key fullchain", &order);
}

static void teardown(void)
{
    site_order_done(&order);
}

static void set_command(char *command[], const char *script)
{
    static char shell[] = "/bin/sh";
    static char option[] = "-c";

    command[0] = shell;
    command[1] = option;
    command[2] = (char *)(uintptr_t)script;
}

START_TEST(without_commands)
{
    ck_ok(deployer_test(&order, &err));
    ck_ok(deployer_reload(&order, &err));
}
END_TEST

START_TEST(commands)
{
    AUTO_FREE char *flag = testing_path("flag");
    AUTO_FREE char *touch = mem_printf("touch %s", flag);

    set_command(service.test, "echo line 3: unknown directive >&2; exit 1");
    set_command(service.reload, touch);
    ck_fails(deployer_test(&order, &err), E_COMMAND, "line 3: unknown directive");
    ck_fails(deployer_test(&order, &err), E_COMMAND, "configuration test of testd");
    set_command(service.test, "exit 0");
    ck_ok(deployer_test(&order, &err));
    ck_assert_int_ne(access(flag, F_OK), 0);
    ck_ok(deployer_reload(&order, &err));
    ck_assert_int_eq(access(flag, F_OK), 0);
    set_command(service.reload, "echo no; exit 4");
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "reload of testd");
    set_command(service.reload, "sleep 100");
    service.command_deadline = 1;
    ck_fails(deployer_reload(&order, &err), E_TIMEOUT, "within 1 s");
}
END_TEST

static char *pid_file(const char *text)
{
    char *path = testing_path("pid");

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
    return path;
}

static const char *const no_pids[] = {"0\n",  "1\n",    "-1\n",          "x\n",   "12x",
                                      "\n12", " 123\n", "99999999999\n", "12.5\n"};

START_TEST(what_is_no_pid)
{
    AUTO_FREE char *path = pid_file(no_pids[_i]);

    /* Harmless, should one of them be taken for a number after all. */
    service.reload_signal = SIGCONT;
    service.pid_file = path;
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "wanted the number of a process");
}
END_TEST

/* A process that ends on HUP with status 42. */
static pid_t start_victim(uid_t uid)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t hup;
        int got;

        sigemptyset(&hup);
        sigaddset(&hup, SIGHUP);
        sigprocmask(SIG_BLOCK, &hup, NULL);
        alarm(30);
        if ((uid != 0 && setresuid(uid, uid, uid) < 0) || write(ready[1], "", 1) != 1)
            _exit(1);
        sigwait(&hup, &got);
        _exit(42);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(signals)
{
    pid_t pid = start_victim(0);
    AUTO_FREE char *text = mem_printf("%d\n/var/lib/x\n", pid);
    AUTO_FREE char *path = pid_file(text);

    service.reload_signal = SIGHUP;
    ck_fails(deployer_reload(&order, &err), E_CONFIG, "pid file");
    service.pid_file = path;
    ck_ok(deployer_reload(&order, &err));
    ck_assert_int_eq(status_of(pid), 42);
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "which is gone");
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "testd is not running");
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "is not running: its pid file");
    ck_assert_int_eq(unlink(path), 0);
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "No such file");
}
END_TEST

START_TEST(not_at_ourselves)
{
    AUTO_FREE char *text = mem_printf("%d\n", getpid());
    AUTO_FREE char *path = pid_file(text);

    service.reload_signal = SIGHUP;
    service.pid_file = path;
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "wanted the number of a process");
}
END_TEST

static bool is_root(void)
{
    if (geteuid() != 0)
        printf("# skipped: only root can give files away\n");
    return geteuid() == 0;
}

/* A service's account may not make root signal somebody else's process. */
START_TEST(whose_pid_file)
{
    if (!is_root())
        return;
    pid_t theirs = start_victim(12345);
    pid_t ours = start_victim(0);
    AUTO_FREE char *our_text = mem_printf("%d\n", ours);
    AUTO_FREE char *their_text = mem_printf("%d\n", theirs);
    AUTO_FREE char *path = pid_file(our_text);

    service.reload_signal = SIGHUP;
    service.pid_file = path;
    ck_assert_int_eq(chown(path, 12345, 0), 0);
    ck_fails(deployer_reload(&order, &err), E_REFUSED, "belongs to user 12345");
    ck_assert_int_eq(chown(path, 0, 0), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_fails(deployer_reload(&order, &err), E_REFUSED, "got mode 0666");
    ck_assert_int_eq(chmod(path, 0664), 0);
    ck_assert_int_eq(chown(path, 0, 12345), 0);
    ck_fails(deployer_reload(&order, &err), E_REFUSED, "only its owner can write, got mode 0664");
    AUTO_FREE char *again = pid_file(their_text);
    ck_assert_int_eq(chown(again, 12345, 0), 0);
    ck_ok(deployer_reload(&order, &err));
    ck_assert_int_eq(status_of(theirs), 42);
    kill(ours, SIGHUP);
    ck_assert_int_eq(status_of(ours), 42);
}
END_TEST

/* Nor by a link to a pid file of root. */
START_TEST(pid_file_is_a_link)
{
    pid_t pid = start_victim(0);
    AUTO_FREE char *text = mem_printf("%d\n", pid);
    AUTO_FREE char *path = pid_file(text);
    AUTO_FREE char *link = testing_path("link");
    AUTO_FREE char *fifo = testing_path("fifo");

    service.reload_signal = SIGHUP;
    service.pid_file = link;
    ck_assert_int_eq(symlink(path, link), 0);
    ck_fails(deployer_reload(&order, &err), E_REFUSED, "got a symbolic link");
    service.pid_file = fifo;
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_fails(deployer_reload(&order, &err), E_FORMAT, "wanted a regular file");
    service.pid_file = path;
    ck_ok(deployer_reload(&order, &err));
    ck_assert_int_eq(status_of(pid), 42);
}
END_TEST

/* Who may write the folder may move any file there. */
START_TEST(pid_file_in_a_foreign_folder)
{
    AUTO_FREE char *folder = testing_path("run");
    AUTO_FREE char *path = testing_path("run/pid");

    if (!is_root())
        return;
    pid_t theirs = start_victim(12345);
    pid_t ours = start_victim(0);
    AUTO_FREE char *our_text = mem_printf("%d\n", ours);
    AUTO_FREE char *their_text = mem_printf("%d\n", theirs);
    ck_ok(file_make_dirs(folder, 0755, &err));
    ck_assert_int_eq(chown(folder, 12345, 12345), 0);
    ck_ok(file_replace(path, span_text(our_text), FILE_PUBLIC, &err));
    service.reload_signal = SIGHUP;
    service.pid_file = path;
    ck_fails(deployer_reload(&order, &err), E_REFUSED, "its folder belongs to user 12345");
    ck_assert_int_eq(chmod(folder, 0757), 0);
    ck_fails(deployer_reload(&order, &err), E_DENIED, "chmod o-w");
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_ok(file_replace(path, span_text(their_text), FILE_PUBLIC, &err));
    ck_ok(deployer_reload(&order, &err));
    ck_assert_int_eq(status_of(theirs), 42);
    kill(ours, SIGHUP);
    ck_assert_int_eq(status_of(ours), 42);
}
END_TEST

/* What others may write is not run by root. */
START_TEST(whose_program)
{
    AUTO_FREE char *path = testing_path("program");
    static const char script[] = "#!/bin/sh\nexit 0\n";

    if (!is_root())
        return;
    ck_ok(file_replace(path, span_text(script), (struct file_access){0, 0, 0755}, &err));
    service.test[0] = service.reload[0] = path;
    ck_ok(deployer_test(&order, &err));
    ck_assert_int_eq(chmod(path, 0757), 0);
    ck_fails(deployer_test(&order, &err), E_DENIED, "wanted a file that only root can write");
    ck_fails(deployer_reload(&order, &err), E_DENIED, "program of testd");
    ck_assert_int_eq(chmod(path, 0755), 0);
    ck_assert_int_eq(chown(path, 12345, 0), 0);
    ck_fails(deployer_test(&order, &err), E_DENIED, "run: chown root");
    ck_assert_int_eq(unlink(path), 0);
    ck_fails(deployer_test(&order, &err), E_NOT_FOUND, "No such file");
}
END_TEST

/* ---- a whole deployment on a real server ---- */

static void setup_server(void)
{
    struct service none = site_service();

    pair_make("old.example.com", &before);
    pair_make("new.example.com", &after);
    site_order(&none, "key fullchain", &order);
    site_install(&order, &before.bundle);
    server_start(&server, V6_SAME);
    server_service(&server, &service);
    order.service = &service;
    endpoints[0] = (struct bind_endpoint){"127.0.0.1", server.port, "www.example.com"};
    endpoints[1] = (struct bind_endpoint){"::1", server.port, NULL};
    order.endpoints = endpoints;
    order.endpoint_count = 2;
    order.handshakes = 3;
    order.patience = 20;
}

static void teardown_server(void)
{
    server_stop(&server);
    server_service_done(&service);
    site_order_done(&order);
    pair_done(&before);
    pair_done(&after);
    authority_done();
}

static void ck_served(const struct pair *pair)
{
    struct expectation expected = pair_expected(pair);

    ck_ok(deployer_verify(&order, &expected, NULL, &err));
}

START_TEST(a_good_deployment)
{
    struct expectation expected = pair_expected(&after);
    AUTO_BUF struct buf report = {.max = BUF_MAX_RECEIPT};

    ck_served(&before);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    ck_ok(deployer_test(&order, &err));
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_swap(&order, &err));
    ck_ok(deployer_test(&order, &err));
    ck_ok(deployer_reload(&order, &err));
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_is_clean());
    AUTO_FREE char *first = mem_printf(
        "127.0.0.1:%d (www.example.com): serves CN=new.example.com, serial ", server.port);
    AUTO_FREE char *second =
        mem_printf(": as expected\n[::1]:%d (no server name): serves ", server.port);
    ck_assert_msg(strstr(buf_text(&report), first) == buf_text(&report), "%s", buf_text(&report));
    ck_assert_msg(strstr(buf_text(&report), second), "%s", buf_text(&report));
}
END_TEST

START_TEST(rolled_back)
{
    struct expectation expected = pair_expected(&after);

    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_swap(&order, &err));
    ck_ok(deployer_reload(&order, &err));
    ck_served(&after);
    ck_ok(deployer_restore(&order, &err));
    ck_ok(deployer_reload(&order, &err));
    ck_served(&before);
    order.patience = 0;
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, "CN=old.example.com");
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_is_clean());
    ck_assert(site_holds(&order, &before.bundle));
}
END_TEST

START_TEST(a_broken_configuration)
{
    AUTO_FD int fd = open(server.config, O_WRONLY | O_APPEND | O_CLOEXEC);

    ck_assert_int_eq(write(fd, "nonsense on;\n", 13), 13);
    ck_fails(deployer_test(&order, &err), E_COMMAND, "unknown directive \"nonsense\"");
    ck_assert(site_holds(&order, &before.bundle));
    ck_assert(site_is_clean());
    ck_served(&before);
}
END_TEST

/* The commonest failure there is: the files are new, and nobody told the server. */
START_TEST(not_reloaded)
{
    struct expectation expected = pair_expected(&after);

    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_swap(&order, &err));
    order.patience = 1;
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED,
             "serves CN=old.example.com");
    ck_assert_ptr_nonnull(strstr(err.text, "wanted CN=new.example.com"));
    ck_ok(deployer_restore(&order, &err));
    ck_served(&before);
}
END_TEST

START_TEST(a_server_that_is_gone)
{
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    server.pid = 0;
    ck_fails(deployer_reload(&order, &err), E_COMMAND, "nginx is not running");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/bind/service");
    TCase *commands_case = tcase_create("commands");
    TCase *server_case = tcase_create("server");

    tcase_add_checked_fixture(commands_case, setup, teardown);
    tcase_set_timeout(commands_case, TESTING_SLOW_SECONDS);
    tcase_add_test(commands_case, without_commands);
    tcase_add_test(commands_case, commands);
    tcase_add_loop_test(commands_case, what_is_no_pid, 0, COUNT_OF(no_pids));
    tcase_add_test(commands_case, signals);
    tcase_add_test(commands_case, not_at_ourselves);
    tcase_add_test(commands_case, whose_pid_file);
    tcase_add_test(commands_case, pid_file_is_a_link);
    tcase_add_test(commands_case, pid_file_in_a_foreign_folder);
    tcase_add_test(commands_case, whose_program);
    suite_add_tcase(suite, commands_case);
    tcase_add_checked_fixture(server_case, setup_server, teardown_server);
    tcase_set_timeout(server_case, TESTING_SLOW_SECONDS);
    tcase_add_test(server_case, a_good_deployment);
    tcase_add_test(server_case, rolled_back);
    tcase_add_test(server_case, a_broken_configuration);
    tcase_add_test(server_case, not_reloaded);
    tcase_add_test(server_case, a_server_that_is_gone);
    suite_add_tcase(suite, server_case);
    return testing_run(suite);
}
