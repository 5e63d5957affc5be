/* Cost grows with what is asked for, never with what is stored: asks SQLite for its plan of every
 * statement that store/ runs. */
#include <stdio.h>
#include <string.h>

#include "store/anchors.h"
#include "store/authorities.h"
#include "store/certificates.h"
#include "store/deliveries.h"
#include "store/deployments.h"
#include "store/disclosed.h"
#include "store/events.h"
#include "store/fetches.h"
#include "store/invariants.h"
#include "store/keys.h"
#include "store/listing.h"
#include "store/notices.h"
#include "store/quarantine.h"
#include "store/renewals.h"
#include "store/schedule.h"
#include "store/statement.h"
#include "store/targets.h"
#include "store/trail.h"
#include "tests/store/sample.h"

/* Steps that read more than they return, or sort: each with the reason it may. */
static const char *const allowed[] = {
    /* the few rows that the partial index holds are all wanted */
    "SCAN deliveries USING INDEX deliveries_unfiled",
    "SCAN renewals USING INDEX renewals_waiting_chain",
    "SCAN notices USING INDEX notices_waiting",
    "SCAN quarantine USING INDEX quarantine_unbound",
    /* a thousand at most, ended by LIMIT */
    "SCALAR SUBQUERY 1",
    /* counts, for people who ask */
    "SCAN certificates USING COVERING INDEX certificates_by_state",
    "SCAN certificates USING COVERING INDEX sqlite_autoindex_certificates_1",
    "SCAN authorities USING COVERING INDEX authorities_strange",
    "CO-ROUTINE (subquery-1)", /* ended by LIMIT */
    "SCAN (subquery-1)",
    "SCAN anchors USING INDEX anchors_in_order",
    "SCAN anchors USING COVERING INDEX anchors_in_force",
    /* the two dozen notices of an hour, of which several may go to several people */
    "USE TEMP B-TREE FOR count(DISTINCT)",
    /* the first entry, ended by LIMIT */
    "SCAN certificates USING INDEX certificates_due_deploy",
    "SCAN certificates USING INDEX certificates_due_other",
    /* the newest few, by id, ended by LIMIT */
    "SCAN events",
    /* a bind variable in IN (SELECT ...): by index on both sides */
    "LIST SUBQUERY 1",
    /* whether an anchor that was removed came back: by index, for the few of one subject */
    "CORRELATED SCALAR SUBQUERY 1",
};

static struct inventory *inventory;
static struct error err;

SAMPLE_SEE(see_certificate, certificate_row)
SAMPLE_SEE(see_renewal, renewal_row)
SAMPLE_SEE(see_target, target_row)
SAMPLE_SEE(see_delivery, delivery_row)
SAMPLE_SEE(see_notice, notice_row)
SAMPLE_SEE(see_event, event_row)
SAMPLE_SEE(see_quarantine, quarantine_row)
SAMPLE_SEE(see_authority, authority_row)
SAMPLE_SEE(see_anchor, anchor_row)

static void use_lane_of_deployments(int64_t id)
{
    int64_t ids[2] = {id, sample_certificate(inventory, "third")}, number = 0;
    utc_t at = 0;
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ck_ok(certificates_set_plan(
            inventory, ids[i],
            &(struct certificate_plan){.next_at = 1, .next_action = "deploy", .state = "ok"}, 0,
            &err));
    ck_ok(certificates_due(inventory, true, INT64_MAX, &number, 1, &count, &at, &err));
    ck_ok(certificates_next(inventory, true, &number, &at, &err));
}

static void count_state(void *self, const char *state, int64_t count)
{
    (void)self;
    (void)state;
    ck_assert_int_gt(count, 0);
}

static void use_listings(void)
{
    const struct listing listings[] = {
        {.ends_by = UTC_NEVER, .limit = 1},
        {.ends_by = UTC_NEVER, .limit = 1, .state = "ok"},
        {.ends_by = UTC_NEVER, .limit = 1, .policy = "default"},
        {.ends_by = INT64_MAX - 1, .limit = 1},
    };

    for (size_t i = 0; i < COUNT_OF(listings); i++) {
        AUTO_PLACE struct listing_place next = {0};
        struct seen seen = {0};

        ck_ok(listing_page(inventory, &listings[i], see_certificate, &seen, &next, &err));
    }
    ck_ok(certificates_count_states(inventory, count_state, NULL, &err));
}

