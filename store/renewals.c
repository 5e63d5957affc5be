#include "store/renewals.h"

#include "store/san.h"
#include "store/statement.h"
#include "store/transaction.h"

#define COLUMNS                                                                            \
    "id, certificate_id, created_at, reason, asked_by, key_sealed, spki_sha256, csr, "     \
    "requested_at,"                                                                        \
    " handed_over_at, leaf, leaf_sha256, not_before, not_after, received_at, accepted_at," \
    " rejected_at, rejected_reason, chain_told_at, reminded_at, superseded_at,"            \
    " withdrawn_at, failed_at, failures, failed_reason, chain_not_after, rechain_of,"      \
    " rechain_at, fetched_at, fetches, key_erased_at"

void renewal_row_done(struct renewal_row *row)
{
    free(row->reason);
    free(row->asked_by);
    names_done(&row->names);
    sealed_key_done(&row->key);
    blob_done(&row->csr);
    blob_done(&row->leaf);
    free(row->rejected_reason);
    free(row->failed_reason);
    *row = (struct renewal_row){0};
}

static int insert(struct inventory *inventory, const struct renewal_row *row, int64_t *ret_id,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO renewals (certificate_id, reason, asked_by, created_at)"
                            " VALUES (?, ?, ?, ?) RETURNING id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, row->certificate_id);
    statement_bind_text(&statement, row->reason);
    statement_bind_text(&statement, row->asked_by);
    statement_bind_utc(&statement, row->created_at);
    return statement_insert(&statement, ret_id, err);
}

int renewals_add(struct inventory *inventory, const struct renewal_row *row, int64_t *ret_id,
                 struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int64_t id = 0;
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = insert(inventory, row, &id, err);
    if (rc == 0)
        rc = san_add(inventory,
                     "INSERT INTO renewal_names (renewal_id, position, type, name)"
                     " VALUES (?, ?, ?, ?)",
                     id, &row->names, err);
    if (rc == 0)
        rc = atomic_commit(&atomic, err);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

/* In the order of COLUMNS. */
static void read_columns(struct statement *statement, struct renewal_row *row)
{
    row->id = statement_read_int(statement);
    row->certificate_id = statement_read_int(statement);
    row->created_at = statement_read_utc(statement);
    row->reason = statement_read_text(statement);
    row->asked_by = statement_read_text(statement);
    row->key.sealed = statement_read_blob(statement);
    statement_read_hash(statement, row->key.spki_sha256);
    row->csr = statement_read_blob(statement);
    row->requested_at = statement_read_utc(statement);
    row->handed_over_at = statement_read_utc(statement);
    row->leaf = statement_read_blob(statement);
    statement_read_hash(statement, row->leaf_sha256);
    row->not_before = statement_read_utc(statement);
    row->not_after = statement_read_utc(statement);
    row->received_at = statement_read_utc(statement);
    row->accepted_at = statement_read_utc(statement);
    row->rejected_at = statement_read_utc(statement);
    row->rejected_reason = statement_read_text(statement);
    row->chain_told_at = statement_read_utc(statement);
    row->reminded_at = statement_read_utc(statement);
    row->superseded_at = statement_read_utc(statement);
    row->withdrawn_at = statement_read_utc(statement);
    row->failed_at = statement_read_utc(statement);
    row->failures = (int)statement_read_int(statement);
    row->failed_reason = statement_read_text(statement);
    row->chain_not_after = statement_read_utc(statement);
    row->rechain_of = statement_read_int(statement);
    row->rechain_at = statement_read_utc(statement);
    row->fetched_at = statement_read_utc(statement);
    row->fetches = (int)statement_read_int(statement);
    row->key_erased_at = statement_read_utc(statement);
}

/* COLUMNS from the fourth on, but the last. */
static void bind_columns(struct statement *statement, const struct renewal_row *row)
{
    statement_bind_text(statement, row->reason);
    statement_bind_text(statement, row->asked_by);
    statement_bind_blob(statement, &row->key.sealed);
    statement_bind_hash(statement, row->key.spki_sha256);
    statement_bind_blob(statement, &row->csr);
    statement_bind_utc(statement, row->requested_at);
    statement_bind_utc(statement, row->handed_over_at);
    statement_bind_blob(statement, &row->leaf);
    statement_bind_hash(statement, row->leaf_sha256);
    statement_bind_utc(statement, row->not_before);
    statement_bind_utc(statement, row->not_after);
    statement_bind_utc(statement, row->received_at);
    statement_bind_utc(statement, row->accepted_at);
    statement_bind_utc(statement, row->rejected_at);
    statement_bind_text(statement, row->rejected_reason);
    statement_bind_utc(statement, row->chain_told_at);
    statement_bind_utc(statement, row->reminded_at);
    statement_bind_utc(statement, row->superseded_at);
    statement_bind_utc(statement, row->withdrawn_at);
    statement_bind_utc(statement, row->failed_at);
    statement_bind_int(statement, row->failures);
    statement_bind_text(statement, row->failed_reason);
    statement_bind_utc(statement, row->chain_not_after);
    statement_bind_id(statement, row->rechain_of);
    statement_bind_utc(statement, row->rechain_at);
    statement_bind_utc(statement, row->fetched_at);
    statement_bind_int(statement, row->fetches);
}

int renewals_update(struct inventory *inventory, const struct renewal_row *row, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "UPDATE renewals SET reason = ?, asked_by = ?, key_sealed = ?, spki_sha256 = ?, csr = ?,"
        " requested_at = ?, handed_over_at = ?, leaf = ?, leaf_sha256 = ?, not_before = ?,"
        " not_after = ?, received_at = ?, accepted_at = ?, rejected_at = ?, rejected_reason = ?,"
        " chain_told_at = ?, reminded_at = ?, superseded_at = ?, withdrawn_at = ?, failed_at = ?,"
        " failures = ?, failed_reason = ?, chain_not_after = ?, rechain_of = ?, rechain_at = ?,"
        " fetched_at = ?, fetches = ? WHERE id = ?",
        &statement, err);

    if (rc < 0)
        return rc;
    bind_columns(&statement, row);
    statement_bind_int(&statement, row->id);
    return statement_change(&statement, err, "renewal %" PRId64, row->id);
}

