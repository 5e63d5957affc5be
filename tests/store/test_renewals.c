#include "store/renewals.h"

#include <string.h>

#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static int64_t www;

static void setup(void)
{
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
}

static void teardown(void)
{
    inventory_close(inventory);
}

SAMPLE_SEE(see, renewal_row)

START_TEST(new_one_has_no_facts)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    static const uint8_t zeros[SHA256_LEN];
    int64_t id = sample_renewal(inventory, www);

    ck_ok(renewals_get(inventory, id, &row, &err));
    ck_assert_int_eq(row.id, id);
    ck_assert_int_eq(row.certificate_id, www);
    ck_assert_str_eq(row.reason, "expiring");
    ck_assert_int_eq(row.created_at, SAMPLE_NOW);
    ck_assert_uint_eq(row.names.count, 1);
    ck_assert_str_eq(row.names.items[0].text, "www.example");
    ck_assert_uint_eq(row.key.sealed.len + row.csr.len + row.leaf.len, 0);
    ck_assert_mem_eq(row.key.spki_sha256, zeros, SHA256_LEN);
    ck_assert_mem_eq(row.leaf_sha256, zeros, SHA256_LEN);
    const utc_t times[] = {row.requested_at,  row.handed_over_at, row.not_before,
                           row.not_after,     row.received_at,    row.accepted_at,
                           row.rejected_at,   row.chain_told_at,  row.reminded_at,
                           row.superseded_at, row.withdrawn_at,   row.failed_at,
                           row.rechain_at,    row.fetched_at,     row.chain_not_after};
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_assert_msg(times[i] == UTC_NEVER, "time %zu", i);
    ck_assert_int_eq(row.failures, 0);
    ck_assert_int_eq(row.rechain_of, 0);
    ck_assert_int_eq(row.fetches, 0);
    ck_assert_ptr_null(row.rejected_reason);
    ck_assert_ptr_null(row.failed_reason);
}
END_TEST

static void fill(struct renewal_row *row)
{
    row->key.sealed = blob_copy(span_of("sealed\0key", 10));
    memset(row->key.spki_sha256, 1, SHA256_LEN);
    row->csr = blob_copy(span_text("csr"));
    row->leaf = blob_copy(span_text("leaf"));
    memset(row->leaf_sha256, 2, SHA256_LEN);
    row->requested_at = 11;
    row->handed_over_at = 12;
    row->not_before = 13;
    row->not_after = 14;
    row->received_at = 15;
    row->accepted_at = 16;
    row->rejected_at = 17;
    row->rejected_reason = mem_strdup("another key");
    row->chain_told_at = 18;
    row->reminded_at = 19;
    row->superseded_at = 20;
    row->withdrawn_at = 21;
    row->failed_at = 22;
    row->rechain_at = 23;
    row->fetched_at = 24;
    row->chain_not_after = 25;
    row->rechain_of = row->id;
    row->fetches = 26;
    row->failures = 23;
    row->failed_reason = mem_strdup("no space");
}

