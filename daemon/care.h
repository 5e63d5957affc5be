/*
 * The care of the inventory as a file: backups while it is well; once it is found damaged, telling
 * people without it, again and again, until somebody restores it. Belongs to one lane; what it
 * knows may be asked by any thread.
 */
#ifndef UL_DAEMON_CARE_H
#define UL_DAEMON_CARE_H

#include <pthread.h>

#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/life/life.h"
#include "store/damage.h"

struct lane;

struct care {
    struct damage damage; /* what the handles of the inventory report to */
    char *inventory;      /* its path */
    /* private */
    int lock; /* of the inventory */
    pthread_mutex_t guard;
    utc_t since;  /* damage was found; 0: not yet looked at */
    char *backup; /* the newest good one, with its path; NULL: none */
    bool told;
    int tries;
    uv_async_t alarm;
    struct lane *lanes, *own;
    size_t lane_count;
};

void care_init(struct care *care, const char *inventory);
void care_done(struct care *care);

/*
 * Makes the inventory's folder, takes its lock and opens it. What is damaged is no failure: nothing
 * is then written, and *ret is NULL when it cannot even be opened. One that an earlier daemon
 * marked as damaged is read whole first. E_BUSY names who holds it; E_REFUSED when there is none,
 * but backups of one, and as inventory_open.
 */
int care_open(struct care *care, const struct config *config, struct inventory **ret,
              struct error *err);

/* Damage is heard of from now on: all lanes are held but `own`, which is poked. */
void care_start(struct care *care, uv_loop_t *loop, struct lane *lanes, size_t count,
                struct lane *own);
/* The loop has ended. */
void care_stop(struct care *care);
/* Once damage is found only the care of it goes on. */
bool care_lets_run(const struct care *care, const struct lane *lane);

/* For the daemon's API, its log and systemd; owned by the caller: what is so and what to do. NULL
 * while nothing is damaged. */
char *care_says(struct care *care);
/* The same, as struct api_context wants it: self is the care. */
char *care_tell(void *self, utc_t *ret_since, char **ret_backup);
/* Since when, and the newest good backup, owned (NULL: none, or not found out yet). */
utc_t care_since(struct care *care, char **ret_backup);

/* One turn while it is damaged: mark, log, mail. Returns as life_step. */
int care_turn(struct care *care, const struct life *life, utc_t *ret_at, struct error *err);

#endif