static void use_certificates(int64_t id)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    struct seen seen = {0};
    int64_t number = 0;
    utc_t at = 0;
    size_t count = 0;

    ck_ok(certificates_find(inventory, "www", &row, &err));
    AUTO_FREE char *called = NULL;
    ck_ok(certificates_name(inventory, row.id, &called, &err));
    ck_ok(certificates_each(inventory, "", 5, see_certificate, &seen, &err));
    ck_ok(certificates_count(inventory, &number, &err));
    ck_ok(certificates_by_first_name(inventory, "*.example", see_certificate, &seen, &err));
    ck_ok(certificates_after(inventory, 0, 5, see_certificate, &seen, &number, &err));
    sample_certificate(inventory, "second");
    ck_ok(certificates_due(inventory, false, INT64_MAX, &number, 1, &count, &at, &err));
    ck_ok(certificates_next(inventory, false, &number, &at, &err));
    use_lane_of_deployments(id);
    ck_ok(certificates_each_due(inventory, 0, 1, see_certificate, &seen, &err));
    use_listings();
    ck_ok(certificates_set_told(inventory, id, 1, 1, &err));
    ck_ok(certificates_set_retired(inventory, id, UTC_NEVER, &err));
}

static void use_renewals(int64_t certificate_id, int64_t id)
{
    AUTO_RENEWAL struct renewal_row open = {0}, accepted = {0};
    struct accepted_times times;
    AUTO_BLOBS struct blobs chain = {0}, stored = {0};
    const uint8_t spki[SHA256_LEN] = {1};
    struct seen seen = {0};

    ck_ok(renewals_open(inventory, certificate_id, &open, &err));
    sample_accepted(inventory, certificate_id, 1, 1);
    ck_ok(renewals_accepted(inventory, certificate_id, &accepted, &err));
    ck_ok(renewals_accepted_times(inventory, certificate_id, &times, &err));
    ck_ok(renewals_by_spki(inventory, spki, see_renewal, &seen, &err));
    int64_t first = 0;
    ck_assert_int_eq(renewals_first_by_spki(inventory, certificate_id, spki, &first, &err),
                     E_NOT_FOUND);
    ck_ok(renewals_by_certificate(inventory, certificate_id, see_renewal, &seen, &err));
    ck_ok(renewals_waiting_chain(inventory, see_renewal, &seen, &err));
    ck_ok(renewals_rechain(inventory, 10, see_renewal, &seen, &err));
    blobs_add(&chain, span_text("x"));
    ck_ok(renewals_set_chain(inventory, id, &chain, &err));
    ck_ok(renewals_chain(inventory, id, &stored, &err));
}

static int see_key(void *self, int64_t id, const struct sealed_key *key, struct error *walk_err)
{
    (void)walk_err;
    return keys_replace(self, id, &key->sealed, &key->sealed, &err);
}

static int see_key_row(void *self, const struct key_row *row, struct error *walk_err)
{
    (void)walk_err;
    memcpy(self, row->spki_sha256, SHA256_LEN);
    return 0;
}

static void use_keys(int64_t certificate_id, int64_t id)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    uint8_t spki[SHA256_LEN] = {0};
    struct sealing_ids ids;
    int64_t count = 0;

    ck_ok(renewals_get(inventory, id, &row, &err));
    row.key.sealed = blob_copy(span_text("vididididxxxx"));
    row.key.spki_sha256[0] = 1;
    ck_ok(renewals_update(inventory, &row, &err));
    ck_ok(keys_sealing_ids(inventory, &ids, &err));
    ck_assert_uint_eq(ids.count, 1);
    ck_ok(keys_count_under(inventory, ids.items[0], 5, &count, &err));
    ck_ok(keys_under(inventory, ids.items[0], 0, 5, see_key, inventory, &err));
    ck_ok(keys_each(inventory, certificate_id, see_key_row, spki, &err));
    ck_ok(keys_erase(inventory, certificate_id, spki, 1, "x", &err));
}