START_TEST(every_column_comes_back)
{
    AUTO_RENEWAL struct renewal_row row = {0}, got = {0}, other = {0};
    int64_t untouched = sample_renewal(inventory, www);

    ck_ok(renewals_get(inventory, sample_renewal(inventory, www), &row, &err));
    fill(&row);
    free(row.reason);
    row.reason = mem_strdup("asked by root");
    ck_ok(renewals_update(inventory, &row, &err));
    ck_ok(renewals_get(inventory, row.id, &got, &err));
    ck_assert_str_eq(got.reason, "asked by root");
    ck_assert_int_eq(got.certificate_id, www);
    ck_assert_int_eq(got.created_at, SAMPLE_NOW);
    ck_assert_uint_eq(got.names.count, 1);
    ck_assert(span_equal(blob_span(&got.key.sealed), span_of("sealed\0key", 10)));
    ck_assert_mem_eq(got.key.spki_sha256, row.key.spki_sha256, SHA256_LEN);
    ck_assert(span_equal(blob_span(&got.csr), span_text("csr")));
    ck_assert(span_equal(blob_span(&got.leaf), span_text("leaf")));
    ck_assert_mem_eq(got.leaf_sha256, row.leaf_sha256, SHA256_LEN);
    const utc_t times[] = {got.requested_at,  got.handed_over_at, got.not_before,
                           got.not_after,     got.received_at,    got.accepted_at,
                           got.rejected_at,   got.chain_told_at,  got.reminded_at,
                           got.superseded_at, got.withdrawn_at,   got.failed_at,
                           got.rechain_at,    got.fetched_at,     got.chain_not_after};
    ck_assert_int_eq(got.rechain_of, row.id);
    ck_assert_int_eq(got.fetches, 26);
    for (size_t i = 0; i < COUNT_OF(times); i++)
        ck_assert_msg(times[i] == (utc_t)i + 11, "time %zu: %ld", i, (long)times[i]);
    ck_assert_int_eq(got.failures, 23);
    ck_assert_str_eq(got.rejected_reason, "another key");
    ck_assert_str_eq(got.failed_reason, "no space");
    ck_ok(renewals_get(inventory, untouched, &other, &err));
    ck_assert_int_eq(other.requested_at, UTC_NEVER);
}
END_TEST

START_TEST(facts_can_be_taken_back)
{
    AUTO_RENEWAL struct renewal_row row = {0}, blank = {0}, got = {0};
    int64_t id = sample_renewal(inventory, www);

    ck_ok(renewals_get(inventory, id, &blank, &err));
    ck_ok(renewals_get(inventory, id, &row, &err));
    fill(&row);
    ck_ok(renewals_update(inventory, &row, &err));
    ck_ok(renewals_update(inventory, &blank, &err));
    ck_ok(renewals_get(inventory, id, &got, &err));
    ck_assert_uint_eq(got.leaf.len + got.csr.len + got.key.sealed.len, 0);
    ck_assert_int_eq(got.accepted_at, UTC_NEVER);
    ck_assert_ptr_null(got.rejected_reason);
}
END_TEST

