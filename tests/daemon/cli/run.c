#include "tests/daemon/cli/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/api/socket.h"

unsigned run_descriptors;

static void serve_until(struct harness *harness, int stop)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = api_fd(harness->api), .events = POLLIN},
                               {.fd = stop, .events = POLLIN}};

        poll(fds, 2, api_timeout_ms(harness->api));
        if (fds[1].revents != 0)
            return;
        api_turn(harness->api);
    }
}

static void tell(int fd, const char *socket)
{
    size_t len = strlen(socket) + 1;

    ck_assert_int_eq(write(fd, socket, len), (ssize_t)len);
    close(fd);
}

/* Forks; in the child *ret_ready is where to tell the socket's path and *ret_stop what ends it. */
static bool is_child(struct server *server, int *ret_ready, int *ret_stop)
{
    int ready[2], stop[2];

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        close(ready[0]);
        close(stop[1]);
        *ret_ready = ready[1];
        *ret_stop = stop[0];
        return true;
    }
    close(ready[1]);
    close(stop[0]);
    server->stop = stop[1];
    ck_assert_int_gt(read(ready[0], server->socket, sizeof server->socket), 0);
    close(ready[0]);
    return false;
}

void server_start(struct server *server, void (*fill)(struct harness *harness))
{
    static struct harness harness;
    int ready, stop;

    if (!is_child(server, &ready, &stop))
        return;
    harness_open(&harness);
    harness.now = clock_now();
    if (fill)
        fill(&harness);
    tell(ready, harness.socket);
    serve_until(&harness, stop);
    harness_close(&harness);
    exit(0);
}

static void answer_one(int fd, const char *reply)
{
    char request[8192];
    size_t got = 0;

    /* One read is one request: what the program sends fits into it. */
    while (got < sizeof request - 1) {
        ssize_t more = recv(fd, request + got, sizeof request - 1 - got, 0);

        if (more <= 0)
            break;
        got += (size_t)more;
        request[got] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    send(fd, reply, strlen(reply), MSG_NOSIGNAL);
    close(fd);
}

void server_start_canned(struct server *server, const char *const replies[], size_t count)
{
    struct error err = {0};
    struct listener listener;
    int ready, stop;

    if (!is_child(server, &ready, &stop))
        return;
    AUTO_FREE char *path = testing_path("canned.sock");
    ck_ok(listener_open(path, &listener, &err));
    tell(ready, path);
    for (size_t i = 0;;) {
        struct pollfd fds[] = {{.fd = listener.fd, .events = POLLIN},
                               {.fd = stop, .events = POLLIN}};

        poll(fds, 2, -1);
        if (fds[1].revents != 0)
            break;
        int fd = accept(listener.fd, NULL, NULL);
        if (fd >= 0)
            answer_one(fd, replies[i++ % count]);
    }
    listener_close(&listener);
    free(TAKE(path));
    exit(0);
}

void server_stop(struct server *server)
{
    int status;

    close(server->stop);
    waitpid(server->pid, &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server: status %d", status);
}

char *http_reply(int status, const char *body)
{
    return mem_printf("HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                      status, strlen(body), body);
}

void ran_done(struct ran *ran)
{
    free(ran->out);
    free(ran->err);
}

static void be_program(const struct server *server, int out, int errors, const char *const words[])
{
    AUTO_FREE char *program = mem_printf("%s/daemon/cli/unlapse", getenv("BUILD_ROOT"));
    char *argv[64] = {program};

    for (size_t i = 0; words[i] && i < 62; i++)
        argv[i + 1] = (char *)(uintptr_t)words[i];
    setenv("UNLAPSED_SOCKET", server ? server->socket : "/nowhere/api.sock", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    if (run_descriptors > 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){run_descriptors, run_descriptors});
    execv(program, argv);
    _exit(127);
}

/* Both ends are read until both have ended: a full pipe would stop the program. */
static void drain(int out, int errors, struct ran *ret)
{
    struct buf texts[2];
    struct pollfd fds[] = {{.fd = out, .events = POLLIN}, {.fd = errors, .events = POLLIN}};

    buf_init(&texts[0], BUF_MAX_REPLY);
    buf_init(&texts[1], BUF_MAX_REPLY);
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        poll(fds, 2, -1);
        for (int i = 0; i < 2; i++) {
            char piece[4096];

            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            ssize_t got = read(fds[i].fd, piece, sizeof piece);
            if (got > 0) {
                buf_add(&texts[i], piece, (size_t)got);
            } else {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
    ret->out = mem_strdup(buf_text(&texts[0]));
    ret->err = mem_strdup(buf_text(&texts[1]));
    buf_done(&texts[0]);
    buf_done(&texts[1]);
}

struct ran run_argv(const struct server *server, int out_fd, const char *const words[])
{
    struct ran ran = {0};
    int out[2], errors[2], status;

    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(errors, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        be_program(server, out_fd >= 0 ? out_fd : out[1], errors[1], words);
    close(out[1]);
    close(errors[1]);
    drain(out[0], errors[0], &ran);
    waitpid(child, &status, 0);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ran;
}

pid_t run_start(const struct server *server, const char *const words[], int *ret_out)
{
    int out[2];

    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        be_program(server, out[1], STDERR_FILENO, words);
    close(out[1]);
    *ret_out = out[0];
    return child;
}
