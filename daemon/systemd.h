/* sd_notify(3): tells systemd what the daemon is doing, when it was started as Type=notify. */
#ifndef UL_DAEMON_SYSTEMD_H
#define UL_DAEMON_SYSTEMD_H

#include <stdint.h>

/* Sends "READY=1", "STATUS=...", ... to $NOTIFY_SOCKET; does nothing without one. Failures are of
 * no consequence. */
void systemd_notify(const char *state);

/* Microseconds within which systemd wants "WATCHDOG=1"; 0: no watchdog for this process. */
uint64_t systemd_watchdog(void);

#endif
