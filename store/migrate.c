#include "store/migrate.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/statement.h"

#define PROGRAM "program" /* the named value with the version that migrated last */

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

/* Which program a newer file is of, where it still says so as ours do; owned by the caller. */
static char *maker_of(struct inventory *inventory)
{
    AUTO_BLOB struct blob version = {0};
    struct error unused = {0};

    if (inventory_value_get(inventory, PROGRAM, &version, &unused) < 0 || version.len > 64)
        return mem_strdup("a newer unlapsed");
    return mem_printf("unlapsed %.*s", (int)version.len, (const char *)version.data);
}

int migrate_check(struct inventory *inventory, const struct embedded_file *files, struct error *err)
{
    int64_t schema = 0;
    int rc = schema_of(inventory, &schema, err);

    if (rc < 0 || (schema >= 0 && schema <= newest(files)))
        return rc;
    AUTO_FREE char *maker = maker_of(inventory);
    return error_set(err, E_REFUSED,
                     "inventory %s: made by %s: schema %" PRId64 "; this is unlapsed %s, which "
                     "knows schema %d: run that version, or put back %s.schema-%d if it is there",
                     inventory->path, maker, schema, UNLAPSED_VERSION, newest(files),
                     inventory->path, newest(files));
}

/* Private before its first byte, as the inventory is; what a crash left is in the way. */
static int make_empty(int dir, const char *name, struct error *err)
{
    int rc = file_remove_at(dir, name, err);

    if (rc == 0 && (mknodat(dir, name, S_IFREG | 0600, 0) < 0 || fchmodat(dir, name, 0600, 0) < 0))
        return error_set_errno(err, errno, "%s: cannot make", name);
    return rc;
}

static int vacuum_into(struct inventory *inventory, const char *path, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "VACUUM INTO ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, path);
    return statement_run(&statement, err);
}

/* The way back to the program before this one. */
static int keep_copy(struct inventory *inventory, int64_t schema, struct error *err)
{
    AUTO_FREE char *path = mem_printf("%s.schema-%" PRId64, inventory->path, schema);
    AUTO_FREE char *path_new = mem_printf("%s.new", path);
    const char *name = NULL;
    AUTO_FD int dir = -1;
    int rc = file_open_parent(path, &dir, &name, err);

    if (rc < 0)
        return rc;
    AUTO_FREE char *name_new = mem_printf("%s.new", name);
    rc = make_empty(dir, name_new, err);
    if (rc == 0)
        rc = vacuum_into(inventory, path_new, err);
    if (rc == 0)
        rc = file_sync_all(dir, name_new, err);
    if (rc == 0)
        rc = file_rename_at(dir, name_new, name, err);
    return rc < 0 ? error_wrap(err, rc, "copy %s, kept before migrating", path) : 0;
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
    if (rc == 0)
        rc = inventory_value_set(inventory, PROGRAM, span_text(UNLAPSED_VERSION), err);
    return rc;
}

int migrate_run(struct inventory *inventory, const struct embedded_file *files, struct error *err)
{
    int64_t schema = 0;
    int before = schema_of(inventory, &schema, err);

    if (before == 0 && schema > 0 && schema < newest(files))
        before = keep_copy(inventory, schema, err);
    if (before < 0)
        return before;
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
