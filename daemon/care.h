/*
 * The care of the inventory as a file: backups while it is well; once it is found damaged, telling
 * people without it, again and again, until somebody restores it. Belongs to one lane; what it
 * knows may be asked by any thread.
 */
#ifndef UL_DAEMON_CARE_H
#define UL_DAEMON_CARE_H

#include <pthread.h>

#include "daemon/life/life.h"
#include "store/damage.h"

struct care {
    struct damage damage; /* what the handles of the inventory report to */
    char *inventory;      /* its path */
    /* private */
    pthread_mutex_t lock;
    utc_t since;  /* damage was found; 0: not yet looked at */
    char *backup; /* the newest good one, with its path; NULL: none */
    bool told;
    int tries;
};

void care_init(struct care *care, const char *inventory);
void care_done(struct care *care);

/* For the daemon's API, its log and systemd; owned by the caller: what is so and what to do. NULL
 * while nothing is damaged. */
char *care_says(struct care *care);
/* Since when, and the newest good backup, owned (NULL: none, or not found out yet). */
utc_t care_since(struct care *care, char **ret_backup);

/*
 * At the start, before the inventory is opened. E_REFUSED when there is none, but backups of one.
 * *ret_marked: an earlier daemon found it damaged.
 */
int care_begin(struct care *care, const char *backups, bool *ret_marked, struct error *err);
/* An inventory that was marked is read whole: well, and the mark goes; or it is damaged. */
void care_judge(struct care *care, struct inventory *inventory);

/* One turn while it is damaged: mark, log, mail. Returns as life_step. */
int care_turn(struct care *care, const struct life *life, utc_t *ret_at, struct error *err);

#endif
