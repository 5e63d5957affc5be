#include "store/authorities.h"

#include <stdio.h>
#include <string.h>

#include "tests/store/sample.h"

enum { DAY = 86400, SEEN_MAX = STRANGERS_MAX + 100 };

static struct inventory *inventory;
static struct error err;
static const uint8_t an_anchor[SHA256_LEN] = {0xA1}, another_anchor[SHA256_LEN] = {0xA2};

static void setup(void)
{
    inventory = sample_open();
}

static void teardown(void)
{
    inventory_close(inventory);
}

/* The DER is the text; its first letter stands for the fingerprint. */
static bool add_at(const char *der, uint8_t subject, utc_t not_after, utc_t seen_at)
{
    struct cert cert = {.subject = "CN=CA", .not_before = 1, .not_after = not_after};
    bool is_new = false;

    memcpy(cert.sha256, der, strlen(der));
    cert.subject_sha256[0] = subject;
    cert.issuer_sha256[0] = 0xEE;
    ck_ok(authorities_add(inventory, span_text(der), &cert, seen_at, &is_new, &err));
    return is_new;
}

static bool add(const char *der, uint8_t subject, utc_t not_after)
{
    return add_at(der, subject, not_after, SAMPLE_NOW);
}

static void anchor(const char *der, const uint8_t by[SHA256_LEN])
{
    uint8_t sha256[SHA256_LEN] = {0};

    memcpy(sha256, der, strlen(der));
    ck_ok(authorities_set_anchored(inventory, sha256, by, SAMPLE_NOW, &err));
}

static void trim(uint8_t subject)
{
    const uint8_t subject_sha256[SHA256_LEN] = {subject};

    ck_ok(authorities_trim(inventory, subject_sha256, SAMPLE_NOW, &err));
}

static int64_t count(void)
{
    int64_t number = 0;

    ck_ok(authorities_count(inventory, &number, &err));
    return number;
}

/* Whether it is there, with what is known of it. */
static bool get(const char *der, struct authority_row *ret)
{
    uint8_t sha256[SHA256_LEN] = {0};

    memcpy(sha256, der, strlen(der));
    return authorities_get(inventory, sha256, ret, &err) == 0;
}

static bool is_there(const char *der)
{
    AUTO_AUTHORITY struct authority_row row = {0};

    return get(der, &row);
}

/* The first letters of what was found. */
static const char *letters(const struct blobs *found)
{
    static char text[64];
    size_t i = 0;

    for (; i < found->count && i + 1 < sizeof text; i++)
        text[i] = (char)found->items[i].data[0];
    text[i] = '\0';
    return text;
}

START_TEST(added_once)
{
    ck_assert(add("a", 1, 100));
    ck_assert(!add("a", 1, 100));
    ck_assert(add("b", 1, 100));
    ck_assert_int_eq(count(), 2);
}
END_TEST

static int64_t newest(void)
{
    int64_t id = -1;

    ck_ok(authorities_newest(inventory, &id, &err));
    return id;
}

/* Also when the newest of all was thrown out before. */
START_TEST(whoever_joins_is_the_newest)
{
    ck_assert_int_eq(newest(), 0);
    add("a", 1, 100);
    add("b", 2, 1);
    int64_t before = newest();
    trim(2);
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(newest(), 0);
    add("c", 1, SAMPLE_NOW);
    ck_assert_int_gt(newest(), before);
    before = newest();
    add("c", 1, SAMPLE_NOW);
    ck_assert_int_eq(newest(), before);
}
END_TEST

START_TEST(found_by_subject_anchored_and_longest_first)
{
    AUTO_BLOBS struct blobs found = {0};
    AUTO_BLOBS struct blobs anchored = {0};
    uint8_t subject[SHA256_LEN] = {1};

    add("early", 1, 100);
    add("never", 1, UTC_NEVER);
    add("other", 2, 500);
    add("late", 1, 300);
    add("good", 1, 50);
    add("Good", 1, 60);
    anchor("good", an_anchor);
    anchor("Good", an_anchor);
    blobs_add(&found, span_text("kept"));
    ck_ok(authorities_find(inventory, subject, &found, &err));
    ck_assert_str_eq(letters(&found), "kGgnle");
    ck_assert(span_equal(blob_span(&found.items[4]), span_text("late")));
    ck_ok(authorities_find_anchored(inventory, subject, &anchored, &err));
    ck_assert_str_eq(letters(&anchored), "Gg");
    subject[0] = 3;
    ck_ok(authorities_find(inventory, subject, &found, &err));
    ck_assert_uint_eq(found.count, 6);
}
END_TEST

START_TEST(facts_of_one)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    AUTO_AUTHORITY struct authority_row after = {0};
    uint8_t sha256[SHA256_LEN] = {'a'};

    add("a", 7, 100);
    ck_assert(get("a", &row));
    ck_assert_str_eq(row.subject, "CN=CA");
    ck_assert_int_eq(row.subject_sha256[0], 7);
    ck_assert_int_eq(row.not_before, 1);
    ck_assert_int_eq(row.not_after, 100);
    ck_assert_int_eq(row.seen_at, SAMPLE_NOW);
    ck_assert_int_eq(row.anchored_at, UTC_NEVER);
    ck_assert_int_eq(row.used_at, UTC_NEVER);
    ck_assert_int_eq(row.anchor_sha256[0], 0);
    ck_assert(span_equal(blob_span(&row.der), span_text("a")));
    add_at("a", 7, 100, SAMPLE_NOW + 5);
    ck_ok(authorities_set_used(inventory, sha256, an_anchor, SAMPLE_NOW + 6, &err));
    ck_assert(get("a", &after));
    ck_assert_int_eq(after.seen_at, SAMPLE_NOW + 5);
    ck_assert_int_eq(after.anchored_at, SAMPLE_NOW + 6);
    ck_assert_int_eq(after.used_at, SAMPLE_NOW + 6);
    ck_assert_int_eq(after.anchor_sha256[0], 0xA1);
    ck_assert(!is_there("b"));
}
END_TEST

