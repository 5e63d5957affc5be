/* What the API says of backups, and what it still does when the inventory is damaged. */
#include <stdio.h>
#include <string.h>

#include "store/backup.h"
#include "tests/daemon/api/harness.h"

static struct harness harness;
static struct error err;

static const char says[] = "page 3 is broken: the inventory is damaged; run \"unlapse restore /b\"";

static void setup(void)
{
    harness_open(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

static char *tell(void *self, utc_t *ret_since, char **ret_backup)
{
    (void)self;
    *ret_since = HARNESS_NOW - 60;
    *ret_backup = mem_strdup("/b");
    return mem_strdup(says);
}

static void damage(void)
{
    harness.context.damage = tell;
    api_set_context(harness.api, &harness.context);
}

START_TEST(backups_are_listed_and_asked_for)
{
    utc_t next = 0;

    AUTO_ANSWER struct answer none = harness_ask(&harness, "GET", "/v1/backups", NULL);
    ck_assert_int_eq(none.status, 200);
    ck_json_null(none.json, "newest");
    ck_json_null(none.json, "damage");
    ck_assert_uint_eq(json_array_size(at(none.json, "backups")), 0);
    AUTO_ANSWER struct answer asked = harness_ask(&harness, "POST", "/v1/backups", "{}");
    ck_assert_int_eq(asked.status, 202);
    ck_json_number(asked.json, "asked", 1);
    ck_assert_int_eq(harness.pokes, 1);
    ck_ok(life_backup(&harness.life, NULL, NULL, &next, &err));
    AUTO_ANSWER struct answer one = harness_ask(&harness, "GET", "/v1/backups", NULL);
    ck_json_number(one.json, "answered", 1);
    ck_json_text(one.json, "newest", "inventory-20270115T080000Z.db");
    ck_json_text(one.json, "backups.0.name", "inventory-20270115T080000Z.db");
    ck_json_text(one.json, "backups.0.made_at", "2027-01-15T08:00:00Z");
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_text(status.json, "backups.made_at", "2027-01-15T08:00:00Z");
    ck_json_null(status.json, "backups.trouble");
    ck_json_null(status.json, "damage");
    AUTO_ANSWER struct answer wrong =
        harness_ask(&harness, "POST", "/v1/backups", "{\"file\": \"/x\"}");
    ck_refused(wrong, 400, "E_INPUT", "file");
}
END_TEST

START_TEST(damaged_it_reads_on)
{
    testing_expect_log("api");
    harness_www(&harness);
    damage();
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_assert_int_eq(status.status, 200);
    ck_json_text(status.json, "damage.text", says);
    ck_json_text(status.json, "damage.backup", "/b");
    ck_json_text(status.json, "damage.since", "2027-01-15T07:59:00Z");
    ck_json_text(status.json, "problems.0.text", says);
    ck_json_number(status.json, "certificates", 1);
    AUTO_ANSWER struct answer list = harness_ask(&harness, "GET", "/v1/certificates", NULL);
    ck_json_text(list.json, "certificates.0.name", "www");
    AUTO_ANSWER struct answer backups = harness_ask(&harness, "GET", "/v1/backups", NULL);
    ck_json_text(backups.json, "damage", says);
    static const char *const writes[] = {"/v1/backups", "/v1/certificates/www/renewals",
                                         "/v1/certificates", "/v1/trust"};
    for (size_t i = 0; i < COUNT_OF(writes); i++) {
        AUTO_ANSWER struct answer refused = harness_ask(&harness, "POST", writes[i], "{}");
        ck_refused(refused, 500, "E_CORRUPT", says);
    }
    AUTO_ANSWER struct answer removed = harness_ask(&harness, "DELETE", "/v1/trust/12345678", NULL);
    ck_refused(removed, 500, "E_CORRUPT", says);
}
END_TEST

START_TEST(without_an_inventory_it_still_tells)
{
    struct inventory *inventory = harness.life.inventory;

    testing_expect_log("api");
    damage();
    harness.life.inventory = NULL;
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_assert_int_eq(status.status, 200);
    ck_json_text(status.json, "damage.text", says);
    ck_json_null(status.json, "backups");
    AUTO_ANSWER struct answer backups = harness_ask(&harness, "GET", "/v1/backups", NULL);
    ck_assert_int_eq(backups.status, 200);
    AUTO_ANSWER struct answer list = harness_ask(&harness, "GET", "/v1/certificates", NULL);
    ck_refused(list, 500, "E_CORRUPT", says);
    harness.life.inventory = inventory;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/damage");
    TCase *tcase = tcase_create("damage");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, backups_are_listed_and_asked_for);
    tcase_add_test(tcase, damaged_it_reads_on);
    tcase_add_test(tcase, without_an_inventory_it_still_tells);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
