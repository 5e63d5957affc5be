#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backup_name.h"
#include "store/statement.h"

enum {
    STEP_PAGES = 256,    /* 1 MiB */
    ROOM_LEFT = 32 << 20 /* bytes the inventory's log may need meanwhile */
};

/* One copy in the making. */
struct copy {
    struct inventory *source;
    const struct backup_job *job;
    int dir;
    char *partial; /* its path, and its name in the folder */
    const char *partial_name;
    sqlite3 *target;
};

static void copy_done(struct copy *copy)
{
    sqlite3_close(copy->target);
    copy->target = NULL;
    if (!sqlite3_get_autocommit(copy->source->db))
        sqlite3_exec(copy->source->db, "ROLLBACK", NULL, NULL, NULL);
    inventory_stop_when(copy->source, NULL, NULL);
    if (copy->partial)
        backup_remove_partial(copy->dir, copy->partial_name);
    free(copy->partial);
    file_close(&copy->dir);
}

static int target_error(const struct copy *copy, int result, struct error *err)
{
    if ((result & 0xff) == SQLITE_FULL || sqlite3_system_errno(copy->target) == ENOSPC)
        return error_set(err, E_FULL, "backup %s: no space left", copy->partial);
    return error_set(err, E_IO, "backup %s: %s (%d)", copy->partial, sqlite3_errstr(result),
                     result);
}

static int target_run(const struct copy *copy, const char *sql, struct error *err)
{
    int result = sqlite3_exec(copy->target, sql, NULL, NULL, NULL);

    return result == SQLITE_OK ? 0 : target_error(copy, result, err);
}

