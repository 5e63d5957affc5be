#include "store/targets.h"

#include <string.h>

#include "store/statement.h"
#include "store/transaction.h"

void target_row_done(struct target_row *row)
{
    free(row->service);
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        free(row->files[i]);
    for (size_t i = 0; i < row->endpoint_count; i++) {
        free(row->endpoints[i].host);
        free(row->endpoints[i].server_name);
    }
    free(row->endpoints);
    *row = (struct target_row){0};
}

static int insert(struct inventory *inventory, const struct target_row *row, int64_t *ret_id,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO targets (certificate_id, service, added_at)"
                            " VALUES (?, ?, ?) RETURNING id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, row->certificate_id);
    statement_bind_text(&statement, row->service);
    statement_bind_utc(&statement, row->added_at);
    return statement_insert(&statement, ret_id, err);
}

static int insert_file(struct inventory *inventory, int64_t id, enum bundle_part part,
                       const char *path, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO target_files (target_id, part, path) VALUES (?, ?, ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    statement_bind_text(&statement, bundle_part_text(part));
    statement_bind_text(&statement, path);
    rc = statement_run(&statement, err);
    if (rc == E_EXISTS)
        return error_set(err, rc, "target: file %s: a target writes it already", path);
    return rc;
}

static int insert_endpoint(struct inventory *inventory, int64_t id,
                           const struct endpoint_row *endpoint, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "INSERT INTO endpoints (target_id, host, port, server_name) VALUES (?, ?, ?, ?)",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    statement_bind_text(&statement, endpoint->host);
    statement_bind_int(&statement, endpoint->port);
    statement_bind_text(&statement, endpoint->server_name);
    return statement_run(&statement, err);
}

int targets_add(struct inventory *inventory, const struct target_row *row, int64_t *ret_id,
                struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int64_t id = 0;
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = insert(inventory, row, &id, err);
    for (size_t i = 0; rc == 0 && i < BUNDLE_PARTS; i++)
        if (row->files[i])
            rc = insert_file(inventory, id, (enum bundle_part)i, row->files[i], err);
    for (size_t i = 0; rc == 0 && i < row->endpoint_count; i++)
        rc = insert_endpoint(inventory, id, &row->endpoints[i], err);
    if (rc == 0)
        rc = atomic_commit(&atomic, err);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

static int read_file(struct statement *statement, struct target_row *row, struct error *err)
{
    AUTO_FREE char *part = statement_read_text(statement);
    AUTO_FREE char *path = statement_read_text(statement);

    for (size_t i = 0; i < BUNDLE_PARTS; i++) {
        if (strcmp(part, bundle_part_text((enum bundle_part)i)) == 0) {
            row->files[i] = TAKE(path);
            return 0;
        }
    }
    return error_set(err, E_CORRUPT, "target %" PRId64 ": a file has the unknown part %s", row->id,
                     part);
}

static int read_files(struct inventory *inventory, struct target_row *row, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool more = true;
    int rc = statement_open(inventory, "SELECT part, path FROM target_files WHERE target_id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, row->id);
    while (rc == 0 && more) {
        rc = statement_step(&statement, &more, err);
        if (rc == 0 && more)
            rc = read_file(&statement, row, err);
    }
    return rc;
}

static int read_endpoints(struct inventory *inventory, struct target_row *row, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "SELECT id, host, port, server_name FROM endpoints WHERE target_id = ? ORDER BY id",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, row->id);
    for (;;) {
        bool more = false;

        rc = statement_step(&statement, &more, err);
        if (rc < 0 || !more)
            return rc;
        row->endpoints =
            mem_resize(row->endpoints, row->endpoint_count + 1, sizeof *row->endpoints);
        struct endpoint_row *endpoint = &row->endpoints[row->endpoint_count++];
        endpoint->id = statement_read_int(&statement);
        endpoint->host = statement_read_text(&statement);
        endpoint->port = (int)statement_read_int(&statement);
        endpoint->server_name = statement_read_text(&statement);
    }
}

static int read_target(struct inventory *inventory, int64_t id, struct target_row *row,
                       struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id, certificate_id, service, added_at FROM targets WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "target %" PRId64, id);
    if (rc < 0)
        return rc;
    row->id = statement_read_int(&statement);
    row->certificate_id = statement_read_int(&statement);
    row->service = statement_read_text(&statement);
    row->added_at = statement_read_utc(&statement);
    return 0;
}

int targets_get(struct inventory *inventory, int64_t id, struct target_row *ret, struct error *err)
{
    AUTO_TARGET struct target_row row = {0};
    int rc = read_target(inventory, id, &row, err);

    if (rc == 0)
        rc = read_files(inventory, &row, err);
    if (rc == 0)
        rc = read_endpoints(inventory, &row, err);
    if (rc < 0)
        return rc;
    *ret = row;
    row = (struct target_row){0};
    return 0;
}

static int ids_by_certificate(struct inventory *inventory, int64_t certificate_id, struct ids *ret,
                              struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM targets WHERE certificate_id = ? ORDER BY id", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    return statement_ids(&statement, ret, err);
}

int targets_each(struct inventory *inventory, int64_t certificate_id, target_fn fn, void *self,
                 struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_certificate(inventory, certificate_id, &ids, err);

    for (size_t i = 0; rc >= 0 && i < ids.count; i++) {
        AUTO_TARGET struct target_row row = {0};

        rc = targets_get(inventory, ids.items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}