static void use_targets(int64_t certificate_id, int64_t renewal_id)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0}, broken = {0};
    struct seen seen = {0};
    int64_t id = sample_target(inventory, certificate_id, "www"), number = 0;

    ck_ok(targets_each(inventory, certificate_id, see_target, &seen, &err));
    ck_ok(deployments_add(inventory, renewal_id, id, 1, &err));
    ck_ok(deployments_find(inventory, renewal_id, id, &row, &err));
    ck_ok(deployments_update(inventory, &row, &err));
    deployments_last_verified(inventory, id, &number, &err);
    deployments_broken_off(inventory, id, 0, &broken, &err);
}

static void use_fetches(void)
{
    bool may_be = false;

    ck_ok(fetches_count(inventory, "http://a/", 1, 1, &may_be, &err));
}

static void use_deliveries(int64_t renewal_id)
{
    AUTO_DELIVERY struct delivery_row row = {.name = mem_strdup("a"), .receipt = mem_strdup("b")};
    AUTO_DELIVERY struct delivery_row found = {0};
    struct seen seen = {0};
    int64_t id = 0;

    row.renewal_id = renewal_id;
    row.sha256[0] = 1;
    ck_ok(deliveries_add(inventory, &row, &id, &err));
    ck_ok(deliveries_find(inventory, row.sha256, &found, &err));
    ck_fails(deliveries_find_unfiled(inventory, row.sha256, "x", &found, &err), E_NOT_FOUND, "");
    ck_ok(deliveries_unfiled(inventory, see_delivery, &seen, &err));
    ck_ok(deliveries_by_renewal(inventory, renewal_id, see_delivery, &seen, &err));
    ck_ok(deliveries_set_receipt(inventory, id, "c", &err));
    ck_ok(deliveries_set_renewal(inventory, id, renewal_id, &err));
    ck_ok(deliveries_set_filed(inventory, id, "c", 1, &err));
}

static void use_notices(int64_t certificate_id)
{
    AUTO_NOTICE struct notice_row row = {.kind = mem_strdup("a"),
                                         .stage = mem_strdup("b"),
                                         .recipient = mem_strdup("c"),
                                         .created_at = 1};
    AUTO_NOTICE struct notice_row due = {0};
    struct seen seen = {0};
    int64_t id = 0, count = 0;
    utc_t at = 0;

    row.certificate_id = certificate_id;
    ck_ok(notices_add(inventory, &row, &id, &err));
    ck_ok(notices_next_due(inventory, 5, &due, &at, &err));
    ck_ok(notices_waiting(inventory, &count, &at, &err));
    ck_ok(notices_count_stages(inventory, 0, "a", 1, &count, &err));
    ck_ok(notices_count_stages(inventory, certificate_id, "a", 1, &count, &err));
    ck_ok(notices_by_certificate(inventory, certificate_id, see_notice, &seen, &err));
    ck_ok(notices_set_failed(inventory, id, 1, false, 1, "x", &err));
    ck_ok(notices_drop(inventory, certificate_id, "a", 1, &err));
    ck_ok(notices_set_sent(inventory, id, 1, &err));
}

static void use_quarantine(void)
{
    AUTO_QUARANTINE struct quarantine_row row = {.der = blob_copy(span_text("x")),
                                                 .file = mem_strdup("a"),
                                                 .sha256 = {1},
                                                 .spki_sha256 = {1},
                                                 .not_after = 5,
                                                 .seen_at = 1};
    AUTO_QUARANTINE struct quarantine_row found = {0};
    struct seen seen = {0};
    utc_t at = 0;

    ck_ok(quarantine_add(inventory, &row, &err));
    ck_ok(quarantine_bind(inventory, 1, &err));
    ck_ok(quarantine_find(inventory, row.sha256, &found, &err));
    ck_ok(quarantine_by_spki(inventory, row.spki_sha256, see_quarantine, &seen, &err));
    ck_ok(quarantine_by_chain(inventory, see_quarantine, &seen, &err));
    ck_ok(quarantine_remove(inventory, row.sha256, &err));
    ck_ok(disclosed_add(inventory, row.sha256, 1, &err));
    ck_ok(disclosed_find(inventory, row.sha256, &at, &err));
}

