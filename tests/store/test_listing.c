/* Pages of certificates, by index. */
#include <string.h>

#include "base/buf.h"
#include "store/listing.h"
#include "store/schedule.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;

SAMPLE_SEE(see, certificate_row)

/* Name, state, end. */
static const struct {
    const char *name, *state;
    utc_t ends_at;
} rows[] = {
    {"db-1", "ok", 500},        {"db-2", "expired", 100}, {"mail", "ok", 300},
    {"web-1", "ok", UTC_NEVER}, {"web-2", "due", 200},    {"web-3", "ok", 300},
};
static int64_t ids[COUNT_OF(rows)];

static void setup(void)
{
    inventory = sample_open();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ids[i] = sample_certificate(inventory, rows[i].name);
        ck_ok(certificates_set_plan(inventory, ids[i],
                                    &(struct certificate_plan){.next_at = UTC_NEVER,
                                                               .next_action = "none",
                                                               .deadline = UTC_NEVER,
                                                               .ends_at = rows[i].ends_at,
                                                               .state = rows[i].state},
                                    0, &err));
    }
}

static void teardown(void)
{
    inventory_close(inventory);
}

/* All pages of a listing, each of `limit`; returns how many there were. */
static size_t read_all(struct listing listing, size_t limit, struct seen *seen)
{
    AUTO_PLACE struct listing_place place = {0};
    size_t pages = 0;

    listing.limit = limit;
    if (listing.ends_by == 0)
        listing.ends_by = UTC_NEVER;
    do {
        struct listing_place next = {0};

        ck_ok(listing_page(inventory, &listing, see, seen, &next, &err));
        listing_place_done(&place);
        listing.after = place = next;
        ck_assert_uint_lt(++pages, 20);
    } while (place.name);
    return pages;
}

#define ck_listed(listing, ...)         \
    do {                                \
        struct seen seen_ = {0};        \
        read_all(listing, 100, &seen_); \
        ck_seen(seen_, __VA_ARGS__);    \
        read_all(listing, 1, &seen_);   \
        ck_seen(seen_, __VA_ARGS__);    \
    } while (0)
#define L(...) ((struct listing){__VA_ARGS__})

START_TEST(what_is_asked_for_is_listed_page_by_page)
{
    ck_listed(L(.limit = 1), ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]);
    ck_listed(L(.state = "ok"), ids[0], ids[2], ids[3], ids[5]);
    ck_listed(L(.policy = "default"), ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]);
    ck_listed(L(.match = "web-*"), ids[3], ids[4], ids[5]);
    ck_listed(L(.match = "*-[12]"), ids[0], ids[1], ids[3], ids[4]);
    ck_listed(L(.match = "mail"), ids[2]);
    ck_listed(L(.match = "web-*", .state = "ok"), ids[3], ids[5]);
    ck_listed(L(.ends_by = 300), ids[1], ids[4], ids[2], ids[5]);
    ck_listed(L(.ends_by = 299), ids[1], ids[4]);
    ck_listed(L(.ends_by = 300, .state = "ok", .match = "web-*"), ids[5]);
}
END_TEST

START_TEST(nothing_may_be_found)
{
    struct seen seen = {0};

    ck_assert_uint_eq(read_all((struct listing){.match = "nobody*"}, 2, &seen), 1);
    ck_assert_uint_eq(read_all((struct listing){.state = "retired"}, 2, &seen), 1);
    ck_assert_uint_eq(read_all((struct listing){.policy = "other"}, 2, &seen), 1);
    ck_assert_uint_eq(read_all((struct listing){.ends_by = 99}, 2, &seen), 1);
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

static void note_count(void *self, const char *state, int64_t count)
{
    struct buf *text = self;

    buf_printf(text, "%s %ld;", state, (long)count);
}

START_TEST(states_are_counted)
{
    AUTO_BUF struct buf text;

    buf_init(&text, 256);
    ck_ok(certificates_count_states(inventory, note_count, &text, &err));
    ck_assert_str_eq(buf_text(&text), "due 1;expired 1;ok 4;");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/listing");
    TCase *listing = tcase_create("listing");

    tcase_add_checked_fixture(listing, setup, teardown);
    tcase_add_test(listing, what_is_asked_for_is_listed_page_by_page);
    tcase_add_test(listing, nothing_may_be_found);
    tcase_add_test(listing, states_are_counted);
    suite_add_tcase(suite, listing);
    return testing_run(suite);
}
