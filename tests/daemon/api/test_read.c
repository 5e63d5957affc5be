/* The routes that read. */
#include "tests/daemon/api/harness.h"

#include <string.h>

#include "base/text.h"
#include "store/anchors.h"
#include "store/authorities.h"
#include "store/disclosed.h"
#include "store/events.h"
#include "store/notices.h"
#include "store/quarantine.h"
#include "tests/pki/forge.h"

static struct harness harness;

static void setup(void)
{
    harness_open(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

/* A renewal in the making, as far as the caller wants. */
static int64_t begin_renewal(int64_t certificate_id, utc_t requested_at)
{
    struct error err = {0};
    AUTO_NAMES struct names names = {0};
    AUTO_RENEWAL struct renewal_row row = {0};
    int64_t id;

    ck_ok(names_add_tagged(&names, "dns:www.example.com", &err));
    struct renewal_row new = {.certificate_id = certificate_id,
                              .reason = (char *)(uintptr_t) "asked for by uid 0",
                              .created_at = HARNESS_NOW - 600,
                              .names = names};
    ck_ok(renewals_add(harness.inventory, &new, &id, &err));
    ck_ok(renewals_get(harness.inventory, id, &row, &err));
    row.requested_at = requested_at;
    if (requested_at != UTC_NEVER) {
        row.handed_over_at = requested_at;
        row.csr = blob_copy(span_text("not really a CSR"));
    }
    ck_ok(renewals_update(harness.inventory, &row, &err));
    return id;
}

START_TEST(status_of_an_empty_inventory)
{
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/status", NULL);

    ck_assert_int_eq(answer.status, 200);
    ck_assert_msg(strstr(answer.head, "Content-Type: application/json"), "%s", answer.head);
    ck_json_number(answer.json, "schema_version", 1);
    ck_json_text(answer.json, "version", UNLAPSED_VERSION);
    ck_json_text(answer.json, "host", "web1");
    ck_json_text(answer.json, "now", "2027-01-15T08:00:00Z");
    ck_json_text(answer.json, "started_at", "2027-01-15T07:00:00Z");
    ck_json_number(answer.json, "certificates", 0);
    ck_json_number(answer.json, "states.expired", 0);
    ck_json_number(answer.json, "mail.waiting", 0);
    ck_json_null(answer.json, "mail.oldest");
    ck_json_null(answer.json, "next");
    ck_assert_uint_eq(json_array_size(at(answer.json, "problems")), 0);
}
END_TEST

START_TEST(status_counts_and_plans)
{
    harness_www(&harness);
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/status", NULL);

    ck_json_number(answer.json, "certificates", 1);
    ck_json_number(answer.json, "states.ok", 1);
    ck_json_text(answer.json, "next.certificate", "www");
    ck_json_text(answer.json, "next.action", "start");
    ck_assert_uint_eq(json_array_size(at(answer.json, "problems")), 0);

    harness.now = HARNESS_NOW + 61 * 86400;
    AUTO_ANSWER struct answer late = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_number(late.json, "states.expired", 1);
    ck_json_text(late.json, "problems.0.certificate", "www");
    ck_json_text(late.json, "problems.0.text", state_says(STATE_EXPIRED));
}
END_TEST

START_TEST(status_tells_stuck_mail)
{
    struct error err = {0};
    struct notice_row notice = {.kind = (char *)(uintptr_t) "csr-ready",
                                .stage = (char *)(uintptr_t) "csr-ready",
                                .recipient = (char *)(uintptr_t) "ops@example.com",
                                .created_at = HARNESS_NOW - 7200,
                                .next_try_at = HARNESS_NOW,
                                .sent_at = UTC_NEVER,
                                .bad_at = UTC_NEVER,
                                .dropped_at = UTC_NEVER};

    ck_ok(notices_add(harness.inventory, &notice, NULL, &err));
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_number(answer.json, "mail.waiting", 1);
    ck_json_text(answer.json, "mail.oldest", "2027-01-15T06:00:00Z");
    ck_json_null(answer.json, "problems.0.certificate");
}
END_TEST

START_TEST(list_has_what_a_table_needs)
{
    harness_www(&harness);
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/certificates", NULL);

    ck_assert_int_eq(answer.status, 200);
    ck_json_null(answer.json, "more_after");
    ck_json_text(answer.json, "certificates.0.name", "www");
    ck_json_text(answer.json, "certificates.0.names.0", "dns:www.example.com");
    ck_json_text(answer.json, "certificates.0.policy", "default");
    ck_json_text(answer.json, "certificates.0.state", "ok");
    ck_json_text(answer.json, "certificates.0.not_after", "2027-03-16T08:00:00Z");
    ck_json_text(answer.json, "certificates.0.next.owner", "daemon");
    ck_json_null(answer.json, "certificates.0.next.target");
}
END_TEST

static void add_named(const char *name)
{
    struct error err = {0};
    AUTO_NAMES struct names names = {0};
    int64_t id;

    ck_ok(names_add_tagged(&names, "dns:a.example", &err));
    struct certificate_row row = {.name = (char *)(uintptr_t)name,
                                  .policy = (char *)(uintptr_t) "default",
                                  .names = names,
                                  .added_at = HARNESS_NOW};
    ck_ok(certificates_add(harness.inventory, &row, &id, &err));
}

START_TEST(list_comes_in_pages)
{
    add_named("a");
    add_named("b");
    add_named("c");
    AUTO_ANSWER struct answer first =
        harness_ask(&harness, "GET", "/v1/certificates?limit=2", NULL);
    ck_assert_uint_eq(json_array_size(at(first.json, "certificates")), 2);
    ck_json_text(first.json, "more_after", "b");
    ck_json_null(first.json, "certificates.0.not_after");
    AUTO_ANSWER struct answer second =
        harness_ask(&harness, "GET", "/v1/certificates?limit=2&after=b", NULL);
    ck_assert_uint_eq(json_array_size(at(second.json, "certificates")), 1);
    ck_json_null(second.json, "more_after");
    ck_json_text(second.json, "certificates.0.name", "c");
    AUTO_ANSWER struct answer exact =
        harness_ask(&harness, "GET", "/v1/certificates?limit=3", NULL);
    ck_json_null(exact.json, "more_after");
    AUTO_ANSWER struct answer wrong =
        harness_ask(&harness, "GET", "/v1/certificates?limit=0", NULL);
    ck_refused(wrong, 400, "E_INPUT", "limit");
}
END_TEST

START_TEST(certificate_tells_everything)
{
    int64_t id = harness_www(&harness);
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/certificates/www", NULL);

    ck_assert_int_eq(answer.status, 200);
    ck_json_text(answer.json, "state", "ok");
    ck_json_text(answer.json, "accepted.issuer", "CN=Example CA");
    ck_json_text(answer.json, "accepted.serial", "01");
    ck_assert_uint_eq(strlen(json_string_value(at(answer.json, "accepted.sha256"))), 64);
    ck_json_number(answer.json, "accepted.intermediates", 0);
    ck_json_null(answer.json, "open");
    ck_json_null(answer.json, "retired_at");
    ck_json_text(answer.json, "targets.0.service", "files");
    ck_json_text(answer.json, "targets.0.files.key", "/srv/www.key");
    ck_json_text(answer.json, "targets.0.endpoints.0.host", "::1");
    ck_json_number(answer.json, "targets.0.endpoints.0.port", 443);
    ck_json_null(answer.json, "targets.0.endpoints.0.server_name");
    ck_json_null(answer.json, "targets.0.deployment.staged_at");
    ck_json_text(answer.json, "targets.0.deployment.verified_at", "2027-01-14T08:06:40Z");
    ck_json_null(answer.json, "targets.0.deployment.previous_sha256");
    ck_json_number(answer.json, "targets.0.verified_renewal", 1);

    begin_renewal(id, HARNESS_NOW - 300);
    AUTO_ANSWER struct answer open = harness_ask(&harness, "GET", "/v1/certificates/www", NULL);
    ck_json_text(open.json, "open.reason", "asked for by uid 0");
    ck_json_text(open.json, "open.requested_at", "2027-01-15T07:55:00Z");
    ck_json_null(open.json, "open.rejected_reason");
    AUTO_ANSWER struct answer none = harness_ask(&harness, "GET", "/v1/certificates/wwx", NULL);
    ck_refused(none, 404, "E_NOT_FOUND", "wwx");
}
END_TEST

static bool holds(const json_t *list, const char *piece)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strstr(json_string_value(json_array_get(list, i)), piece))
            return true;
    return false;
}