static void use_authorities(void)
{
    AUTO_BLOBS struct blobs found = {0};
    AUTO_AUTHORITY struct authority_row row = {0};
    struct cert cert = {
        .subject = "CN=CA", .sha256 = {1}, .subject_sha256 = {1}, .issuer_sha256 = {1}};
    struct seen seen = {0};
    int64_t number = 0;
    bool is_new = false;

    ck_ok(authorities_add(inventory, span_text("der"), &cert, 1, &is_new, &err));
    ck_ok(authorities_find(inventory, cert.subject_sha256, &found, &err));
    ck_ok(authorities_find_anchored(inventory, cert.subject_sha256, &found, &err));
    ck_ok(authorities_get(inventory, cert.sha256, &row, &err));
    ck_ok(authorities_set_anchored(inventory, cert.sha256, cert.sha256, 1, &err));
    ck_ok(authorities_set_used(inventory, cert.sha256, cert.sha256, 1, &err));
    ck_ok(authorities_of_anchor(inventory, cert.sha256, 5, see_authority, &seen, &err));
    ck_ok(authorities_unanchor(inventory, cert.sha256, &err));
    ck_ok(authorities_issued_by(inventory, cert.sha256, 5, see_authority, &seen, &err));
    ck_ok(authorities_each(inventory, 0, 5, see_authority, &seen, &err));
    ck_ok(authorities_trim(inventory, cert.subject_sha256, 1, &err));
    ck_ok(authorities_count(inventory, &number, &err));
    ck_ok(authorities_newest(inventory, &number, &err));
}

static void use_anchors(void)
{
    AUTO_ANCHOR struct anchor_row row = {
        .sha256 = {1}, .subject = mem_strdup("CN=CA"), .added_by = mem_strdup("uid 0")};
    AUTO_ANCHOR struct anchor_row removed = {0};
    AUTO_BLOBS struct blobs ders = {0};
    struct seen seen = {0};
    int64_t id = 0, number = 0;

    ck_ok(anchors_add(inventory, &row, &id, &err));
    ck_ok(anchors_each(inventory, see_anchor, &seen, &err));
    ck_ok(anchors_ders(inventory, &ders, &err));
    ck_ok(anchors_count(inventory, &number, &err));
    ck_ok(anchors_remove(inventory, id, 1, "uid 0", &err));
    ck_ok(anchors_find_removed(inventory, row.subject, 0, &removed, &err));
}

static void use_the_rest(int64_t certificate_id)
{
    AUTO_BLOB struct blob value = {0};
    struct trail_proof proof = {0};
    struct seen seen = {0};
    int64_t number = 0;

    ck_ok(events_add(inventory, 1, certificate_id, 0, "a", "b", "c", &err));
    ck_ok(events_each(inventory, certificate_id, 5, see_event, &seen, &err));
    ck_ok(events_each(inventory, 0, 5, see_event, &seen, &err));
    ck_ok(events_after(inventory, 0, 5, 5, see_event, &seen, &err));
    ck_ok(events_since(inventory, 1, &number, &err));
    ck_ok(trail_prove(inventory, &(struct trail_mark){0}, 5, &proof, &err));
    ck_ok(trail_oldest(inventory, 5, 5, &proof.to, &err));
    ck_ok(trail_prune(inventory, &proof.to, 5, "a", proof.to.hash, &err));
    ck_ok(trail_sign_again(inventory, &proof.to, proof.to.hash, &err));
    ck_ok(inventory_value_set(inventory, "a", span_text("b"), &err));
    ck_ok(inventory_value_get(inventory, "a", &value, &err));
    ck_ok(inventory_value_remove(inventory, "a", &err));
}

