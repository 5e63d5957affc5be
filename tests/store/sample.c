#include "tests/store/sample.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/embed.h"
#include "base/file.h"
#include "store/certificates.h"
#include "store/renewals.h"
#include "store/schedule.h"
#include "store/targets.h"
#include "store/trail.h"

struct inventory *sample_open(void)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    struct inventory *inventory = NULL;
    struct error err = {0};

    ck_ok(inventory_open(path, &inventory, &err));
    return inventory;
}

int64_t sample_certificate(struct inventory *inventory, const char *name)
{
    AUTO_FREE char *dns = mem_printf("%s.example", name);
    AUTO_FREE char *copy = mem_strdup(name);
    char policy[] = "default";
    char ip[] = "192.0.2.1";
    struct name names[] = {{NAME_DNS, dns}, {NAME_IP, ip}};
    struct certificate_row row = {
        .name = copy, .policy = policy, .names = {names, 2}, .added_at = SAMPLE_NOW};
    struct error err = {0};
    int64_t id = 0;

    ck_ok(certificates_add(inventory, &row, &id, &err));
    return id;
}

int64_t sample_renewal(struct inventory *inventory, int64_t certificate_id)
{
    char reason[] = "expiring";
    char dns[] = "www.example";
    struct name names[] = {{NAME_DNS, dns}};
    struct renewal_row row = {.certificate_id = certificate_id,
                              .reason = reason,
                              .created_at = SAMPLE_NOW,
                              .names = {names, 1}};
    struct error err = {0};
    int64_t id = 0;

    ck_ok(renewals_add(inventory, &row, &id, &err));
    return id;
}

int64_t sample_accepted(struct inventory *inventory, int64_t certificate_id, utc_t accepted_at,
                        utc_t not_after)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    struct error err = {0};
    int64_t id = sample_renewal(inventory, certificate_id);

    ck_ok(renewals_get(inventory, id, &row, &err));
    row.leaf = blob_copy(span_text("leaf"));
    row.leaf_sha256[0] = (uint8_t)id;
    row.accepted_at = accepted_at;
    row.not_after = not_after;
    ck_ok(renewals_update(inventory, &row, &err));
    return id;
}

int64_t sample_target(struct inventory *inventory, int64_t certificate_id, const char *name)
{
    AUTO_FREE char *path = mem_printf("/etc/ssl/%s.pem", name);
    char service[] = "nginx";
    struct target_row row = {
        .certificate_id = certificate_id, .service = service, .added_at = SAMPLE_NOW};
    struct error err = {0};
    int64_t id = 0;

    row.files[BUNDLE_COMBINED] = path;
    ck_ok(targets_add(inventory, &row, &id, &err));
    return id;
}

int sample_plan(struct inventory *inventory, int64_t id, utc_t at, const char *action,
                int64_t target, struct error *plan_err)
{
    const struct certificate_plan plan = {.next_at = at,
                                          .next_action = action,
                                          .next_target = target,
                                          .deadline = UTC_NEVER,
                                          .ends_at = UTC_NEVER,
                                          .state = "ok"};

    return certificates_set_plan(inventory, id, &plan, INT64_MIN, plan_err);
}

int64_t sample_trail_is_whole(struct inventory *inventory)
{
    struct trail_proof proof = {.more = true};
    struct error err = {0};
    int64_t first = -1;

    while (proof.more) {
        struct trail_mark after = proof.to;

        ck_ok(trail_prove(inventory, &after, 7, &proof, &err));
        ck_assert_msg(proof.broken_id == 0, "event %ld: %s", (long)proof.broken_id, proof.wrong);
        if (first < 0)
            first = proof.from.id;
    }
    return proof.to.id - first;
}

static void run(const char *path, const char *sql, bool triggers)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, triggers, NULL);
    int result = sqlite3_exec(db, sql, NULL, NULL, &message);
    ck_assert_msg(result == SQLITE_OK, "%s: %s", sql, message);
    sqlite3_close(db);
}

void sample_sql(const char *path, const char *sql)
{
    run(path, sql, true);
}

void sample_force(const char *path, const char *sql)
{
    AUTO_FREE char *forced = mem_printf("PRAGMA ignore_check_constraints = ON; %s", sql);

    run(path, forced, false);
}

int64_t sample_sql_int(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

enum { APPLICATION_ID = 0x554e4c50, STORED_MAX = 1 << 20, DUMP_MAX = 8 << 20 };

void sample_stored(int schema)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    AUTO_FREE char *rows_path =
        mem_printf("%s/tests/store/files/inventory-%03d.sql", getenv("SOURCE_ROOT"), schema);
    AUTO_FREE char *marks =
        mem_printf("PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, schema);
    AUTO_BLOB struct blob rows = {0};
    struct error err = {0};

    ck_ok(file_read(rows_path, STORED_MAX, &rows, &err));
    AUTO_FREE char *text = mem_printf("BEGIN;%.*s;COMMIT", (int)rows.len, (const char *)rows.data);
    remove(path);
    for (int i = 0; i < schema; i++)
        sample_sql(path, embedded_schema[i].text);
    sample_force(path, text);
    sample_sql(path, marks);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static void dump_row(struct buf *dump, sqlite3_stmt *statement)
{
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const uint8_t *bytes = sqlite3_column_blob(statement, i);

        buf_printf(dump, " %d:", sqlite3_column_type(statement, i));
        for (int k = 0; k < sqlite3_column_bytes(statement, i); k++)
            buf_printf(dump, "%02x", bytes[k]);
    }
    buf_add_text(dump, "\n");
}

static void dump_query(struct buf *dump, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        dump_row(dump, statement);
    sqlite3_finalize(statement);
}

char *sample_dump(const char *path)
{
    AUTO_BUF struct buf dump;
    sqlite3 *db = NULL;
    sqlite3_stmt *tables = NULL;

    buf_init(&dump, DUMP_MAX);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    dump_query(&dump, db, "PRAGMA user_version");
    dump_query(&dump, db, "PRAGMA application_id");
    dump_query(&dump, db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2");
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT 'SELECT * FROM \"' || name || '\" ORDER BY 1, 2'"
                                        " FROM sqlite_schema WHERE type = 'table' ORDER BY name",
                                        -1, &tables, NULL),
                     SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW)
        dump_query(&dump, db, (const char *)sqlite3_column_text(tables, 0));
    sqlite3_finalize(tables);
    sqlite3_close(db);
    return mem_strdup(buf_text(&dump));
}