START_TEST(explain_says_why_and_who_was_told)
{
    struct error err = {0};
    int64_t id = harness_www(&harness);
    int64_t renewal = begin_renewal(id, HARNESS_NOW - 300);
    AUTO_RENEWAL struct renewal_row row = {0};
    struct notice_row notice = {.certificate_id = id,
                                .renewal_id = renewal,
                                .kind = (char *)(uintptr_t) "csr-ready",
                                .stage = (char *)(uintptr_t) "csr-ready",
                                .recipient = (char *)(uintptr_t) "ops@example.com",
                                .created_at = HARNESS_NOW - 300};

    ck_ok(renewals_get(harness.inventory, renewal, &row, &err));
    row.rejected_at = HARNESS_NOW - 60;
    row.rejected_reason = mem_strdup("names: wanted dns:www.example.com");
    ck_ok(renewals_update(harness.inventory, &row, &err));
    ck_ok(notices_add(harness.inventory, &notice, NULL, &err));
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "GET", "/v1/certificates/www/explain", NULL);

    ck_assert_int_eq(answer.status, 200);
    ck_json_text(answer.json, "state", "rejected");
    const json_t *why = at(answer.json, "why");
    ck_assert(holds(why, "ends at 2027-03-16 08:00:00 UTC"));
    ck_assert(holds(why, "handed over at 2027-01-15 07:55:00 UTC"));
    ck_assert(holds(why, "/srv/drop"));
    ck_assert(holds(why, "/srv/www.pem"));
    ck_json_text(answer.json, "errors.0.at", "2027-01-15T07:59:00Z");
    ck_json_text(answer.json, "errors.0.text", "names: wanted dns:www.example.com");
    ck_json_text(answer.json, "told.0.recipient", "ops@example.com");
    ck_json_null(answer.json, "told.0.sent_at");
    ck_assert(json_is_string(at(answer.json, "told.0.next_try_at")));
    ck_assert(json_is_string(at(answer.json, "next.at")));
}
END_TEST

