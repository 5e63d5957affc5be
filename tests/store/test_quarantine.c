#include "store/quarantine.h"

#include <stdio.h>
#include <string.h>

#include "store/deliveries.h"
#include "store/disclosed.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;

static void setup(void)
{
    inventory = sample_open();
}

static void teardown(void)
{
    inventory_close(inventory);
}

SAMPLE_SEE(see, quarantine_row)

/* Leaf number n of key k. */
static void add(int n, int k, utc_t not_after, utc_t seen_at, enum quarantine_why why)
{
    char file[] = "early.cer";
    uint8_t der[] = "der";
    struct quarantine_row row = {.why = why,
                                 .der = {der, sizeof der},
                                 .not_after = not_after,
                                 .seen_at = seen_at,
                                 .file = file};

    row.sha256[0] = 1;
    row.spki_sha256[0] = 1;
    memcpy(row.sha256 + 1, &n, sizeof n);
    memcpy(row.spki_sha256 + 1, &k, sizeof k);
    ck_ok(quarantine_add(inventory, &row, &err));
}

static bool has(int n)
{
    AUTO_QUARANTINE struct quarantine_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1};

    memcpy(sha256 + 1, &n, sizeof n);
    int rc = quarantine_find(inventory, sha256, &row, &err);
    ck_assert(rc == 0 || rc == E_NOT_FOUND);
    return rc == 0;
}

static size_t count_of_key(int k)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    AUTO_FREE char *sql =
        mem_printf("SELECT count(*) FROM quarantine WHERE substr(spki_sha256, 2, 4) = x'%02x%02x"
                   "0000'",
                   k & 0xFF, k >> 8 & 0xFF);

    return (size_t)sample_sql_int(path, sql);
}

START_TEST(comes_back)
{
    AUTO_QUARANTINE struct quarantine_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1, 7};

    ck_fails(quarantine_find(inventory, sha256, &row, &err), E_NOT_FOUND, "leaf in quarantine");
    add(7, 8, 200, 100, QUARANTINE_RETIRED);
    ck_ok(quarantine_find(inventory, sha256, &row, &err));
    ck_assert_mem_eq(row.sha256, sha256, SHA256_LEN);
    ck_assert_int_eq(row.spki_sha256[1], 8);
    ck_assert_int_eq(row.why, QUARANTINE_RETIRED);
    ck_assert_uint_eq(row.der.len, 4);
    ck_assert_int_eq(row.not_after, 200);
    ck_assert_int_eq(row.seen_at, 100);
    ck_assert_str_eq(row.file, "early.cer");
    ck_assert_int_eq(row.delivery_id, 0);
    ck_ok(quarantine_remove(inventory, sha256, &err));
    ck_fails(quarantine_remove(inventory, sha256, &err), E_NOT_FOUND, "leaf in quarantine");
}
END_TEST

START_TEST(the_same_again_keeps_its_place)
{
    AUTO_QUARANTINE struct quarantine_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1, 7};

    add(7, 8, 200, 100, QUARANTINE_NO_REQUEST);
    add(7, 8, 200, 150, QUARANTINE_CHAIN);
    ck_ok(quarantine_find(inventory, sha256, &row, &err));
    ck_assert_int_eq(row.seen_at, 100);
    ck_assert_int_eq(row.why, QUARANTINE_CHAIN);
    ck_assert_uint_eq(count_of_key(8), 1);
}
END_TEST

START_TEST(is_bound_to_its_delivery)
{
    char name[] = "early.cer", receipt[] = "r";
    struct delivery_row delivery = {.name = name, .taken_at = 1, .receipt = receipt, .sha256 = {1}};
    AUTO_QUARANTINE struct quarantine_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1, 1};
    int64_t first = 0, second = 0;

    add(1, 1, 200, 100, QUARANTINE_NO_REQUEST);
    ck_ok(deliveries_add(inventory, &delivery, &first, &err));
    ck_ok(quarantine_bind(inventory, first, &err));
    add(2, 1, 200, 100, QUARANTINE_NO_REQUEST);
    ck_ok(deliveries_add(inventory, &delivery, &second, &err));
    ck_ok(quarantine_bind(inventory, second, &err));
    ck_ok(quarantine_find(inventory, sha256, &row, &err));
    ck_assert_int_eq(row.delivery_id, first);
    quarantine_row_done(&row);
    sha256[1] = 2;
    ck_ok(quarantine_find(inventory, sha256, &row, &err));
    ck_assert_int_eq(row.delivery_id, second);
}
END_TEST

