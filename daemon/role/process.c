#include "daemon/role/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon/role/sandbox.h"

enum {
    START_WALL_MS = 20000,  /* it may have hundreds of anchors to read */
    LOOK_LEAST_MS = 10,     /* between two looks at its processor time */
    STEP_MAX_MS = 60 * 1000 /* of one poll */
};

enum lateness { IN_TIME, LATE_WALL, LATE_CPU };

struct process {
    const struct role *role;
    pid_t pid; /* until it was waited for, nobody else gets this number */
    int fd;
    clockid_t cpu_clock;
    struct process_limits limits;
    int64_t wall_end, cpu_end; /* of the request in hand */
    int64_t used_at, started_at;
    unsigned requests;
    enum lateness late;
};

static int64_t cpu_ms(const struct process *process)
{
    struct timespec used;

    /* It fails when the process is dead: then it uses no more. */
    if (clock_gettime(process->cpu_clock, &used) < 0)
        return 0;
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

void process_begin(struct process *process, const struct process_limits *limits)
{
    process->limits = *limits;
    process->requests++;
    process->wall_end = clock_monotonic_ms() + process->limits.wall_ms;
    process->cpu_end = cpu_ms(process) + process->limits.cpu_ms;
}

/*
 * The agent looks at the clock of the other process instead of setting it a limit: a request's
 * budget needs no privilege then (prlimit(2) of another user's process wants CAP_SYS_RESOURCE). One
 * thread cannot use more processor time than passes, so the next look can wait as long as what is
 * left.
 */
int64_t process_patience(struct process *process)
{
    int64_t wall_left = process->wall_end - clock_monotonic_ms();
    int64_t cpu_left = process->cpu_end - cpu_ms(process);

    if (cpu_left <= 0)
        process->late = LATE_CPU;
    else if (wall_left <= 0)
        process->late = LATE_WALL;
    if (process->late != IN_TIME)
        return -1;
    int64_t wait = wall_left < cpu_left + LOOK_LEAST_MS ? wall_left : cpu_left + LOOK_LEAST_MS;
    return wait < STEP_MAX_MS ? wait : STEP_MAX_MS;
}

static bool wait_in_time(void *self, int fd, short events)
{
    struct process *process = self;

    for (;;) {
        struct pollfd ready = {fd, events, 0};
        int64_t wait = process_patience(process);

        if (wait < 0)
            return false;
        int got = poll(&ready, 1, (int)wait);
        if (got > 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
    }
}

static struct channel channel_of(struct process *process)
{
    return (struct channel){process->fd, process->role->kinds, wait_in_time, process};
}

bool process_send(struct process *process, uint32_t kind, struct span body)
{
    struct channel channel = channel_of(process);

    return channel_send(&channel, kind, body);
}

bool process_receive(struct process *process, uint32_t *ret_kind, struct buf *ret_body,
                     bool *ret_garbage)
{
    struct channel channel = channel_of(process);

    process->used_at = clock_monotonic_ms();
    return channel_receive(&channel, ret_kind, ret_body, ret_garbage);
}

/* Kills and waits; the status it ended with, which is its own when it was dying already. */
static int reap(struct process *process)
{
    int status = 0;

    file_close(&process->fd);
    if (process->pid <= 0)
        return 0;
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, &status, 0) < 0)
        if (errno != EINTR)
            break;
    process->pid = 0;
    return status;
}

void process_end(struct process *process)
{
    if (!process)
        return;
    reap(process);
    free(process);
}

int process_fd(const struct process *process)
{
    return process->fd;
}

enum fate process_fate(struct process *process, bool garbage, char *ret, size_t size)
{
    int status = reap(process);

    if (process->late == LATE_CPU)
        snprintf(ret, size, "took longer than %g s of processor time",
                 (double)process->limits.cpu_ms / 1000);
    else if (process->late == LATE_WALL)
        snprintf(ret, size, "took longer than %g s", (double)process->limits.wall_ms / 1000);
    else if (garbage)
        snprintf(ret, size, "gave an answer that cannot be one");
    else if (WIFSIGNALED(status))
        snprintf(ret, size, "ended by signal %d (%s)", WTERMSIG(status),
                 sigdescr_np(WTERMSIG(status)));
    else
        snprintf(ret, size, "ended with exit status %d", WEXITSTATUS(status));
    if (process->late != IN_TIME)
        return process->late == LATE_CPU ? FATE_LATE_CPU : FATE_LATE;
    return garbage ? FATE_GARBAGE : FATE_LOST;
}