static int read_row(struct statement *statement, struct renewal_row *ret, struct error *err)
{
    AUTO_RENEWAL struct renewal_row row = {0};

    read_columns(statement, &row);
    int rc = san_read(statement->inventory,
                      "SELECT type, name FROM renewal_names WHERE renewal_id = ? ORDER BY position",
                      row.id, &row.names, err);
    if (rc < 0)
        return rc;
    *ret = row;
    row = (struct renewal_row){0};
    return 0;
}

int renewals_get(struct inventory *inventory, int64_t id, struct renewal_row *ret,
                 struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT " COLUMNS " FROM renewals WHERE id = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "renewal %" PRId64, id);
    return rc < 0 ? rc : read_row(&statement, ret, err);
}

int renewals_open(struct inventory *inventory, int64_t certificate_id, struct renewal_row *ret,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT " COLUMNS " FROM renewals WHERE certificate_id = ?"
                            " AND accepted_at IS NULL AND superseded_at IS NULL"
                            " AND withdrawn_at IS NULL ORDER BY id DESC LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    rc = statement_one(&statement, err, "open renewal of certificate %" PRId64, certificate_id);
    return rc < 0 ? rc : read_row(&statement, ret, err);
}

#define ACCEPTED_LAST                                                            \
    " FROM renewals WHERE certificate_id = ? AND accepted_at IS NOT NULL"        \
    " ORDER BY accepted_at DESC, coalesce(not_after, 9223372036854775807) DESC," \
    " id DESC LIMIT 1"

static int find_accepted(struct inventory *inventory, const char *sql, int64_t certificate_id,
                         struct statement *ret, struct error *err)
{
    int rc = statement_open(inventory, sql, ret, err);

    if (rc < 0)
        return rc;
    statement_bind_int(ret, certificate_id);
    return statement_one(ret, err, "accepted renewal of certificate %" PRId64, certificate_id);
}

int renewals_accepted(struct inventory *inventory, int64_t certificate_id, struct renewal_row *ret,
                      struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        find_accepted(inventory, "SELECT " COLUMNS ACCEPTED_LAST, certificate_id, &statement, err);

    return rc < 0 ? rc : read_row(&statement, ret, err);
}

int renewals_accepted_times(struct inventory *inventory, int64_t certificate_id,
                            struct accepted_times *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = find_accepted(inventory,
                           "SELECT id, not_before, not_after, accepted_at, chain_not_after,"
                           " rechain_at, spki_sha256" ACCEPTED_LAST,
                           certificate_id, &statement, err);

    if (rc < 0)
        return rc;
    ret->id = statement_read_int(&statement);
    ret->not_before = statement_read_utc(&statement);
    ret->not_after = statement_read_utc(&statement);
    ret->accepted_at = statement_read_utc(&statement);
    ret->chain_not_after = statement_read_utc(&statement);
    ret->rechain_at = statement_read_utc(&statement);
    statement_read_hash(&statement, ret->spki_sha256);
    return 0;
}

