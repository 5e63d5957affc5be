/* The outbox: what people must hear, written in the transaction of the fact it speaks of. */
#ifndef UL_STORE_NOTICES_H
#define UL_STORE_NOTICES_H

#include "base/fields.h"
#include "store/inventory.h"

struct notice_row {
    int64_t id;
    int64_t certificate_id; /* 0: about the daemon itself */
    int64_t renewal_id;     /* 0: none */
    char *kind;             /* name of its template: "csr-ready" */
    char *stage;            /* with certificate, renewal and recipient the unique key: "csr-ready",
                               "expires-2", "rolled-back-3-1" */
    char *recipient;        /* mail address */
    struct fields fields;   /* what it says, frozen */
    utc_t created_at;
    utc_t next_try_at;
    utc_t sent_at;    /* the server took it */
    utc_t bad_at;     /* refused for good, or given up */
    utc_t dropped_at; /* overtaken by events before it was sent */
    int attempts;
    char *last_error; /* NULL */
};
void notice_row_done(struct notice_row *row);
#define AUTO_NOTICE __attribute__((cleanup(notice_row_done)))

/* Inserts, due at once; success without a row when the unique key is there already (*ret_id 0
 * then). ret_id may be NULL. */
int notices_add(struct inventory *inventory, const struct notice_row *row, int64_t *ret_id,
                struct error *err);
int notices_get(struct inventory *inventory, int64_t id, struct notice_row *ret, struct error *err);
/* The unsent notice that is due longest; E_NOT_FOUND and *ret_at the next due time (UTC_NEVER: none
 * waits). */
int notices_next_due(struct inventory *inventory, utc_t now, struct notice_row *ret, utc_t *ret_at,
                     struct error *err);
/* Both count the attempt. */
int notices_set_sent(struct inventory *inventory, int64_t id, utc_t at, struct error *err);
int notices_set_failed(struct inventory *inventory, int64_t id, utc_t next_try_at, bool bad,
                       utc_t now, const char *last_error, struct error *err);
/* Drops unsent notices of a certificate of this kind: overtaken by events. */
int notices_drop(struct inventory *inventory, int64_t certificate_id, const char *kind, utc_t at,
                 struct error *err);
/* How many about a certificate (0: about none) were created since a time: what a full drop folder
 * makes is bounded by it. */
int notices_count(struct inventory *inventory, int64_t certificate_id, utc_t since, int64_t *ret,
                  struct error *err);
/* How many of a kind and about a certificate (0: about none) were made since a time, those that
 * went to several people counted once: what a full drop folder makes is bounded by it. */
int notices_count_stages(struct inventory *inventory, int64_t certificate_id, const char *kind,
                         utc_t since, int64_t *ret, struct error *err);
/* How many are unsent (neither given up nor dropped), and when the oldest was made (UTC_NEVER:
 * none).
 */
int notices_waiting(struct inventory *inventory, int64_t *ret_count, utc_t *ret_oldest,
                    struct error *err);
typedef int (*notice_fn)(void *self, const struct notice_row *row, struct error *err);
/* All, oldest first. certificate_id 0: those about the daemon itself. */
int notices_by_certificate(struct inventory *inventory, int64_t certificate_id, notice_fn fn,
                           void *self, struct error *err);

#endif
