/* The audit trail: one line for everything that happened, never changed, chained (trail.h). */
#ifndef UL_STORE_EVENTS_H
#define UL_STORE_EVENTS_H

#include "pki/cert.h"
#include "store/inventory.h"

struct event_row {
    int64_t id;
    utc_t at;
    int64_t certificate_id;         /* 0: none */
    int64_t renewal_id;             /* 0: none */
    char *certificate;              /* its name as it is now; NULL: none, or not looked up */
    char *actor;                    /* "unlapsed", "drop folder", "uid 0 (root)", ... */
    char *kind;                     /* "requested", "accepted", "verified", ...: stable words */
    char *text;                     /* for people */
    uint8_t old_sha256[SHA256_LEN]; /* of the certificate that it takes the place of; zero: none */
    uint8_t new_sha256[SHA256_LEN]; /* of the one that it is about; zero: none */
    uint8_t hash[SHA256_LEN];
};
void event_row_done(struct event_row *row);

/* Appends it; the row's id, hash and name of its certificate are not looked at. Holds together with
 * the open transaction. */
int events_record(struct inventory *inventory, const struct event_row *row, struct error *err);
/* One that is about no certificate in particular. */
int events_add(struct inventory *inventory, utc_t at, int64_t certificate_id, int64_t renewal_id,
               const char *actor, const char *kind, const char *text, struct error *err);

typedef int (*event_fn)(void *self, const struct event_row *row, struct error *err);
/* Oldest first; the newest `limit` of the certificate (0: of all certificates). Rows are borrowed.
 */
int events_each(struct inventory *inventory, int64_t certificate_id, size_t limit, event_fn fn,
                void *self, struct error *err);
/* In the order in which they were recorded: the first `limit` with ids above `after`, up to `last`.
 */
int events_after(struct inventory *inventory, int64_t after, int64_t last, size_t limit,
                 event_fn fn, void *self, struct error *err);
/* The id of the first event that was recorded at that time or later, or the next one to come. By
 * bisection: a clock that was set back may hide the events from between. */
int events_since(struct inventory *inventory, utc_t at, int64_t *ret_id, struct error *err);

#endif
