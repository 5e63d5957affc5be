#include "store/inventory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/damage.h"
#include "store/migrate.h"
#include "store/restore.h"
#include "store/statement.h"

enum {
    APPLICATION_ID = 0x554e4c50, /* "UNLP" */
    BUSY_MILLISECONDS = 10000,
    JOURNAL_SIZE_LIMIT = 16 << 20,
    STOP_EVERY = 1000, /* instructions of SQLite's machine */
    HEADER_LEN = 100   /* https://www.sqlite.org/fileformat2.html 1.3 */
};

static int execute(struct inventory *inventory, const char *sql, struct error *err)
{
    return statement_error(inventory, sqlite3_exec(inventory->db, sql, NULL, NULL, NULL), err);
}

static int pragma_int(struct inventory *inventory, const char *sql, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, sql, &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "%s", sql);
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

/*
 * 0600 before SQLite sees it; -wal and -shm take their mode from it. mknod and not open: closing
 * any descriptor of the file would drop the locks that another handle of this process holds on it
 * (fcntl(2)).
 */
static int make_private(const char *path, struct error *err)
{
    struct stat st;

    if (mknod(path, S_IFREG | 0600, 0) == 0) {
        /* whatever the umask took away */
        if (chmod(path, 0600) < 0)
            return error_set_errno(err, errno, "inventory %s: cannot make it private", path);
        return 0;
    }
    if (errno != EEXIST)
        return error_set_errno(err, errno, "inventory %s: cannot make", path);
    if (stat(path, &st) < 0)
        return error_set_errno(err, errno, "inventory %s: cannot look at", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_CORRUPT, "inventory %s: wanted a regular file", path);
    return 0;
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Read past SQLite's pager, which would recover or checkpoint a stranger's file. */
static int check_header(struct inventory *inventory, struct error *err)
{
    uint8_t header[HEADER_LEN];
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int result =
        sqlite3_file_control(inventory->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);

    if (result == SQLITE_OK)
        result = file->pMethods->xFileSize(file, &size);
    if (result != SQLITE_OK)
        return statement_error(inventory, result, err);
    if (size == 0)
        return 0;
    if (size >= HEADER_LEN) {
        result = file->pMethods->xRead(file, header, sizeof header, 0);
        if (result != SQLITE_OK)
            return statement_error(inventory, result, err);
    }
    if (size < HEADER_LEN || memcmp(header, "SQLite format 3", 16) != 0)
        return error_set(err, E_CORRUPT, "inventory %s: wanted an inventory, got another file",
                         inventory->path);
    if (big_endian(header + 68) != APPLICATION_ID)
        return error_set(err, E_CORRUPT,
                         "inventory %s: wanted an inventory, got a database of application %u",
                         inventory->path, (unsigned)big_endian(header + 68));
    return 0;
}

static int open_database(struct inventory *inventory, const char *name, int how, struct error *err)
{
    int result = sqlite3_open_v2(
        name, &inventory->db,
        how | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE, NULL);

    if (!inventory->db)
        return error_set(err, E_IO, "inventory %s: %s", inventory->path, sqlite3_errstr(result));
    int rc = statement_error(inventory, result, err);
    if (rc < 0)
        return rc;
    if ((how & SQLITE_OPEN_READWRITE) && sqlite3_db_readonly(inventory->db, "main") != 0)
        return error_set(err, E_DENIED, "inventory %s: may not be written", inventory->path);
    sqlite3_busy_timeout(inventory->db, BUSY_MILLISECONDS);
    sqlite3_db_config(inventory->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(inventory->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(inventory->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(inventory->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return check_header(inventory, err);
}

/* Before WAL, so that the number stands in the file itself and not only in its log. */
static int mark_as_ours(struct inventory *inventory, struct error *err)
{
    int64_t id = 0;
    int rc = pragma_int(inventory, "PRAGMA application_id", &id, err);

    if (rc < 0 || id == APPLICATION_ID)
        return rc;
    AUTO_FREE char *sql = mem_printf("PRAGMA application_id = %d", APPLICATION_ID);
    return execute(inventory, sql, err);
}

static int use_wal(struct inventory *inventory, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "PRAGMA journal_mode = WAL", &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "PRAGMA journal_mode");
    if (rc < 0)
        return rc;
    AUTO_FREE char *mode = statement_read_text(&statement);
    if (strcmp(mode, "wal") != 0)
        return error_set(err, E_IO, "inventory %s: journal: wanted wal, got %s", inventory->path,
                         mode);
    return 0;
}

static int configure(struct inventory *inventory, struct error *err)
{
    AUTO_FREE char *sql = mem_printf("PRAGMA cell_size_check = ON;"
                                     "PRAGMA synchronous = FULL;"
                                     "PRAGMA secure_delete = ON;"
                                     "PRAGMA temp_store = MEMORY;"
                                     "PRAGMA journal_size_limit = %d",
                                     JOURNAL_SIZE_LIMIT);

    return execute(inventory, sql, err);
}

static int use_foreign_keys(struct inventory *inventory, struct error *err)
{
    int64_t on = 0;
    int rc = execute(inventory, "PRAGMA foreign_keys = ON", err);

    if (rc == 0)
        rc = pragma_int(inventory, "PRAGMA foreign_keys", &on, err);
    assert(rc < 0 || on == 1);
    return rc;
}

static int bring_up(struct inventory *inventory, struct error *err)
{
    int rc = make_private(inventory->path, err);

    if (rc == 0)
        rc = open_database(inventory, inventory->path, SQLITE_OPEN_READWRITE, err);
    if (rc == 0)
        rc = migrate_check(inventory, embedded_schema, err);
    /* It is ours: one that was copied back with a wider mode is made private again. */
    if (rc == 0 && chmod(inventory->path, 0600) < 0)
        rc = error_set_errno(err, errno, "inventory %s: cannot make it private", inventory->path);
    if (rc == 0)
        rc = configure(inventory, err);
    if (rc == 0)
        rc = mark_as_ours(inventory, err);
    if (rc == 0)
        rc = use_wal(inventory, err);
    if (rc == 0)
        rc = migrate_run(inventory, embedded_schema, err);
    /* Last: a migration that makes a table anew must not have them on. */
    if (rc == 0)
        rc = use_foreign_keys(inventory, err);
    return rc;
}

/*
 * One at a time: several at once on a new file meet in SQLite's change from its rollback journal to
 * WAL, which then fails in one of them (IOERR_DELETE_NOENT, tried). The lock is on the folder, for
 * the reason given at make_private, and ends with its descriptor.
 */
static int wait_for_others(const char *path, int *ret_dir, struct error *err)
{
    const char *name = NULL;
    AUTO_FD int dir = -1;
    int rc = file_open_parent(path, &dir, &name, err);

    if (rc < 0)
        return rc;
    while (flock(dir, LOCK_EX) < 0)
        if (errno != EINTR)
            return error_set_errno(err, errno, "inventory %s: cannot lock its folder", path);
    *ret_dir = dir;
    dir = -1;
    return 0;
}

int inventory_open(const char *path, struct inventory **ret, struct error *err)
{
    AUTO_FD int dir = -1;
    int rc = wait_for_others(path, &dir, err);

    /* What was decided before a crash is done before anything is read. */
    if (rc == 0)
        rc = restore_finish(path, err);
    if (rc < 0)
        return rc;
    struct inventory *inventory = mem_alloc(1, sizeof *inventory);
    inventory->path = mem_strdup(path);
    rc = bring_up(inventory, err);
    if (rc < 0)
        inventory_close(inventory);
    else
        *ret = inventory;
    return rc;
}

/* The path as a URI of SQLite (https://www.sqlite.org/uri.html). */
static char *still_uri(const char *path)
{
    AUTO_FREE char *encoded = mem_alloc(3 * strlen(path) + 1, 1);
    char *at = encoded;

    for (const char *in = path; *in; in++) {
        if (strchr("%?#", *in)) {
            snprintf(at, 4, "%%%02X", (unsigned)*in);
            at += 3;
        } else {
            *at++ = *in;
        }
    }
    return mem_printf("file:%s?immutable=1", encoded);
}

/* A log that was not brought into the file, or its rollback journal. */
static int has_nothing_beside(const char *path, struct error *err)
{
    static const char *const suffixes[] = {"-wal", "-journal"};
    struct stat st;

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *beside = mem_printf("%s%s", path, suffixes[i]);

        if (stat(beside, &st) == 0 && st.st_size > 0)
            return error_set(err, E_REFUSED,
                             "inventory %s: wanted a file that is whole by itself, got one whose "
                             "last changes are in %s",
                             path, beside);
    }
    return 0;
}

static int bring_up_still(struct inventory *inventory, struct error *err)
{
    AUTO_FREE char *uri = still_uri(inventory->path);
    struct stat st;

    if (stat(inventory->path, &st) < 0)
        return error_set_errno(err, errno, "inventory %s: cannot look at", inventory->path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return error_set(err, E_CORRUPT, "inventory %s: wanted an inventory, got %s",
                         inventory->path, S_ISREG(st.st_mode) ? "an empty file" : "no file");
    int rc = has_nothing_beside(inventory->path, err);
    if (rc == 0)
        rc = open_database(inventory, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    if (rc == 0)
        rc = migrate_check(inventory, embedded_schema, err);
    return rc;
}

int inventory_open_still(const char *path, struct inventory **ret, struct error *err)
{
    struct inventory *inventory = mem_alloc(1, sizeof *inventory);

    inventory->path = mem_strdup(path);
    int rc = bring_up_still(inventory, err);
    if (rc < 0)
        inventory_close(inventory);
    else
        *ret = inventory;
    return rc;
}

void inventory_close(struct inventory *inventory)
{
    if (!inventory)
        return;
    if (inventory->db)
        inventory_rollback(inventory);
    /* The last handle would bring the log into the file. */
    if (inventory->db && damage_is_found(inventory->damage))
        sqlite3_db_config(inventory->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (size_t i = 0; i < inventory->kept_count; i++)
        sqlite3_finalize(inventory->kept[i].handle);
    /* Busy: a statement is still in use, by a callback that closes the handle it runs on. */
    int result = sqlite3_close(inventory->db);
    assert(result == SQLITE_OK);
    (void)result;
    free(inventory->path);
    free(inventory);
}

int inventory_check_pages(struct inventory *inventory, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "PRAGMA integrity_check(1)", &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "PRAGMA integrity_check");
    if (rc < 0)
        return rc;
    AUTO_FREE char *line = statement_read_text(&statement);
    if (strcmp(line, "ok") == 0)
        return 0;
    struct error own;
    if (!err)
        err = &own;
    error_set(err, E_CORRUPT, "inventory %s: %s", inventory->path, line);
    if (inventory->damage)
        damage_report(inventory->damage, err->text);
    return E_CORRUPT;
}

int inventory_check_references(struct inventory *inventory, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int rc = statement_open(inventory, "PRAGMA foreign_key_check", &statement, err);

    if (rc == 0)
        rc = statement_step(&statement, &row, err);
    if (rc < 0 || !row)
        return rc;
    AUTO_FREE char *table = statement_read_text(&statement);
    int64_t id = statement_read_int(&statement);
    AUTO_FREE char *parent = statement_read_text(&statement);
    return error_set(err, E_CORRUPT,
                     "inventory %s: row %" PRId64 " of %s refers to a row of %s that is not there",
                     inventory->path, id, table, parent);
}

int inventory_check(struct inventory *inventory, struct error *err)
{
    int rc = inventory_check_pages(inventory, err);

    return rc < 0 ? rc : inventory_check_references(inventory, err);
}

static int is_stopped(void *self)
{
    const struct inventory *inventory = self;

    return inventory->stop(inventory->stop_self);
}

void inventory_stop_when(struct inventory *inventory, inventory_stop_fn stop, void *self)
{
    inventory->stop = stop;
    inventory->stop_self = self;
    sqlite3_progress_handler(inventory->db, STOP_EVERY, stop ? is_stopped : NULL, inventory);
}

int inventory_schema(struct inventory *inventory, int64_t *ret, struct error *err)
{
    return pragma_int(inventory, "PRAGMA user_version", ret, err);
}

void inventory_rest(struct inventory *inventory)
{
    while (inventory->kept_count > 0)
        sqlite3_finalize(inventory->kept[--inventory->kept_count].handle);
    sqlite3_db_release_memory(inventory->db);
}

int inventory_value_get(struct inventory *inventory, const char *name, struct blob *ret,
                        struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc =
        statement_open(inventory, "SELECT value FROM named_values WHERE name = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, name);
    rc = statement_one(&statement, err, "value %s", name);
    if (rc == 0)
        *ret = statement_read_blob(&statement);
    return rc;
}

int inventory_value_set(struct inventory *inventory, const char *name, struct span value,
                        struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "INSERT INTO named_values (name, value) VALUES (?, ?)"
                            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, name);
    statement_bind_bytes(&statement, value);
    return statement_run(&statement, err);
}

int inventory_value_remove(struct inventory *inventory, const char *name, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM named_values WHERE name = ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_text(&statement, name);
    return statement_run(&statement, err);
}

int inventory_empty_log(struct inventory *inventory, struct error *err)
{
    int rc = statement_may_write(inventory, err);

    if (rc < 0)
        return rc;
    sqlite3_busy_timeout(inventory->db, 0);
    int result =
        sqlite3_wal_checkpoint_v2(inventory->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(inventory->db, BUSY_MILLISECONDS);
    return statement_error(inventory, result, err);
}
