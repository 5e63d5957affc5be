/* Each invariant holds in what a daemon wrote, and is found broken by the very thing that breaks
 * it. */
#include "store/invariants.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "store/statement.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;

/* Renewal 1 was adopted, 2 accepted and deployed, 3 waits for the authority. */
static const struct {
    const char *name;
    const char *sql;
    const char *said;
} breaks[] = {
    {"certificate-names", "UPDATE certificate_names SET position = 1", "certificate www"},
    {"certificate-names", "DELETE FROM certificate_names", "certificate www"},
    {"certificate-plan", "UPDATE certificates SET next_action = 'none'", "certificate www"},
    {"certificate-plan", "UPDATE certificates SET next_action = 'deploy'", "certificate www"},
    {"certificate-plan",
     "INSERT INTO certificates (id, name, policy, added_at, next_action) VALUES (2, 'b', 'd', 1,"
     " 'none'); INSERT INTO certificate_names VALUES (2, 0, 'dns', 'b');"
     "INSERT INTO targets VALUES (9, 2, 'nginx', 1);"
     "INSERT INTO target_files VALUES (9, 'key', '/k', NULL);"
     "UPDATE certificates SET next_action = 'deploy', next_target = 9 WHERE id = 1",
     "certificate www"},
    {"certificate-unplanned",
     "UPDATE certificates SET next_at = NULL, next_action = 'none';"
     "UPDATE renewals SET handed_over_at = NULL WHERE id = 3;"
     "DELETE FROM notices WHERE renewal_id = 3",
     "certificate www"},
    {"certificate-unplanned",
     "UPDATE certificates SET next_at = NULL, next_action = 'none';"
     "UPDATE deployments SET cleaned_at = NULL WHERE renewal_id = 2",
     "certificate www"},
    {"certificate-files", "UPDATE target_files SET released_at = 1 WHERE part = 'key'",
     "certificate www"},
    {"certificate-files", "UPDATE certificates SET retired_at = 1", "certificate www"},
    {"renewal-facts", "UPDATE renewals SET requested_at = NULL WHERE id = 3", "renewal 3 of www"},
    {"renewal-facts", "UPDATE renewals SET leaf_sha256 = NULL WHERE id = 2", "renewal 2 of www"},
    {"renewal-facts", "UPDATE renewals SET received_at = NULL WHERE id = 2", "renewal 2 of www"},
    {"renewal-facts", "UPDATE renewals SET rejected_at = 1 WHERE id = 3", "renewal 3 of www"},
    {"renewal-key", "UPDATE renewals SET key_sealed = NULL WHERE id = 3", "renewal 3 of www"},
    {"renewal-names", "DELETE FROM renewal_names WHERE renewal_id = 3", "renewal 3 of www"},
    {"renewal-chain", "UPDATE renewal_chain SET position = 1 WHERE renewal_id = 2",
     "renewal 2 of www"},
    {"renewal-chain", "UPDATE renewal_chain SET renewal_id = 3 WHERE renewal_id = 1",
     "renewal 3 of www"},
    {"renewal-rechained", "UPDATE renewals SET rechain_of = 1 WHERE id = 2", "renewal 2 of www"},
    {"deployment-accepted", "UPDATE deployments SET renewal_id = 3 WHERE renewal_id = 1",
     "deployment of renewal 3 on target 1"},
    {"deployment-facts", "UPDATE deployments SET swapped_at = NULL WHERE renewal_id = 2",
     "deployment of renewal 2 on target 1"},
    {"deployment-facts", "UPDATE deployments SET undo_begun_at = 1 WHERE renewal_id = 2",
     "deployment of renewal 2 on target 1"},
    {"target-files", "DELETE FROM target_files", "target 1 of www"},
    {"notice-fact", "UPDATE renewals SET handed_over_at = NULL WHERE id = 3",
     "(csr-ready) about www"},
    {"notice-fact", "UPDATE notices SET kind = 'reminder' WHERE kind = 'deployed'",
     "(deployed) about www"},
    {"notice-fact",
     "UPDATE notices SET kind = 'rolled-back', renewal_id = 1 WHERE kind = 'deployed'",
     "(deployed) about www"},
    {"notice-fact",
     "UPDATE notices SET kind = 'expires', renewal_id = NULL, sent_at = NULL"
     " WHERE kind = 'deployed'",
     "(deployed) about www"},
    {"notice-renewal", "UPDATE notices SET certificate_id = NULL WHERE kind = 'deployed'",
     "(deployed) about (none)"},
    {"notice-next", "UPDATE notices SET next_try_at = NULL, sent_at = NULL WHERE kind = 'deployed'",
     "(deployed) about www"},
    {"notice-next", "UPDATE notices SET bad_at = 1 WHERE kind = 'deployed'",
     "(deployed) about www"},
    {"delivery-filed", "UPDATE deliveries SET filed_at = NULL WHERE id = 1", "delivery 1"},
    {"quarantine-open",
     "UPDATE quarantine SET sha256 = (SELECT leaf_sha256 FROM renewals WHERE id = 2),"
     " spki_sha256 = (SELECT spki_sha256 FROM renewals WHERE id = 2)",
     "leaf 1 in quarantine"},
    {"authority-anchor", "UPDATE authorities SET anchor_sha256 = NULL", "authority 1"},
    {"event-renewal",
     "UPDATE events SET certificate_id = NULL, kind = 'odd' WHERE kind = 'verified'", "(odd)"},
};

