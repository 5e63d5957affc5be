#include "store/events.h"

#include "store/statement.h"

static void row_done(struct event_row *row)
{
    free(row->actor);
    free(row->kind);
    free(row->text);
}

int events_add(struct inventory *inventory, utc_t at, int64_t certificate_id, int64_t renewal_id,
               const char *actor, const char *kind, const char *text, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO events (at, certificate_id, renewal_id, actor, kind, text)"
                            " VALUES (?, ?, ?, ?, ?, ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_id(&statement, certificate_id);
    statement_bind_id(&statement, renewal_id);
    statement_bind_text(&statement, actor);
    statement_bind_text(&statement, kind);
    statement_bind_text(&statement, text);
    return statement_run(&statement, err);
}

static int visit(struct inventory *inventory, int64_t id, event_fn fn, void *self,
                 struct error *err)
{
    __attribute__((cleanup(row_done))) struct event_row row = {.id = id};
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "SELECT at, certificate_id, renewal_id, actor, kind, text FROM events WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "event %" PRId64, id);
    if (rc < 0)
        return rc;
    row.at = statement_read_utc(&statement);
    row.certificate_id = statement_read_int(&statement);
    row.renewal_id = statement_read_int(&statement);
    row.actor = statement_read_text(&statement);
    row.kind = statement_read_text(&statement);
    row.text = statement_read_text(&statement);
    statement_done(&statement);
    return fn(self, &row, err);
}

static int newest_ids(struct inventory *inventory, int64_t certificate_id, size_t limit,
                      struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            certificate_id != 0 ? "SELECT id FROM events WHERE certificate_id = ?"
                                                  " ORDER BY id DESC LIMIT ?"
                                                : "SELECT id FROM events ORDER BY id DESC LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    if (certificate_id != 0)
        statement_bind_int(&statement, certificate_id);
    statement_bind_int(&statement, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

int events_each(struct inventory *inventory, int64_t certificate_id, size_t limit, event_fn fn,
                void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = newest_ids(inventory, certificate_id, limit, &ids, err);

    for (size_t i = ids.count; rc >= 0 && i > 0; i--)
        rc = visit(inventory, ids.items[i - 1], fn, self, err);
    return rc < 0 ? rc : 0;
}