/* Its root is not trusted: the reason stands under "errors", and the way out under "why". */
START_TEST(a_leaf_that_is_kept_is_explained)
{
    struct error err = {0};
    int64_t id = harness_www(&harness);
    int64_t renewal = begin_renewal(id, HARNESS_NOW - 300);
    AUTO_RENEWAL struct renewal_row row = {0};
    char file[] = "leaf.cer";
    uint8_t der[] = {1, 2, 3};
    struct quarantine_row kept = {.why = _i == 0 ? QUARANTINE_CHAIN : QUARANTINE_RETIRED,
                                  .sha256 = {1},
                                  .spki_sha256 = {7},
                                  .der = {der, sizeof der},
                                  .not_after = UTC_NEVER,
                                  .seen_at = HARNESS_NOW,
                                  .file = file};

    ck_ok(renewals_get(harness.inventory, renewal, &row, &err));
    row.key.spki_sha256[0] = 7;
    ck_ok(renewals_update(harness.inventory, &row, &err));
    ck_ok(quarantine_add(harness.inventory, &kept, &err));
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "GET", "/v1/certificates/www/explain", NULL);
    ck_assert(holds(at(answer.json, "why"), "unlapse trust add") == (_i == 0));
}
END_TEST

/* Its intermediate ends six weeks before it does, and nobody has brought a newer one. */
START_TEST(a_chain_that_ends_first_is_explained)
{
    struct error err = {0};
    AUTO_RENEWAL struct renewal_row row = {0};
    AUTO_BLOB struct blob ca = forge_certificate(&(struct forge){.common_name = "Example CA",
                                                                 .issuer_name = "Example Root",
                                                                 .not_after = "20270201000000Z"});
    AUTO_BLOBS struct blobs chain = {0};

    harness_www(&harness);
    blobs_add(&chain, blob_span(&ca));
    ck_ok(renewals_set_chain(harness.inventory, 1, &chain, &err));
    ck_ok(renewals_get(harness.inventory, 1, &row, &err));
    row.accepted_at = HARNESS_NOW - 20 * 86400;
    row.rechain_at = HARNESS_NOW - 60;
    ck_assert(utc_parse("2027-02-01T00:00:00Z", &row.chain_not_after));
    ck_ok(renewals_update(harness.inventory, &row, &err));
    AUTO_ANSWER struct answer shown = harness_ask(&harness, "GET", "/v1/certificates/www", NULL);
    ck_json_text(shown.json, "state", "chain ends");
    ck_json_text(shown.json, "accepted.chain_not_after", "2027-02-01T00:00:00Z");
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "GET", "/v1/certificates/www/explain", NULL);
    const json_t *why = at(answer.json, "why");
    ck_assert(holds(why, "The intermediate CN=Example CA in the chain ends at 2027-02-01 00:00:00 "
                         "UTC, before the certificate itself (2027-03-16 08:00:00 UTC)."));
    ck_assert(holds(why, "No chain that lives longer is known"));
    ck_json_text(answer.json, "next.action", "rechain again");
    ck_json_text(answer.json, "next.owner", "person");
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_number(status.json, "states.chain ends", 1);
    ck_json_text(status.json, "problems.0.certificate", "www");
}
END_TEST

