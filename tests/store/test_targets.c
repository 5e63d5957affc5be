#include "store/targets.h"

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

SAMPLE_SEE(see, target_row)

static char service[] = "nginx";
static char key_path[] = "/etc/ssl/private/www.key", chain_path[] = "/etc/ssl/www.pem";

START_TEST(comes_back)
{
    AUTO_TARGET struct target_row got = {0};
    char host[] = "::1", name[] = "www.example";
    struct endpoint_row endpoints[] = {{.host = host, .port = 443, .server_name = name},
                                       {.host = host, .port = 65535}};
    struct target_row row = {.certificate_id = www,
                             .service = service,
                             .endpoints = endpoints,
                             .endpoint_count = 2,
                             .added_at = 7};
    int64_t id = 0;

    row.files[BUNDLE_KEY] = key_path;
    row.files[BUNDLE_FULLCHAIN] = chain_path;
    ck_ok(targets_add(inventory, &row, &id, &err));
    ck_ok(targets_get(inventory, id, &got, &err));
    ck_assert_int_eq(got.id, id);
    ck_assert_int_eq(got.certificate_id, www);
    ck_assert_str_eq(got.service, "nginx");
    ck_assert_int_eq(got.added_at, 7);
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        ck_assert_pstr_eq(got.files[i], row.files[i]);
    ck_assert_uint_eq(got.endpoint_count, 2);
    ck_assert_str_eq(got.endpoints[0].host, "::1");
    ck_assert_int_eq(got.endpoints[0].port, 443);
    ck_assert_str_eq(got.endpoints[0].server_name, "www.example");
    ck_assert_int_ne(got.endpoints[0].id, 0);
    ck_assert_int_eq(got.endpoints[1].port, 65535);
    ck_assert_ptr_null(got.endpoints[1].server_name);
    struct target_row none = {0};
    ck_fails(targets_get(inventory, 99, &none, &err), E_NOT_FOUND, "target 99");
}
END_TEST

static int64_t targets_now(void)
{
    struct seen seen = {0};

    ck_ok(targets_each(inventory, www, see, &seen, &err));
    return (int64_t)seen.count;
}

START_TEST(one_writer_a_file)
{
    struct target_row row = {.certificate_id = www, .service = service};
    int64_t id = -1;

    sample_target(inventory, www, "www");
    row.files[BUNDLE_KEY] = key_path;
    row.files[BUNDLE_LEAF] = chain_path;
    ck_fails(targets_add(inventory, &row, &id, &err), E_EXISTS,
             "target: file /etc/ssl/www.pem: a target writes it already");
    ck_assert_int_eq(id, -1);
    ck_assert_int_eq(targets_now(), 1);
    row.files[BUNDLE_LEAF] = key_path;
    ck_fails(targets_add(inventory, &row, &id, &err), E_EXISTS, key_path);
    row.files[BUNDLE_LEAF] = NULL;
    ck_ok(targets_add(inventory, &row, &id, &err));
    ck_assert_int_eq(targets_now(), 2);
}
END_TEST

START_TEST(bad_rows_leave_nothing)
{
    char host[] = "localhost";
    struct endpoint_row endpoints[] = {{.host = host, .port = 443}, {.host = host, .port = 65536}};
    struct target_row row = {
        .certificate_id = www, .service = service, .endpoints = endpoints, .endpoint_count = 2};
    int64_t id = -1;

    ck_fails(targets_add(inventory, &row, &id, &err), E_INPUT, "port");
    row.endpoint_count = 1;
    row.certificate_id = 99;
    ck_fails(targets_add(inventory, &row, &id, &err), E_NOT_FOUND, "FOREIGN KEY");
    ck_assert_int_eq(targets_now(), 0);
    ck_assert_int_eq(id, -1);
}
END_TEST

START_TEST(walk_is_of_one_certificate)
{
    struct seen seen = {0};
    int64_t a = sample_target(inventory, www, "a");

    sample_target(inventory, sample_certificate(inventory, "other"), "b");
    int64_t c = sample_target(inventory, www, "c");
    ck_ok(targets_each(inventory, www, see, &seen, &err));
    ck_seen(seen, a, c);
}
END_TEST

START_TEST(unknown_part_is_corrupt)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    struct target_row row = {0};
    int64_t id = sample_target(inventory, www, "a");

    sample_sql(path, "UPDATE target_files SET part = 'half'");
    ck_fails(targets_get(inventory, id, &row, &err), E_CORRUPT, "unknown part half");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/targets");
    TCase *targets = tcase_create("targets");

    tcase_add_checked_fixture(targets, setup, teardown);
    tcase_add_test(targets, comes_back);
    tcase_add_test(targets, one_writer_a_file);
    tcase_add_test(targets, bad_rows_leave_nothing);
    tcase_add_test(targets, walk_is_of_one_certificate);
    tcase_add_test(targets, unknown_part_is_corrupt);
    suite_add_tcase(suite, targets);
    return testing_run(suite);
}
