/*
 * What is to be done next, and in which order. Each certificate has a plan; what waits for its time
 * is found by that time, and what is due by its deadline, nearest first: a hundred thousand that
 * are due at once do not keep waiting the one that ends tomorrow.
 */
#ifndef UL_STORE_SCHEDULE_H
#define UL_STORE_SCHEDULE_H

#include <stdbool.h>

#include "store/certificates.h"

struct certificate_plan {
    utc_t next_at;
    const char *next_action; /* action_text() */
    int64_t next_target;     /* 0: none */
    utc_t deadline;          /* of the action; UTC_NEVER: whenever there is time */
    utc_t ends_at;           /* of what is in service */
    const char *state;       /* state_text() */
};

/* A plan for `now` or before is due at once. E_NOT_FOUND. */
int certificates_set_plan(struct inventory *inventory, int64_t id,
                          const struct certificate_plan *plan, utc_t now, struct error *err);

/*
 * The certificates with the nearest deadlines whose next action is due: deploy actions when
 * `deploy`, all others when not; of equals those that are due longest. At most `room` ids, nearest
 * first. E_NOT_FOUND when nothing is due, which one index look-up finds out; *ret_at then tells
 * when something will be (UTC_NEVER: nothing planned). When several are due this writes: within an
 * open transaction it is part of that.
 */
int certificates_due(struct inventory *inventory, bool deploy, utc_t now, int64_t *ret_ids,
                     size_t room, size_t *ret_count, utc_t *ret_at, struct error *err);

/* The one that comes next, due or not, and its time. E_NOT_FOUND: nothing is planned. */
int certificates_next(struct inventory *inventory, bool deploy, int64_t *ret_id, utc_t *ret_at,
                      struct error *err);

/* Those that are due and not done yet, at most `limit` of each lane in each way of being due: their
 * plans may have been overtaken by time. Writes nothing. */
int certificates_each_due(struct inventory *inventory, utc_t now, size_t limit, certificate_fn fn,
                          void *self, struct error *err);

#endif
