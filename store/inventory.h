/*
 * The inventory: one SQLite file, the only truth. This header opens it and holds the transaction;
 * one header beside it for each kind of row. A handle belongs to one thread at a time. Only store/
 * knows SQL.
 */
#ifndef UL_STORE_INVENTORY_H
#define UL_STORE_INVENTORY_H

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

struct inventory;

/*
 * Opens (makes, 0600) the file, whose path is absolute, sets WAL, synchronous=FULL, foreign_keys,
 * trusted_schema=off, secure_delete and the busy time-out, and brings it to the newest schema, each
 * migration in its own transaction. E_CORRUPT when it is no inventory or damaged, E_REFUSED when a
 * newer program made it, E_IO, E_FULL.
 */
int inventory_open(const char *path, struct inventory **ret, struct error *err);
/*
 * A file that nobody writes meanwhile, such as a backup: opened for reading alone, nothing beside
 * it is looked at or made. The same codes; E_REFUSED also for a log of SQLite beside it, without
 * which it is not whole.
 */
int inventory_open_still(const char *path, struct inventory **ret, struct error *err);
void inventory_close(struct inventory *inventory); /* NULL-safe; rolls an open transaction back */

/* BEGIN IMMEDIATE ... COMMIT. begin asserts that no transaction is open. A failed commit rolls
 * back. */
int inventory_begin(struct inventory *inventory, struct error *err);
int inventory_commit(struct inventory *inventory, struct error *err);
void inventory_rollback(struct inventory *inventory); /* success when none is open */

/* Many reads of one state of the inventory, without a lock for each; nothing may be written, and it
 * is to be short: while it lasts the log cannot be emptied. */
int inventory_view_begin(struct inventory *inventory, struct error *err);
void inventory_view_end(struct inventory *inventory);

/* A part of the open transaction that can be undone alone. After a failure roll the transaction
 * back. */
int inventory_part_begin(struct inventory *inventory, struct error *err);
int inventory_part_end(struct inventory *inventory, bool keep, struct error *err);

/*
 * Brings what is committed into the file and empties the log beside it, where what was overwritten
 * in the file would stay readable for a while. Asks once: E_BUSY when another handle is at work.
 */
int inventory_empty_log(struct inventory *inventory, struct error *err);

/* PRAGMA integrity_check and foreign_key_check; E_CORRUPT holds the first line. Both read the whole
 * file. What the first finds is reported as damage (store/damage.h). */
int inventory_check(struct inventory *inventory, struct error *err);
int inventory_check_pages(struct inventory *inventory, struct error *err);
int inventory_check_references(struct inventory *inventory, struct error *err);

/* What takes long on this handle ends with E_BUSY soon after stop says so; it is asked all the
 * time. NULL: nothing stops it any more. */
typedef bool (*inventory_stop_fn)(void *self);
void inventory_stop_when(struct inventory *inventory, inventory_stop_fn stop, void *self);

/* The schema of the file, as in store/schema/. */
int inventory_schema(struct inventory *inventory, int64_t *ret, struct error *err);
/* Gives memory back that only makes the next statements faster. */
void inventory_rest(struct inventory *inventory);

/* Small named values: the id of the sealing key, the last time seen. E_NOT_FOUND. */
int inventory_value_get(struct inventory *inventory, const char *name, struct blob *ret,
                        struct error *err);
int inventory_value_set(struct inventory *inventory, const char *name, struct span value,
                        struct error *err);
/* Success when there was none. */
int inventory_value_remove(struct inventory *inventory, const char *name, struct error *err);

#endif
