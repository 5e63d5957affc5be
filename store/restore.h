/*
 * Puts a backup in the place of the inventory, in three steps: a copy beside the inventory, brought
 * up, verified and whole on the disk; one rename that decides; and the exchange, which is finished
 * by whoever opens the inventory next when this process does not. Killed at any instant there is
 * the old inventory with its log, or the new one, each whole. The caller holds the lock
 * (store/lock.h).
 */
#ifndef UL_STORE_RESTORE_H
#define UL_STORE_RESTORE_H

#include "store/backup.h"

struct restore_look {
    struct backup_counts counts; /* after it was brought to this program's schema */
    struct blob sealing_key;     /* the id of the key its keys are sealed with; empty: none */
    utc_t last_event;            /* when something was last written down in it; UTC_NEVER: never */
};
void restore_look_done(struct restore_look *look);

struct restore_job {
    const char *path;  /* of the inventory */
    const char *file;  /* the backup */
    const char *actor; /* for the audit trail of what is restored: "uid 0" */
    utc_t now;
};

/*
 * Copies the file beside the inventory, 0600 and the old inventory's owner's, opens it, brings it
 * to the newest schema, checks all of it and writes down that it was restored. Nothing else
 * changes; a failure leaves nothing. E_CORRUPT, E_REFUSED (a newer schema; a file that is not whole
 * by itself), E_NOT_FOUND, E_DENIED, E_IO, E_FULL. The backup itself is only read.
 */
int restore_prepare(const struct restore_job *job, struct restore_look *ret, struct error *err);
/* Removes what restore_prepare made. */
void restore_forget(const char *path);

/* What was prepared becomes the inventory. *ret_kept, owned, is where the replaced one lies now,
 * its log beside it; NULL when there was none. */
int restore_commit(const char *path, char **ret_kept, struct error *err);

/* A crash came between the decision and its end: the next inventory_open brings it about. */
bool restore_is_decided(const char *path);

/* Finishes what restore_commit had decided before a crash; success when there is nothing. */
int restore_finish(const char *path, struct error *err);

#endif
