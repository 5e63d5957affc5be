#include "store/events.h"

#include <string.h>

#include "store/statement.h"
#include "store/trail.h"
#include "store/transaction.h"

void event_row_done(struct event_row *row)
{
    free(row->certificate);
    free(row->actor);
    free(row->kind);
    free(row->text);
    *row = (struct event_row){0};
}

static int insert(struct inventory *inventory, const struct event_row *row,
                  const struct trail_mark *mark, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO events (id, at, certificate_id, renewal_id, actor, kind,"
                            " text, old_sha256, new_sha256, hash)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, mark->id);
    statement_bind_utc(&statement, row->at);
    statement_bind_id(&statement, row->certificate_id);
    statement_bind_id(&statement, row->renewal_id);
    statement_bind_text(&statement, row->actor);
    statement_bind_text(&statement, row->kind);
    statement_bind_text(&statement, row->text);
    statement_bind_hash(&statement, row->old_sha256);
    statement_bind_hash(&statement, row->new_sha256);
    statement_bind_hash(&statement, mark->hash);
    return statement_run(&statement, err);
}

static int move_head(struct inventory *inventory, const struct trail_mark *mark, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "UPDATE trail SET head_id = ?, head_hash = ? WHERE id = 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, mark->id);
    statement_bind_bytes(&statement, span_of(mark->hash, SHA256_LEN));
    return statement_change(&statement, err, "the audit trail");
}

int events_record(struct inventory *inventory, const struct event_row *row, struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = trail_ends(inventory, &ends, err);
    if (rc < 0)
        return rc;
    struct event_row next = *row; /* borrows */
    struct trail_mark mark = {.id = ends.head.id + 1};
    next.id = mark.id;
    trail_hash(ends.head.hash, &next, mark.hash);
    rc = insert(inventory, &next, &mark, err);
    if (rc == 0)
        rc = move_head(inventory, &mark, err);
    return rc == 0 ? atomic_commit(&atomic, err) : rc;
}

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

int events_add(struct inventory *inventory, utc_t at, int64_t certificate_id, int64_t renewal_id,
               const char *actor, const char *kind, const char *text, struct error *err)
{
    const struct event_row row = {.at = at,
                                  .certificate_id = certificate_id,
                                  .renewal_id = renewal_id,
                                  .actor = borrowed(actor),
                                  .kind = borrowed(kind),
                                  .text = borrowed(text)};

    return events_record(inventory, &row, err);
}

/* One that was pruned since its id was read is passed over. */
static int visit(struct inventory *inventory, int64_t id, event_fn fn, void *self,
                 struct error *err)
{
    __attribute__((cleanup(event_row_done))) struct event_row row = {.id = id};
    AUTO_STATEMENT struct statement statement = {0};
    bool found = false;
    int rc = statement_open(inventory,
                            "SELECT at, certificate_id, renewal_id, name, actor, kind, text,"
                            " old_sha256, new_sha256, hash FROM events"
                            " LEFT JOIN certificates ON certificates.id = certificate_id"
                            " WHERE events.id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_step(&statement, &found, err);
    if (rc < 0 || !found)
        return rc;
    row.at = statement_read_utc(&statement);
    row.certificate_id = statement_read_int(&statement);
    row.renewal_id = statement_read_int(&statement);
    row.certificate = statement_read_text(&statement);
    row.actor = statement_read_text(&statement);
    row.kind = statement_read_text(&statement);
    row.text = statement_read_text(&statement);
    statement_read_hash(&statement, row.old_sha256);
    statement_read_hash(&statement, row.new_sha256);
    statement_read_hash(&statement, row.hash);
    statement_done(&statement);
    return fn(self, &row, err);
}

static int64_t limit_of(size_t limit)
{
    return limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
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
    statement_bind_int(&statement, limit_of(limit));
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

static int next_ids(struct inventory *inventory, int64_t after, int64_t last, size_t limit,
                    struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, last);
    statement_bind_int(&statement, limit_of(limit));
    return statement_ids(&statement, ret, err);
}

int events_after(struct inventory *inventory, int64_t after, int64_t last, size_t limit,
                 event_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = next_ids(inventory, after, last, limit, &ids, err);

    for (size_t i = 0; rc >= 0 && i < ids.count; i++)
        rc = visit(inventory, ids.items[i], fn, self, err);
    return rc < 0 ? rc : 0;
}

/* The event of that id or the first one after it: *ret_id 0 when there is none. */
static int time_of(struct inventory *inventory, int64_t id, int64_t *ret_id, utc_t *ret_at,
                   struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int rc = statement_open(
        inventory, "SELECT id, at FROM events WHERE id >= ? ORDER BY id LIMIT 1", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_step(&statement, &row, err);
    if (rc < 0)
        return rc;
    *ret_id = row ? statement_read_int(&statement) : 0;
    *ret_at = row ? statement_read_utc(&statement) : UTC_NEVER;
    return 0;
}

int events_since(struct inventory *inventory, utc_t at, int64_t *ret_id, struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    int rc = trail_ends(inventory, &ends, err);
    int64_t low = ends.pruned.id + 1, high = ends.head.id + 1; /* the answer is in low..high */

    while (rc == 0 && low < high) {
        int64_t middle = low + (high - low) / 2, found = 0;
        utc_t found_at = UTC_NEVER;

        rc = time_of(inventory, middle, &found, &found_at, err);
        if (rc == 0 && found_at < at)
            low = found + 1;
        else
            high = middle;
    }
    if (rc == 0)
        *ret_id = low;
    return rc;
}
