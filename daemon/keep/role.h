/*
 * The keeper process from the inside: it opens the sealing key, gives up everything else, and then
 * makes keys, signs CSRs and builds bundles (pki/keeper.h), one request after another, until its
 * socket is closed.
 */
#ifndef UL_DAEMON_KEEP_ROLE_H
#define UL_DAEMON_KEEP_ROLE_H

#include "daemon/role/role.h"

extern const struct role keeper_role;

/* Does not return before its work is over; the exit status. */
int keeper_role_run(void);

#endif
