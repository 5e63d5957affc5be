#include "store/authorities.h"

#include "store/statement.h"

int authorities_add(struct inventory *inventory, struct span der, const struct cert *cert,
                    utc_t seen_at, bool *ret_new, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int64_t id = 0;
    int rc = statement_open(inventory,
                            "INSERT INTO authorities (sha256, subject_sha256, subject, not_before,"
                            " not_after, seen_at, der) VALUES (?, ?, ?, ?, ?, ?, ?)"
                            " ON CONFLICT (sha256) DO NOTHING RETURNING id",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, cert->sha256);
    statement_bind_hash(&statement, cert->subject_sha256);
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

int authorities_find(void *inventory, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                     struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT der FROM authorities WHERE subject_sha256 = ?"
                            " ORDER BY coalesce(not_after, 9223372036854775807) DESC, id DESC",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, subject_sha256);
    return statement_blobs(&statement, ret, err);
}

int authorities_count(struct inventory *inventory, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT count(*) FROM authorities", &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "count");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}
