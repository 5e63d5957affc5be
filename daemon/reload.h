/*
 * What a running daemon cannot change when its configuration is read anew.
 */
#ifndef UL_DAEMON_RELOAD_H
#define UL_DAEMON_RELOAD_H

#include "daemon/config/config.h"

/* It stays in `next` as it is in `running`; the log says that it takes a restart. */
void reload_keep(const struct config *running, struct config *next);

#endif
