#include "store/keys.h"

#include <string.h>

#include "store/statement.h"

/* As in the index renewals_by_sealing_key. */
#define SEALING_ID "substr(key_sealed, 2, 8)"

static struct span id_span(const uint8_t id[SEALING_ID_LEN])
{
    return span_of(id, SEALING_ID_LEN);
}

/* The first id after another one; E_NOT_FOUND. */
static int next_id(struct inventory *inventory, struct span after, uint8_t ret[SEALING_ID_LEN],
                   struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    AUTO_BLOB struct blob id = {0};
    int rc = statement_open(inventory,
                            "SELECT " SEALING_ID " FROM renewals WHERE key_sealed IS NOT NULL"
                            " AND " SEALING_ID " > ? ORDER BY " SEALING_ID " LIMIT 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_bytes(&statement, after);
    rc = statement_one(&statement, err, "sealing key in use");
    if (rc < 0)
        return rc;
    id = statement_read_blob(&statement);
    memset(ret, 0, SEALING_ID_LEN);
    memcpy(ret, id.data, id.len < SEALING_ID_LEN ? id.len : SEALING_ID_LEN);
    return 0;
}

int keys_sealing_ids(struct inventory *inventory, struct sealing_ids *ret, struct error *err)
{
    struct sealing_ids found = {.count = 0};
    struct span after = {(const uint8_t *)"", 0};
    struct error none = {0};
    int rc = 0;

    while (rc == 0 && found.count < SEALING_KEYS_MAX) {
        rc = next_id(inventory, after, found.items[found.count], &none);
        if (rc == 0)
            after = id_span(found.items[found.count++]);
    }
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", none.text);
    *ret = found;
    return 0;
}

int keys_count_under(struct inventory *inventory, const uint8_t sealing_id[SEALING_ID_LEN],
                     int64_t most, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT count(*) FROM (SELECT 1 FROM renewals"
                            " WHERE key_sealed IS NOT NULL AND " SEALING_ID " = ? LIMIT ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_bytes(&statement, id_span(sealing_id));
    statement_bind_int(&statement, most);
    rc = statement_one(&statement, err, "count of sealed keys");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

static int ids_under(struct inventory *inventory, const uint8_t sealing_id[SEALING_ID_LEN],
                     int64_t after, size_t limit, struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM renewals WHERE key_sealed IS NOT NULL"
                            " AND " SEALING_ID " = ? AND id > ? ORDER BY id LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_bytes(&statement, id_span(sealing_id));
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, (int64_t)limit);
    return statement_ids(&statement, ret, err);
}

static int read_key(struct inventory *inventory, int64_t id, struct sealed_key *ret,
                    struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT key_sealed, spki_sha256 FROM renewals WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "renewal %" PRId64, id);
    if (rc < 0)
        return rc;
    ret->sealed = statement_read_blob(&statement);
    statement_read_hash(&statement, ret->spki_sha256);
    return 0;
}

int keys_under(struct inventory *inventory, const uint8_t sealing_id[SEALING_ID_LEN], int64_t after,
               size_t limit, key_fn fn, void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = ids_under(inventory, sealing_id, after, limit, &ids, err);

    for (size_t i = 0; rc == 0 && i < ids.count; i++) {
        __attribute__((cleanup(sealed_key_done))) struct sealed_key key = {0};

        rc = read_key(inventory, ids.items[i], &key, err);
        if (rc == 0)
            rc = fn(self, ids.items[i], &key, err);
    }
    return rc;
}

int keys_replace(struct inventory *inventory, int64_t renewal_id, const struct blob *from,
                 const struct blob *to, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE renewals SET key_sealed = ? WHERE id = ? AND key_sealed = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_blob(&statement, to);
    statement_bind_int(&statement, renewal_id);
    statement_bind_blob(&statement, from);
    return statement_change(&statement, err, "this key of renewal %" PRId64, renewal_id);
}

static void read_key_row(struct statement *statement, struct key_row *ret)
{
    statement_read_hash(statement, ret->spki_sha256);
    ret->renewal_id = statement_read_int(statement);
    ret->open = statement_read_int(statement) != 0;
    ret->accepted = statement_read_int(statement) != 0;
    ret->withdrawn = statement_read_int(statement) != 0;
    ret->superseded_at = statement_read_utc(statement);
    ret->withdrawn_at = statement_read_utc(statement);
}

int keys_each(struct inventory *inventory, int64_t certificate_id, key_row_fn fn, void *self,
              struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int rc = statement_open(
        inventory,
        "SELECT spki_sha256, min(id),"
        " max(accepted_at IS NULL AND superseded_at IS NULL AND withdrawn_at IS NULL),"
        " max(accepted_at IS NOT NULL), min(withdrawn_at IS NOT NULL),"
        " max(superseded_at), max(withdrawn_at) FROM renewals"
        " WHERE certificate_id = ? AND key_sealed IS NOT NULL"
        " GROUP BY spki_sha256 ORDER BY spki_sha256",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, certificate_id);
    for (rc = statement_step(&statement, &row, err); rc == 0 && row;) {
        struct key_row found;

        read_key_row(&statement, &found);
        rc = fn(self, &found, err);
        if (rc == 0)
            rc = statement_step(&statement, &row, err);
    }
    return rc;
}

int keys_erase(struct inventory *inventory, int64_t certificate_id,
               const uint8_t spki_sha256[SHA256_LEN], utc_t at, const char *reason,
               struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        "UPDATE renewals SET key_sealed = NULL, key_erased_at = ?1,"
        " rejected_at = CASE WHEN received_at IS NOT NULL AND accepted_at IS NULL THEN ?1"
        " ELSE rejected_at END,"
        " rejected_reason = CASE WHEN received_at IS NOT NULL AND accepted_at IS NULL THEN ?2"
        " ELSE rejected_reason END"
        " WHERE certificate_id = ?3 AND spki_sha256 = ?4 AND key_sealed IS NOT NULL",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_text(&statement, reason);
    statement_bind_int(&statement, certificate_id);
    statement_bind_hash(&statement, spki_sha256);
    return statement_change(&statement, err, "this key of certificate %" PRId64, certificate_id);
}
