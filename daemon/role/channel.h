/*
 * Whole messages over one end of a socket pair: a kind, a length, that many bytes. Either end.
 */
#ifndef UL_DAEMON_ROLE_CHANNEL_H
#define UL_DAEMON_ROLE_CHANNEL_H

#include "daemon/role/wire.h"

struct channel {
    int fd;
    uint32_t kinds; /* kinds of messages are numbers from 1 to one less */
    /* For an end that does not block: until it can be read (POLLIN) or written (POLLOUT); false
     * gives up. NULL for one that blocks. */
    bool (*wait)(void *self, int fd, short events);
    void *self;
};

/* False when the other end is gone or wait gave up. */
bool channel_send(const struct channel *channel, uint32_t kind, struct span body);

/* Into an empty buffer of WIRE_MAX, which grows with what has come and not with what was announced.
 * False also when what came is no message; *ret_garbage tells. */
bool channel_receive(const struct channel *channel, uint32_t *ret_kind, struct buf *ret_body,
                     bool *ret_garbage);

#endif
