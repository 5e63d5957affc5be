#include "tests/store/sample.h"

#include <string.h>

#include <sqlite3.h>

#include "store/certificates.h"
#include "store/renewals.h"
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

void sample_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int result = sqlite3_exec(db, sql, NULL, NULL, &message);
    ck_assert_msg(result == SQLITE_OK, "%s: %s", sql, message);
    sqlite3_close(db);
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
