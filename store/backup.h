/*
 * Backups: whole copies of an inventory, made while others write it, and verified before they get
 * their name. A file of that name in the folder is therefore a good one. Keys in it are sealed as
 * in the inventory; the sealing key is not in it.
 */
#ifndef UL_STORE_BACKUP_H
#define UL_STORE_BACKUP_H

#include "store/inventory.h"

enum { BACKUP_NAME_MAX = 64 };

/* "inventory-20261122T165714Z.db", or with "_2"... for another one of that second. */
struct backup {
    char name[BACKUP_NAME_MAX];
    utc_t made_at; /* out of the name */
    int64_t size;  /* in bytes */
};

/* Newest first. */
struct backups {
    struct backup *items;
    size_t count;
};
void backups_done(struct backups *backups);
#define AUTO_BACKUPS __attribute__((cleanup(backups_done)))

struct backup_job {
    const char *folder;     /* absolute; made, 0700, when it is missing */
    utc_t now;              /* for the name */
    inventory_stop_fn stop; /* asked all the time; NULL: to the end */
    void *self;
};

/* What is in an inventory. */
struct backup_counts {
    int64_t tables, rows; /* rows of all tables */
    uint64_t sum;         /* over the count of each table */
    int64_t schema;
};

/*
 * Copies one state of the inventory as a reader, so that nobody who writes has to wait and nothing
 * they write makes it begin again; syncs, reads the copy from its first page to its last and
 * compares its rows with those of the source; only then gives it its name. The log of the inventory
 * grows meanwhile. A failure leaves no file: E_FULL (also when there would be little room left),
 * E_IO, E_DENIED; E_NOT_YET when told to stop; E_CORRUPT when the inventory itself is damaged, or
 * holds a row that refers to nothing.
 */
int backup_make(struct inventory *source, const struct backup_job *job, struct backup *ret,
                struct backup_counts *ret_counts, struct error *err);

/* Reads a file that nobody writes to its end: pages, indexes, references, rows. E_CORRUPT,
 * E_REFUSED (a newer schema), E_BUSY when told to stop. ret_sealing_key (may be NULL) is the id of
 * the key its keys are sealed with, empty when it holds none. */
int backup_verify(const char *path, const struct backup_job *job, struct backup_counts *ret,
                  struct blob *ret_sealing_key, struct error *err);

/* Those of a folder. Success without any when there is no folder. */
int backups_list(const char *folder, struct backups *ret, struct error *err);

/*
 * Removes what a crash left of unfinished ones, and each backup that has at least `keep` newer ones
 * and is older than `age`. keep is at least 1, so the newest stays. *ret_removed: how many.
 */
int backups_rotate(const char *folder, int64_t keep, seconds_t age, utc_t now, int *ret_removed,
                   struct error *err);

#endif