static void setup(void)
{
    sample_stored(1);
    inventory = sample_open();
}

static void teardown(void)
{
    inventory_close(inventory);
}

struct found {
    int count;
    char text[200];
};

static void find(void *self, const char *text)
{
    struct found *found = self;

    found->count++;
    snprintf(found->text, sizeof found->text, "%s", text);
}

static struct found look(const struct invariant *invariant)
{
    struct found found = {0};
    int64_t after = 0;

    do
        ck_ok(invariant_look(inventory, invariant, &after, find, &found, &err));
    while (after != 0);
    return found;
}

START_TEST(all_hold_in_what_a_daemon_wrote)
{
    for (size_t i = 0; i < invariants_count(); i++) {
        struct found found = look(invariants_at(i));

        ck_assert_msg(found.count == 0, "%s: %s", invariants_at(i)->name, found.text);
    }
}
END_TEST

static const struct invariant *find_invariant(const char *name)
{
    for (size_t i = 0; i < invariants_count(); i++)
        if (strcmp(invariants_at(i)->name, name) == 0)
            return invariants_at(i);
    ck_abort_msg("no invariant %s", name);
}

START_TEST(each_is_found_broken)
{
    AUTO_FREE char *path = testing_path("inventory.db");

    sample_force(path, breaks[_i].sql);
    struct found found = look(find_invariant(breaks[_i].name));
    ck_assert_msg(found.count == 1, "%s: wanted 1 row, got %d: %s", breaks[_i].sql, found.count,
                  found.text);
    ck_assert_msg(strstr(found.text, breaks[_i].said), "%s: wanted \"%s\", got \"%s\"",
                  breaks[_i].sql, breaks[_i].said, found.text);
}
END_TEST

START_TEST(each_has_its_break)
{
    for (size_t i = 0; i < invariants_count(); i++) {
        bool any = false;

        for (size_t k = 0; k < COUNT_OF(breaks); k++)
            any |= strcmp(breaks[k].name, invariants_at(i)->name) == 0;
        ck_assert_msg(any, "%s is never broken here", invariants_at(i)->name);
    }
}
END_TEST

/* Bounded, whatever is stored, and nothing between two pages is left out. */
START_TEST(pages)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    AUTO_FREE char *sql =
        mem_printf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                   " INSERT INTO targets (id, certificate_id, service, added_at)"
                   " SELECT 1000 + 10 * i, 1, 'nginx', 1 FROM n",
                   2 * INVARIANT_PAGE);
    const struct invariant *invariant = find_invariant("target-files");
    struct found found = {0};
    int64_t after = 0;
    int looks = 0;

    sample_sql(path, sql);
    do {
        int before = found.count;

        ck_ok(invariant_look(inventory, invariant, &after, find, &found, &err));
        ck_assert_int_le(found.count - before, INVARIANT_PAGE);
        looks++;
    } while (after != 0);
    ck_assert_int_eq(found.count, 2 * INVARIANT_PAGE);
    ck_assert_int_eq(looks, 4);
}
END_TEST

static bool stop_soon(void *self)
{
    return ++*(int *)self > 2;
}

START_TEST(what_takes_long_can_be_stopped)
{
    AUTO_FREE char *path = testing_path("inventory.db");
    int asked = 0;

    sample_sql(path, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <"
                     " 5000) INSERT INTO fetches (url, began_at, tried_at, tries)"
                     " SELECT 'u' || i, i, i, 1 FROM n");
    inventory_stop_when(inventory, stop_soon, &asked);
    ck_fails(inventory_check_pages(inventory, &err), E_BUSY, "interrupted");
    ck_assert_int_gt(asked, 2);
    inventory_stop_when(inventory, NULL, NULL);
    ck_ok(inventory_check_pages(inventory, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/invariants");
    TCase *tcase = tcase_create("invariants");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_hold_in_what_a_daemon_wrote);
    tcase_add_loop_test(tcase, each_is_found_broken, 0, COUNT_OF(breaks));
    tcase_add_test(tcase, each_has_its_break);
    tcase_add_test(tcase, pages);
    tcase_add_test(tcase, what_takes_long_can_be_stopped);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