START_TEST(is_found_by_key_and_by_what_it_waits_for)
{
    struct seen seen = {0};
    uint8_t spki[SHA256_LEN] = {1, 5};

    add(1, 5, 200, 100, QUARANTINE_NO_REQUEST);
    add(2, 6, 200, 100, QUARANTINE_CHAIN);
    add(3, 5, 200, 100, QUARANTINE_CHAIN);
    ck_ok(quarantine_by_spki(inventory, spki, see, &seen, &err));
    ck_seen(seen, 1, 3);
    ck_ok(quarantine_by_chain(inventory, see, &seen, &err));
    ck_seen(seen, 2, 3);
}
END_TEST

START_TEST(what_has_ended_goes_first)
{
    add(1, 1, 150, 100, QUARANTINE_NO_REQUEST);
    add(2, 2, UTC_NEVER, 100, QUARANTINE_NO_REQUEST);
    add(3, 3, 200, 150, QUARANTINE_NO_REQUEST);
    ck_assert(has(1));
    add(4, 4, 200, 151, QUARANTINE_NO_REQUEST);
    ck_assert(!has(1));
    ck_assert(has(2) && has(3) && has(4));
}
END_TEST

START_TEST(is_bounded_by_key_and_in_all)
{
    for (int i = 0; i < QUARANTINE_KEY_MAX + 10; i++)
        add(i, 1, 200, 100, QUARANTINE_NO_REQUEST);
    ck_assert_uint_eq(count_of_key(1), QUARANTINE_KEY_MAX);
    ck_assert(!has(9));
    ck_assert(has(10));
    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < QUARANTINE_MAX - 1; i++)
        add(1000 + i, 2 + i, 200, 100, QUARANTINE_NO_REQUEST);
    ck_ok(inventory_commit(inventory, &err));
    ck_assert_uint_eq(count_of_key(1), 1);
    ck_assert(has(QUARANTINE_KEY_MAX + 9));
    add(5000, 5000, 200, 100, QUARANTINE_NO_REQUEST);
    ck_assert_uint_eq(count_of_key(1), 0);
    ck_assert(has(1000));
}
END_TEST

/* Whoever can write to the folder can fill one kind, that of leaves nobody asked for. */
START_TEST(strangers_push_out_none_of_ours)
{
    add(1, 1, 200, 100, QUARANTINE_CHAIN);
    add(2, 2, 200, 100, QUARANTINE_RETIRED);
    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < QUARANTINE_MAX + 5; i++)
        add(1000 + i, 1000 + i, 200, 100, QUARANTINE_NO_REQUEST);
    ck_ok(inventory_commit(inventory, &err));
    ck_assert(!has(1004));
    ck_assert(has(1005));
    ck_assert(has(1) && has(2));
}
END_TEST

START_TEST(a_disclosed_key_is_known_from_its_first_time)
{
    const uint8_t key[SHA256_LEN] = {1}, other[SHA256_LEN] = {2};
    utc_t at = 0;

    ck_ok(disclosed_find(inventory, key, &at, &err));
    ck_assert_int_eq(at, UTC_NEVER);
    ck_ok(disclosed_add(inventory, key, 100, &err));
    ck_ok(disclosed_add(inventory, key, 200, &err));
    ck_ok(disclosed_find(inventory, key, &at, &err));
    ck_assert_int_eq(at, 100);
    ck_ok(disclosed_find(inventory, other, &at, &err));
    ck_assert_int_eq(at, UTC_NEVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/quarantine");
    TCase *tcase = tcase_create("quarantine");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, comes_back);
    tcase_add_test(tcase, the_same_again_keeps_its_place);
    tcase_add_test(tcase, is_bound_to_its_delivery);
    tcase_add_test(tcase, is_found_by_key_and_by_what_it_waits_for);
    tcase_add_test(tcase, what_has_ended_goes_first);
    tcase_add_test(tcase, is_bounded_by_key_and_in_all);
    tcase_add_test(tcase, strangers_push_out_none_of_ours);
    tcase_add_test(tcase, a_disclosed_key_is_known_from_its_first_time);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
