/*
 * The reader process from the inside: the same program, started again by the agent in a role of its
 * own. It is given what it needs, confines itself, and then answers questions about strangers'
 * bytes until its socket is closed.
 */
#ifndef UL_DAEMON_READ_ROLE_H
#define UL_DAEMON_READ_ROLE_H

#include <stdbool.h>

#define READER_ROLE_NAME "unlapsed"
#define READER_ROLE_ARGUMENT "--role=reader"
enum { READER_ROLE_FD = 3 }; /* its end of the socket pair */

/* Whether a program that was started so is to become a reader: asked before anything else. */
bool reader_role_is_meant(int argc, char *const argv[]);

/* Does not return before its work is over; the exit status. Started by hand, it says so and is of
 * no use. */
int reader_role_run(void);

#endif
