/*
 * The reader process from the inside: the same program, started again by the agent in a role of its
 * own. It is given what it needs, confines itself, and then answers questions about strangers'
 * bytes until its socket is closed.
 */
#ifndef UL_DAEMON_READ_ROLE_H
#define UL_DAEMON_READ_ROLE_H

#include "daemon/role/role.h"

extern const struct role reader_role;

/* Does not return before its work is over; the exit status. */
int reader_role_run(void);

#endif
