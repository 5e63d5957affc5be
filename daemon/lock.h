/* One daemon an inventory: the lock's holder is named to the second one. */
#ifndef UL_DAEMON_LOCK_H
#define UL_DAEMON_LOCK_H

#include "base/error.h"

/* Held until the descriptor is closed. E_BUSY names the process that holds it. */
int lock_take(const char *inventory, int *ret_fd, struct error *err);

#endif
