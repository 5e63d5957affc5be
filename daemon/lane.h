/*
 * Lanes: the daemon's work goes on in a few independent lines, each with one worker at a time and
 * an inventory handle of its own, so that a dead mail server or a slow service holds up nothing
 * else. A lane runs what is due, then sleeps until its next due time; whoever changes facts pokes
 * all lanes.
 */
#ifndef UL_DAEMON_LANE_H
#define UL_DAEMON_LANE_H

#include <stdatomic.h>

#include <uv.h>

#include "daemon/care.h"
#include "daemon/drop/drop.h"
#include "daemon/life/doctor.h"
#include "daemon/life/life.h"

struct lane;

/*
 * Does one piece of work, on a worker thread. Returns 0 (something was done), E_NOT_FOUND (nothing
 * is due; *ret_at says when something will be) or a failure, which is logged and tried again.
 */
typedef int (*lane_fn)(struct lane *lane, utc_t *ret_at, struct error *err);

int lane_renewals(struct lane *lane, utc_t *ret_at, struct error *err);
int lane_deployments(struct lane *lane, utc_t *ret_at, struct error *err);
int lane_mail(struct lane *lane, utc_t *ret_at, struct error *err);
int lane_prune(struct lane *lane, utc_t *ret_at, struct error *err);
int lane_intake(struct lane *lane, utc_t *ret_at, struct error *err);
/* Backups; and, once the inventory is damaged, the telling of it: the one lane that then runs. */
int lane_care(struct lane *lane, utc_t *ret_at, struct error *err);
int lane_doctor(struct lane *lane, utc_t *ret_at, struct error *err);

/* What the intake lane (intake.c) remembers between two batches. */
struct intake_state {
    struct life_batch *batch;
    size_t limit;         /* files of the next batch */
    bool looked;          /* what the last look found is still being taken */
    bool progress;        /* something of it was */
    bool stuck;           /* files could not be moved */
    int failures;         /* of the folder, one after the other */
    int64_t retry_ms;     /* while it fails, monotonic: not before */
    bool known, noted;    /* the inventory has been told since the start */
    char *trouble, *note; /* what it was told; NULL: none */
    int64_t tell_ms;      /* monotonic: when it is asked again whether to mail */
    int receipt_code;     /* of the receipts that could not be written in this round */
    bool receipt_logged;  /* of one of them it was said */
};

struct lane {
    const char *name;
    lane_fn run;
    struct life life;
    int rounds;        /* pieces of work before the loop is asked again; 0: many */
    bool other_rules;  /* of the lane of renewals: it looks for what a new configuration changes */
    struct drop *drop; /* of the intake lane, as the next two */
    const char *drop_path; /* borrowed */
    seconds_t drop_scan;
    struct care *care;     /* of the care lane; borrowed */
    struct doctor *doctor; /* of the doctor's lane; borrowed */
    /* Called on the loop's thread when the lane came to rest. */
    void (*rest)(void *self, bool did_something);
    void *self;
    /* private */
    uv_work_t work;
    uv_timer_t timer;
    atomic_bool held; /* the worker looks at it between two pieces of work */
    bool busy, again;
    bool did_something;
    bool planning; /* plans are being made anew */
    bool waits;    /* it only waited for the time to try again */
    char *failure; /* that was logged and has not passed */
    struct intake_state intake;
    utc_t next_at;
};

/* One thread for each lane, since each may be long at one piece of work; before any of it. */
void lanes_share_threads(int lanes);
/* The lane's timer becomes part of the loop; nothing runs before the first poke. The fields above
 * `private` are set. */
void lane_init(struct lane *lane, uv_loop_t *loop);
/* Looks for due work soon. Loop thread only. */
void lane_poke(struct lane *lane);
/* No new work after the piece in hand; the lane is not busy any more when that is done. */
void lane_hold(struct lane *lane);
/* Goes on, and looks for due work. */
void lane_release(struct lane *lane);
bool lane_is_held(const struct lane *lane);
/* Closes its inventory, too. */
void lane_done(struct lane *lane);
void lane_intake_done(struct lane *lane);
bool lane_is_busy(const struct lane *lane);
bool lanes_are_busy(const struct lane *lanes, size_t count);

#endif
