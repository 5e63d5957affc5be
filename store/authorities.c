#include "store/authorities.h"

#include "store/statement.h"

#define COLUMNS                                                                         \
    "id, sha256, subject_sha256, subject, not_before, not_after, seen_at, anchored_at," \
    " anchor_sha256, used_at, der"

void authority_row_done(struct authority_row *row)
{
    free(row->subject);
    blob_done(&row->der);
    *row = (struct authority_row){0};
}

/* Seen again: strangers' that are seen stay longest. */
static int touch(struct inventory *inventory, const uint8_t sha256[SHA256_LEN], utc_t seen_at,
                 bool *ret_known, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    struct error none = {0};
    int rc = statement_open(inventory, "UPDATE authorities SET seen_at = ? WHERE sha256 = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, seen_at);
    statement_bind_hash(&statement, sha256);
    rc = statement_change(&statement, &none, "authority");
    *ret_known = rc == 0;
    return rc == 0 || rc == E_NOT_FOUND ? 0 : error_set(err, rc, "%s", none.text);
}

int authorities_add(struct inventory *inventory, struct span der, const struct cert *cert,
                    utc_t seen_at, bool *ret_new, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool known = false;
    int64_t id = 0;
    int rc = touch(inventory, cert->sha256, seen_at, &known, err);

    if (rc < 0 || known) {
        if (known)
            *ret_new = false;
        return rc;
    }
    rc = statement_open(inventory,
                        "INSERT INTO authorities (sha256, subject_sha256, issuer_sha256, subject,"
                        " not_before, not_after, seen_at, der) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                        " ON CONFLICT (sha256) DO NOTHING RETURNING id",
                        &statement, err);
    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, cert->sha256);
    statement_bind_hash(&statement, cert->subject_sha256);
    statement_bind_hash(&statement, cert->issuer_sha256);
    statement_bind_text(&statement, cert->subject);
    statement_bind_utc(&statement, cert->not_before);
    statement_bind_utc(&statement, cert->not_after);
    statement_bind_utc(&statement, seen_at);
    statement_bind_bytes(&statement, der);
    rc = statement_insert(&statement, &id, err);
    if (rc == 0)
        *ret_new = id != 0;
    return rc;
}

static int trim_ended(struct inventory *inventory, utc_t now, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "DELETE FROM authorities WHERE used_at IS NULL AND not_after < ?",
                       &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, utc_add(now, -AUTHORITY_ENDED_KEPT));
    return statement_run(&statement, err);
}

static int trim_name(struct inventory *inventory, const uint8_t subject_sha256[SHA256_LEN],
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "DELETE FROM authorities WHERE id IN (SELECT id FROM authorities"
                            " WHERE subject_sha256 = ? AND anchored_at IS NULL"
                            " ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, subject_sha256);
    statement_bind_int(&statement, STRANGERS_OF_NAME_MAX);
    return statement_run(&statement, err);
}

static int trim_all(struct inventory *inventory, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "DELETE FROM authorities WHERE id IN (SELECT id FROM authorities"
                            " WHERE anchored_at IS NULL"
                            " ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, STRANGERS_MAX);
    return statement_run(&statement, err);
}

int authorities_trim(struct inventory *inventory, const uint8_t subject_sha256[SHA256_LEN],
                     utc_t now, struct error *err)
{
    int rc = trim_ended(inventory, now, err);

    if (rc == 0)
        rc = trim_name(inventory, subject_sha256, err);
    return rc == 0 ? trim_all(inventory, err) : rc;
}

int authorities_find(void *inventory, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT der FROM authorities WHERE subject_sha256 = ?"
                            " ORDER BY (anchored_at IS NOT NULL) DESC,"
                            " coalesce(not_after, 9223372036854775807) DESC, id DESC",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, subject_sha256);
    return statement_blobs(&statement, ret, err);
}

int authorities_find_anchored(void *inventory, const uint8_t subject_sha256[SHA256_LEN],
                              struct blobs *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT der FROM authorities"
                            " WHERE subject_sha256 = ? AND (anchored_at IS NOT NULL) = 1"
                            " ORDER BY coalesce(not_after, 9223372036854775807) DESC, id DESC",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, subject_sha256);
    return statement_blobs(&statement, ret, err);
}

