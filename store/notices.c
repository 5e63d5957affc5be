#include "store/notices.h"

#include "store/statement.h"

#define COLUMNS                                                                   \
    "id, certificate_id, renewal_id, kind, stage, recipient, fields, created_at," \
    " next_try_at, sent_at, bad_at, dropped_at, attempts, last_error"

#define UNSENT "sent_at IS NULL AND bad_at IS NULL AND dropped_at IS NULL"

void notice_row_done(struct notice_row *row)
{
    free(row->kind);
    free(row->stage);
    free(row->recipient);
    fields_done(&row->fields);
    free(row->last_error);
    *row = (struct notice_row){0};
}

int notices_add(struct inventory *inventory, const struct notice_row *row, int64_t *ret_id,
                struct error *err)
{
    AUTO_FREE char *fields = fields_to_json(&row->fields);
    AUTO_STATEMENT struct statement statement = {0};
    int64_t id = 0;
    int rc = statement_open(inventory,
                            "INSERT INTO notices (certificate_id, renewal_id, kind, stage,"
                            " recipient, fields, created_at, next_try_at)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                            " ON CONFLICT DO NOTHING RETURNING id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_id(&statement, row->certificate_id);
    statement_bind_id(&statement, row->renewal_id);
    statement_bind_text(&statement, row->kind);
    statement_bind_text(&statement, row->stage);
    statement_bind_text(&statement, row->recipient);
    statement_bind_text(&statement, fields);
    statement_bind_utc(&statement, row->created_at);
    statement_bind_utc(&statement, row->created_at);
    rc = statement_insert(&statement, &id, err);
    if (rc == 0 && ret_id)
        *ret_id = id;
    return rc;
}

static int read_row(struct statement *statement, struct notice_row *ret, struct error *err)
{
    AUTO_NOTICE struct notice_row row = {0};

    row.id = statement_read_int(statement);
    row.certificate_id = statement_read_int(statement);
    row.renewal_id = statement_read_int(statement);
    row.kind = statement_read_text(statement);
    row.stage = statement_read_text(statement);
    row.recipient = statement_read_text(statement);
    AUTO_FREE char *fields = statement_read_text(statement);
    row.created_at = statement_read_utc(statement);
    row.next_try_at = statement_read_utc(statement);
    row.sent_at = statement_read_utc(statement);
    row.bad_at = statement_read_utc(statement);
    row.dropped_at = statement_read_utc(statement);
    row.attempts = (int)statement_read_int(statement);
    row.last_error = statement_read_text(statement);
    if (fields_from_json(fields, &row.fields, err) < 0)
        return error_wrap(err, E_CORRUPT, "notice %" PRId64, row.id);
    *ret = row;
    row = (struct notice_row){0};
    return 0;
}

int notices_get(struct inventory *inventory, int64_t id, struct notice_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT " COLUMNS " FROM notices WHERE id = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "notice %" PRId64, id);
    return rc < 0 ? rc : read_row(&statement, ret, err);
}

int notices_next_due(struct inventory *inventory, utc_t now, struct notice_row *ret, utc_t *ret_at,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int64_t id = 0;
    utc_t at = UTC_NEVER;
    int rc = statement_open(inventory,
                            "SELECT id, next_try_at FROM notices WHERE " UNSENT
                            " AND next_try_at < 9223372036854775807"
                            " ORDER BY next_try_at, id LIMIT 1",
                            &statement, err);

    if (rc == 0)
        rc = statement_step(&statement, &row, err);
    if (rc < 0)
        return rc;
    if (row) {
        id = statement_read_int(&statement);
        at = statement_read_utc(&statement);
    }
    if (!row || at > now) {
        *ret_at = at;
        return error_set(err, E_NOT_FOUND, "notices: nothing is due");
    }
    return notices_get(inventory, id, ret, err);
}

int notices_set_sent(struct inventory *inventory, int64_t id, utc_t at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE notices SET sent_at = ?, attempts = attempts + 1 WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "notice %" PRId64, id);
}

int notices_set_failed(struct inventory *inventory, int64_t id, utc_t next_try_at, bool bad,
                       utc_t now, const char *last_error, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE notices SET next_try_at = ?, bad_at = ?, last_error = ?,"
                            " attempts = attempts + 1 WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, next_try_at);
    statement_bind_utc(&statement, bad ? now : UTC_NEVER);
    statement_bind_text(&statement, last_error);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "notice %" PRId64, id);
}

int notices_drop(struct inventory *inventory, int64_t certificate_id, const char *kind, utc_t at,
                 struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE notices SET dropped_at = ?"
                            " WHERE coalesce(certificate_id, 0) = ? AND kind = ? AND " UNSENT,
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_int(&statement, certificate_id);
    statement_bind_text(&statement, kind);
    return statement_run(&statement, err);
}

int notices_waiting(struct inventory *inventory, int64_t *ret_count, utc_t *ret_oldest,
                    struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT count(*), min(created_at) FROM notices WHERE " UNSENT, &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "count");
    if (rc < 0)
        return rc;
    *ret_count = statement_read_int(&statement);
    *ret_oldest = statement_read_utc(&statement);
    return 0;
}

int notices_count(struct inventory *inventory, int64_t certificate_id, utc_t since, int64_t *ret,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT count(*) FROM notices WHERE coalesce(certificate_id, 0) = ?"
                            " AND created_at >= ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    statement_bind_int(&statement, since);
    rc = statement_one(&statement, err, "count");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

int notices_count_stages(struct inventory *inventory, int64_t certificate_id, const char *kind,
                         utc_t since, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    /* Each by its own index. */
    const char *sql = certificate_id == 0
                          ? "SELECT count(DISTINCT stage) FROM notices"
                            " WHERE certificate_id IS NULL AND kind = ?1 AND created_at >= ?2"
                          : "SELECT count(DISTINCT stage) FROM notices"
                            " WHERE coalesce(certificate_id, 0) = ?3 AND kind = ?1"
                            " AND created_at >= ?2";
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, kind);
    statement_bind_int(&statement, since);
    if (certificate_id != 0)
        statement_bind_int(&statement, certificate_id);
    rc = statement_one(&statement, err, "count");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

static int ids_by_certificate(struct inventory *inventory, int64_t certificate_id, struct ids *ret,
                              struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM notices WHERE coalesce(certificate_id, 0) = ? ORDER BY id",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    return statement_ids(&statement, ret, err);
}

int notices_by_certificate(struct inventory *inventory, int64_t certificate_id, notice_fn fn,
                           void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_certificate(inventory, certificate_id, &ids, err);

    for (size_t i = 0; rc >= 0 && i < ids.count; i++) {
        AUTO_NOTICE struct notice_row row = {0};

        rc = notices_get(inventory, ids.items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}
