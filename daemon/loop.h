/* The event loop: lanes, drop folder, API, signals. The only home of libuv, with daemon/lane. */
#ifndef UL_DAEMON_LOOP_H
#define UL_DAEMON_LOOP_H

#include "daemon/config/config.h"

/* Runs the daemon until SIGTERM or SIGINT; takes config over, also on failure. Returns 0 after an
 * orderly end. */
int loop_run(struct config *config, struct error *err);

#endif
