#include "store/deployments.h"

#include "store/statement.h"

void deployment_row_done(struct deployment_row *row)
{
    free(row->reason);
    free(row->report);
    *row = (struct deployment_row){0};
}

int deployments_add(struct inventory *inventory, int64_t renewal_id, int64_t target_id,
                    utc_t scheduled_at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO deployments (renewal_id, target_id, scheduled_at)"
                            " VALUES (?, ?, ?) ON CONFLICT (renewal_id, target_id) DO NOTHING",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, renewal_id);
    statement_bind_int(&statement, target_id);
    statement_bind_utc(&statement, scheduled_at);
    return statement_run(&statement, err);
}

#define COLUMNS                                                                                   \
    "id, renewal_id, target_id, scheduled_at, staged_at, swap_begun_at, swapped_at, reloaded_at," \
    " verified_at, cleaned_at, undo_begun_at, failed_at, failures, reason, report, "              \
    "previous_sha256"

static void read_row(struct statement *statement, struct deployment_row *ret)
{
    *ret = (struct deployment_row){0};
    ret->id = statement_read_int(statement);
    ret->renewal_id = statement_read_int(statement);
    ret->target_id = statement_read_int(statement);
    ret->scheduled_at = statement_read_utc(statement);
    ret->staged_at = statement_read_utc(statement);
    ret->swap_begun_at = statement_read_utc(statement);
    ret->swapped_at = statement_read_utc(statement);
    ret->reloaded_at = statement_read_utc(statement);
    ret->verified_at = statement_read_utc(statement);
    ret->cleaned_at = statement_read_utc(statement);
    ret->undo_begun_at = statement_read_utc(statement);
    ret->failed_at = statement_read_utc(statement);
    ret->failures = (int)statement_read_int(statement);
    ret->reason = statement_read_text(statement);
    ret->report = statement_read_text(statement);
    statement_read_hash(statement, ret->previous_sha256);
}

int deployments_find(struct inventory *inventory, int64_t renewal_id, int64_t target_id,
                     struct deployment_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT " COLUMNS " FROM deployments WHERE renewal_id = ? AND target_id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, renewal_id);
    statement_bind_int(&statement, target_id);
    rc = statement_one(&statement, err, "deployment of renewal %" PRId64 " on target %" PRId64,
                       renewal_id, target_id);
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int deployments_broken_off(struct inventory *inventory, int64_t target_id,
                           int64_t except_renewal_id, struct deployment_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT " COLUMNS " FROM deployments WHERE target_id = ?"
                            " AND swap_begun_at IS NOT NULL AND verified_at IS NULL"
                            " AND renewal_id <> ? ORDER BY id LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, target_id);
    statement_bind_int(&statement, except_renewal_id);
    rc = statement_one(&statement, err, "broken-off deployment on target %" PRId64, target_id);
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int deployments_update(struct inventory *inventory, const struct deployment_row *row,
                       struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "UPDATE deployments SET staged_at = ?, swap_begun_at = ?,"
        " swapped_at = ?, reloaded_at = ?, verified_at = ?, cleaned_at = ?, undo_begun_at = ?,"
        " failed_at = ?, failures = ?, reason = ?, report = ?,"
        " previous_sha256 = ? WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, row->staged_at);
    statement_bind_utc(&statement, row->swap_begun_at);
    statement_bind_utc(&statement, row->swapped_at);
    statement_bind_utc(&statement, row->reloaded_at);
    statement_bind_utc(&statement, row->verified_at);
    statement_bind_utc(&statement, row->cleaned_at);
    statement_bind_utc(&statement, row->undo_begun_at);
    statement_bind_utc(&statement, row->failed_at);
    statement_bind_int(&statement, row->failures);
    statement_bind_text(&statement, row->reason);
    statement_bind_text(&statement, row->report);
    statement_bind_hash(&statement, row->previous_sha256);
    statement_bind_int(&statement, row->id);
    return statement_change(&statement, err, "deployment %" PRId64, row->id);
}

int deployments_last_verified(struct inventory *inventory, int64_t target_id,
                              int64_t *ret_renewal_id, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT renewal_id FROM deployments WHERE target_id = ?"
                            " AND verified_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, target_id);
    rc = statement_one(&statement, err, "verified deployment on target %" PRId64, target_id);
    if (rc == 0)
        *ret_renewal_id = statement_read_int(&statement);
    return rc;
}
