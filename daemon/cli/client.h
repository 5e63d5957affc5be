/* One request to the daemon's API over its UNIX socket, by libcurl. */
#ifndef UL_DAEMON_CLI_CLIENT_H
#define UL_DAEMON_CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

struct reply {
    json_t *json;     /* an object */
    struct buf raw;   /* as it came */
    bool unreachable; /* the daemon did not answer at all: its own exit status */
};

void reply_done(struct reply *reply);
#define AUTO_REPLY __attribute__((cleanup(reply_done)))

/*
 * body NULL: GET, else POST. Returns 0 with ret filled; the code and sentence of the daemon's error
 * (ret->raw holds the error document then); E_NETWORK with ret->unreachable; E_FORMAT when what
 * came is no reply of this API. ret is to be freed in every case.
 */
int client_call(const char *socket, const char *path, const json_t *body, struct reply *ret,
                struct error *err);

/* The same with DELETE. */
int client_delete(const char *socket, const char *path, struct reply *ret, struct error *err);

/* before + name in percent-encoding (RFC 3986 2.1) + after; owned by the caller. */
char *client_path(const char *before, const char *name, const char *after);

#endif