static int each(struct inventory *inventory, const struct ids *ids, renewal_fn fn, void *self,
                struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < ids->count; i++) {
        AUTO_RENEWAL struct renewal_row row = {0};

        rc = renewals_get(inventory, ids->items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc < 0 ? rc : 0;
}

static int ids_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                       struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT id FROM renewals WHERE spki_sha256 = ? ORDER BY id DESC",
                       &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, spki_sha256);
    return statement_ids(&statement, ret, err);
}

int renewals_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                     renewal_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_spki(inventory, spki_sha256, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

int renewals_first_by_spki(struct inventory *inventory, int64_t certificate_id,
                           const uint8_t spki_sha256[SHA256_LEN], int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM renewals WHERE spki_sha256 = ? AND certificate_id = ?"
                            " ORDER BY id LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, spki_sha256);
    statement_bind_int(&statement, certificate_id);
    rc = statement_one(&statement, err, "renewal with this key");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

static int ids_after(struct inventory *inventory, int64_t after, size_t limit, struct ids *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT id FROM renewals WHERE id > ? ORDER BY id LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

int renewals_after(struct inventory *inventory, int64_t after, size_t limit, renewal_fn fn,
                   void *self, int64_t *ret_last, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_after(inventory, after, limit, &ids, err);

    if (rc == 0)
        rc = each(inventory, &ids, fn, self, err);
    if (rc == 0)
        *ret_last = ids.count > 0 ? ids.items[ids.count - 1] : 0;
    return rc;
}

static int ids_by_certificate(struct inventory *inventory, int64_t certificate_id, struct ids *ret,
                              struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM renewals WHERE certificate_id = ? ORDER BY id DESC",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    return statement_ids(&statement, ret, err);
}

int renewals_by_certificate(struct inventory *inventory, int64_t certificate_id, renewal_fn fn,
                            void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_by_certificate(inventory, certificate_id, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

static int ids_waiting_chain(struct inventory *inventory, struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM renewals WHERE received_at IS NOT NULL"
                            " AND accepted_at IS NULL AND withdrawn_at IS NULL"
                            " AND (superseded_at IS NULL OR rejected_at IS NULL) ORDER BY id",
                            &statement, err);

    return rc < 0 ? rc : statement_ids(&statement, ret, err);
}

int renewals_waiting_chain(struct inventory *inventory, renewal_fn fn, void *self,
                           struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_waiting_chain(inventory, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

static int ids_rechain(struct inventory *inventory, size_t limit, struct ids *ret,
                       struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM renewals WHERE rechain_at > 0"
                            " ORDER BY rechain_at LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

int renewals_rechain(struct inventory *inventory, size_t limit, renewal_fn fn, void *self,
                     struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_rechain(inventory, limit, &ids, err);

    return rc < 0 ? rc : each(inventory, &ids, fn, self, err);
}

static int clear_chain(struct inventory *inventory, int64_t id, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM renewal_chain WHERE renewal_id = ?", &statement,
                            err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    return statement_run(&statement, err);
}

static int add_link(struct inventory *inventory, int64_t id, size_t position,
                    const struct blob *der, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "INSERT INTO renewal_chain (renewal_id, position, der) VALUES (?, ?, ?)",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    statement_bind_int(&statement, (int64_t)position);
    statement_bind_bytes(&statement, blob_span(der));
    return statement_run(&statement, err);
}

int renewals_set_chain(struct inventory *inventory, int64_t id, const struct blobs *chain,
                       struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = clear_chain(inventory, id, err);
    for (size_t i = 0; rc == 0 && i < chain->count; i++)
        rc = add_link(inventory, id, i, &chain->items[i], err);
    return rc < 0 ? rc : atomic_commit(&atomic, err);
}

int renewals_chain(struct inventory *inventory, int64_t id, struct blobs *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    AUTO_BLOBS struct blobs chain = {0};
    int rc = statement_open(inventory,
                            "SELECT der FROM renewal_chain WHERE renewal_id = ? ORDER BY position",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_blobs(&statement, &chain, err);
    if (rc < 0)
        return rc;
    *ret = chain;
    chain = (struct blobs){0};
    return 0;
}
