#include "store/quarantine.h"

#include <string.h>

#include "store/statement.h"
#include "store/transaction.h"

#define COLUMNS "id, sha256, spki_sha256, why, der, not_after, seen_at, file, delivery_id"

static const char *const whys[] = {
#define X(name, text) [name] = text,
    QUARANTINE_TABLE(X)
#undef X
};

void quarantine_row_done(struct quarantine_row *row)
{
    blob_done(&row->der);
    free(row->file);
    *row = (struct quarantine_row){0};
}

/* Runs one statement with a number and a hash (NULL: none). */
static int change(struct inventory *inventory, const char *sql, const uint8_t *hash, int64_t number,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc < 0)
        return rc;
    if (hash)
        statement_bind_hash(&statement, hash);
    statement_bind_int(&statement, number);
    return statement_run(&statement, err);
}

static int insert(struct inventory *inventory, const struct quarantine_row *row, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO quarantine (sha256, spki_sha256, why, der, not_after,"
                            " seen_at, file) VALUES (?, ?, ?, ?, ?, ?, ?)"
                            " ON CONFLICT (sha256) DO UPDATE SET why = excluded.why",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, row->sha256);
    statement_bind_hash(&statement, row->spki_sha256);
    statement_bind_text(&statement, whys[row->why]);
    statement_bind_blob(&statement, &row->der);
    statement_bind_utc(&statement, row->not_after);
    statement_bind_utc(&statement, row->seen_at);
    statement_bind_text(&statement, row->file);
    return statement_run(&statement, err);
}

/* Each kind has its own bound: strangers' leaves push out no leaf of ours. */
static int prune_kind(struct inventory *inventory, enum quarantine_why why, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "DELETE FROM quarantine WHERE why = ?1 AND id <= (SELECT id FROM"
                            " quarantine WHERE why = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, whys[why]);
    statement_bind_int(&statement, QUARANTINE_MAX);
    return statement_run(&statement, err);
}

/* By index, from the newest: the first one past the bound, and all that are older, go. */
static int prune(struct inventory *inventory, const struct quarantine_row *row, struct error *err)
{
    int rc =
        change(inventory, "DELETE FROM quarantine WHERE not_after < ?", NULL, row->seen_at, err);

    if (rc == 0)
        rc = change(inventory,
                    "DELETE FROM quarantine WHERE spki_sha256 = ?1 AND id <= (SELECT id FROM"
                    " quarantine WHERE spki_sha256 = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                    row->spki_sha256, QUARANTINE_KEY_MAX, err);
    return rc < 0 ? rc : prune_kind(inventory, row->why, err);
}

int quarantine_add(struct inventory *inventory, const struct quarantine_row *row, struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = insert(inventory, row, err);
    if (rc == 0)
        rc = prune(inventory, row, err);
    return rc < 0 ? rc : atomic_commit(&atomic, err);
}

int quarantine_bind(struct inventory *inventory, int64_t delivery_id, struct error *err)
{
    return change(inventory, "UPDATE quarantine SET delivery_id = ? WHERE delivery_id IS NULL",
                  NULL, delivery_id, err);
}

static enum quarantine_why read_why(struct statement *statement)
{
    AUTO_FREE char *text = statement_read_text(statement);
    size_t why = 0;

    while (why + 1 < QUARANTINE_WHYS && (!text || strcmp(text, whys[why]) != 0))
        why++;
    return (enum quarantine_why)why;
}

static void read_row(struct statement *statement, struct quarantine_row *row)
{
    row->id = statement_read_int(statement);
    statement_read_hash(statement, row->sha256);
    statement_read_hash(statement, row->spki_sha256);
    row->why = read_why(statement);
    row->der = statement_read_blob(statement);
    row->not_after = statement_read_utc(statement);
    row->seen_at = statement_read_utc(statement);
    row->file = statement_read_text(statement);
    row->delivery_id = statement_read_int(statement);
}

int quarantine_find(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct quarantine_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM quarantine WHERE sha256 = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, sha256);
    rc = statement_one(&statement, err, "leaf in quarantine");
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int quarantine_remove(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                      struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM quarantine WHERE sha256 = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, sha256);
    return statement_change(&statement, err, "leaf in quarantine");
}

static int get(struct inventory *inventory, int64_t id, struct quarantine_row *ret,
               struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM quarantine WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "leaf %" PRId64 " in quarantine", id);
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

static int each(struct inventory *inventory, const struct ids *ids, quarantine_fn fn, void *self,
                struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < ids->count; i++) {
        AUTO_QUARANTINE struct quarantine_row row = {0};

        rc = get(inventory, ids->items[i], &row, err);
        /* The callback may have removed it with another one. */
        if (rc == E_NOT_FOUND)
            rc = 0;
        else if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}

static int ids_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                       struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM quarantine WHERE spki_sha256 = ? ORDER BY id", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, spki_sha256);
    return statement_ids(&statement, ret, err);
}

int quarantine_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                       quarantine_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_spki(inventory, spki_sha256, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

static int ids_by_chain(struct inventory *inventory, struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT id FROM quarantine WHERE why = 'chain' ORDER BY id",
                            &statement, err);

    return rc < 0 ? rc : statement_ids(&statement, ret, err);
}

int quarantine_by_chain(struct inventory *inventory, quarantine_fn fn, void *self,
                        struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_chain(inventory, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}
