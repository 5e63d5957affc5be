/* Each call that changes the disk fails once, in turn, and the same as the first of a disk that
 * stays broken: a transaction is whole or absent, and the file is sound. */
#include <stdio.h>
#include <string.h>

#include "store/certificates.h"
#include "store/events.h"
#include "store/notices.h"
#include "store/renewals.h"
#include "store/trail.h"
#include "tests/store/faulty_vfs.h"
#include "tests/store/sample.h"

enum { CALLS_MAX = 400, ROWS = 5 };

static struct error err;
static char *path;

static const struct {
    enum fault_kind kind;
    bool lasting;
} runs[] = {{FAULT_IO, false}, {FAULT_IO, true}, {FAULT_FULL, false}, {FAULT_FULL, true}};

static int add_rows(struct inventory *inventory, const char *name)
{
    /* larger than a page, so that pages are added, and than the cache keeps for one row */
    AUTO_RENEWAL struct renewal_row renewal = {.reason = mem_strdup("expiring"), .created_at = 1};
    AUTO_CERTIFICATE struct certificate_row certificate = {
        .name = mem_strdup(name), .policy = mem_strdup("default"), .added_at = 1};
    AUTO_NOTICE struct notice_row notice = {.kind = mem_strdup("csr-ready"),
                                            .stage = mem_strdup("csr-ready"),
                                            .recipient = mem_strdup("a@example.com"),
                                            .created_at = 1};
    AUTO_RENEWAL struct renewal_row stored = {0};
    int64_t id = 0;
    int rc = certificates_add(inventory, &certificate, &renewal.certificate_id, &err);

    notice.certificate_id = renewal.certificate_id;
    if (rc == 0)
        rc = renewals_add(inventory, &renewal, &id, &err);
    if (rc == 0)
        rc = renewals_get(inventory, id, &stored, &err);
    if (rc == 0) {
        stored.csr = (struct blob){mem_alloc(20000, 1), 20000};
        rc = renewals_update(inventory, &stored, &err);
    }
    for (int i = 0; rc == 0 && i < 2; i++) {
        notice.recipient[0] = (char)('a' + i);
        rc = notices_add(inventory, &notice, NULL, &err);
    }
    if (rc == 0)
        rc = events_add(inventory, 1, renewal.certificate_id, id, "daemon", "added", "", &err);
    return rc;
}

static int transact(struct inventory *inventory, const char *name)
{
    int rc = inventory_begin(inventory, &err);

    if (rc < 0)
        return rc;
    rc = add_rows(inventory, name);
    if (rc == 0)
        return inventory_commit(inventory, &err);
    inventory_rollback(inventory);
    return rc;
}

/* How many rows of the transaction there are, in a file that must be sound. */
static int64_t count_rows(const char *name)
{
    struct inventory *inventory = NULL;
    AUTO_FREE char *sql = mem_printf(
        "WITH c (id) AS (SELECT id FROM certificates WHERE name = '%s') SELECT"
        " (SELECT count(*) FROM c) + (SELECT count(*) FROM renewals JOIN c ON certificate_id = c.id"
        " WHERE length(csr) = 20000) + (SELECT count(*) FROM notices JOIN c ON certificate_id = "
        "c.id)"
        " + (SELECT count(*) FROM events JOIN c ON certificate_id = c.id)",
        name);

    ck_ok(inventory_open(path, &inventory, &err));
    ck_ok(inventory_check(inventory, &err));
    sample_trail_is_whole(inventory);
    int64_t count = sample_sql_int(path, sql);
    inventory_close(inventory);
    return count;
}

static bool is_expected(int rc)
{
    return rc == 0 || rc == E_IO || rc == E_FULL;
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *name = mem_printf("%s%s", path, suffixes[i]);
        remove(name);
    }
}

/* Opens (a new file), writes and closes, all with the fault in place. */
static int whole_life(const char *name)
{
    struct inventory *inventory = NULL;
    int rc = inventory_open(path, &inventory, &err);

    if (rc == 0)
        rc = transact(inventory, name);
    inventory_close(inventory);
    return rc;
}

static void setup(void)
{
    path = testing_path("inventory.db");
    faulty_vfs_install();
}

static void teardown(void)
{
    free(path);
}

START_TEST(new_file)
{
    int struck = 0;

    for (int pass = 0;; pass++) {
        ck_assert_int_lt(pass, CALLS_MAX);
        remove_files();
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = whole_life("www");
        int hits = faulty_vfs_disarm();
        if (hits == 0) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        struck += hits;
        ck_assert_msg(is_expected(rc), "call %d: %s: %s", pass, code_name(rc), err.text);
        int64_t rows = count_rows("www");
        ck_assert_msg(rows == ROWS || (rows == 0 && rc < 0), "call %d: %s: %d rows", pass,
                      code_name(rc), (int)rows);
    }
    ck_assert_int_gt(struck, 20);
}
END_TEST

START_TEST(file_in_use)
{
    int struck = 0, failed = 0;

    inventory_close(sample_open());
    for (int pass = 0;; pass++) {
        AUTO_FREE char *name = mem_printf("c%d", pass);
        struct inventory *inventory = sample_open();

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = transact(inventory, name);
        inventory_close(inventory);
        int hits = faulty_vfs_disarm();
        if (hits == 0) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        struck += hits;
        failed += rc < 0;
        ck_assert_msg(is_expected(rc), "call %d: %s: %s", pass, code_name(rc), err.text);
        int64_t rows = count_rows(name);
        ck_assert_msg(rows == ROWS || (rows == 0 && rc < 0), "call %d: %s: %d rows", pass,
                      code_name(rc), (int)rows);
    }
    ck_assert_int_gt(struck, 5);
    ck_assert_int_gt(failed, 5);
}
END_TEST

