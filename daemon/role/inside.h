/*
 * A process of a role from the inside, what is common to all: it is started by the agent alone,
 * guards its memory, hears its set-up, confines itself, and then answers until its socket is
 * closed.
 */
#ifndef UL_DAEMON_ROLE_INSIDE_H
#define UL_DAEMON_ROLE_INSIDE_H

#include "daemon/role/channel.h"
#include "daemon/role/role.h"

/* Whether a program that was started so is to become a process of that role: asked before anything
 * else. */
bool role_is_meant(const struct role *role, int argc, char *const argv[]);

/*
 * The first call: no core dump, no debugger, nothing that OpenSSL frees stays readable; the end
 * comes with the socket and not with a signal to all of the daemon's processes. 0, or the exit
 * status: started by hand, it says so and is of no use.
 */
int role_begin(const struct role *role);

/* The agent's end of it is gone when they return at all; then so is this process. */
const struct channel *role_channel(void);
/* Into an empty buffer of WIRE_MAX. An agent of the same program sends no garbage. */
uint32_t role_hear(struct buf *body);
void role_answer(const struct buf *body);
/* An answer that is nothing but a code and a sentence. */
void role_answer_error(const struct error *err);

/* Without exit handlers: they may want what is forbidden by now. */
_Noreturn void role_leave(int status);
enum { ROLE_EXIT_USAGE = 2 };

#endif