START_TEST(impossible_rows_are_refused)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    char reason[] = "x";
    struct renewal_row orphan = {.certificate_id = 99, .reason = reason, .created_at = 1};
    int64_t id = sample_renewal(inventory, www), other = -1;

    ck_fails(renewals_add(inventory, &orphan, &other, &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_assert_int_eq(other, -1);
    ck_ok(renewals_get(inventory, id, &row, &err));
    row.accepted_at = 1;
    ck_fails(renewals_update(inventory, &row, &err), E_INPUT, "accepted_renewal_has_a_leaf");
    row.accepted_at = UTC_NEVER;
    row.key.sealed = blob_copy(span_text("sealed"));
    ck_fails(renewals_update(inventory, &row, &err), E_INPUT, "sealed_key_names_its_public_half");
    row.id = 99;
    row.key.spki_sha256[0] = 1;
    ck_fails(renewals_update(inventory, &row, &err), E_NOT_FOUND, "renewal 99");
    struct renewal_row none = {0};
    ck_fails(renewals_get(inventory, 99, &none, &err), E_NOT_FOUND, "renewal 99");
}
END_TEST

/* Sets one time of a renewal. */
#define SET(id_, member, at)                                \
    do {                                                    \
        AUTO_RENEWAL struct renewal_row row_ = {0};         \
        ck_ok(renewals_get(inventory, (id_), &row_, &err)); \
        row_.member = (at);                                 \
        ck_ok(renewals_update(inventory, &row_, &err));     \
    } while (0)

static void ck_open(int64_t wanted)
{
    AUTO_RENEWAL struct renewal_row row = {0};

    if (wanted == 0) {
        ck_fails(renewals_open(inventory, www, &row, &err), E_NOT_FOUND, "open renewal");
        return;
    }
    ck_ok(renewals_open(inventory, www, &row, &err));
    ck_assert_int_eq(row.id, wanted);
    ck_assert_uint_eq(row.names.count, 1);
}

START_TEST(open_is_the_newest_undecided)
{
    sample_renewal(inventory, sample_certificate(inventory, "other"));
    ck_open(0);
    int64_t a = sample_renewal(inventory, www);
    int64_t b = sample_renewal(inventory, www);
    int64_t c = sample_renewal(inventory, www);
    ck_open(c);
    SET(c, withdrawn_at, 1);
    ck_open(b);
    SET(b, superseded_at, 1);
    ck_open(a);
    SET(a, rejected_at, 1);
    SET(a, failed_at, 1);
    ck_open(a);
    AUTO_RENEWAL struct renewal_row row = {0};
    ck_ok(renewals_get(inventory, a, &row, &err));
    row.leaf = blob_copy(span_text("leaf"));
    row.leaf_sha256[0] = 1;
    row.accepted_at = 1;
    ck_ok(renewals_update(inventory, &row, &err));
    ck_open(0);
}
END_TEST

static void ck_accepted(int64_t wanted)
{
    AUTO_RENEWAL struct renewal_row row = {0};

    ck_ok(renewals_accepted(inventory, www, &row, &err));
    ck_assert_int_eq(row.id, wanted);
    struct accepted_times times = {0};
    ck_ok(renewals_accepted_times(inventory, www, &times, &err));
    ck_assert_int_eq(times.id, wanted);
    ck_assert_int_eq(times.not_before, row.not_before);
    ck_assert_int_eq(times.not_after, row.not_after);
    ck_assert_int_eq(times.accepted_at, row.accepted_at);
    ck_assert_int_eq(times.chain_not_after, row.chain_not_after);
    ck_assert_int_eq(times.rechain_at, row.rechain_at);
}

START_TEST(accepted_is_the_one_accepted_last)
{
    struct renewal_row none = {0};

    sample_renewal(inventory, www);
    ck_fails(renewals_accepted(inventory, www, &none, &err), E_NOT_FOUND, "accepted renewal");
    sample_accepted(inventory, sample_certificate(inventory, "other"), 10, 10000);
    int64_t a = sample_accepted(inventory, www, 10, 1000);
    ck_accepted(a);
    sample_accepted(inventory, www, 9, 2000);
    ck_accepted(a);
    int64_t b = sample_accepted(inventory, www, 11, 900);
    ck_accepted(b);
    sample_accepted(inventory, www, 11, 800);
    ck_accepted(b);
    int64_t c = sample_accepted(inventory, www, 11, 900);
    ck_accepted(c);
    int64_t d = sample_accepted(inventory, www, 11, UTC_NEVER);
    ck_accepted(d);
}
END_TEST

static int write_and_see(void *self, const struct renewal_row *row, struct error *walk_err)
{
    struct seen *seen = self;

    sample_renewal(seen->inventory, row->certificate_id);
    return see(self, row, walk_err);
}

START_TEST(walks)
{
    struct seen seen = {.inventory = inventory};
    uint8_t spki[SHA256_LEN] = {7};
    int64_t a = sample_renewal(inventory, www);
    int64_t b = sample_renewal(inventory, www);
    int64_t c = sample_renewal(inventory, sample_certificate(inventory, "other"));

    SET(a, key.spki_sha256[0], 7);
    SET(c, key.spki_sha256[0], 7);
    ck_ok(renewals_by_spki(inventory, spki, see, &seen, &err));
    ck_seen(seen, c, a);
    spki[31] = 1;
    ck_ok(renewals_by_spki(inventory, spki, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
    memset(spki, 0, sizeof spki);
    ck_ok(renewals_by_spki(inventory, spki, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
    ck_ok(renewals_by_certificate(inventory, www, write_and_see, &seen, &err));
    ck_seen(seen, b, a);
}
END_TEST

START_TEST(waiting_for_their_chain)
{
    struct seen seen = {0};
    int64_t a = sample_renewal(inventory, www);
    int64_t b = sample_renewal(inventory, www);
    int64_t c = sample_renewal(inventory, www);

    ck_ok(renewals_waiting_chain(inventory, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
    SET(a, received_at, 1);
    SET(b, received_at, 1);
    SET(c, received_at, 1);
    SET(b, withdrawn_at, 1);
    SET(c, superseded_at, 1);
    SET(sample_accepted(inventory, www, 5, 5), received_at, 1);
    ck_ok(renewals_waiting_chain(inventory, see, &seen, &err));
    ck_seen(seen, a, c);
    /* Refused: one that somebody waits for goes on waiting, one that was superseded does not. */
    SET(a, rejected_at, 1);
    SET(c, rejected_at, 1);
    ck_ok(renewals_waiting_chain(inventory, see, &seen, &err));
    ck_seen(seen, a);
}
END_TEST

static int see_id(void *self, const struct renewal_row *row, struct error *walk_err)
{
    int64_t *sum = self;

    (void)walk_err;
    *sum = *sum * 10 + row->id;
    return 0;
}

START_TEST(looked_for_in_vain)
{
    int64_t seen = 0;

    for (int i = 0; i < 4; i++) {
        AUTO_RENEWAL struct renewal_row row = {0};

        ck_ok(renewals_get(inventory, sample_accepted(inventory, www, i, 50), &row, &err));
        if (i > 0)
            row.rechain_at = i < 3 ? 50 - i : 0;
        ck_ok(renewals_update(inventory, &row, &err));
    }
    ck_ok(renewals_rechain(inventory, 2, see_id, &seen, &err));
    ck_assert_int_eq(seen, 32);
}
END_TEST

START_TEST(chains_are_replaced)
{
    AUTO_BLOBS struct blobs two = {0}, one = {0}, got = {0};
    struct blobs none = {0};
    int64_t id = sample_renewal(inventory, www), other = sample_renewal(inventory, www);

    blobs_add(&two, span_text("issuer"));
    blobs_add(&two, span_of("b\0b", 3));
    blobs_add(&one, span_text("single"));
    ck_ok(renewals_set_chain(inventory, id, &two, &err));
    ck_ok(renewals_set_chain(inventory, other, &one, &err));
    ck_ok(renewals_chain(inventory, id, &got, &err));
    ck_assert_uint_eq(got.count, 2);
    ck_assert(span_equal(blob_span(&got.items[0]), span_text("issuer")));
    ck_assert(span_equal(blob_span(&got.items[1]), span_of("b\0b", 3)));
    blobs_done(&got);
    ck_ok(renewals_set_chain(inventory, id, &one, &err));
    ck_ok(renewals_chain(inventory, id, &got, &err));
    ck_assert_uint_eq(got.count, 1);
    blobs_done(&got);
    ck_fails(renewals_set_chain(inventory, 99, &one, &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_ok(renewals_set_chain(inventory, id, &none, &err));
    ck_ok(renewals_chain(inventory, id, &got, &err));
    ck_assert_uint_eq(got.count, 0);
    ck_ok(renewals_chain(inventory, other, &got, &err));
    ck_assert_uint_eq(got.count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/renewals");
    TCase *renewals = tcase_create("renewals");

    tcase_add_checked_fixture(renewals, setup, teardown);
    tcase_add_test(renewals, new_one_has_no_facts);
    tcase_add_test(renewals, every_column_comes_back);
    tcase_add_test(renewals, facts_can_be_taken_back);
    tcase_add_test(renewals, impossible_rows_are_refused);
    tcase_add_test(renewals, open_is_the_newest_undecided);
    tcase_add_test(renewals, accepted_is_the_one_accepted_last);
    tcase_add_test(renewals, walks);
    tcase_add_test(renewals, waiting_for_their_chain);
    tcase_add_test(renewals, looked_for_in_vain);
    tcase_add_test(renewals, chains_are_replaced);
    suite_add_tcase(suite, renewals);
    return testing_run(suite);
}
