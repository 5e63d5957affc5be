/*
 * The inside of an inventory handle, for store/ alone: its statements, kept prepared, and the one
 * place where SQLite's results become ours. Parameters are bound and columns read in order.
 *
 * A statement in use is taken out of the cache, so that the same SQL may run again underneath it.
 */
#ifndef UL_STORE_STATEMENT_H
#define UL_STORE_STATEMENT_H

#include <inttypes.h>
#include <sqlite3.h>

#include "pki/cert.h"
#include "store/inventory.h"

enum { STATEMENTS_KEPT = 192 };

struct kept_statement {
    const char *sql;
    sqlite3_stmt *handle;
};

struct inventory {
    sqlite3 *db;
    char *path;
    bool in_transaction;   /* as the caller sees it: begun, not yet committed or rolled back */
    int nested;            /* savepoints open inside it */
    struct damage *damage; /* what is known of the file; NULL: nobody asked */
    inventory_stop_fn stop;
    void *stop_self;
    struct kept_statement kept[STATEMENTS_KEPT]; /* those not in use */
    size_t kept_count;
};

struct statement {
    struct inventory *inventory;
    const char *sql;
    sqlite3_stmt *handle;
    int bound; /* parameters so far */
    int read;  /* columns of the present row so far */
    int bind_result;
};

/* sql must be a string literal: it is known by its address. */
int statement_open(struct inventory *inventory, const char *sql, struct statement *ret,
                   struct error *err);
/* Gives it back to the cache; {0} is fine. */
void statement_done(struct statement *statement);
#define AUTO_STATEMENT __attribute__((cleanup(statement_done)))

/* What is bound is borrowed until statement_done. A failure is returned by the next step. */
void statement_bind_int(struct statement *statement, int64_t value);
void statement_bind_id(struct statement *statement, int64_t id);           /* 0: NULL */
void statement_bind_utc(struct statement *statement, utc_t at);            /* UTC_NEVER: NULL */
void statement_bind_text(struct statement *statement, const char *text);   /* NULL: NULL */
void statement_bind_name(struct statement *statement, const char *name);   /* as a BLOB */
void statement_bind_bytes(struct statement *statement, struct span bytes); /* empty: empty */
void statement_bind_blob(struct statement *statement, const struct blob *blob); /* empty: NULL */
void statement_bind_hash(struct statement *statement,
                         const uint8_t hash[SHA256_LEN]); /* all zero: NULL */

/* The next row, or *ret_row false after the last. */
int statement_step(struct statement *statement, bool *ret_row, struct error *err);
/* To its end, rows ignored. */
int statement_run(struct statement *statement, struct error *err);
/* An INSERT ... RETURNING id, to its end; *ret_id is 0 when nothing was inserted. */
int statement_insert(struct statement *statement, int64_t *ret_id, struct error *err);
/* The first row; E_NOT_FOUND, with what the format says, when there is none. */
int statement_one(struct statement *statement, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An UPDATE, to its end; E_NOT_FOUND likewise when it met no row. */
int statement_change(struct statement *statement, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first column of every row. Callbacks run after this, when no statement is open: they may
 * write, commit and roll back. */
struct ids {
    int64_t *items;
    size_t count;
};
int statement_ids(struct statement *statement, struct ids *ret, struct error *err);
void ids_done(struct ids *ids);
#define AUTO_IDS __attribute__((cleanup(ids_done)))

/* Appends the first column of every row. On failure ret may have grown. */
int statement_blobs(struct statement *statement, struct blobs *ret, struct error *err);

/* The next column. NULL reads as 0, UTC_NEVER, NULL, empty and all zero. */
int64_t statement_read_int(struct statement *statement);
utc_t statement_read_utc(struct statement *statement);
char *statement_read_text(struct statement *statement); /* owned by the caller */
struct blob statement_read_blob(struct statement *statement);
void statement_read_hash(struct statement *statement, uint8_t ret[SHA256_LEN]);

/* The code and sentence of a result of SQLite on this handle; 0 for success. Damage to the file is
 * reported to who watches it (store/damage.h). */
int statement_error(struct inventory *inventory, int result, struct error *err);
/* E_CORRUPT when the file is known to be damaged: what would write must not go on. */
int statement_may_write(const struct inventory *inventory, struct error *err);

#endif