bool process_is_worn(const struct process *process)
{
    return process->requests >= process->role->requests_max ||
           cpu_ms(process) >= process->role->worn_cpu_ms;
}

int64_t process_used_at(const struct process *process)
{
    return process->used_at;
}

int64_t process_started_at(const struct process *process)
{
    return process->started_at;
}

/*
 * posix_spawn, since other threads may hold any lock: the child runs no code of ours before exec.
 * It gets the null device three times and its end of the socket pair, no environment, no signal
 * handler or mask of ours, and a session of its own, so that ^C in a terminal is the agent's alone.
 */
static int spawn(const struct role *role, const char *program, int socket, pid_t *ret,
                 struct error *err)
{
    static char name[] = ROLE_PROGRAM;
    AUTO_FREE char *argument = mem_printf(ROLE_ARGUMENT "%s", role->name);
    char *const arguments[] = {name, argument, NULL};
    /* It may start nothing to look up names for its report, and a signal shall stay one. */
    static char sanitizer[] =
        "ASAN_OPTIONS=symbolize=0:detect_leaks=0:handle_segv=0:handle_abort=0";
    char *const environment[] = {SANDBOX_SANITIZER ? sanitizer : NULL, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid = -1;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int rc = posix_spawn_file_actions_adddup2(&actions, socket, ROLE_FD);
    for (int fd = 0; fd < ROLE_FD && rc == 0; fd++)
        if (!SANDBOX_SANITIZER || fd != STDERR_FILENO)
            rc = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, ROLE_FD + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    if (rc == 0)
        rc = posix_spawn(&pid, program, &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (rc != 0)
        return error_set_errno(err, rc, "%s: %s cannot be started", role->name, program);
    *ret = pid;
    return 0;
}

/* The child's end above the numbers it is moved to, as the agent may run with its standard
 * descriptors closed. */
static int make_pair(const struct role *role, int *ret_ours, int *ret_theirs, struct error *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set_errno(err, errno, "%s: no socket pair", role->name);
    int high = fcntl(ends[1], F_DUPFD_CLOEXEC, ROLE_FD + 1);
    int errnum = errno;
    close(ends[1]);
    if (high < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        file_close(&high);
        close(ends[0]);
        return error_set_errno(err, errnum, "%s: no socket pair", role->name);
    }
    *ret_ours = ends[0];
    *ret_theirs = high;
    return 0;
}

/* It is confined, or says why not. */
static int hear_ready(struct process *process, struct span setup, struct buf *ret_said,
                      struct error *err)
{
    static const struct process_limits limits = {START_WALL_MS, START_WALL_MS};
    const char *name = process->role->name;
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    struct error answer = {0};
    uint32_t kind = WIRE_SETUP;
    bool garbage = false;
    char fate[128];

    process_begin(process, &limits);
    bool heard = process_send(process, WIRE_SETUP, setup) &&
                 process_receive(process, &kind, &body, &garbage);
    struct wire wire = {.in = span_of(body.data, body.len)};
    if (heard)
        wire_error(&wire, &answer);
    if (!heard || kind != WIRE_ANSWER || wire.bad) {
        process_fate(process, heard || garbage, fate, sizeof fate);
        return error_set(err, E_COMMAND, "%s: while it was set up it %s", name, fate);
    }
    if (answer.code != 0)
        return error_set(err, answer.code, "%s: %s", name, answer.text);
    buf_add(ret_said, wire.in.data, wire.in.len);
    return 0;
}

int process_start(const struct role *role, const char *program, struct span setup,
                  struct buf *ret_said, struct process **ret, struct error *err)
{
    AUTO_FD int theirs = -1;
    struct process *process = mem_alloc(1, sizeof *process);

    *process = (struct process){.role = role, .fd = -1, .started_at = clock_monotonic_ms()};
    int rc = make_pair(role, &process->fd, &theirs, err);
    if (rc == 0)
        rc = spawn(role, program, theirs, &process->pid, err);
    /* Ours only now, or its death would not be heard. */
    file_close(&theirs);
    if (rc == 0 && clock_getcpuclockid(process->pid, &process->cpu_clock) != 0)
        rc = error_set(err, E_COMMAND, "%s: its processor time cannot be seen", role->name);
    if (rc == 0)
        rc = hear_ready(process, setup, ret_said, err);
    if (rc < 0) {
        process_end(process);
        return rc;
    }
    process->requests = 0;
    *ret = process;
    return 0;
}
