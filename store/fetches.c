#include "store/fetches.h"

#include "store/statement.h"
#include "store/transaction.h"

enum { DAY = 86400 };

static int forget_until(struct inventory *inventory, utc_t at, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM fetches WHERE began_at <= ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, at);
    return statement_run(&statement, err);
}

/* What a clock that was ahead has written. */
static int forget_future(struct inventory *inventory, utc_t now, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM fetches WHERE began_at > ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, now);
    return statement_run(&statement, err);
}

static int look(struct inventory *inventory, const char *url, utc_t *ret_at, int64_t *ret_tries,
                struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "SELECT tried_at, tries FROM fetches WHERE url = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, url);
    rc = statement_one(&statement, err, "fetch of %s", url);
    if (rc < 0)
        return rc;
    *ret_at = statement_read_utc(&statement);
    *ret_tries = statement_read_int(&statement);
    return 0;
}

static int count(struct inventory *inventory, const char *url, utc_t now, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO fetches (url, began_at, tried_at, tries)"
                            " VALUES (?, ?, ?, 1)"
                            " ON CONFLICT (url) DO UPDATE SET tried_at = excluded.tried_at,"
                            " tries = tries + 1",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, url);
    statement_bind_utc(&statement, now);
    statement_bind_utc(&statement, now);
    return statement_run(&statement, err);
}

int fetches_count(struct inventory *inventory, const char *url, utc_t now, seconds_t pause,
                  bool *ret_allowed, struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    struct error none = {0};
    utc_t tried_at = 0;
    int64_t tries = 0;
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = forget_until(inventory, utc_add(now, -DAY), err);
    if (rc == 0)
        rc = forget_future(inventory, now, err);
    if (rc < 0)
        return rc;
    rc = look(inventory, url, &tried_at, &tries, &none);
    bool allowed =
        rc == E_NOT_FOUND || (tries < FETCHES_A_DAY && (tried_at > now || now - tried_at >= pause));
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", none.text);
    rc = allowed ? count(inventory, url, now, err) : 0;
    if (rc == 0)
        rc = atomic_commit(&atomic, err);
    if (rc == 0)
        *ret_allowed = allowed;
    return rc;
}
