/*
 * For store/ alone: several statements that hold together, whether or not the caller has a
 * transaction open.
 */
#ifndef UL_STORE_TRANSACTION_H
#define UL_STORE_TRANSACTION_H

#include "store/inventory.h"

/* One level: a transaction when none is open, else a savepoint inside it. */
struct atomic {
    struct inventory *inventory; /* NULL when there is nothing to undo */
    bool nested;
};

int atomic_begin(struct inventory *inventory, struct atomic *ret, struct error *err);
int atomic_commit(struct atomic *atomic, struct error *err);
/* Undoes what was not committed. */
void atomic_done(struct atomic *atomic);
#define AUTO_ATOMIC __attribute__((cleanup(atomic_done)))

/* Several queries that see one state of the file, whoever writes meanwhile. Nothing is written in
 * between. */
struct snapshot {
    struct inventory *inventory; /* NULL when none was begun */
};

int snapshot_begin(struct inventory *inventory, struct snapshot *ret, struct error *err);
void snapshot_done(struct snapshot *snapshot);
#define AUTO_SNAPSHOT __attribute__((cleanup(snapshot_done)))

#endif
