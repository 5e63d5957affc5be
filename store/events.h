/* The audit trail: one line for everything that happened, never changed. */
#ifndef UL_STORE_EVENTS_H
#define UL_STORE_EVENTS_H

#include "store/inventory.h"

struct event_row {
    int64_t id;
    utc_t at;
    int64_t certificate_id; /* 0: none */
    int64_t renewal_id;     /* 0: none */
    char *actor;            /* "daemon", "uid 0", ... */
    char *kind;             /* "requested", "accepted", "verified", ...: stable words */
    char *text;             /* for people */
};

int events_add(struct inventory *inventory, utc_t at, int64_t certificate_id, int64_t renewal_id,
               const char *actor, const char *kind, const char *text, struct error *err);
typedef int (*event_fn)(void *self, const struct event_row *row, struct error *err);
/* Oldest first; the newest `limit` of the certificate (0: of all certificates). Rows are borrowed.
 */
int events_each(struct inventory *inventory, int64_t certificate_id, size_t limit, event_fn fn,
                void *self, struct error *err);

#endif
