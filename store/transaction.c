#include "store/transaction.h"

#include <assert.h>

#include "store/statement.h"

static int run(struct inventory *inventory, const char *sql, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    return rc < 0 ? rc : statement_run(&statement, err);
}

int inventory_begin(struct inventory *inventory, struct error *err)
{
    assert(!inventory->in_transaction);
    int rc = run(inventory, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    inventory->in_transaction = true;
    return 0;
}

int inventory_view_begin(struct inventory *inventory, struct error *err)
{
    assert(!inventory->in_transaction);
    int rc = run(inventory, "BEGIN", err);
    if (rc < 0)
        return rc;
    inventory->in_transaction = true;
    return 0;
}

void inventory_view_end(struct inventory *inventory)
{
    inventory_rollback(inventory);
}

int inventory_commit(struct inventory *inventory, struct error *err)
{
    assert(inventory->in_transaction && inventory->nested == 0);
    /* Another handle may have found damage since this began. */
    int rc = statement_may_write(inventory, err);
    if (rc == 0)
        rc = run(inventory, "COMMIT", err);
    if (rc < 0) {
        inventory_rollback(inventory);
        return rc;
    }
    inventory->in_transaction = false;
    return 0;
}

void inventory_rollback(struct inventory *inventory)
{
    inventory->in_transaction = false;
    inventory->nested = 0;
    /* Some failures have rolled back already. ROLLBACK itself cannot fail in a way that keeps the
     * changes. */
    if (!sqlite3_get_autocommit(inventory->db))
        run(inventory, "ROLLBACK", NULL);
}

int inventory_part_begin(struct inventory *inventory, struct error *err)
{
    assert(inventory->in_transaction);
    int rc = run(inventory, "SAVEPOINT part", err);
    if (rc == 0)
        inventory->nested++;
    return rc;
}

int inventory_part_end(struct inventory *inventory, bool keep, struct error *err)
{
    assert(inventory->nested > 0);
    int rc = keep ? 0 : run(inventory, "ROLLBACK TO part", err);
    if (rc == 0)
        rc = run(inventory, "RELEASE part", err);
    if (rc == 0)
        inventory->nested--;
    return rc;
}

int atomic_begin(struct inventory *inventory, struct atomic *ret, struct error *err)
{
    bool nested = inventory->in_transaction;
    int rc = nested ? run(inventory, "SAVEPOINT nested", err) : inventory_begin(inventory, err);

    if (rc < 0)
        return rc;
    if (nested)
        inventory->nested++;
    *ret = (struct atomic){inventory, nested};
    return 0;
}

int atomic_commit(struct atomic *atomic, struct error *err)
{
    struct inventory *inventory = atomic->inventory;

    if (!atomic->nested) {
        atomic->inventory = NULL;
        return inventory_commit(inventory, err);
    }
    int rc = run(inventory, "RELEASE nested", err);
    if (rc < 0)
        return rc;
    inventory->nested--;
    atomic->inventory = NULL;
    return 0;
}

void atomic_done(struct atomic *atomic)
{
    struct inventory *inventory = atomic->inventory;

    if (!inventory)
        return;
    if (atomic->nested) {
        inventory->nested--;
        /* Both fail when SQLite has undone the whole transaction: nothing is left to undo then. */
        run(inventory, "ROLLBACK TO nested", NULL);
        run(inventory, "RELEASE nested", NULL);
    } else {
        inventory_rollback(inventory);
    }
    atomic->inventory = NULL;
}

/* Outside of a transaction a savepoint begins one that takes no lock before its first query. */
int snapshot_begin(struct inventory *inventory, struct snapshot *ret, struct error *err)
{
    int rc = run(inventory, "SAVEPOINT snapshot", err);

    if (rc == 0)
        ret->inventory = inventory;
    return rc;
}

void snapshot_done(struct snapshot *snapshot)
{
    if (!snapshot->inventory)
        return;
    run(snapshot->inventory, "RELEASE snapshot", NULL);
    snapshot->inventory = NULL;
}
