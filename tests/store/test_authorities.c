#include "store/authorities.h"

#include <string.h>

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

/* The DER is the text; its first letter stands for the fingerprint. */
static bool add(const char *der, uint8_t subject, utc_t not_after)
{
    struct cert cert = {.subject = "CN=CA", .not_before = 1, .not_after = not_after};
    bool is_new = false;

    cert.sha256[0] = (uint8_t)der[0];
    cert.subject_sha256[0] = subject;
    ck_ok(authorities_add(inventory, span_text(der), &cert, SAMPLE_NOW, &is_new, &err));
    return is_new;
}

START_TEST(added_once)
{
    int64_t count = 0;

    ck_assert(add("a", 1, 100));
    ck_assert(!add("a", 1, 100));
    ck_assert(add("b", 1, 100));
    ck_ok(authorities_count(inventory, &count, &err));
    ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(found_by_subject_the_longest_first)
{
    AUTO_BLOBS struct blobs found = {0};
    uint8_t subject[SHA256_LEN] = {1};
    char order[8] = "";

    add("early", 1, 100);
    add("never", 1, UTC_NEVER);
    add("other", 2, 500);
    add("late", 1, 300);
    blobs_add(&found, span_text("kept"));
    ck_ok(authorities_find(inventory, subject, &found, &err));
    for (size_t i = 0; i < found.count; i++)
        order[i] = (char)found.items[i].data[0];
    ck_assert_str_eq(order, "knle");
    ck_assert(span_equal(blob_span(&found.items[2]), span_text("late")));
    subject[0] = 3;
    ck_ok(authorities_find(inventory, subject, &found, &err));
    ck_assert_uint_eq(found.count, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/authorities");
    TCase *authorities = tcase_create("authorities");

    tcase_add_checked_fixture(authorities, setup, teardown);
    tcase_add_test(authorities, added_once);
    tcase_add_test(authorities, found_by_subject_the_longest_first);
    suite_add_tcase(suite, authorities);
    return testing_run(suite);
}
