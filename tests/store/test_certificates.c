#include "store/certificates.h"

#include <string.h>

#include "store/targets.h"
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

SAMPLE_SEE(see, certificate_row)

START_TEST(comes_back)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    int64_t id = sample_certificate(inventory, "www");

    ck_ok(certificates_get(inventory, id, &row, &err));
    ck_assert_int_eq(row.id, id);
    ck_assert_str_eq(row.name, "www");
    ck_assert_str_eq(row.policy, "default");
    ck_assert_uint_eq(row.names.count, 2);
    ck_assert_int_eq(row.names.items[0].type, NAME_DNS);
    ck_assert_str_eq(row.names.items[0].text, "www.example");
    ck_assert_int_eq(row.names.items[1].type, NAME_IP);
    ck_assert_str_eq(row.names.items[1].text, "192.0.2.1");
    ck_assert_int_eq(row.added_at, SAMPLE_NOW);
    ck_assert_int_eq(row.retired_at, UTC_NEVER);
    ck_assert_int_eq(row.next_at, SAMPLE_NOW);
    ck_assert_str_eq(row.next_action, "none");
    ck_assert_int_eq(row.next_target, 0);
    ck_assert_uint_eq(row.ladder_told, 0);
    ck_assert_int_eq(row.expired_told_at, UTC_NEVER);
}
END_TEST

START_TEST(every_type_of_name_comes_back)
{
    AUTO_CERTIFICATE struct certificate_row got = {0};
    AUTO_NAMES struct names names = {0};
    char name[] = "all", policy[] = "p";
    struct certificate_row row = {.name = name, .policy = policy, .added_at = 1};
    int64_t id = 0;

    ck_ok(names_add(&names, NAME_URI, "https://example/a,b", &err));
    ck_ok(names_add(&names, NAME_EMAIL, "a@example.com", &err));
    ck_ok(names_add(&names, NAME_DNS, "*.example.com", &err));
    ck_ok(names_add(&names, NAME_IP, "2001:db8::1", &err));
    row.names = names;
    ck_ok(certificates_add(inventory, &row, &id, &err));
    ck_ok(certificates_get(inventory, id, &got, &err));
    AUTO_FREE char *wanted = names_join(&names);
    AUTO_FREE char *text = names_join(&got.names);
    ck_assert_str_eq(text, wanted);
}
END_TEST

START_TEST(stored_name_of_unknown_type_is_corrupt)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_FREE char *path = testing_path("inventory.db");
    int64_t id = sample_certificate(inventory, "www");

    sample_sql(path, "UPDATE certificate_names SET type = 'carrier-pigeon'");
    ck_fails(certificates_get(inventory, id, &row, &err), E_CORRUPT, "carrier-pigeon");
}
END_TEST

START_TEST(names_are_unique_and_found)
{
    AUTO_CERTIFICATE struct certificate_row found = {0};
    char taken[] = "www", policy[] = "default", text[] = "a.example";
    struct name item = {NAME_DNS, text};
    struct certificate_row row = {
        .name = taken, .policy = policy, .names = {&item, 1}, .added_at = SAMPLE_NOW};
    int64_t id = sample_certificate(inventory, "www"), other = -1, count = 0;

    ck_fails(certificates_add(inventory, &row, &other, &err), E_EXISTS,
             "certificate www: the name is taken");
    ck_assert_int_eq(other, -1);
    ck_ok(certificates_find(inventory, "www", &found, &err));
    ck_assert_int_eq(found.id, id);
    ck_fails(certificates_find(inventory, "mail", &row, &err), E_NOT_FOUND, "certificate mail");
    ck_assert_ptr_eq(row.name, taken);
    ck_fails(certificates_get(inventory, 99, &row, &err), E_NOT_FOUND, "certificate 99");
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, 1);
    /* A refused one leaves a caller's transaction as it was. */
    ck_ok(inventory_begin(inventory, &err));
    sample_certificate(inventory, "before");
    ck_fails(certificates_add(inventory, &row, &other, &err), E_EXISTS, "www");
    sample_certificate(inventory, "after");
    ck_ok(inventory_commit(inventory, &err));
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, 3);
}
END_TEST

START_TEST(bad_names_are_refused)
{
    static const char *const names[] = {"", "a/b", "a b", "\xc3\xa4", "a\nb", "a*"};
    AUTO_FREE char *name = mem_strdup(names[_i]);
    char policy[] = "default";
    struct certificate_row row = {.name = name, .policy = policy, .added_at = SAMPLE_NOW};
    int64_t id = 0;

    ck_fails(certificates_add(inventory, &row, &id, &err), E_INPUT, "has_only_letters");
}
END_TEST