/* The daemon keeps its handle: when the disk is well again, so is the handle. */
START_TEST(handle_survives)
{
    struct inventory *inventory = sample_open();
    int failed = 0;

    for (int pass = 0;; pass++) {
        AUTO_FREE char *name = mem_printf("c%d", pass);

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = transact(inventory, name);
        int hits = faulty_vfs_disarm();
        if (rc < 0) {
            struct certificate_row row = {0};
            failed++;
            ck_fails(certificates_find(inventory, name, &row, &err), E_NOT_FOUND, name);
            ck_ok(transact(inventory, name));
        }
        ck_assert_int_eq(count_rows(name), ROWS);
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(failed, 5);
    inventory_close(inventory);
}
END_TEST

/* Without a transaction of the caller: what was reported as added is there. */
START_TEST(single_rows)
{
    int failed = 0;

    inventory_close(sample_open());
    for (int pass = 0;; pass++) {
        AUTO_NOTICE struct notice_row notice = {.kind = mem_strdup("k"),
                                                .stage = mem_printf("s%d", pass),
                                                .recipient = mem_strdup("a@example.com"),
                                                .created_at = 1};
        AUTO_FREE char *sql = mem_printf("SELECT count(*) FROM notices WHERE stage = 's%d'", pass);
        struct inventory *inventory = sample_open();
        int64_t id = 0;

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = notices_add(inventory, &notice, &id, &err);
        inventory_close(inventory);
        int hits = faulty_vfs_disarm();
        int64_t rows = sample_sql_int(path, sql);
        ck_assert_msg(is_expected(rc), "call %d: %s: %s", pass, code_name(rc), err.text);
        ck_assert_msg(rows == 1 || (rows == 0 && rc < 0), "call %d: %s: %d rows", pass,
                      code_name(rc), (int)rows);
        failed += rc < 0;
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(failed, 2);
}
END_TEST

/* An event and the head of the trail hold together, also without a transaction of the caller. */
START_TEST(single_events)
{
    int64_t count = 0;
    int failed = 0;

    inventory_close(sample_open());
    for (int pass = 0;; pass++) {
        struct inventory *inventory = sample_open();

        ck_assert_int_lt(pass, CALLS_MAX);
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = events_add(inventory, 1, 0, 0, "unlapsed", "seen", "", &err);
        inventory_close(inventory);
        int hits = faulty_vfs_disarm();
        inventory = sample_open();
        int64_t now = sample_trail_is_whole(inventory);
        inventory_close(inventory);
        ck_assert_msg(is_expected(rc), "call %d: %s: %s", pass, code_name(rc), err.text);
        ck_assert_msg(now == count + 1 || (now == count && rc < 0), "call %d: %s: %d events", pass,
                      code_name(rc), (int)now);
        count = now;
        failed += rc < 0;
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(failed, 2);
}
END_TEST

enum { OLD_EVENTS = 400, PRUNED = 300 };

static int prune(struct inventory *inventory)
{
    static const uint8_t mac[SHA256_LEN] = {1};
    struct trail_mark mark = {0};
    int rc = trail_oldest(inventory, PRUNED + 1, OLD_EVENTS, &mark, &err);

    return rc < 0 ? rc : trail_prune(inventory, &mark, OLD_EVENTS, "unlapsed", mac, &err);
}

static void fill_trail(void)
{
    struct inventory *inventory = sample_open();

    ck_ok(inventory_begin(inventory, &err));
    for (int i = 1; i <= OLD_EVENTS; i++)
        ck_ok(events_add(inventory, i, 0, 0, "unlapsed", "mailed", "reminder to a person", &err));
    ck_ok(inventory_commit(inventory, &err));
    inventory_close(inventory);
}

/* Events are gone and signed off, or neither. */
START_TEST(pruning)
{
    int failed = 0;

    for (int pass = 0;; pass++) {
        ck_assert_int_lt(pass, CALLS_MAX);
        remove_files();
        fill_trail();
        struct inventory *inventory = sample_open();
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = prune(inventory);
        inventory_close(inventory);
        int hits = faulty_vfs_disarm();
        ck_assert_msg(is_expected(rc), "call %d: %s: %s", pass, code_name(rc), err.text);
        inventory = sample_open();
        ck_ok(inventory_check(inventory, &err));
        int64_t left = sample_trail_is_whole(inventory);
        inventory_close(inventory);
        ck_assert_msg(left == OLD_EVENTS - PRUNED || (left == OLD_EVENTS && rc < 0),
                      "call %d: %s: %d events are left", pass, code_name(rc), (int)left);
        failed += rc < 0;
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(failed, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/faults");
    TCase *faults = tcase_create("faults");

    tcase_set_timeout(faults, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(faults, setup, teardown);
    tcase_add_loop_test(faults, new_file, 0, COUNT_OF(runs));
    tcase_add_loop_test(faults, file_in_use, 0, COUNT_OF(runs));
    tcase_add_loop_test(faults, single_rows, 0, COUNT_OF(runs));
    tcase_add_loop_test(faults, handle_survives, 0, COUNT_OF(runs));
    tcase_add_loop_test(faults, single_events, 0, COUNT_OF(runs));
    tcase_add_loop_test(faults, pruning, 0, COUNT_OF(runs));
    suite_add_tcase(suite, faults);
    return testing_run(suite);
}
