#include "store/anchors.h"

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
static int add(const char *der, const char *comment, int64_t *ret_id)
{
    AUTO_ANCHOR struct anchor_row row = {.sha256 = {(uint8_t)der[0]},
                                         .der = blob_copy(span_text(der)),
                                         .subject = mem_strdup("CN=Root"),
                                         .not_after = 500,
                                         .added_at = SAMPLE_NOW,
                                         .added_by = mem_strdup("uid 7"),
                                         .comment = comment ? mem_strdup(comment) : NULL};

    return anchors_add(inventory, &row, ret_id, &err);
}

SAMPLE_SEE(see, anchor_row)

static int look(void *self, const struct anchor_row *row, struct error *walk_err)
{
    bool *seen = self;

    (void)walk_err;
    ck_assert_int_eq('a', row->sha256[0]);
    ck_assert(span_equal(span_text("a"), blob_span(&row->der)));
    ck_assert_str_eq("CN=Root", row->subject);
    ck_assert_int_eq(500, row->not_after);
    ck_assert_int_eq(SAMPLE_NOW, row->added_at);
    ck_assert_str_eq("uid 7", row->added_by);
    ck_assert_str_eq("ours", row->comment);
    *seen = true;
    return 0;
}

START_TEST(all_of_it_comes_back)
{
    bool seen = false;
    int64_t id = 0;

    ck_ok(add("a", "ours", &id));
    ck_ok(anchors_each(inventory, look, &seen, &err));
    ck_assert(seen);
}
END_TEST

START_TEST(in_force_once)
{
    AUTO_BLOBS struct blobs ders = {0};
    struct seen seen = {0};
    int64_t first = 0, second = 0, again = 0, count = 0;

    ck_ok(add("a", NULL, &first));
    ck_fails(add("a", NULL, &again), E_EXISTS, "anchors");
    ck_ok(add("b", NULL, &second));
    ck_ok(anchors_remove(inventory, first, SAMPLE_NOW, "uid 0", &err));
    ck_fails(anchors_remove(inventory, first, SAMPLE_NOW, "uid 0", &err), E_NOT_FOUND,
             "trust anchor 1");
    ck_fails(anchors_remove(inventory, 77, SAMPLE_NOW, "uid 0", &err), E_NOT_FOUND,
             "trust anchor 77");
    ck_ok(anchors_each(inventory, see, &seen, &err));
    ck_seen(seen, second);
    ck_ok(anchors_ders(inventory, &ders, &err));
    ck_assert_uint_eq(1, ders.count);
    ck_assert(span_equal(span_text("b"), blob_span(&ders.items[0])));
    /* It may come back, as another row: what was stays on record. */
    ck_ok(add("a", NULL, &again));
    ck_assert_int_ne(first, again);
    ck_ok(anchors_count(inventory, &count, &err));
    ck_assert_int_eq(2, count);
    AUTO_FREE char *path = testing_path("inventory.db");
    ck_assert_int_eq(3, sample_sql_int(path, "SELECT count(*) FROM anchors"));
    ck_assert_int_eq(1, sample_sql_int(path,
                                       "SELECT count(*) FROM anchors"
                                       " WHERE removed_at IS NOT NULL AND removed_by = 'uid 0'"));
}
END_TEST

static int64_t removed_since(const char *subject, utc_t since)
{
    AUTO_ANCHOR struct anchor_row row = {0};

    if (anchors_find_removed(inventory, subject, since, &row, &err) < 0)
        return 0;
    ck_assert_str_eq(row.removed_by, "uid 9");
    return row.id;
}

START_TEST(what_was_removed_is_found_unless_it_came_back)
{
    int64_t first = 0, second = 0, again = 0;

    ck_ok(add("a", NULL, &first));
    ck_ok(add("b", NULL, &second));
    ck_assert_int_eq(removed_since("CN=Root", 0), 0);
    ck_ok(anchors_remove(inventory, second, 200, "uid 9", &err));
    ck_ok(anchors_remove(inventory, first, 100, "uid 9", &err));
    ck_assert_int_eq(removed_since("CN=Root", 0), second);
    ck_assert_int_eq(removed_since("CN=Root", 200), second);
    ck_assert_int_eq(removed_since("CN=Root", 201), 0);
    ck_assert_int_eq(removed_since("CN=Other", 0), 0);
    ck_ok(add("b", NULL, &again));
    ck_assert_int_eq(removed_since("CN=Root", 0), first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/anchors");
    TCase *anchors = tcase_create("anchors");

    tcase_add_checked_fixture(anchors, setup, teardown);
    tcase_add_test(anchors, all_of_it_comes_back);
    tcase_add_test(anchors, in_force_once);
    tcase_add_test(anchors, what_was_removed_is_found_unless_it_came_back);
    suite_add_tcase(suite, anchors);
    return testing_run(suite);
}
