#include "daemon/role/inside.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pki/memory.h"

static struct channel channel = {.fd = ROLE_FD};

bool role_is_meant(const struct role *role, int argc, char *const argv[])
{
    return argc == 2 && text_starts(argv[1], ROLE_ARGUMENT) &&
           strcmp(argv[1] + strlen(ROLE_ARGUMENT), role->name) == 0;
}

/* The other end of its socket is the process that started it. */
static bool is_started_by_agent(void)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(ROLE_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == getppid();
}

int role_begin(const struct role *role)
{
    /* systemd ends a service by a signal to each of its processes, and the agent still has work in
     * hand then. */
    static const int meant_for_agent[] = {SIGTERM, SIGINT, SIGHUP};
    const struct rlimit none = {0, 0};
    struct error err = {0};
    char name[16];

    if (!is_started_by_agent()) {
        fprintf(stderr, "unlapsed: the role of a %s is not started by hand\n", role->name);
        return ROLE_EXIT_USAGE;
    }
    channel.kinds = role->kinds;
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    snprintf(name, sizeof name, ROLE_PROGRAM "-%s", role->name);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    for (size_t i = 0; i < COUNT_OF(meant_for_agent); i++)
        signal(meant_for_agent[i], SIG_IGN);
    umask(077);
    return chdir("/") < 0 || crypto_wipe_freed(&err) < 0 ? 1 : 0;
}

const struct channel *role_channel(void)
{
    return &channel;
}

_Noreturn void role_leave(int status)
{
    _exit(status);
}

uint32_t role_hear(struct buf *body)
{
    uint32_t kind = 0;
    bool garbage;

    if (!channel_receive(&channel, &kind, body, &garbage))
        role_leave(0);
    return kind;
}

void role_answer(const struct buf *body)
{
    if (!channel_send(&channel, WIRE_ANSWER, span_of(body->data, body->len)))
        role_leave(0);
}

void role_answer_error(const struct error *err)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error copy = *err;

    wire_error(&wire, &copy);
    role_answer(&body);
}
