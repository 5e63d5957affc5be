/*
 * The passwords that are tried on what a delivery locks. For daemon/config/ only.
 */
#ifndef UL_DAEMON_CONFIG_PASSWORDS_H
#define UL_DAEMON_CONFIG_PASSWORDS_H

#include "daemon/config/config.h"

/*
 * Reads one password from each line of a file that only root or the daemon's user can read. A
 * complaint names file and line, never what stands there.
 */
int passwords_read(const char *file, struct config *config, struct error *err);

/* Overwrites and frees them. */
void passwords_wipe(struct config *config);

#endif
