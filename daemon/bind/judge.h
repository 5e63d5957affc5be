/* Compares what one handshake showed with what is expected, in words. Shared by the files of this
 * folder alone. */
#ifndef UL_DAEMON_BIND_JUDGE_H
#define UL_DAEMON_BIND_JUDGE_H

#include "daemon/bind/deployer.h"

/* True when it is as expected. Appends "serves CN=www, serial 12, until 2026-...: as expected" or
 * what differs. `sent` may be empty. */
bool judge_served(const struct expectation *expected, const struct blobs *sent, struct buf *out);

#endif
