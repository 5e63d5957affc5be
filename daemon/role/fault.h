/*
 * Test files and keys that make a reader or keeper misbehave, so that the tests see each wall hold.
 * Built with the `faults` option alone, and deaf unless the set-up says that this is a test.
 */
#ifndef UL_DAEMON_ROLE_FAULT_H
#define UL_DAEMON_ROLE_FAULT_H

#include "daemon/role/channel.h"

/* "unlapsed-fault: crash" and the like (fault.c has the list): does it. Returns when it is none of
 * them, or when the kernel let it happen: then the file is read like any other. True when it has
 * answered already. */
bool fault_commit(struct span file, const struct channel *channel);

#endif
