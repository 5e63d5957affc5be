/* The one table of routes: method, path, handler, and the status of a success. */
#ifndef UL_DAEMON_API_ROUTE_H
#define UL_DAEMON_API_ROUTE_H

#include "daemon/api/handler.h"

struct route {
    const char *method; /* "GET" reads, "POST" and "DELETE" change */
    const char *path;   /* "*" stands for one segment: a name */
    api_handler_fn handle;
    unsigned status;
    bool without_inventory; /* it has something to say when the inventory cannot be opened */
};

/*
 * The route of a request, with *ret_name the segment under "*" (owned by the caller) or NULL.
 * Returns NULL when there is none; *ret_allowed is then what would do for this path (the value of
 * an Allow header), or NULL when the path is unknown.
 */
const struct route *route_find(const char *method, const char *path, char **ret_name,
                               const char **ret_allowed);

/* What a caller must be for it. */
enum role route_role(const struct route *route);

/* All routes, for the test that compares them with docs/api.md. */
size_t route_count(void);
const struct route *route_at(size_t index);

#endif
