#include "daemon/role/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct head {
    uint32_t kind;
    uint32_t len;
};

/* True when the call that set errno is worth another try. */
static bool may_go_on(const struct channel *channel, short events)
{
    if (errno == EINTR)
        return true;
    return errno == EAGAIN && channel->wait && channel->wait(channel->self, channel->fd, events);
}

static bool send_all(const struct channel *channel, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t sent = send(channel->fd, at, len, MSG_NOSIGNAL);

        if (sent < 0 && !may_go_on(channel, POLLOUT))
            return false;
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        }
    }
    return true;
}

static bool receive_all(const struct channel *channel, void *ret, size_t len)
{
    uint8_t *at = ret;

    while (len > 0) {
        ssize_t got = read(channel->fd, at, len);

        if (got == 0 || (got < 0 && !may_go_on(channel, POLLIN)))
            return false;
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return true;
}

bool channel_send(const struct channel *channel, uint32_t kind, struct span body)
{
    struct head head = {kind, (uint32_t)body.len};

    return send_all(channel, &head, sizeof head) && send_all(channel, body.data, body.len);
}

bool channel_receive(const struct channel *channel, uint32_t *ret_kind, struct buf *ret_body,
                     bool *ret_garbage)
{
    struct head head;
    uint8_t piece[32 << 10];
    bool whole = true;

    *ret_garbage = false;
    if (!receive_all(channel, &head, sizeof head))
        return false;
    if (head.kind == 0 || head.kind >= channel->kinds || head.len > WIRE_MAX) {
        *ret_garbage = true;
        return false;
    }
    for (size_t left = head.len; left > 0 && whole;) {
        size_t len = left < sizeof piece ? left : sizeof piece;

        whole = receive_all(channel, piece, len);
        if (whole)
            buf_add(ret_body, piece, len);
        left -= len;
    }
    mem_wipe(piece, sizeof piece); /* it may have been a key */
    *ret_kind = head.kind;
    return whole;
}
