/*
 * Callers who asked for what they have no right to, in the audit trail: one event a user and hour,
 * for a few users an hour, since everybody may connect and each event costs a write to the disk.
 */
#ifndef UL_DAEMON_API_REFUSALS_H
#define UL_DAEMON_API_REFUSALS_H

#include "daemon/api/caller.h"
#include "daemon/life/life.h"

enum { REFUSALS_PER_HOUR = 16 };

struct refusals {
    struct {
        uid_t uid;
        utc_t at;
    } items[REFUSALS_PER_HOUR]; /* those of the last hour; at 0: free */
};

/* Records it, unless this user's last hour has one. A failure is logged. */
void refusals_note(struct refusals *refusals, struct life *life, const struct caller *caller,
                   const char *method, const char *url, const char *why);

#endif
