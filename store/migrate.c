#include "store/migrate.h"

#include <assert.h>
#include <stdio.h>

#include "store/statement.h"

static int execute(struct inventory *inventory, const char *sql, struct error *err)
{
    return statement_error(inventory, sqlite3_exec(inventory->db, sql, NULL, NULL, NULL), err);
}

static int schema_of(struct inventory *inventory, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "PRAGMA user_version", &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "PRAGMA user_version");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

static int newest(const struct embedded_file *files)
{
    int count = 0;

    while (files[count].name)
        count++;
    return count;
}

int migrate_check(struct inventory *inventory, const struct embedded_file *files, struct error *err)
{
    int64_t schema = 0;
    int rc = schema_of(inventory, &schema, err);

    if (rc == 0 && (schema < 0 || schema > newest(files)))
        return error_set(err, E_REFUSED,
                         "inventory %s: made by a newer unlapsed: schema %" PRId64
                         ", this program knows %d",
                         inventory->path, schema, newest(files));
    return rc;
}

/* Another process may have been here first: the number is read again under the lock. */
static int apply(struct inventory *inventory, const struct embedded_file *file, int number,
                 struct error *err)
{
    char set_number[64];
    int64_t schema = 0;
    int rc = schema_of(inventory, &schema, err);

    if (rc < 0 || schema >= number)
        return rc;
    snprintf(set_number, sizeof set_number, "PRAGMA user_version = %d", number);
    rc = execute(inventory, file->text, err);
    if (rc == 0)
        rc = inventory_check_references(inventory, err);
    if (rc == 0)
        rc = execute(inventory, set_number, err);
    return rc;
}

int migrate_run(struct inventory *inventory, const struct embedded_file *files, struct error *err)
{
    for (int number = 1; number <= newest(files); number++) {
        const struct embedded_file *file = &files[number - 1];
        int named = 0;

        assert(sscanf(file->name, "%3d-", &named) == 1 && named == number);
        int rc = inventory_begin(inventory, err);
        if (rc < 0)
            return rc;
        rc = apply(inventory, file, number, err);
        if (rc == 0)
            rc = inventory_commit(inventory, err);
        if (rc < 0) {
            inventory_rollback(inventory);
            return error_wrap(err, rc, "migration %s", file->name);
        }
    }
    return 0;
}