static bool explains(const char *piece)
{
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "GET", "/v1/certificates/www/explain", NULL);

    return holds(at(answer.json, "why"), piece);
}

static int64_t trust(const char *subject, uint8_t first)
{
    struct error err = {0};
    AUTO_ANCHOR struct anchor_row row = {.sha256 = {first},
                                         .der = blob_copy(span_text("der")),
                                         .subject = mem_strdup(subject),
                                         .not_after = UTC_NEVER,
                                         .added_at = HARNESS_NOW - 99 * 86400,
                                         .added_by = mem_strdup("uid 0")};
    int64_t id = 0;

    ck_ok(anchors_add(harness.inventory, &row, &id, &err));
    return id;
}

/* What leads up from the leaf, proved by nothing yet. */
static struct blob set_chain(void)
{
    struct error err = {0};
    struct blob ca = forge_certificate(&(struct forge){.common_name = "Example CA",
                                                       .issuer_name = "Example Root",
                                                       .not_after = "20370201000000Z"});
    AUTO_BLOBS struct blobs chain = {0};

    blobs_add(&chain, blob_span(&ca));
    ck_ok(renewals_set_chain(harness.inventory, 1, &chain, &err));
    return ca;
}

/* The chain of what is in service, or its leaf alone, leads to an anchor that somebody removed. */
START_TEST(an_anchor_that_is_gone_is_explained)
{
    static const char gone[] =
        ", to which its chain leads, was removed at 2027-01-15 08:00:00 UTC by uid 7: what is "
        "installed stays, but the next certificate is only accepted when it leads to another one.";
    struct error err = {0};
    AUTO_RENEWAL struct renewal_row row = {0};
    AUTO_CERT struct cert leaf = {0}, issuer = {0};
    bool is_new;

    harness_www(&harness);
    ck_ok(renewals_get(harness.inventory, 1, &row, &err));
    row.accepted_at = HARNESS_NOW - 20 * 86400;
    ck_ok(renewals_update(harness.inventory, &row, &err));
    ck_ok(cert_parse(blob_span(&row.leaf), &leaf, &err));
    int64_t above_leaf = trust(leaf.issuer, 1), above_chain = trust("CN=Example Root", 2);
    ck_assert(!explains(gone));
    ck_ok(anchors_remove(harness.inventory, above_leaf, HARNESS_NOW, "uid 7", &err));
    ck_assert(explains(gone));
    AUTO_BLOB struct blob ca = set_chain();
    ck_assert(!explains(gone));
    ck_ok(anchors_remove(harness.inventory, above_chain, HARNESS_NOW, "uid 7", &err));
    ck_assert(explains("The trust anchor CN=Example Root, to which its chain leads"));
    /* Another anchor vouches for it. */
    ck_ok(cert_parse(blob_span(&ca), &issuer, &err));
    ck_ok(authorities_add(harness.inventory, blob_span(&ca), &issuer, HARNESS_NOW, &is_new, &err));
    ck_assert(explains(gone));
    ck_ok(
        authorities_set_anchored(harness.inventory, issuer.sha256, leaf.sha256, HARNESS_NOW, &err));
    ck_assert(!explains(gone));
}
END_TEST

