#include "store/disclosed.h"

#include "store/statement.h"

int disclosed_add(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN], utc_t at,
                  struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO disclosed_keys (spki_sha256, seen_at) VALUES (?, ?)"
                            " ON CONFLICT (spki_sha256) DO NOTHING",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, spki_sha256);
    statement_bind_utc(&statement, at);
    return statement_run(&statement, err);
}

int disclosed_find(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                   utc_t *ret_at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT seen_at FROM disclosed_keys WHERE spki_sha256 = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, spki_sha256);
    rc = statement_one(&statement, err, "disclosed key");
    if (rc == E_NOT_FOUND) {
        *ret_at = UTC_NEVER;
        return 0;
    }
    if (rc == 0)
        *ret_at = statement_read_utc(&statement);
    return rc;
}