static int size_of_source(const struct copy *copy, int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(copy->source,
                            "SELECT page_count * page_size FROM pragma_page_count(),"
                            " pragma_page_size()",
                            &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "size of the inventory");
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

/* A disk that is full by a backup would stop the inventory itself: where both lie on one, room is
 * left for its log. */
static int see_room(const struct copy *copy, struct error *err)
{
    struct stat source, folder;
    struct statvfs fs;
    int64_t wanted = 0;
    int rc = size_of_source(copy, &wanted, err);

    if (rc < 0)
        return rc;
    if (fstatvfs(copy->dir, &fs) < 0 || fstat(copy->dir, &folder) < 0)
        return error_set_errno(err, errno, "folder %s: cannot look at its room", copy->job->folder);
    if (stat(copy->source->path, &source) == 0 && source.st_dev == folder.st_dev)
        wanted += ROOM_LEFT;
    double room = (double)fs.f_bavail * (double)fs.f_frsize;
    if (fs.f_blocks > 0 && room < (double)wanted)
        return error_set(err, E_FULL,
                         "folder %s: too little room for a backup: wanted %" PRId64
                         " KiB, got %.0f KiB",
                         copy->job->folder, (wanted >> 10) + 1, room / 1024);
    return 0;
}

static int open_folder(struct copy *copy, struct error *err)
{
    const char *name = NULL;
    int rc = file_make_dirs(copy->job->folder, 0700, err);

    copy->partial = mem_printf("%s/" BACKUP_PARTIAL, copy->job->folder);
    if (rc == 0)
        rc = file_open_parent(copy->partial, &copy->dir, &name, err);
    if (rc < 0)
        return rc;
    copy->partial_name = name;
    backup_remove_partial(copy->dir, name);
    return see_room(copy, err);
}

/* 0600 before SQLite sees it. Without a journal: what fails is removed. Alone on it, so that no
 * shared memory is made beside it. */
static int open_target(struct copy *copy, struct error *err)
{
    int rc = file_create_at(copy->dir, copy->partial_name, span_of(NULL, 0), FILE_PRIVATE, err);

    if (rc < 0)
        return rc;
    int result =
        sqlite3_open_v2(copy->partial, &copy->target,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (result != SQLITE_OK)
        return target_error(copy, result, err);
    return target_run(copy,
                      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                      "PRAGMA synchronous = FULL",
                      err);
}

static bool must_stop(const struct backup_job *job)
{
    return job->stop && job->stop(job->self);
}

static int told_to_stop(struct error *err)
{
    return error_set(err, E_NOT_YET, "backup: broken off");
}

static int copy_pages(struct copy *copy, struct error *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(copy->target, "main", copy->source->db, "main");
    int result = SQLITE_OK;

    if (!backup)
        return target_error(copy, sqlite3_extended_errcode(copy->target), err);
    while (result == SQLITE_OK && !must_stop(copy->job))
        result = sqlite3_backup_step(backup, STEP_PAGES);
    int finished = sqlite3_backup_finish(backup);
    if (result == SQLITE_OK)
        return told_to_stop(err);
    if (result == SQLITE_DONE)
        result = finished;
    /* The source speaks for itself: damage in it is reported. */
    if ((result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB)
        return statement_error(copy->source, result, err);
    return result == SQLITE_OK ? 0 : target_error(copy, result, err);
}

/* It shall be whole by itself, and read from media that cannot be written: no log beside it. */
static int leave_wal(struct copy *copy, struct error *err)
{
    int rc = target_run(copy, "PRAGMA journal_mode = DELETE", err);
    int result = sqlite3_close(copy->target);

    copy->target = NULL;
    return rc == 0 && result != SQLITE_OK
               ? error_set(err, E_IO, "backup %s: cannot close", copy->partial)
               : rc;
}

/* What is read afterwards comes from the disk, as far as the kernel lets us. */
static int settle(const struct copy *copy, struct error *err)
{
    AUTO_FD int fd = -1;
    int rc = file_open_read(copy->partial, &fd, err);

    if (rc == 0)
        rc = file_sync(fd, copy->partial, err);
    if (rc == 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return rc;
}

/* One table's rows. Tables have the names we gave them; "%w" all the same. */
static int count_table(struct inventory *inventory, const char *table, int64_t *ret,
                       struct error *err)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table);
    sqlite3_stmt *handle = NULL;
    int result = sql ? sqlite3_prepare_v2(inventory->db, sql, -1, &handle, NULL) : SQLITE_NOMEM;

    if (result == SQLITE_OK) {
        result = sqlite3_step(handle);
        if (result == SQLITE_ROW)
            *ret = sqlite3_column_int64(handle, 0);
    }
    int rc = statement_error(inventory, result, err);
    sqlite3_finalize(handle);
    sqlite3_free(sql);
    return rc;
}

static int count_rows(struct inventory *inventory, struct backup_counts *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    struct backup_counts counts = {0};
    bool row = false;
    int rc = statement_open(inventory,
                            "SELECT name FROM sqlite_schema WHERE type = 'table'"
                            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
                            &statement, err);

    while (rc == 0 && (rc = statement_step(&statement, &row, err)) == 0 && row) {
        AUTO_FREE char *table = statement_read_text(&statement);
        int64_t rows = 0;

        rc = count_table(inventory, table, &rows, err);
        counts.tables++;
        counts.rows += rows;
        counts.sum = counts.sum * 1000003 + (uint64_t)rows;
    }
    if (rc == 0)
        rc = inventory_schema(inventory, &counts.schema, err);
    if (rc == 0)
        *ret = counts;
    return rc;
}

/* Holds one state of the source: a reader in WAL mode, whom no writer waits for. */
static int take_state(const struct copy *copy, struct backup_counts *ret, struct error *err)
{
    int rc = statement_error(copy->source,
                             sqlite3_exec(copy->source->db, "BEGIN", NULL, NULL, NULL), err);

    inventory_stop_when(copy->source, copy->job->stop, copy->job->self);
    return rc == 0 ? count_rows(copy->source, ret, err) : rc;
}

static int look_whole(struct inventory *inventory, const struct backup_job *job,
                      struct backup_counts *ret, struct blob *ret_sealing_key, struct error *err)
{
    AUTO_BLOB struct blob key = {0};

    if (job)
        inventory_stop_when(inventory, job->stop, job->self);
    int rc = inventory_check(inventory, err);
    if (rc == 0)
        rc = count_rows(inventory, ret, err);
    if (rc < 0 || !ret_sealing_key)
        return rc;
    rc = inventory_value_get(inventory, "sealing-key-id", &key, err);
    if (rc == E_NOT_FOUND)
        rc = 0;
    if (rc == 0)
        *ret_sealing_key = blob_take(&key);
    return rc;
}

int backup_verify(const char *path, const struct backup_job *job, struct backup_counts *ret,
                  struct blob *ret_sealing_key, struct error *err)
{
    struct inventory *inventory = NULL;
    int rc = inventory_open_still(path, &inventory, err);

    if (rc == 0)
        rc = look_whole(inventory, job, ret, ret_sealing_key, err);
    inventory_close(inventory);
    return rc;
}

/* A copy that is not good: whose fault that is decides what happens to the inventory. */
static int blame(const struct copy *copy, const char *why, struct error *err)
{
    inventory_stop_when(copy->source, copy->job->stop, copy->job->self);
    int rc = inventory_check(copy->source, err);

    inventory_stop_when(copy->source, NULL, NULL);
    return rc < 0 ? rc
                  : error_set(err, E_IO,
                              "backup %s: the copy is not what was written, the inventory is: %s",
                              copy->partial, why);
}

static int verify(const struct copy *copy, const struct backup_counts *wanted, struct error *err)
{
    struct backup_counts got = {0};
    struct error why = {0};
    int rc = backup_verify(copy->partial, copy->job, &got, NULL, &why);

    if (rc == E_CORRUPT || rc == E_REFUSED)
        return blame(copy, why.text, err);
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    if (got.tables != wanted->tables || got.rows != wanted->rows || got.sum != wanted->sum ||
        got.schema != wanted->schema)
        return error_set(err, E_IO,
                         "backup %s: wanted %" PRId64 " rows in %" PRId64 " tables, got %" PRId64
                         " in %" PRId64,
                         copy->partial, wanted->rows, wanted->tables, got.rows, got.tables);
    return 0;
}

static int write_copy(struct copy *copy, struct backup_counts *ret, struct error *err)
{
    int rc = open_folder(copy, err);

    if (rc == 0)
        rc = open_target(copy, err);
    if (rc == 0)
        rc = take_state(copy, ret, err);
    if (rc == 0)
        rc = copy_pages(copy, err);
    if (rc == 0)
        rc = leave_wal(copy, err);
    if (rc == 0)
        rc = settle(copy, err);
    /* From here on the log may be brought into the file again. */
    if (!sqlite3_get_autocommit(copy->source->db))
        sqlite3_exec(copy->source->db, "ROLLBACK", NULL, NULL, NULL);
    inventory_stop_when(copy->source, NULL, NULL);
    return rc == 0 ? verify(copy, ret, err) : rc;
}

int backup_make(struct inventory *source, const struct backup_job *job, struct backup *ret,
                struct backup_counts *ret_counts, struct error *err)
{
    __attribute__((cleanup(copy_done))) struct copy copy = {
        .source = source, .job = job, .dir = -1};
    struct backup backup = {.made_at = job->now};
    struct backup_counts counts = {0};
    struct stat st = {0};
    int rc = write_copy(&copy, &counts, err);

    if (rc == E_BUSY && must_stop(job))
        return told_to_stop(err);
    if (rc == 0)
        rc = backup_free_name(copy.dir, job->now, backup.name, err);
    if (rc == 0 && fstatat(copy.dir, copy.partial_name, &st, 0) < 0)
        rc = error_set_errno(err, errno, "backup %s: cannot look at", copy.partial);
    if (rc == 0)
        rc = file_rename_at(copy.dir, copy.partial_name, backup.name, err);
    if (rc < 0)
        return rc;
    backup.size = st.st_size;
    *ret = backup;
    *ret_counts = counts;
    return 0;
}