static void read_row(struct statement *statement, struct authority_row *ret)
{
    ret->id = statement_read_int(statement);
    statement_read_hash(statement, ret->sha256);
    statement_read_hash(statement, ret->subject_sha256);
    ret->subject = statement_read_text(statement);
    ret->not_before = statement_read_utc(statement);
    ret->not_after = statement_read_utc(statement);
    ret->seen_at = statement_read_utc(statement);
    ret->anchored_at = statement_read_utc(statement);
    statement_read_hash(statement, ret->anchor_sha256);
    ret->used_at = statement_read_utc(statement);
    ret->der = statement_read_blob(statement);
}

int authorities_get(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct authority_row *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM authorities WHERE sha256 = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, sha256);
    rc = statement_one(&statement, err, "authority");
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

/* One change of what is known of a CA: ?1 the time, ?2 its anchor, ?3 itself. */
static int note(struct inventory *inventory, const char *sql, const uint8_t sha256[SHA256_LEN],
                const uint8_t anchor_sha256[SHA256_LEN], utc_t at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    statement_bind_hash(&statement, anchor_sha256);
    statement_bind_hash(&statement, sha256);
    return statement_run(&statement, err);
}

int authorities_set_anchored(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                             const uint8_t anchor_sha256[SHA256_LEN], utc_t at, struct error *err)
{
    return note(inventory,
                "UPDATE authorities SET anchored_at = ?1, anchor_sha256 = ?2 WHERE sha256 = ?3",
                sha256, anchor_sha256, at, err);
}

int authorities_set_used(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                         const uint8_t anchor_sha256[SHA256_LEN], utc_t at, struct error *err)
{
    return note(inventory,
                "UPDATE authorities SET used_at = ?1, anchored_at = ?1, anchor_sha256 = ?2"
                " WHERE sha256 = ?3",
                sha256, anchor_sha256, at, err);
}

int authorities_unanchor(struct inventory *inventory, const uint8_t anchor_sha256[SHA256_LEN],
                         struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE authorities SET anchored_at = NULL, anchor_sha256 = NULL"
                            " WHERE anchor_sha256 = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, anchor_sha256);
    return statement_run(&statement, err);
}

static int get(struct inventory *inventory, int64_t id, struct authority_row *ret,
               struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT " COLUMNS " FROM authorities WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    rc = statement_one(&statement, err, "authority %" PRId64, id);
    if (rc == 0)
        read_row(&statement, ret);
    return rc;
}

static int walk(struct inventory *inventory, struct statement *statement, authority_fn fn,
                void *self, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    int rc = statement_ids(statement, &ids, err);

    statement_done(statement);
    for (size_t i = 0; rc == 0 && i < ids.count; i++) {
        AUTO_AUTHORITY struct authority_row row = {0};

        rc = get(inventory, ids.items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc;
}

static int64_t limit_of(size_t limit)
{
    return limit > INT32_MAX ? INT32_MAX : (int64_t)limit;
}

int authorities_issued_by(struct inventory *inventory, const uint8_t issuer_sha256[SHA256_LEN],
                          size_t limit, authority_fn fn, void *self, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT id FROM authorities"
                            " WHERE issuer_sha256 = ? AND anchored_at IS NULL"
                            " ORDER BY seen_at DESC, id DESC LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, issuer_sha256);
    statement_bind_int(&statement, limit_of(limit));
    return walk(inventory, &statement, fn, self, err);
}

int authorities_of_anchor(struct inventory *inventory, const uint8_t anchor_sha256[SHA256_LEN],
                          size_t limit, authority_fn fn, void *self, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM authorities WHERE anchor_sha256 = ? ORDER BY id LIMIT ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, anchor_sha256);
    statement_bind_int(&statement, limit_of(limit));
    return walk(inventory, &statement, fn, self, err);
}

int authorities_each(struct inventory *inventory, int64_t after, size_t limit, authority_fn fn,
                     void *self, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory, "SELECT id FROM authorities WHERE id > ? ORDER BY id LIMIT ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, limit_of(limit));
    return walk(inventory, &statement, fn, self, err);
}

static int read_number(struct inventory *inventory, const char *sql, int64_t *ret,
                       struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "number");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

int authorities_count(struct inventory *inventory, int64_t *ret, struct error *err)
{
    return read_number(inventory, "SELECT count(*) FROM authorities", ret, err);
}

int authorities_newest(struct inventory *inventory, int64_t *ret, struct error *err)
{
    return read_number(inventory, "SELECT max(id) FROM authorities", ret, err);
}
