#include "store/deliveries.h"

#include <string.h>

#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t renewal;

static void setup(void)
{
    inventory = sample_open();
    renewal = sample_renewal(inventory, sample_certificate(inventory, "www"));
}

static void teardown(void)
{
    inventory_close(inventory);
}

SAMPLE_SEE(see, delivery_row)

static int64_t add(uint8_t hash, bool accepted, int64_t renewal_id)
{
    char name[] = "we\xffird \n.cer", receipt[] = "it was a certificate", filed[] = "x";
    struct delivery_row row = {.name = name,
                               .taken_at = SAMPLE_NOW,
                               .accepted = accepted,
                               .receipt = receipt,
                               .filed_name = filed,
                               .filed_at = 1,
                               .renewal_id = renewal_id,
                               .secret = !accepted};
    int64_t id = 0;

    row.sha256[0] = hash;
    ck_ok(deliveries_add(inventory, &row, &id, &err));
    return id;
}

START_TEST(comes_back)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1};

    ck_fails(deliveries_find(inventory, sha256, &row, &err), E_NOT_FOUND, "delivery");
    add(1, false, 0);
    int64_t id = add(1, true, renewal);
    add(2, false, 0);
    ck_ok(deliveries_find(inventory, sha256, &row, &err));
    ck_assert_int_eq(row.id, id);
    ck_assert_mem_eq(row.sha256, sha256, SHA256_LEN);
    ck_assert_str_eq(row.name, "we\xffird \n.cer");
    ck_assert_int_eq(row.taken_at, SAMPLE_NOW);
    ck_assert(row.accepted);
    ck_assert_str_eq(row.receipt, "it was a certificate");
    ck_assert_ptr_null(row.filed_name);
    ck_assert_int_eq(row.filed_at, UTC_NEVER);
    ck_assert_int_eq(row.renewal_id, renewal);
    ck_assert(!row.secret);
    delivery_row_done(&row);
    sha256[0] = 2;
    ck_ok(deliveries_find(inventory, sha256, &row, &err));
    ck_assert(row.secret);
}
END_TEST

START_TEST(receipts_are_written_until_they_are)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t sha256[SHA256_LEN] = {1};
    struct seen seen = {0};
    int64_t a = add(1, true, renewal), b = add(2, false, 0);

    ck_ok(deliveries_unfiled(inventory, see, &seen, &err));
    ck_seen(seen, a, b);
    ck_ok(deliveries_set_filed(inventory, a, "filed\xff.cer", 50, &err));
    ck_ok(deliveries_unfiled(inventory, see, &seen, &err));
    ck_seen(seen, b);
    ck_ok(deliveries_set_filed(inventory, b, "b", 50, &err));
    ck_ok(deliveries_unfiled(inventory, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);

    /* It says more: to be written again, and the file can still be found. */
    ck_ok(deliveries_set_receipt(inventory, a, "it is in service", &err));
    ck_ok(deliveries_unfiled(inventory, see, &seen, &err));
    ck_seen(seen, a);
    ck_ok(deliveries_find(inventory, sha256, &row, &err));
    ck_assert_str_eq(row.receipt, "it is in service");
    ck_assert_str_eq(row.filed_name, "filed\xff.cer");
    ck_assert_int_eq(row.filed_at, 50);
    ck_ok(deliveries_set_filed(inventory, a, row.filed_name, 60, &err));
    ck_ok(deliveries_unfiled(inventory, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
    ck_fails(deliveries_set_filed(inventory, 99, "a", 1, &err), E_NOT_FOUND, "delivery 99");
    ck_fails(deliveries_set_receipt(inventory, 99, "a", &err), E_NOT_FOUND, "delivery 99");
}
END_TEST

static int file_it(void *self, const struct delivery_row *row, struct error *walk_err)
{
    struct seen *seen = self;
    int rc = deliveries_set_filed(seen->inventory, row->id, row->name, SAMPLE_NOW, walk_err);

    return rc < 0 ? rc : see(self, row, walk_err);
}

START_TEST(filing_inside_the_walk)
{
    struct seen seen = {.inventory = inventory};
    int64_t a = add(1, true, 0), b = add(2, true, 0), c = add(3, true, 0);

    ck_ok(deliveries_unfiled(inventory, file_it, &seen, &err));
    ck_seen(seen, a, b, c);
    ck_ok(deliveries_unfiled(inventory, file_it, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

START_TEST(those_of_a_renewal)
{
    struct seen seen = {0};
    int64_t a = add(1, true, renewal);

    int64_t b = add(2, false, 0);
    add(3, true, 0);
    int64_t d = add(4, true, renewal);
    ck_ok(deliveries_by_renewal(inventory, renewal, see, &seen, &err));
    ck_seen(seen, a, d);
    /* What was refused at first, and taken later. */
    ck_ok(deliveries_set_renewal(inventory, b, renewal, &err));
    ck_ok(deliveries_by_renewal(inventory, renewal, see, &seen, &err));
    ck_seen(seen, a, b, d);
    ck_ok(deliveries_by_renewal(inventory, 0, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/deliveries");
    TCase *deliveries = tcase_create("deliveries");

    tcase_add_checked_fixture(deliveries, setup, teardown);
    tcase_add_test(deliveries, comes_back);
    tcase_add_test(deliveries, receipts_are_written_until_they_are);
    tcase_add_test(deliveries, filing_inside_the_walk);
    tcase_add_test(deliveries, those_of_a_renewal);
    suite_add_tcase(suite, deliveries);
    return testing_run(suite);
}
