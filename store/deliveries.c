#include "store/deliveries.h"

#include "store/statement.h"

#define COLUMNS \
    "id, sha256, name, taken_at, accepted, receipt, filed_name, filed_at, renewal_id, secret"

void delivery_row_done(struct delivery_row *row)
{
    free(row->name);
    free(row->receipt);
    free(row->filed_name);
    *row = (struct delivery_row){0};
}

int deliveries_add(struct inventory *inventory, const struct delivery_row *row, int64_t *ret_id,
                   struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "INSERT INTO deliveries (sha256, name, taken_at, accepted, receipt, renewal_id, secret)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, row->sha256);
    statement_bind_name(&statement, row->name);
    statement_bind_utc(&statement, row->taken_at);
    statement_bind_int(&statement, row->accepted);
    statement_bind_text(&statement, row->receipt);
    statement_bind_id(&statement, row->renewal_id);
    statement_bind_int(&statement, row->secret);
    return statement_insert(&statement, ret_id, err);
}

static void read_row(struct statement *statement, struct delivery_row *row)
{
    row->id = statement_read_int(statement);
    statement_read_hash(statement, row->sha256);
    row->name = statement_read_text(statement);
    row->taken_at = statement_read_utc(statement);
    row->accepted = statement_read_int(statement) != 0;
    row->receipt = statement_read_text(statement);
    row->filed_name = statement_read_text(statement);
    row->filed_at = statement_read_utc(statement);
    row->renewal_id = statement_read_int(statement);
    row->secret = statement_read_int(statement) != 0;
}

int deliveries_find(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct delivery_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT " COLUMNS " FROM deliveries WHERE sha256 = ? ORDER BY id DESC LIMIT 1",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_bytes(&statement, span_of(sha256, SHA256_LEN));
    rc = statement_one(&statement, err, "delivery");
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int deliveries_find_unfiled(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                            const char *name, struct delivery_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT " COLUMNS " FROM deliveries WHERE sha256 = ? AND name = ?"
                            " AND filed_at IS NULL ORDER BY id LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_bytes(&statement, span_of(sha256, SHA256_LEN));
    statement_bind_name(&statement, name);
    rc = statement_one(&statement, err, "delivery");
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int deliveries_get(struct inventory *inventory, int64_t id, struct delivery_row *ret,
                   struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM deliveries WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "delivery %" PRId64, id);
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

int deliveries_set_filed(struct inventory *inventory, int64_t id, const char *filed_name, utc_t at,
                         struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "UPDATE deliveries SET filed_name = ?, filed_at = ?, receipt_written = 1 WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_name(&statement, filed_name);
    statement_bind_utc(&statement, at);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "delivery %" PRId64, id);
}

int deliveries_set_renewal(struct inventory *inventory, int64_t id, int64_t renewal_id,
                           struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "UPDATE deliveries SET renewal_id = ? WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_id(&statement, renewal_id);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "delivery %" PRId64, id);
}

int deliveries_set_receipt(struct inventory *inventory, int64_t id, const char *receipt,
                           struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE deliveries SET receipt = ?, receipt_written = 0 WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, receipt);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "delivery %" PRId64, id);
}

static int each(struct inventory *inventory, const struct ids *ids, delivery_fn fn, void *self,
                struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < ids->count; i++) {
        AUTO_DELIVERY struct delivery_row row = {0};

        rc = deliveries_get(inventory, ids->items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}

static int ids_by_renewal(struct inventory *inventory, int64_t renewal_id, struct ids *ret,
                          struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT id FROM deliveries WHERE renewal_id = ? ORDER BY id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, renewal_id);
    return statement_ids(&statement, ret, err);
}

int deliveries_by_renewal(struct inventory *inventory, int64_t renewal_id, delivery_fn fn,
                          void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_renewal(inventory, renewal_id, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

static int ids_unfiled(struct inventory *inventory, struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT id FROM deliveries WHERE receipt_written = 0 ORDER BY id",
                       &statement, err);

    return rc < 0 ? rc : statement_ids(&statement, ret, err);
}

int deliveries_unfiled(struct inventory *inventory, delivery_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_unfiled(inventory, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}
