/*
 * A role: what a process of this program, started again by the agent, is for. The agent's side is
 * in process.h and pool.h, the process's own in inside.h.
 */
#ifndef UL_DAEMON_ROLE_ROLE_H
#define UL_DAEMON_ROLE_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#define ROLE_PROGRAM "unlapsed"
#define ROLE_ARGUMENT "--role=" /* and its name */
enum { ROLE_FD = 3 };           /* its end of the socket pair */

struct role {
    const char *name; /* "reader": begins errors; the process is called unlapsed-reader */
    uint32_t kinds;   /* of messages, as struct channel has it */
    /* After so many requests, or so much processor time, a process is replaced. */
    unsigned requests_max;
    int64_t worn_cpu_ms;
    /* Processor time in seconds after which the kernel ends it, whatever happens: well above. */
    unsigned cpu_seconds_max;
    /* It is killed when the thread of the agent that started it ends, beside ending with its
     * socket: for what may be made to compute for long. */
    bool ends_with_thread;
};

#endif
