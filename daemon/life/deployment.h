/* One deployment in hand: shared by deploy.c (the way forward) and undo.c (the way back). */
#ifndef UL_DAEMON_LIFE_DEPLOYMENT_H
#define UL_DAEMON_LIFE_DEPLOYMENT_H

#include "daemon/life/internal.h"

/* Everything one deployment works with. */
struct deployment {
    struct life *life;
    struct hand *hand;
    struct target_row target;
    struct renewal_row renewal;
    struct deployment_row row;
    struct blobs chain;
    struct deploy_order order;
    struct bind_endpoint *endpoints;
};

/* Commits the deployment's facts with an event that says so. */
int deployment_record(struct deployment *on, const char *kind, const char *text, struct error *err);
utc_t deployment_now(const struct deployment *on);

/* A step failed, as `why` says: what was changed is taken back, proven, recorded and told. */
int deployment_fail(struct deployment *on, const struct error *why, struct error *err);
/* Goes on with an undo that was begun. */
int deployment_undo(struct deployment *on, struct error *err);
/*
 * The way back itself failed, or cannot be gone: live files may be of either side, or mixed. Told
 * at once and daily, and tried again by back-off.
 */
int deployment_stuck(struct deployment *on, const struct error *why, struct error *err);
/*
 * A deployment of an older renewal that a crash broke off, and that a newer certificate has
 * overtaken: the files from before it come back first, so that "previous" never means a
 * half-swapped pair. `why` is set when they could not be put back, err by the inventory.
 */
int deployment_settle(struct deployment *on, struct error *why, struct error *err);
/* True when a leaf was installed before this deployment. */
bool deployment_had_previous(const struct deployment *on);

#endif
