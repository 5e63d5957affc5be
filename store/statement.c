#include "store/statement.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/damage.h"

static int code_of_constraint(int result)
{
    switch (result) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return E_EXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return E_NOT_FOUND;
    case SQLITE_CONSTRAINT_TRIGGER:
        return E_REFUSED;
    default:
        return E_INPUT;
    }
}

static int code_of_result(int result, int errnum)
{
    switch (result & 0xff) {
    case SQLITE_FULL:
        return E_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT: /* inventory_stop_when */
        return E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return E_CORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return E_DENIED;
    case SQLITE_TOOBIG:
        return E_TOO_LARGE;
    case SQLITE_CONSTRAINT:
        return code_of_constraint(result);
    default:
        /* SQLite says "full" for a write only; fsync and the shared memory meet it, too. */
        if (errnum == ENOSPC || errnum == EDQUOT)
            return E_FULL;
        return errnum == EACCES || errnum == EPERM ? E_DENIED : E_IO;
    }
}

static void report_damage(const struct inventory *inventory, int code, const struct error *err)
{
    if (code == E_CORRUPT && inventory->damage)
        damage_report(inventory->damage, err->text);
}

int statement_may_write(const struct inventory *inventory, struct error *err)
{
    if (!damage_is_found(inventory->damage))
        return 0;
    return error_set(err, E_CORRUPT, "nothing is written any more: %s", inventory->damage->text);
}

int statement_error(struct inventory *inventory, int result, struct error *err)
{
    struct error own = {0};
    int primary = result & 0xff;
    int errnum = 0;
    char reason[128];

    if (result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE)
        return 0;
    if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)
        errnum = sqlite3_system_errno(inventory->db);
    int code = code_of_result(result, errnum);
    /* The message of the handle may be that of an earlier call. */
    const char *text = sqlite3_extended_errcode(inventory->db) == result
                           ? sqlite3_errmsg(inventory->db)
                           : sqlite3_errstr(result);
    if (!err)
        err = &own;
    if (errnum != 0)
        return error_set(err, code, "inventory %s: %s (%d): %s", inventory->path, text, result,
                         strerror_r(errnum, reason, sizeof reason));
    error_set(err, code, "inventory %s: %s (%d)", inventory->path, text, result);
    report_damage(inventory, code, err);
    return code;
}

static bool take_kept(struct inventory *inventory, const char *sql, sqlite3_stmt **ret)
{
    for (size_t i = 0; i < inventory->kept_count; i++) {
        if (inventory->kept[i].sql != sql)
            continue;
        *ret = inventory->kept[i].handle;
        inventory->kept[i] = inventory->kept[--inventory->kept_count];
        return true;
    }
    return false;
}

int statement_open(struct inventory *inventory, const char *sql, struct statement *ret,
                   struct error *err)
{
    sqlite3_stmt *handle = NULL;

