/* Why things are as they are, in sentences made from the facts: for `explain`. */
#ifndef UL_DAEMON_API_WHY_H
#define UL_DAEMON_API_WHY_H

#include "daemon/api/view.h"

/*
 * Appends to `why` one sentence for each thing that holds, and to `errors` {at, what, text} for the
 * last failure of each kind that still matters.
 */
int why_append(const struct api_call *call, const struct view *view, json_t *why, json_t *errors,
               struct error *err);

#endif