static void disclose(uint8_t first)
{
    const uint8_t spki[SHA256_LEN] = {first};
    struct error err = {0};

    ck_ok(disclosed_add(harness.inventory, spki, HARNESS_NOW - 60, &err));
}

static void set_key(int64_t renewal, uint8_t first, bool accepted)
{
    struct error err = {0};
    AUTO_RENEWAL struct renewal_row row = {0};

    ck_ok(renewals_get(harness.inventory, renewal, &row, &err));
    memset(row.key.spki_sha256, 0, SHA256_LEN);
    row.key.spki_sha256[0] = first;
    if (accepted)
        row.accepted_at = HARNESS_NOW - 20 * 86400;
    ck_ok(renewals_update(harness.inventory, &row, &err));
}

START_TEST(a_disclosed_key_is_explained)
{
    int64_t id = harness_www(&harness);

    set_key(1, 1, true);
    ck_assert(!explains("considered disclosed"));
    disclose(1);
    ck_assert(explains("The key of the newest accepted certificate lay in the drop folder at "
                       "2027-01-15 07:59:00 UTC and must be considered disclosed."));
    ck_assert(explains("Only another key helps: run \"unlapse renew www\" and order"));
    ck_assert(explains("the gate disclosed-key of policy \""));
    set_key(begin_renewal(id, HARNESS_NOW - 300), 2, false);
    ck_assert(explains("The open request has another key: order with its CSR (unlapse request "
                       "www)."));
    ck_assert(!explains("Only another key helps"));
    disclose(2);
    ck_assert(explains("Only another key helps: run \"unlapse renew www --again\" and order"));
    set_key(1, 3, true);
    ck_assert(
        explains("The key of its open request lay in the drop folder at 2027-01-15 07:59:00"));
}
END_TEST

START_TEST(explain_of_a_new_one)
{
    add_named("new");
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "GET", "/v1/certificates/new/explain", NULL);

    ck_json_text(answer.json, "state", "new");
    ck_assert(holds(at(answer.json, "why"), "No certificate has been accepted"));
    ck_assert_uint_eq(json_array_size(at(answer.json, "told")), 0);
}
END_TEST

START_TEST(history_of_one_and_of_all)
{
    struct error err = {0};
    int64_t id = harness_www(&harness);

    ck_ok(
        events_add(harness.inventory, HARNESS_NOW - 2, 0, 0, "daemon", "began", "unlapsed", &err));
    ck_ok(events_add(harness.inventory, HARNESS_NOW - 1, id, 1, "uid 0", "asked", "by hand", &err));
    AUTO_ANSWER struct answer all = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_assert_uint_eq(json_array_size(at(all.json, "events")), 2);
    ck_json_null(all.json, "events.0.certificate");
    ck_json_null(all.json, "events.0.renewal");
    ck_json_text(all.json, "events.1.certificate", "www");
    ck_json_text(all.json, "events.1.at", "2027-01-15T07:59:59Z");
    AUTO_ANSWER struct answer one =
        harness_ask(&harness, "GET", "/v1/certificates/www/history?limit=1", NULL);
    ck_assert_uint_eq(json_array_size(at(one.json, "events")), 1);
    ck_json_text(one.json, "events.0.kind", "asked");
    ck_ok(events_add(harness.inventory, HARNESS_NOW, 0, 0, "daemon", "ended", "unlapsed", &err));
    AUTO_ANSWER struct answer still =
        harness_ask(&harness, "GET", "/v1/certificates/www/history?limit=1", NULL);
    ck_json_text(still.json, "events.0.kind", "asked");
    AUTO_ANSWER struct answer none =
        harness_ask(&harness, "GET", "/v1/certificates/x/history", NULL);
    ck_refused(none, 404, "E_NOT_FOUND", "x");
    AUTO_ANSWER struct answer wrong = harness_ask(&harness, "GET", "/v1/history?limit=x", NULL);
    ck_refused(wrong, 400, "E_INPUT", "limit");
}
END_TEST

