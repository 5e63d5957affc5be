/*
 * What is known of damage to one inventory file, shared by all handles on it. From the moment that
 * SQLite finds a damaged page nothing is written through any of them: no statement, no commit, no
 * checkpoint. Reading goes on as far as it can. May be used by several threads.
 */
#ifndef UL_STORE_DAMAGE_H
#define UL_STORE_DAMAGE_H

#include <stdatomic.h>

#include "store/inventory.h"

struct damage {
    atomic_bool found;
    atomic_flag claimed;       /* by the first who reports */
    char text[ERROR_TEXT_MAX]; /* whole once found is set */
    void (*tell)(void *self);  /* called once, on the thread that found it; may be NULL */
    void *self;
};

/* {0} and then the two callbacks make one. The first report stays. */
void damage_report(struct damage *damage, const char *text);
bool damage_is_found(const struct damage *damage); /* false for NULL */

/* The handle reports to it and heeds it from now on; borrowed until the handle is closed. */
void inventory_watch(struct inventory *inventory, struct damage *damage);

#endif
