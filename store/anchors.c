#include "store/anchors.h"

#include "store/statement.h"

void anchor_row_done(struct anchor_row *row)
{
    blob_done(&row->der);
    free(row->subject);
    free(row->added_by);
    free(row->comment);
    free(row->removed_by);
    *row = (struct anchor_row){0};
}

int anchors_add(struct inventory *inventory, const struct anchor_row *row, int64_t *ret_id,
                struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "INSERT INTO anchors (sha256, der, subject, not_after, added_at, added_by, comment)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, row->sha256);
    statement_bind_bytes(&statement, blob_span(&row->der));
    statement_bind_text(&statement, row->subject);
    statement_bind_utc(&statement, row->not_after);
    statement_bind_utc(&statement, row->added_at);
    statement_bind_text(&statement, row->added_by);
    statement_bind_text(&statement, row->comment);
    return statement_insert(&statement, ret_id, err);
}

int anchors_remove(struct inventory *inventory, int64_t id, utc_t at, const char *by,
                   struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE anchors SET removed_at = ?, removed_by = ?"
                            " WHERE id = ? AND removed_at IS NULL",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_text(&statement, by);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "trust anchor %" PRId64, id);
}

static int get(struct inventory *inventory, int64_t id, struct anchor_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT sha256, der, subject, not_after, added_at, added_by, comment,"
                            " removed_at, removed_by FROM anchors WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "trust anchor %" PRId64, id);
    if (rc < 0)
        return rc;
    ret->id = id;
    statement_read_hash(&statement, ret->sha256);
    ret->der = statement_read_blob(&statement);
    ret->subject = statement_read_text(&statement);
    ret->not_after = statement_read_utc(&statement);
    ret->added_at = statement_read_utc(&statement);
    ret->added_by = statement_read_text(&statement);
    ret->comment = statement_read_text(&statement);
    ret->removed_at = statement_read_utc(&statement);
    ret->removed_by = statement_read_text(&statement);
    return 0;
}

static int id_removed(struct inventory *inventory, const char *subject, utc_t since,
                      int64_t *ret_id, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM anchors AS gone WHERE subject = ? AND removed_at >= ?"
                            " AND NOT EXISTS (SELECT 1 FROM anchors WHERE sha256 = gone.sha256"
                            " AND removed_at IS NULL) ORDER BY removed_at DESC, id DESC LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, subject);
    statement_bind_utc(&statement, since);
    rc = statement_one(&statement, err, "removed trust anchor %s", subject);
    if (rc == 0)
        *ret_id = statement_read_int(&statement);
    return rc;
}

int anchors_find_removed(struct inventory *inventory, const char *subject, utc_t since,
                         struct anchor_row *ret, struct error *err)
{
    int64_t id = 0;
    int rc = id_removed(inventory, subject, since, &id, err);

    return rc < 0 ? rc : get(inventory, id, ret, err);
}

static int ids_in_force(struct inventory *inventory, struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM anchors WHERE removed_at IS NULL ORDER BY id", &statement, err);

    return rc < 0 ? rc : statement_ids(&statement, ret, err);
}

int anchors_each(struct inventory *inventory, anchor_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_in_force(inventory, &ids, err);

    for (size_t i = 0; rc == 0 && i < ids.count; i++) {
        AUTO_ANCHOR struct anchor_row row = {0};

        rc = get(inventory, ids.items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc;
}

int anchors_ders(struct inventory *inventory, struct blobs *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT der FROM anchors WHERE removed_at IS NULL ORDER BY id", &statement, err);

    return rc < 0 ? rc : statement_blobs(&statement, ret, err);
}

int anchors_count(struct inventory *inventory, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT count(*) FROM anchors WHERE removed_at IS NULL",
                            &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "count");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}