    /* After some failures SQLite has rolled back on its own; what follows would be committed line
     * by line. */
    if (inventory->in_transaction && sqlite3_get_autocommit(inventory->db))
        return error_set(err, E_IO, "inventory %s: the transaction was undone by its failure",
                         inventory->path);
    if (!take_kept(inventory, sql, &handle)) {
        int result =
            sqlite3_prepare_v3(inventory->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
        /* Our own SQL does not fit: the tables are not the ones we made. */
        if (result == SQLITE_ERROR)
            return error_set(err, E_CORRUPT, "inventory %s: its tables are not ours: %s",
                             inventory->path, sqlite3_errmsg(inventory->db));
        if (result != SQLITE_OK)
            return statement_error(inventory, result, err);
    }
    AUTO_STATEMENT struct statement statement = {
        .inventory = inventory, .sql = sql, .handle = handle};
    if (!sqlite3_stmt_readonly(handle)) {
        int rc = statement_may_write(inventory, err);

        if (rc < 0)
            return rc;
    }
    *ret = statement;
    statement = (struct statement){0};
    return 0;
}

void statement_done(struct statement *statement)
{
    struct inventory *inventory = statement->inventory;

    if (!statement->handle)
        return;
    sqlite3_reset(statement->handle);
    sqlite3_clear_bindings(statement->handle);
    if (inventory->kept_count < COUNT_OF(inventory->kept))
        inventory->kept[inventory->kept_count++] =
            (struct kept_statement){statement->sql, statement->handle};
    else
        sqlite3_finalize(statement->handle);
    *statement = (struct statement){0};
}

static void bound(struct statement *statement, int result)
{
    if (statement->bind_result == SQLITE_OK)
        statement->bind_result = result;
}

static void bind_null(struct statement *statement)
{
    bound(statement, sqlite3_bind_null(statement->handle, ++statement->bound));
}

void statement_bind_int(struct statement *statement, int64_t value)
{
    bound(statement, sqlite3_bind_int64(statement->handle, ++statement->bound, value));
}

void statement_bind_id(struct statement *statement, int64_t id)
{
    if (id == 0)
        bind_null(statement);
    else
        statement_bind_int(statement, id);
}

void statement_bind_utc(struct statement *statement, utc_t at)
{
    if (at == UTC_NEVER)
        bind_null(statement);
    else
        statement_bind_int(statement, at);
}

void statement_bind_text(struct statement *statement, const char *text)
{
    bound(statement,
          sqlite3_bind_text(statement->handle, ++statement->bound, text, -1, SQLITE_STATIC));
}

void statement_bind_bytes(struct statement *statement, struct span bytes)
{
    /* A NULL pointer would bind NULL, not the empty value. */
    bound(statement,
          sqlite3_bind_blob64(statement->handle, ++statement->bound,
                              bytes.len ? (const void *)bytes.data : "", bytes.len, SQLITE_STATIC));
}

void statement_bind_name(struct statement *statement, const char *name)
{
    if (name)
        statement_bind_bytes(statement, span_text(name));
    else
        bind_null(statement);
}

void statement_bind_blob(struct statement *statement, const struct blob *blob)
{
    if (blob->len > 0)
        statement_bind_bytes(statement, blob_span(blob));
    else
        bind_null(statement);
}

void statement_bind_hash(struct statement *statement, const uint8_t hash[SHA256_LEN])
{
    static const uint8_t none[SHA256_LEN];

    if (memcmp(hash, none, SHA256_LEN) != 0)
        statement_bind_bytes(statement, span_of(hash, SHA256_LEN));
    else
        bind_null(statement);
}

int statement_step(struct statement *statement, bool *ret_row, struct error *err)
{
    int result = statement->bind_result;

    statement->read = 0;
    if (result == SQLITE_OK) {
        assert(statement->bound == sqlite3_bind_parameter_count(statement->handle));
        result = sqlite3_step(statement->handle);
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return statement_error(statement->inventory, result, err);
    *ret_row = result == SQLITE_ROW;
    return 0;
}

int statement_run(struct statement *statement, struct error *err)
{
    bool row = true;
    int rc = 0;

    while (rc == 0 && row)
        rc = statement_step(statement, &row, err);
    return rc;
}

int statement_insert(struct statement *statement, int64_t *ret_id, struct error *err)
{
    bool row = false;
    int64_t id = 0;
    int rc = statement_step(statement, &row, err);

    if (rc < 0)
        return rc;
    if (row) {
        id = statement_read_int(statement);
        /* The row comes before the commit: only the last step tells that it is there. */
        rc = statement_run(statement, err);
        if (rc < 0)
            return rc;
    }
    *ret_id = id;
    return 0;
}

enum { WHAT_MAX = 256 };

static int not_found(const char *what, struct error *err)
{
    return error_set(err, E_NOT_FOUND, "%s: not in the inventory", what);
}

int statement_one(struct statement *statement, struct error *err, const char *format, ...)
{
    bool row = false;
    int rc = statement_step(statement, &row, err);

    if (rc == 0 && !row) {
        char what[WHAT_MAX];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        rc = not_found(what, err);
    }
    return rc;
}

int statement_change(struct statement *statement, struct error *err, const char *format, ...)
{
    int rc = statement_run(statement, err);

    if (rc == 0 && sqlite3_changes(statement->inventory->db) == 0) {
        char what[WHAT_MAX];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof what, format, args);
        va_end(args);
        rc = not_found(what, err);
    }
    return rc;
}

int statement_ids(struct statement *statement, struct ids *ret, struct error *err)
{
    AUTO_IDS struct ids ids = {0};
    size_t room = 0;

    for (;;) {
        bool row = false;
        int rc = statement_step(statement, &row, err);

        if (rc < 0)
            return rc;
        if (!row)
            break;
        if (ids.count == room) {
            room = room ? 2 * room : 16;
            ids.items = mem_resize(ids.items, room, sizeof *ids.items);
        }
        ids.items[ids.count++] = statement_read_int(statement);
    }
    *ret = ids;
    ids = (struct ids){0};
    return 0;
}

void ids_done(struct ids *ids)
{
    free(ids->items);
    *ids = (struct ids){0};
}

int statement_blobs(struct statement *statement, struct blobs *ret, struct error *err)
{
    for (;;) {
        bool row = false;
        int rc = statement_step(statement, &row, err);

        if (rc < 0 || !row)
            return rc;
        AUTO_BLOB struct blob item = statement_read_blob(statement);
        blobs_add(ret, blob_span(&item));
    }
}

static int next_column(struct statement *statement)
{
    assert(statement->read < sqlite3_column_count(statement->handle));
    return statement->read++;
}

int64_t statement_read_int(struct statement *statement)
{
    return sqlite3_column_int64(statement->handle, next_column(statement));
}

utc_t statement_read_utc(struct statement *statement)
{
    int column = next_column(statement);

    if (sqlite3_column_type(statement->handle, column) == SQLITE_NULL)
        return UTC_NEVER;
    return sqlite3_column_int64(statement->handle, column);
}

char *statement_read_text(struct statement *statement)
{
    int column = next_column(statement);

    if (sqlite3_column_type(statement->handle, column) == SQLITE_NULL)
        return NULL;
    /* Of a BLOB these are its bytes, with a NUL behind them. */
    const unsigned char *text = sqlite3_column_text(statement->handle, column);
    return mem_strdup(text ? (const char *)text : "");
}

struct blob statement_read_blob(struct statement *statement)
{
    int column = next_column(statement);
    const void *data = sqlite3_column_blob(statement->handle, column);
    int len = sqlite3_column_bytes(statement->handle, column);

    return len > 0 ? blob_copy(span_of(data, (size_t)len)) : (struct blob){0};
}

void statement_read_hash(struct statement *statement, uint8_t ret[SHA256_LEN])
{
    int column = next_column(statement);
    const void *data = sqlite3_column_blob(statement->handle, column);

    memset(ret, 0, SHA256_LEN);
    if (sqlite3_column_bytes(statement->handle, column) == SHA256_LEN)
        memcpy(ret, data, SHA256_LEN);
}