START_TEST(walk_is_ordered_and_paged)
{
    struct seen seen = {0};
    int64_t c = sample_certificate(inventory, "c");
    int64_t a = sample_certificate(inventory, "a");
    int64_t b = sample_certificate(inventory, "b");

    ck_ok(certificates_each(inventory, "", SIZE_MAX, see, &seen, &err));
    ck_seen(seen, a, b, c);
    ck_ok(certificates_each(inventory, "", 2, see, &seen, &err));
    ck_seen(seen, a, b);
    ck_ok(certificates_each(inventory, "b", 2, see, &seen, &err));
    ck_seen(seen, c);
    ck_ok(certificates_each(inventory, "c", 2, see, &seen, &err));
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

static int see_two(void *self, const struct certificate_row *row, struct error *walk_err)
{
    struct seen *seen = self;

    if (seen->count == 2)
        return error_set(walk_err, E_TIMEOUT, "enough");
    see(self, row, walk_err);
    return 7;
}

START_TEST(callback_ends_the_walk)
{
    struct seen seen = {0};

    for (char name[] = "a"; name[0] <= 'd'; name[0]++)
        sample_certificate(inventory, name);
    ck_fails(certificates_each(inventory, "", SIZE_MAX, see_two, &seen, &err), E_TIMEOUT, "enough");
    ck_assert_uint_eq(seen.count, 2);
}
END_TEST

/* Walks the same table, writes it, in transactions of its own, one of them rolled back. */
static int busy_callback(void *self, const struct certificate_row *row, struct error *walk_err)
{
    struct seen *seen = self;
    struct seen inner = {0};
    AUTO_FREE char *added = mem_printf("z%s", row->name);

    ck_ok(certificates_each(seen->inventory, "", 2, see, &inner, walk_err));
    ck_assert_uint_eq(inner.count, 2);
    ck_ok(inventory_begin(seen->inventory, walk_err));
    sample_certificate(seen->inventory, added);
    ck_ok(sample_plan(seen->inventory, row->id, 5, "start", 0, walk_err));
    ck_ok(inventory_commit(seen->inventory, walk_err));
    ck_ok(inventory_begin(seen->inventory, walk_err));
    ck_ok(sample_plan(seen->inventory, row->id, 6, "start", 0, walk_err));
    inventory_rollback(seen->inventory);
    return see(self, row, walk_err);
}

START_TEST(callback_may_write)
{
    struct seen seen = {.inventory = inventory};
    AUTO_CERTIFICATE struct certificate_row row = {0};
    int64_t a = sample_certificate(inventory, "a");
    int64_t b = sample_certificate(inventory, "b");
    int64_t count = 0;

    ck_ok(certificates_each(inventory, "", SIZE_MAX, busy_callback, &seen, &err));
    ck_seen(seen, a, b);
    ck_ok(certificates_count(inventory, &count, &err));
    ck_assert_int_eq(count, 4);
    ck_ok(certificates_get(inventory, b, &row, &err));
    ck_assert_int_eq(row.next_at, 5);
}
END_TEST

START_TEST(facts_are_set)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    int64_t id = sample_certificate(inventory, "www");
    int64_t target = sample_target(inventory, id, "www");

    ck_ok(sample_plan(inventory, id, 17, "deploy", target, &err));
    ck_ok(certificates_set_told(inventory, id, 3, 18, &err));
    ck_ok(certificates_set_retired(inventory, id, 19, &err));
    ck_ok(certificates_get(inventory, id, &row, &err));
    ck_assert_int_eq(row.next_at, 17);
    ck_assert_str_eq(row.next_action, "deploy");
    ck_assert_int_eq(row.next_target, target);
    ck_assert_uint_eq(row.ladder_told, 3);
    ck_assert_int_eq(row.expired_told_at, 18);
    ck_assert_int_eq(row.retired_at, 19);
    ck_fails(sample_plan(inventory, 99, 1, "none", 0, &err), E_NOT_FOUND, "99");
    ck_fails(certificates_set_told(inventory, 99, 1, 1, &err), E_NOT_FOUND, "99");
    ck_fails(certificates_set_retired(inventory, 99, 1, &err), E_NOT_FOUND, "99");
    ck_fails(sample_plan(inventory, id, 1, "deploy", 99, &err), E_NOT_FOUND, "FOREIGN KEY");
}
END_TEST

START_TEST(retired_releases_its_files)
{
    int64_t old = sample_certificate(inventory, "old");
    int64_t new = sample_certificate(inventory, "new");
    char path[] = "/etc/ssl/web.pem", service[] = "nginx";
    struct target_row row = {.certificate_id = new, .service = service, .added_at = SAMPLE_NOW};
    int64_t id = 0;

    row.files[BUNDLE_COMBINED] = path;
    sample_target(inventory, old, "web");
    ck_fails(targets_add(inventory, &row, &id, &err), E_EXISTS, path);
    ck_ok(certificates_set_retired(inventory, old, SAMPLE_NOW, &err));
    ck_ok(targets_add(inventory, &row, &id, &err));
    ck_fails(certificates_set_retired(inventory, old, UTC_NEVER, &err), E_EXISTS,
             "another target writes one of its files");
    AUTO_CERTIFICATE struct certificate_row got = {0};
    ck_ok(certificates_get(inventory, old, &got, &err));
    ck_assert_int_eq(got.retired_at, SAMPLE_NOW);
    ck_ok(certificates_set_retired(inventory, new, SAMPLE_NOW, &err));
    ck_ok(certificates_set_retired(inventory, old, UTC_NEVER, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/certificates");
    TCase *certificates = tcase_create("certificates");

    tcase_add_checked_fixture(certificates, setup, teardown);
    tcase_add_test(certificates, comes_back);
    tcase_add_test(certificates, every_type_of_name_comes_back);
    tcase_add_test(certificates, stored_name_of_unknown_type_is_corrupt);
    tcase_add_test(certificates, names_are_unique_and_found);
    tcase_add_loop_test(certificates, bad_names_are_refused, 0, 6);
    tcase_add_test(certificates, walk_is_ordered_and_paged);
    tcase_add_test(certificates, callback_ends_the_walk);
    tcase_add_test(certificates, callback_may_write);
    tcase_add_test(certificates, facts_are_set);
    tcase_add_test(certificates, retired_releases_its_files);
    suite_add_tcase(suite, certificates);
    return testing_run(suite);
}
