/* Events of the audit trail as JSON. */
#ifndef UL_DAEMON_API_EVENT_H
#define UL_DAEMON_API_EVENT_H

#include <jansson.h>

#include "store/trail.h"

/* Appends one to the array `self`: an event_fn. */
int event_append(void *self, const struct event_row *row, struct error *err);

/* {"id": ..., "hash": "..."} */
json_t *trail_mark_json(const struct trail_mark *mark);

/* What was pruned: {"id": ..., "hash": "...", "at": "...", "by": "..."}, null when nothing was. */
json_t *trail_pruned_json(const struct trail_ends *ends);

#endif
