#include "store/deployments.h"

#include <string.h>

#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t www, target, first, second;

static void setup(void)
{
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
    target = sample_target(inventory, www, "www");
    first = sample_renewal(inventory, www);
    second = sample_renewal(inventory, www);
}

static void teardown(void)
{
    inventory_close(inventory);
}

START_TEST(added_once)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    static const uint8_t zeros[SHA256_LEN];

    ck_fails(deployments_find(inventory, first, target, &row, &err), E_NOT_FOUND, "deployment of");
    ck_ok(deployments_add(inventory, first, target, 10, &err));
    ck_ok(deployments_add(inventory, first, target, 20, &err));
    ck_ok(deployments_find(inventory, first, target, &row, &err));
    ck_assert_int_eq(row.renewal_id, first);
    ck_assert_int_eq(row.target_id, target);
    ck_assert_int_eq(row.scheduled_at, 10);
    const utc_t times[] = {row.staged_at,   row.swap_begun_at, row.swapped_at, row.reloaded_at,
                           row.verified_at, row.undo_begun_at, row.failed_at};
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_assert_msg(times[i] == UTC_NEVER, "time %zu", i);
    ck_assert_int_eq(row.failures, 0);
    ck_assert_ptr_null(row.reason);
    ck_assert_ptr_null(row.report);
    ck_assert_mem_eq(row.previous_sha256, zeros, SHA256_LEN);
    ck_fails(deployments_add(inventory, 99, target, 1, &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_fails(deployments_add(inventory, first, 99, 1, &err), E_NOT_FOUND, "FOREIGN KEY");
}
END_TEST

START_TEST(every_column_comes_back)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0}, got = {0};

    ck_ok(deployments_add(inventory, first, target, 10, &err));
    ck_ok(deployments_find(inventory, first, target, &row, &err));
    row.staged_at = 1;
    row.swap_begun_at = 2;
    row.swapped_at = 3;
    row.reloaded_at = 4;
    row.verified_at = 5;
    row.undo_begun_at = 6;
    row.failed_at = 7;
    row.failures = 8;
    row.reason = mem_strdup("nginx -t failed");
    row.report = mem_strdup("127.0.0.1: old leaf");
    memset(row.previous_sha256, 9, SHA256_LEN);
    row.scheduled_at = 999;
    ck_ok(deployments_update(inventory, &row, &err));
    ck_ok(deployments_find(inventory, first, target, &got, &err));
    ck_assert_int_eq(got.scheduled_at, 10);
    const utc_t times[] = {got.staged_at,   got.swap_begun_at, got.swapped_at, got.reloaded_at,
                           got.verified_at, got.undo_begun_at, got.failed_at,  got.failures};
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_assert_msg(times[i] == (utc_t)i + 1, "time %zu: %ld", i, (long)times[i]);
    ck_assert_str_eq(got.reason, "nginx -t failed");
    ck_assert_str_eq(got.report, "127.0.0.1: old leaf");
    ck_assert_mem_eq(got.previous_sha256, row.previous_sha256, SHA256_LEN);
    row.id = 99;
    ck_fails(deployments_update(inventory, &row, &err), E_NOT_FOUND, "deployment 99");
}
END_TEST

static void set(int64_t renewal, utc_t swap_begun_at, utc_t verified_at)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0};

    ck_ok(deployments_add(inventory, renewal, target, 1, &err));
    ck_ok(deployments_find(inventory, renewal, target, &row, &err));
    row.swap_begun_at = swap_begun_at;
    row.verified_at = verified_at;
    ck_ok(deployments_update(inventory, &row, &err));
}

static void ck_last(int64_t wanted)
{
    int64_t id = 0;

    ck_ok(deployments_last_verified(inventory, target, &id, &err));
    ck_assert_int_eq(id, wanted);
}

START_TEST(last_verified)
{
    int64_t id = -1;

    set(first, 1, UTC_NEVER);
    ck_fails(deployments_last_verified(inventory, target, &id, &err), E_NOT_FOUND, "verified");
    ck_assert_int_eq(id, -1);
    set(first, 1, 100);
    ck_last(first);
    /* Not by the clock, which may have been set back between the two. */
    set(second, 1, 50);
    ck_last(second);
    set(first, 1, 101);
    ck_last(second);
}
END_TEST

START_TEST(broken_off)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    struct deployment_row none = {0};

    set(first, UTC_NEVER, UTC_NEVER);
    ck_fails(deployments_broken_off(inventory, target, second, &none, &err), E_NOT_FOUND, "broken");
    set(first, 1, UTC_NEVER);
    ck_fails(deployments_broken_off(inventory, target, first, &none, &err), E_NOT_FOUND, "broken");
    ck_ok(deployments_broken_off(inventory, target, second, &row, &err));
    ck_assert_int_eq(row.renewal_id, first);
    set(first, 1, 2);
    ck_fails(deployments_broken_off(inventory, target, second, &none, &err), E_NOT_FOUND, "broken");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/deployments");
    TCase *deployments = tcase_create("deployments");

    tcase_add_checked_fixture(deployments, setup, teardown);
    tcase_add_test(deployments, added_once);
    tcase_add_test(deployments, every_column_comes_back);
    tcase_add_test(deployments, last_verified);
    tcase_add_test(deployments, broken_off);
    suite_add_tcase(suite, deployments);
    return testing_run(suite);
}
