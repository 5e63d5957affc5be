#include "store/trail.h"

#include <stdio.h>
#include <string.h>

#include "store/statement.h"
#include "store/transaction.h"

void trail_ends_done(struct trail_ends *ends)
{
    free(ends->pruned_by);
    *ends = (struct trail_ends){0};
}

int trail_ends(struct inventory *inventory, struct trail_ends *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "SELECT head_id, head_hash, pruned_id, pruned_hash, pruned_at,"
                            " pruned_by, pruned_mac FROM trail WHERE id = 1",
                            &statement, err);

    if (rc == 0)
        rc = statement_one(&statement, err, "the audit trail");
    if (rc < 0)
        return rc;
    ret->head.id = statement_read_int(&statement);
    statement_read_hash(&statement, ret->head.hash);
    ret->pruned.id = statement_read_int(&statement);
    statement_read_hash(&statement, ret->pruned.hash);
    ret->pruned_at = statement_read_utc(&statement);
    ret->pruned_by = statement_read_text(&statement);
    statement_read_hash(&statement, ret->pruned_mac);
    return 0;
}

/* Bytes in the order in which they are hashed or signed. */
struct encoding {
    struct blob bytes;
    size_t len;
};

static void put(struct encoding *to, const void *data, size_t len)
{
    memcpy(to->bytes.data + to->len, data, len);
    to->len += len;
}

static void put_number(struct encoding *to, int64_t number)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    put(to, bytes, sizeof bytes);
}

static void put_text(struct encoding *to, const char *text)
{
    size_t len = strlen(text);

    put_number(to, (int64_t)len);
    put(to, text, len);
}

static struct encoding begin(const char *purpose, size_t more)
{
    size_t len = strlen(purpose);
    struct encoding to = {.bytes = {mem_alloc(len + more, 1), len + more}};

    put(&to, purpose, len);
    return to;
}

void trail_hash(const uint8_t before[SHA256_LEN], const struct event_row *row,
                uint8_t ret[SHA256_LEN])
{
    enum { NUMBERS = 7, HASHES = 3 };
    size_t texts = strlen(row->actor) + strlen(row->kind) + strlen(row->text);
    struct encoding to = begin("unlapsed event 1", NUMBERS * 8 + HASHES * SHA256_LEN + texts);

    put(&to, before, SHA256_LEN);
    put_number(&to, row->id);
    put_number(&to, row->at);
    put_number(&to, row->certificate_id);
    put_number(&to, row->renewal_id);
    put_text(&to, row->actor);
    put_text(&to, row->kind);
    put_text(&to, row->text);
    put(&to, row->old_sha256, SHA256_LEN);
    put(&to, row->new_sha256, SHA256_LEN);
    sha256_of(blob_span(&to.bytes), ret);
    blob_done(&to.bytes);
}

struct blob trail_pruned_text(const struct trail_mark *mark, utc_t at, const char *by)
{
    struct encoding to = begin("unlapsed pruned 1", 3 * 8 + SHA256_LEN + strlen(by));

    put_number(&to, mark->id);
    put(&to, mark->hash, SHA256_LEN);
    put_number(&to, at);
    put_text(&to, by);
    return to.bytes;
}

/* A walk along the chain; the statement is at its next row. */
struct walk {
    struct statement statement;
    struct trail_mark at; /* the last event that was proven */
    int64_t broken_id;    /* 0: none */
    char wrong[ERROR_TEXT_MAX];
};

static void walk_done(struct walk *walk)
{
    statement_done(&walk->statement);
}
#define AUTO_WALK __attribute__((cleanup(walk_done)))

