#include "store/certificates.h"

#include "base/text.h"
#include "store/san.h"
#include "store/statement.h"
#include "store/transaction.h"

#define COLUMNS                                                                             \
    "id, name, policy, added_at, retired_at, next_at, next_action, next_target, deadline, " \
    "ends_at,"                                                                              \
    " state, ladder_told, expired_told_at"

void certificate_row_done(struct certificate_row *row)
{
    free(row->name);
    free(row->policy);
    names_done(&row->names);
    free(row->next_action);
    free(row->state);
    free(row->damaged);
    *row = (struct certificate_row){0};
}

static int insert(struct inventory *inventory, const struct certificate_row *row, int64_t *ret_id,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO certificates (name, policy, added_at, next_at,"
                            " next_action) VALUES (?, ?, ?, ?, 'none') RETURNING id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, row->name);
    statement_bind_text(&statement, row->policy);
    statement_bind_utc(&statement, row->added_at);
    statement_bind_utc(&statement, row->added_at);
    rc = statement_insert(&statement, ret_id, err);
    if (rc == E_EXISTS)
        return error_set(err, rc, "certificate %s: the name is taken", row->name);
    return rc;
}

int certificates_add(struct inventory *inventory, const struct certificate_row *row,
                     int64_t *ret_id, struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int64_t id = 0;
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = insert(inventory, row, &id, err);
    if (rc == 0)
        rc = san_add(inventory,
                     "INSERT INTO certificate_names (certificate_id, position, type, name)"
                     " VALUES (?, ?, ?, ?)",
                     id, &row->names, err);
    if (rc == 0)
        rc = atomic_commit(&atomic, err);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

static struct certificate_row read_head(struct statement *statement)
{
    struct certificate_row row = {0};

    row.id = statement_read_int(statement);
    row.name = statement_read_text(statement);
    row.policy = statement_read_text(statement);
    row.added_at = statement_read_utc(statement);
    row.retired_at = statement_read_utc(statement);
    row.next_at = statement_read_utc(statement);
    row.next_action = statement_read_text(statement);
    row.next_target = statement_read_int(statement);
    row.deadline = statement_read_utc(statement);
    row.ends_at = statement_read_utc(statement);
    row.state = statement_read_text(statement);
    row.ladder_told = (size_t)statement_read_int(statement);
    row.expired_told_at = statement_read_utc(statement);
    return row;
}

static int read_row(struct statement *statement, struct certificate_row *ret, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = read_head(statement);
    int rc = san_read(statement->inventory,
                      "SELECT type, name FROM certificate_names WHERE certificate_id = ?"
                      " ORDER BY position",
                      row.id, &row.names, err);
    if (rc < 0)
        return rc;
    *ret = row;
    row = (struct certificate_row){0};
    return 0;
}

int certificates_get(struct inventory *inventory, int64_t id, struct certificate_row *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM certificates WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "certificate %" PRId64, id);
    return rc < 0 ? rc : read_row(&statement, ret, err);
}

int certificates_find(struct inventory *inventory, const char *name, struct certificate_row *ret,
                      struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM certificates WHERE name = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, name);
    rc = statement_one(&statement, err, "certificate %s", name);
    return rc < 0 ? rc : read_row(&statement, ret, err);
}

int certificates_name(struct inventory *inventory, int64_t id, char **ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT name FROM certificates WHERE id = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "certificate %" PRId64, id);
    if (rc == 0)
        *ret = statement_read_text(&statement);
    return rc;
}

static int ids_after(struct inventory *inventory, const char *after, size_t limit, struct ids *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM certificates WHERE name > ? ORDER BY name LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, after);
    statement_bind_int(&statement, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

/* What can be read of one whose names cannot. */
static int get_damaged(struct inventory *inventory, int64_t id, const char *why,
                       struct certificate_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM certificates WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "certificate %" PRId64, id);
    if (rc < 0)
        return rc;
    *ret = read_head(&statement);
    ret->damaged = mem_strdup(why);
    return 0;
}

