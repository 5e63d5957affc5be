/* Managed certificates: a name, the names it is for, its policy, and the time of the next planned
 * action. */
#ifndef UL_STORE_CERTIFICATES_H
#define UL_STORE_CERTIFICATES_H

#include <stdbool.h>

#include "pki/names.h"
#include "store/inventory.h"

struct certificate_row {
    int64_t id;
    char *name; /* unique; letters, digits, ".", "_", "-" */
    char *policy;
    struct names names;
    utc_t added_at;
    utc_t retired_at;
    /* The plan (store/schedule.h): what policies/ said last, so that due work and what lists ask
     * for are found by index. Always written again with the facts. */
    utc_t next_at;
    char *next_action;   /* action_text() */
    int64_t next_target; /* 0 when the action has none */
    utc_t deadline;
    utc_t ends_at;
    char *state;        /* state_text() */
    size_t ladder_told; /* stages of the live certificate's expiry ladder that people were told */
    utc_t expired_told_at;
    char *damaged; /* NULL; of certificates_each: why its names cannot be read. They are empty then.
                    */
};
void certificate_row_done(struct certificate_row *row);
#define AUTO_CERTIFICATE __attribute__((cleanup(certificate_row_done)))

/* Inserts name, policy, names and added_at; everything else starts as "not happened". E_EXISTS when
 * the name is taken, E_INPUT when it has another character than the above. next_at starts as
 * added_at, for no action: plan it. */
int certificates_add(struct inventory *inventory, const struct certificate_row *row,
                     int64_t *ret_id, struct error *err);
int certificates_get(struct inventory *inventory, int64_t id, struct certificate_row *ret,
                     struct error *err);
/* One whose names cannot be read comes, too, as `damaged`. */
int certificates_get_any(struct inventory *inventory, int64_t id, struct certificate_row *ret,
                         struct error *err);
int certificates_find(struct inventory *inventory, const char *name, struct certificate_row *ret,
                      struct error *err);

/* The name alone, owned: also of one that cannot be read otherwise. E_NOT_FOUND. */
int certificates_name(struct inventory *inventory, int64_t id, char **ret, struct error *err);

/* Calls each row in the order of names, starting after `after` ("" for all), at most `limit` rows.
 * The row is borrowed. A callback's negative return ends the walk and is returned. As in every walk
 * of store/ the set of rows is that of the start, each row is read when its turn comes, and the
 * callback may use the same handle, for writing and for whole transactions, too. A row that cannot
 * be read comes as `damaged`: it hides no other one. */
typedef int (*certificate_fn)(void *self, const struct certificate_row *row, struct error *err);
int certificates_each(struct inventory *inventory, const char *after, size_t limit,
                      certificate_fn fn, void *self, struct error *err);
/* The same: those with an id above `after`, in its order; *ret_last is the last one's (0: there is
 * none). */
int certificates_after(struct inventory *inventory, int64_t after, size_t limit, certificate_fn fn,
                       void *self, int64_t *ret_last, struct error *err);
int certificates_count(struct inventory *inventory, int64_t *ret, struct error *err);
/* Those whose first name is this one; for "*.example.com" also those whose first name has one label
 * before it. Retired ones, too. */
int certificates_by_first_name(struct inventory *inventory, const char *name, certificate_fn fn,
                               void *self, struct error *err);

int certificates_set_told(struct inventory *inventory, int64_t id, size_t ladder_told,
                          utc_t expired_told_at, struct error *err);
/* Its targets' files are then free for others; UTC_NEVER takes it back, E_EXISTS when one of them
 * is in use by now. */
int certificates_set_retired(struct inventory *inventory, int64_t id, utc_t at, struct error *err);

#endif