static void walk_break(struct walk *walk, int64_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void walk_break(struct walk *walk, int64_t id, const char *format, ...)
{
    va_list args;

    walk->broken_id = id;
    va_start(args, format);
    vsnprintf(walk->wrong, sizeof walk->wrong, format, args);
    va_end(args);
}

static int walk_begin(struct inventory *inventory, const struct trail_mark *after, int64_t limit,
                      struct walk *ret, struct error *err)
{
    int rc = statement_open(inventory,
                            "SELECT id, at, certificate_id, renewal_id, actor, kind, text,"
                            " old_sha256, new_sha256, hash"
                            " FROM events WHERE id > ? ORDER BY id LIMIT ?",
                            &ret->statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&ret->statement, after->id);
    statement_bind_int(&ret->statement, limit);
    ret->at = *after;
    return 0;
}

/* The next event that is as it was recorded; false at the end of the walk, or where it breaks. */
static int walk_next(struct walk *walk, utc_t *ret_at, bool *ret_found, struct error *err)
{
    __attribute__((cleanup(event_row_done))) struct event_row row = {0};
    struct statement *statement = &walk->statement;
    struct trail_mark next = {0};
    bool found = false;
    int rc = statement_step(statement, &found, err);

    *ret_found = false;
    if (rc < 0 || !found)
        return rc;
    row.id = next.id = statement_read_int(statement);
    row.at = statement_read_utc(statement);
    row.certificate_id = statement_read_int(statement);
    row.renewal_id = statement_read_int(statement);
    row.actor = statement_read_text(statement);
    row.kind = statement_read_text(statement);
    row.text = statement_read_text(statement);
    statement_read_hash(statement, row.old_sha256);
    statement_read_hash(statement, row.new_sha256);
    statement_read_hash(statement, row.hash);
    if (row.id != walk->at.id + 1) {
        walk_break(walk, walk->at.id + 1, "it is missing: the next one is %" PRId64, row.id);
        return 0;
    }
    /* The columns are NOT NULL; the file may be in whoever's hands. */
    if (row.actor && row.kind && row.text)
        trail_hash(walk->at.hash, &row, next.hash);
    if (memcmp(next.hash, row.hash, SHA256_LEN) != 0) {
        walk_break(walk, row.id, "it is not as it was recorded: its hash does not fit");
        return 0;
    }
    walk->at = next;
    *ret_at = row.at;
    *ret_found = true;
    return 0;
}

/* Where no event follows, the trail ends as was written down. */
static void check_end(struct walk *walk, const struct trail_mark *head)
{
    const struct trail_mark *at = &walk->at;

    if (at->id < head->id)
        walk_break(walk, at->id + 1, "it is missing, as is everything after it up to %" PRId64,
                   head->id);
    else if (at->id > head->id)
        walk_break(walk, head->id + 1, "it was put in: the newest that was recorded is %" PRId64,
                   head->id);
    else if (memcmp(at->hash, head->hash, SHA256_LEN) != 0)
        walk_break(walk, at->id, "it is not the newest that was recorded: its hash is another");
}

static int prove(struct inventory *inventory, const struct trail_mark *after, int64_t limit,
                 struct trail_proof *ret, struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    AUTO_WALK struct walk walk = {0};
    bool found = true;
    int64_t count = 0;
    int rc = trail_ends(inventory, &ends, err);

    if (rc < 0)
        return rc;
    /* Pruned meanwhile, it may be: what is gone was proven before it went. */
    ret->from = after->id < ends.pruned.id ? ends.pruned : *after;
    rc = walk_begin(inventory, &ret->from, limit, &walk, err);
    while (rc == 0 && found) {
        rc = walk_next(&walk, &(utc_t){0}, &found, err);
        count += found;
    }
    if (rc < 0)
        return rc;
    if (walk.broken_id == 0 && count < limit)
        check_end(&walk, &ends.head);
    ret->more = walk.broken_id == 0 && count == limit;
    ret->to = walk.at;
    ret->broken_id = walk.broken_id;
    snprintf(ret->wrong, sizeof ret->wrong, "%s", walk.wrong);
    return 0;
}

int trail_prove(struct inventory *inventory, const struct trail_mark *after, int64_t limit,
                struct trail_proof *ret, struct error *err)
{
    AUTO_SNAPSHOT struct snapshot snapshot = {0};
    struct trail_proof proof = {0};
    int rc = snapshot_begin(inventory, &snapshot, err);

    if (rc == 0)
        rc = prove(inventory, after, limit, &proof, err);
    if (rc == 0)
        *ret = proof;
    return rc;
}

int trail_oldest(struct inventory *inventory, utc_t before, int64_t limit, struct trail_mark *ret,
                 struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    AUTO_WALK struct walk walk = {0};
    struct trail_mark last = {0};
    bool found = true;
    int rc = trail_ends(inventory, &ends, err);

    if (rc == 0)
        rc = walk_begin(inventory, &ends.pruned, limit, &walk, err);
    while (rc == 0 && found) {
        utc_t at = UTC_NEVER;

        rc = walk_next(&walk, &at, &found, err);
        found = found && at < before;
        if (found)
            last = walk.at;
    }
    if (rc < 0)
        return rc;
    if (walk.broken_id != 0)
        return error_set(err, E_CORRUPT, "audit trail: event %" PRId64 ": %s", walk.broken_id,
                         walk.wrong);
    if (last.id == 0)
        return E_NOT_FOUND;
    *ret = last;
    return 0;
}

static int sign_off(struct inventory *inventory, const struct trail_mark *mark, utc_t at,
                    const char *by, const uint8_t mac[SHA256_LEN], struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE trail SET pruned_id = ?, pruned_hash = ?, pruned_at = ?,"
                            " pruned_by = ?, pruned_mac = ? WHERE id = 1"
                            " AND EXISTS (SELECT 1 FROM events WHERE id = ? AND hash = ?)",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, mark->id);
    statement_bind_hash(&statement, mark->hash);
    statement_bind_utc(&statement, at);
    statement_bind_text(&statement, by);
    statement_bind_hash(&statement, mac);
    statement_bind_int(&statement, mark->id);
    statement_bind_hash(&statement, mark->hash);
    rc = statement_run(&statement, err);
    if (rc == 0 && sqlite3_changes(inventory->db) == 0)
        return error_set(err, E_CORRUPT, "audit trail: event %" PRId64 " is none of it", mark->id);
    return rc;
}

int trail_sign_again(struct inventory *inventory, const struct trail_mark *mark,
                     const uint8_t mac[SHA256_LEN], struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            "UPDATE trail SET pruned_mac = ?"
                            " WHERE id = 1 AND pruned_id = ? AND pruned_hash = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_hash(&statement, mac);
    statement_bind_int(&statement, mark->id);
    statement_bind_hash(&statement, mark->hash);
    return statement_change(&statement, err, "pruned event %" PRId64, mark->id);
}

static int remove_up_to(struct inventory *inventory, int64_t id, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, "DELETE FROM events WHERE id <= ?", &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, id);
    return statement_run(&statement, err);
}

int trail_prune(struct inventory *inventory, const struct trail_mark *mark, utc_t at,
                const char *by, const uint8_t mac[SHA256_LEN], struct error *err)
{
    AUTO_ATOMIC struct atomic atomic = {0};
    int rc = atomic_begin(inventory, &atomic, err);

    if (rc == 0)
        rc = sign_off(inventory, mark, at, by, mac, err);
    if (rc == 0)
        rc = remove_up_to(inventory, mark->id, err);
    return rc == 0 ? atomic_commit(&atomic, err) : rc;
}