START_TEST(request_once_it_is_made)
{
    struct error err = {0};
    int64_t id = harness_www(&harness);
    AUTO_ANSWER struct answer none =
        harness_ask(&harness, "GET", "/v1/certificates/www/request", NULL);
    ck_refused(none, 404, "E_NOT_FOUND", "no open renewal");

    int64_t renewal = begin_renewal(id, UTC_NEVER);
    AUTO_ANSWER struct answer early =
        harness_ask(&harness, "GET", "/v1/certificates/www/request", NULL);
    ck_refused(early, 409, "E_NOT_YET", "still being made");

    AUTO_RENEWAL struct renewal_row row = {0};
    ck_ok(renewals_get(harness.inventory, renewal, &row, &err));
    row.csr = blob_copy(span_text("DER"));
    row.requested_at = HARNESS_NOW;
    ck_ok(renewals_update(harness.inventory, &row, &err));
    AUTO_ANSWER struct answer made =
        harness_ask(&harness, "GET", "/v1/certificates/www/request", NULL);
    ck_assert_int_eq(made.status, 200);
    ck_json_text(made.json, "csr",
                 "-----BEGIN CERTIFICATE REQUEST-----\nREVS\n-----END CERTIFICATE REQUEST-----\n");
    ck_json_text(made.json, "drop", "/srv/drop");
    ck_json_number(made.json, "renewal", renewal);
}
END_TEST

START_TEST(key_tells_whose_it_is)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    struct error err = {0};
    char hex[2 * SHA256_LEN + 1];
    int64_t id = harness_www(&harness);

    ck_ok(renewals_accepted(harness.inventory, id, &row, &err));
    AUTO_FREE char *path =
        mem_printf("/v1/keys/%s", text_hex(row.key.spki_sha256, SHA256_LEN, hex));
    AUTO_ANSWER struct answer ours = harness_ask(&harness, "GET", path, NULL);
    ck_assert_int_eq(ours.status, 200);
    ck_assert_uint_eq(json_array_size(at(ours.json, "renewals")), 1);
    ck_json_text(ours.json, "renewals.0.certificate", "www");
    ck_json_number(ours.json, "renewals.0.renewal", row.id);
    ck_json_text(ours.json, "renewals.0.request", "accepted");
    ck_json_text(ours.json, "renewals.0.sha256", text_hex(row.leaf_sha256, SHA256_LEN, hex));

    path[strlen(path) - 1] = path[strlen(path) - 1] == '0' ? '1' : '0';
    AUTO_ANSWER struct answer none = harness_ask(&harness, "GET", path, NULL);
    ck_assert_int_eq(none.status, 200);
    ck_assert_uint_eq(json_array_size(at(none.json, "renewals")), 0);
    AUTO_ANSWER struct answer bad = harness_ask(&harness, "GET", "/v1/keys/www", NULL);
    ck_refused(bad, 400, "E_INPUT", "SHA-256 of a public key");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("api-read");
    TCase *tcase = tcase_create("read");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, status_of_an_empty_inventory);
    tcase_add_test(tcase, status_counts_and_plans);
    tcase_add_test(tcase, status_tells_stuck_mail);
    tcase_add_test(tcase, list_has_what_a_table_needs);
    tcase_add_test(tcase, list_comes_in_pages);
    tcase_add_test(tcase, certificate_tells_everything);
    tcase_add_test(tcase, explain_says_why_and_who_was_told);
    tcase_add_loop_test(tcase, a_leaf_that_is_kept_is_explained, 0, 2);
    tcase_add_test(tcase, a_chain_that_ends_first_is_explained);
    tcase_add_test(tcase, an_anchor_that_is_gone_is_explained);
    tcase_add_test(tcase, a_disclosed_key_is_explained);
    tcase_add_test(tcase, explain_of_a_new_one);
    tcase_add_test(tcase, history_of_one_and_of_all);
    tcase_add_test(tcase, request_once_it_is_made);
    tcase_add_test(tcase, key_tells_whose_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
