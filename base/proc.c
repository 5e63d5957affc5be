#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    GRACE_MS = 2000,          /* between TERM and KILL */
    PIPE_ROOM = 64 << 10,     /* what a pipe holds by default (pipe(7)) */
    SHOWN_OUTPUT = 600,       /* of a failed command's output, in an error sentence */
    EXEC_FAILED_STATUS = 127, /* only seen together with a number in the status pipe */
};

/* A program that was started. */
struct child {
    pid_t pid;
    int pidfd;
    int output; /* read end, non-blocking */
    int status; /* read end, non-blocking: errno of a failed exec */
};

static void child_done(struct child *child)
{
    file_close(&child->pidfd);
    file_close(&child->output);
    file_close(&child->status);
}
#define AUTO_CHILD __attribute__((cleanup(child_done)))

void proc_result_done(struct proc_result *result)
{
    buf_done(&result->output);
}

/* A pipe whose ends are above 2, so that the child's dup2 to 0, 1 and 2 cannot land on them when
 * the caller runs with its own standard descriptors closed. */
static int make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (ends[i] > STDERR_FILENO)
            continue;
        int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (high < 0) {
            int errnum = errno;

            close(ends[0]);
            close(ends[1]);
            errno = errnum;
            return -1;
        }
        close(ends[i]);
        ends[i] = high;
    }
    *ret_read = ends[0];
    *ret_write = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/* The child between fork and exec: other threads may hold any lock, so only async-signal-safe calls
 * (signal-safety(7)). */
static _Noreturn void become(const char *const argv[], int output, int status)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char lang[] = "LANG=C";
    static char *environment[] = {path, lang, NULL};
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &normal, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && chdir("/") == 0) {
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        execve(argv[0], (char *const *)(uintptr_t)argv, environment);
    }
    int errnum = errno;
    ssize_t put = write(status, &errnum, sizeof errnum);
    (void)put;
    _exit(EXEC_FAILED_STATUS);
}

static int start(const char *const argv[], struct child *child, struct error *err)
{
    AUTO_FD int output = -1;
    AUTO_FD int status = -1;
    sigset_t all, before;

    if (make_pipe(&child->output, &output) < 0 || make_pipe(&child->status, &status) < 0)
        return error_set_errno(err, errno, "command %s: no pipe", argv[0]);
    /* Blocked over the fork: a handler of ours must not run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child->pid = fork();
    if (child->pid == 0)
        become(argv, output, status);
    int errnum = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child->pid < 0)
        return error_set_errno(err, errnum, "command %s: cannot start a process", argv[0]);
    /* In both processes, so that the group exists whoever runs first; it fails once exec is done.
     */
    setpgid(child->pid, child->pid);
    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd < 0) {
        errnum = errno;
        kill(-child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        return error_set_errno(err, errnum, "command %s: cannot be watched", argv[0]);
    }
    return 0;
}

/* Reads what is there, at most `most` bytes; keeps what fits. Closes the descriptor at its end. */
static void drain(struct child *child, struct buf *output, size_t most)
{
    char piece[4096];

    while (child->output >= 0 && most > 0) {
        ssize_t got = read(child->output, piece, sizeof piece < most ? sizeof piece : most);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            file_close(&child->output);
            return;
        }
        size_t room = output->max - output->len;
        buf_add(output, piece, (size_t)got < room ? (size_t)got : room);
        most -= (size_t)got;
    }
}

/*
 * Until the program has ended, not until its output has: a grandchild that lives on (a service that
 * was started) may hold the pipe for ever. False at the deadline.
 */
static bool wait_until(struct child *child, int64_t deadline, struct buf *output)
{
    for (;;) {
        struct pollfd fds[] = {{child->pidfd, POLLIN, 0}, {child->output, POLLIN, 0}};
        int64_t left = deadline - clock_monotonic_ms();

        if (left < 0)
            left = 0;
        int ready = poll(fds, COUNT_OF(fds), left > INT32_MAX ? INT32_MAX : (int)left);
        if (fds[0].revents != 0) {
            drain(child, output, PIPE_ROOM);
            return true;
        }
        if (fds[1].revents != 0)
            drain(child, output, PIPE_ROOM);
        if (ready <= 0 && clock_monotonic_ms() >= deadline)
            return false;
        if (ready > 0 && left == 0)
            return false; /* a program that never stops printing has a deadline too */
    }
}

/* The group is killed even when the program itself obeyed TERM: not yet waited for, it keeps the
 * group's number from being used again. */
static void end(struct child *child, struct buf *output)
{
    kill(-child->pid, SIGTERM);
    wait_until(child, clock_monotonic_ms() + GRACE_MS, output);
    kill(-child->pid, SIGKILL);
}

static int reap(struct child *child, int *ret_status)
{
    while (waitpid(child->pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return 0;
}

int proc_run(const char *const argv[], int deadline_seconds, struct proc_result *ret,
             struct error *err)
{
    AUTO_CHILD struct child child = {-1, -1, -1, -1};
    AUTO_BUF struct buf output = {.max = BUF_MAX_COMMAND_OUTPUT};
    int status = 0;
    int exec_errno = 0;

    if (!argv[0] || argv[0][0] != '/')
        return error_set(err, E_INPUT, "command %s: wanted an absolute path",
                         argv[0] ? argv[0] : "(none)");
    int rc = start(argv, &child, err);
    if (rc < 0)
        return rc;
    bool ended =
        wait_until(&child, clock_monotonic_ms() + (int64_t)deadline_seconds * 1000, &output);
    if (!ended)
        end(&child, &output);
    if (reap(&child, &status) < 0)
        return error_set_errno(err, errno, "command %s: its end was not seen", argv[0]);
    if (!ended)
        return error_set(err, E_TIMEOUT, "command %s: wanted its end within %d s", argv[0],
                         deadline_seconds);
    if (read(child.status, &exec_errno, sizeof exec_errno) == (ssize_t)sizeof exec_errno)
        return error_set_errno(err, exec_errno, "command %s: cannot be executed", argv[0]);
    *ret = (struct proc_result){.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                .output = output};
    buf_init(&output, 0);
    return 0;
}

/* The first lines of the output, as part of one line. */
static void shorten(const struct buf *output, char *ret, size_t size)
{
    size_t used = 0;
    const char *text = buf_text(output);

    while (*text == '\n')
        text++;
    for (; *text != '\0' && used + 4 < size; text++) {
        if (*text != '\n') {
            ret[used++] = *text;
        } else if (text[1] != '\n' && text[1] != '\0') {
            memcpy(ret + used, " | ", 3);
            used += 3;
        }
    }
    ret[used] = '\0';
}

int proc_run_checked(const char *const argv[], int deadline_seconds, struct error *err)
{
    AUTO_PROC struct proc_result result = {0};
    AUTO_BUF struct buf command = {.max = 512};
    char shown[SHOWN_OUTPUT];
    int rc = proc_run(argv, deadline_seconds, &result, err);

    if (rc < 0 || result.exit_status == 0)
        return rc;
    for (size_t i = 0; argv[i]; i++)
        buf_printf(&command, "%s%s", i ? " " : "", argv[i]);
    shorten(&result.output, shown, sizeof shown);
    if (result.signal != 0)
        return error_set(err, E_COMMAND, "command %s: ended by signal %d: %s", buf_text(&command),
                         result.signal, shown);
    return error_set(err, E_COMMAND, "command %s: exit status %d: %s", buf_text(&command),
                     result.exit_status, shown[0] ? shown : "it printed nothing");
}