static void use_everything(void)
{
    int64_t certificate = sample_certificate(inventory, "www");
    int64_t renewal = sample_renewal(inventory, certificate);

    use_certificates(certificate);
    use_renewals(certificate, renewal);
    use_keys(certificate, renewal);
    use_targets(certificate, renewal);
    use_fetches();
    use_deliveries(renewal);
    use_notices(certificate);
    use_quarantine();
    use_authorities();
    use_anchors();
    use_the_rest(certificate);
}

static void setup(void)
{
    inventory = sample_open();
    use_everything();
}

static void teardown(void)
{
    inventory_close(inventory);
}

static bool is_allowed(const char *step)
{
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        if (strcmp(step, allowed[i]) == 0)
            return true;
    return false;
}

/* All steps, one a line. */
static void plan_of(const char *sql, char *ret, size_t size)
{
    AUTO_FREE char *explain = mem_printf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *statement = NULL;
    size_t used = 0;

    ret[0] = '\0';
    ck_assert_int_eq(sqlite3_prepare_v2(inventory->db, explain, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW && used < size)
        used += (size_t)snprintf(ret + used, size - used, "%s\n",
                                 (const char *)sqlite3_column_text(statement, 3));
    sqlite3_finalize(statement);
}

START_TEST(nothing_is_scanned_or_sorted)
{
    size_t looked_at = 0;

    for (size_t i = 0; i < inventory->kept_count; i++) {
        char plan[2048];
        char *rest = plan;

        /* The plan of an INSERT lists the scans for rows that would mend a violated foreign key;
         * SQLite skips them while none is violated (OP_FkIfZero). */
        if (strncmp(inventory->kept[i].sql, "INSERT", 6) == 0)
            continue;
        plan_of(inventory->kept[i].sql, plan, sizeof plan);
        for (char *step = strsep(&rest, "\n"); step; step = strsep(&rest, "\n")) {
            bool fine = step[0] == '\0' || strncmp(step, "SEARCH ", 7) == 0 || is_allowed(step);
            ck_assert_msg(fine, "%s\n  %s", inventory->kept[i].sql, step);
            looked_at++;
        }
    }
    ck_assert_uint_gt(looked_at, 40);
}
END_TEST

/* The plan of the one statement that was used and holds both pieces of text. */
static void ck_plan(const char *piece, const char *other_piece, const char *wanted)
{
    char plan[2048] = "no such statement";

    for (size_t i = 0; i < inventory->kept_count; i++)
        if (strstr(inventory->kept[i].sql, piece) && strstr(inventory->kept[i].sql, other_piece))
            plan_of(inventory->kept[i].sql, plan, sizeof plan);
    ck_assert_msg(strstr(plan, wanted), "%s ... %s: wanted %s, got %s", piece, other_piece, wanted,
                  plan);
}

START_TEST(the_index_meant_is_the_index_used)
{
    ck_plan("urgency < ", "next_action = 'deploy'",
            "SEARCH certificates USING INDEX certificates_due_deploy (urgency<?)");
    ck_plan("urgency < ", "next_action <> 'deploy'",
            "SEARCH certificates USING INDEX certificates_due_other (urgency<?)");
    ck_plan("UPDATE certificates SET urgency", "next_action <> 'deploy'",
            "INDEX certificates_due_other (urgency=? AND next_at>? AND next_at<?)");
    ck_plan("SELECT id FROM certificates",
            "next_action <> 'deploy' AND (retired_at IS NULL OR next_action = 'erase keys') AND"
            " next_at IS NOT NULL AND urgency = ",
            "INDEX certificates_due_other (urgency=? AND next_at>? AND next_at<?)");
    ck_plan("WHERE state = ?", "name >= ?", "INDEX certificates_by_state (state=? AND name>?)");
    ck_plan("WHERE policy = ?", "name >= ?", "INDEX certificates_by_policy (policy=? AND name>?)");
    ck_plan("ends_at <= ?", "ORDER BY ends_at", "INDEX certificates_by_end (");
    ck_plan("FROM notices", "next_try_at <", "INDEX notices_waiting (next_try_at<?)");
    ck_plan("FROM renewals", "spki_sha256 = ?", "INDEX renewals_by_spki (spki_sha256=?)");
    ck_plan("FROM renewals", "withdrawn_at IS NULL ORDER BY id DESC",
            "INDEX renewals_open (certificate_id=?)");
    ck_plan("FROM renewals", "ORDER BY rechain_at", "INDEX renewals_rechain (rechain_at>?)");
    ck_plan("FROM renewals", "coalesce", "INDEX renewals_accepted (certificate_id=?");
    ck_plan("FROM authorities", "ORDER BY (anchored_at IS NOT NULL) DESC",
            "INDEX authorities_by_subject (subject_sha256=?)");
    ck_plan("FROM authorities", "(anchored_at IS NOT NULL) = 1",
            "INDEX authorities_by_subject (subject_sha256=? AND <expr>=?)");
    ck_plan("FROM authorities", "issuer_sha256 = ?", "INDEX authorities_strange_by_issuer (");
    ck_plan("DELETE FROM authorities", "subject_sha256 = ?",
            "COVERING INDEX authorities_strange_by_subject (subject_sha256=? AND anchored_at=?)");
    ck_plan("DELETE FROM authorities", "WHERE anchored_at IS NULL",
            "COVERING INDEX authorities_strange (anchored_at=?)");
    ck_plan("DELETE FROM authorities", "used_at IS NULL", "INDEX authorities_ended (");
    ck_plan("FROM deliveries", "sha256 = ? ORDER", "INDEX deliveries_by_sha256 (sha256=?)");
    ck_plan("FROM deliveries", "sha256 = ? AND name = ?",
            "INDEX deliveries_unfiled_by_sha256 (sha256=?)");
    ck_plan("count(DISTINCT", "certificate_id IS NULL",
            "INDEX notices_general (kind=? AND created_at>?)");
    ck_plan("count(DISTINCT", "coalesce(certificate_id", "INDEX notices_by_certificate (<expr>=?)");
    ck_plan("FROM deliveries", "receipt_written = 0", "deliveries_unfiled");
    ck_plan("FROM deployments", "verified_at IS NOT NULL ORDER BY id",
            "INDEX deployments_verified (target_id=?");
    ck_plan("FROM quarantine", "spki_sha256 = ? ORDER", "INDEX quarantine_by_spki (spki_sha256=?)");
    ck_plan("FROM quarantine", "not_after < ?", "INDEX quarantine_by_end (not_after<?)");
    ck_plan("FROM quarantine", "why = 'chain'", "INDEX quarantine_by_why");
    ck_plan("UPDATE quarantine", "delivery_id IS NULL", "INDEX quarantine_unbound");
    ck_plan("FROM certificate_names", "AND name = ?", "INDEX certificate_names_first (name=?)");
    ck_plan("FROM certificate_names", "instr", "INDEX certificate_names_parent (<expr>=?)");
    ck_plan("FROM events", "certificate_id = ?", "INDEX events_by_certificate (certificate_id=?)");
}
END_TEST

/* A page of rows by their ids, and what belongs to each of them by index. */
START_TEST(an_invariant_reads_its_page_only)
{
    for (size_t i = 0; i < invariants_count(); i++) {
        const char *const sqls[] = {invariants_at(i)->page, invariants_at(i)->broken};

        for (size_t k = 0; k < COUNT_OF(sqls); k++) {
            char plan[4096];

            plan_of(sqls[k], plan, sizeof plan);
            ck_assert_msg(!strstr(plan, "TEMP B-TREE") && !strstr(plan, "AUTOMATIC"), "%s: %s",
                          invariants_at(i)->name, plan);
            for (const char *scan = plan; (scan = strstr(scan, "SCAN ")); scan += 5)
                ck_assert_msg(strncmp(scan, "SCAN (subquery", 14) == 0, "%s: %s",
                              invariants_at(i)->name, plan);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/plans");
    TCase *plans = tcase_create("plans");

    tcase_add_checked_fixture(plans, setup, teardown);
    tcase_add_test(plans, nothing_is_scanned_or_sorted);
    tcase_add_test(plans, the_index_meant_is_the_index_used);
    tcase_add_test(plans, an_invariant_reads_its_page_only);
    suite_add_tcase(suite, plans);
    return testing_run(suite);
}