int certificates_get_any(struct inventory *inventory, int64_t id, struct certificate_row *ret,
                         struct error *err)
{
    struct error why = {0};
    int rc = certificates_get(inventory, id, ret, &why);

    if (rc == E_CORRUPT)
        return get_damaged(inventory, id, why.text, ret, err);
    return rc < 0 ? error_set(err, rc, "%s", why.text) : rc;
}

/* Each that can be read, and with `damaged` the others, too. */
static int each(struct inventory *inventory, const struct ids *ids, bool damaged, certificate_fn fn,
                void *self, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < ids->count; i++) {
        AUTO_CERTIFICATE struct certificate_row row = {0};

        rc = certificates_get_any(inventory, ids->items[i], &row, err);
        if (rc == 0 && (damaged || !row.damaged))
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}

int certificates_each(struct inventory *inventory, const char *after, size_t limit,
                      certificate_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_after(inventory, after, limit, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, true, fn, self, err);
}

static int ids_by_text(struct inventory *inventory, const char *sql, const char *text,
                       struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, text);
    return statement_ids(&statement, ret, err);
}

static int ids_above(struct inventory *inventory, int64_t after, size_t limit, struct ids *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM certificates WHERE id > ? ORDER BY id LIMIT ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

int certificates_after(struct inventory *inventory, int64_t after, size_t limit, certificate_fn fn,
                       void *self, int64_t *ret_last, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_above(inventory, after, limit, &ids, err);

    if (rc == 0)
        rc = each(inventory, &ids, true, fn, self, err);
    if (rc == 0)
        *ret_last = ids.count > 0 ? ids.items[ids.count - 1] : 0;
    return rc;
}

int certificates_by_first_name(struct inventory *inventory, const char *name, certificate_fn fn,
                               void *self, struct error *err)
{
    AUTO_IDS struct ids same = {0}, under = {0};
    int rc = ids_by_text(inventory,
                         "SELECT certificate_id FROM certificate_names WHERE position = 0"
                         " AND name = ?",
                         name, &same, err);

    if (rc == 0)
        rc = each(inventory, &same, false, fn, self, err);
    if (rc < 0 || !text_starts(name, "*."))
        return rc;
    rc = ids_by_text(inventory,
                     "SELECT certificate_id FROM certificate_names WHERE position = 0"
                     " AND substr(name, instr(name, '.') + 1) = ?1 AND name <> '*.' || ?1",
                     name + 2, &under, err);
    return rc < 0 ? rc : each(inventory, &under, false, fn, self, err);
}

int certificates_count(struct inventory *inventory, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT count(*) FROM certificates", &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "count");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

int certificates_set_told(struct inventory *inventory, int64_t id, size_t ladder_told,
                          utc_t expired_told_at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "UPDATE certificates SET ladder_told = ?, expired_told_at = ? WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, (int64_t)ladder_told);
    statement_bind_utc(&statement, expired_told_at);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "certificate %" PRId64, id);
}

static int release_files(struct inventory *inventory, int64_t id, utc_t at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE target_files SET released_at = ? WHERE target_id IN"
                            " (SELECT id FROM targets WHERE certificate_id = ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_int(&statement, id);
    rc = statement_run(&statement, err);
    if (rc == E_EXISTS)
        return error_set(err, rc, "certificate %" PRId64 ": another target writes one of its files",
                         id);
    return rc;
}

static int set_retired(struct inventory *inventory, int64_t id, utc_t at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "UPDATE certificates SET retired_at = ? WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "certificate %" PRId64, id);
}

int certificates_set_retired(struct inventory *inventory, int64_t id, utc_t at, struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = set_retired(inventory, id, at, err);
    if (rc == 0)
        rc = release_files(inventory, id, at, err);
    return rc < 0 ? rc : atomic_commit(&atomic, err);
}