/* Thirty-two of a name; whose turn it is to go tells the last time it was seen. */
START_TEST(strangers_of_a_name_are_few)
{
    char der[16];

    add_at("old", 1, UTC_NEVER, 1);
    add_at("good", 1, UTC_NEVER, 1);
    add_at("other", 2, UTC_NEVER, 1);
    anchor("good", an_anchor);
    for (int i = 0; i < 200; i++) {
        snprintf(der, sizeof der, "s%03d", i);
        add_at(der, 1, UTC_NEVER, 100 + i);
        if (i == 20) /* seen again */
            add_at("old", 1, UTC_NEVER, 1000);
        trim(1);
        ck_assert_int_le(count(), 2 + STRANGERS_OF_NAME_MAX);
    }
    ck_assert_int_eq(count(), 2 + STRANGERS_OF_NAME_MAX);
    ck_assert(is_there("good"));
    ck_assert(is_there("other"));
    ck_assert(!is_there("s010"));
    ck_assert(!is_there("s168"));
    ck_assert(is_there("s169"));
    ck_assert(is_there("s199"));
    ck_assert(is_there("old"));
}
END_TEST

START_TEST(strangers_in_all_are_few)
{
    char der[16];

    add_at("good", 1, UTC_NEVER, 1);
    anchor("good", an_anchor);
    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < SEEN_MAX; i++) {
        snprintf(der, sizeof der, "s%04d", i);
        add_at(der, (uint8_t)(2 + i % 100), UTC_NEVER, 100 + i);
    }
    trim(0xFE);
    ck_ok(inventory_commit(inventory, &err));
    ck_assert_int_eq(count(), 1 + STRANGERS_MAX);
    ck_assert(is_there("good"));
    ck_assert(!is_there("s0099"));
    ck_assert(is_there("s0100"));
}
END_TEST

START_TEST(ended_ones_go_unless_used)
{
    uint8_t used[SHA256_LEN] = {'u'};

    add("u", 1, SAMPLE_NOW - 31 * DAY);
    ck_ok(authorities_set_used(inventory, used, an_anchor, 5, &err));
    add("anchored", 1, SAMPLE_NOW - 31 * DAY);
    anchor("anchored", an_anchor);
    add("gone", 2, SAMPLE_NOW - 31 * DAY);
    add("late", 2, SAMPLE_NOW - 29 * DAY);
    add("never", 2, UTC_NEVER);
    trim(3);
    ck_assert(is_there("u"));
    ck_assert(!is_there("anchored"));
    ck_assert(!is_there("gone"));
    ck_assert(is_there("late"));
    ck_assert(is_there("never"));
}
END_TEST

SAMPLE_SEE(see, authority_row)

START_TEST(an_anchor_that_goes_takes_its_proofs)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    struct seen seen = {0};
    uint8_t issuer[SHA256_LEN] = {0xEE};

    add("a", 1, 100);
    add("b", 1, 100);
    add("c", 1, 100);
    anchor("a", an_anchor);
    anchor("b", another_anchor);
    ck_ok(authorities_of_anchor(inventory, an_anchor, 9, see, &seen, &err));
    ck_seen(seen, 1);
    ck_ok(authorities_issued_by(inventory, issuer, 9, see, &seen, &err));
    ck_seen(seen, 3);
    ck_ok(authorities_unanchor(inventory, an_anchor, &err));
    ck_ok(authorities_issued_by(inventory, issuer, 9, see, &seen, &err));
    ck_seen(seen, 3, 1);
    ck_ok(authorities_issued_by(inventory, issuer, 1, see, &seen, &err));
    ck_seen(seen, 3);
    ck_assert(get("b", &row) && row.anchored_at == SAMPLE_NOW);
}
END_TEST

START_TEST(walked_page_by_page)
{
    struct seen seen = {0};

    add("a", 1, 100);
    add("b", 2, 100);
    add("c", 1, 100);
    ck_ok(authorities_each(inventory, 0, 2, see, &seen, &err));
    ck_seen(seen, 1, 2);
    ck_ok(authorities_each(inventory, 2, SIZE_MAX, see, &seen, &err));
    ck_seen(seen, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/authorities");
    TCase *authorities = tcase_create("authorities");

    tcase_add_checked_fixture(authorities, setup, teardown);
    tcase_set_timeout(authorities, TESTING_SLOW_SECONDS);
    tcase_add_test(authorities, added_once);
    tcase_add_test(authorities, whoever_joins_is_the_newest);
    tcase_add_test(authorities, found_by_subject_anchored_and_longest_first);
    tcase_add_test(authorities, facts_of_one);
    tcase_add_test(authorities, strangers_of_a_name_are_few);
    tcase_add_test(authorities, strangers_in_all_are_few);
    tcase_add_test(authorities, ended_ones_go_unless_used);
    tcase_add_test(authorities, an_anchor_that_goes_takes_its_proofs);
    tcase_add_test(authorities, walked_page_by_page);
    suite_add_tcase(suite, authorities);
    return testing_run(suite);
}
