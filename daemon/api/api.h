/*
 * The daemon's face to programs: HTTP + JSON under /v1 on a UNIX socket (docs/api.md). It runs
 * inside the event loop of the caller, never blocks on a client, and reads and changes the
 * inventory only through store/ and life/.
 */
#ifndef UL_DAEMON_API_API_H
#define UL_DAEMON_API_API_H

#include "daemon/config/config.h"
#include "daemon/life/doctor.h"
#include "daemon/life/life.h"

struct api;
struct refusals;

struct api_context {
    struct life *life;           /* of the thread that calls api_turn */
    const struct config *config; /* groups, host, mail */
    struct doctor *doctor;       /* asked by POST /v1/doctor; somebody who is poked does the work */
    void (*poke)(void *self);    /* facts changed: look at the plan again; may be NULL */
    /* What is so when the inventory is damaged, and what to do; NULL when it is not. Both owned by
     * the caller, as is *ret_backup, the newest good one (NULL: none). The function may be NULL. */
    char *(*damage)(void *care, utc_t *ret_since, char **ret_backup);
    void *care;
    void *self;
    utc_t started_at;
    struct refusals *refusals; /* set by api_open */
};

/*
 * Makes the socket's folder (0755) when it is missing, removes a socket nobody listens on, and
 * listens. E_BUSY when another daemon answers there, E_EXISTS when the path is something other than
 * a socket, E_INPUT when it is too long for one, E_DENIED, E_IO. The context is copied; what it
 * points to is borrowed until api_close or api_set_context.
 */
int api_open(const char *socket_path, const struct api_context *context, struct api **ret,
             struct error *err);

/* Another context (after a reload), in force from the next request on. */
void api_set_context(struct api *api, const struct api_context *context);

/* One descriptor that is readable when api_turn has something to do (an epoll descriptor). */
int api_fd(const struct api *api);

/* Does whatever is to be done now. Call when api_fd is readable and when api_timeout_ms passed. */
void api_turn(struct api *api);

/* Milliseconds after which api_turn must be called even if nothing is readable: ask again after
 * every api_turn. -1: no such time. */
int api_timeout_ms(const struct api *api);

/* Ends all connections and removes the socket if it is still ours. NULL-safe. */
void api_close(struct api *api);

#endif
