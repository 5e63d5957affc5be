/* One program at a time works on an inventory: the daemon, or a restore. Several handles of that
 * program may be open. */
#ifndef UL_STORE_LOCK_H
#define UL_STORE_LOCK_H

#include "base/error.h"

/*
 * Takes the lock of an inventory (PATH.lock; links in PATH are followed first, so that every name
 * of the file has one lock). *ret_fd holds it until it is closed or the process ends. E_BUSY names
 * who holds it. The inventory need not exist, its folder must.
 */
int inventory_lock(const char *path, int *ret_fd, struct error *err);

#endif
