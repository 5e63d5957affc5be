/* The administrator's anchors and the pool of authorities, over the API. */
#include <string.h>
#include <unistd.h>

#include "store/authorities.h"
#include "tests/daemon/api/harness.h"

static struct harness harness;

static void setup(void)
{
    harness_open(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

static char *body_of(const char *key, const char *value, const char *comment)
{
    json_t *body = json_pack("{s:s, s:s}", key, value, "comment", comment);
    char *text = json_dumps(body, 0);

    json_decref(body);
    return text;
}

static struct answer add(const char *key, const char *value, const char *comment)
{
    AUTO_FREE char *body = body_of(key, value, comment);

    return harness_ask(&harness, "POST", "/v1/trust", body);
}

START_TEST(added_listed_removed)
{
    AUTO_FREE char *root = harness_root("Root of the house");
    AUTO_FREE char *actor = harness_actor();
    AUTO_ANSWER struct answer empty = harness_ask(&harness, "GET", "/v1/trust", NULL);
    AUTO_ANSWER struct answer answer = add("pem", root, "ours");

    ck_assert_uint_eq(0, json_array_size(at(empty.json, "anchors")));
    ck_assert_msg(answer.status == 200, "%d %s", answer.status, json_dumps(answer.json, 0));
    ck_assert(json_is_false(at(answer.json, "existing")));
    ck_json_text(answer.json, "anchors.0.subject", "CN=Root of the house");
    ck_json_text(answer.json, "anchors.0.not_before", "2026-01-01T00:00:00Z");
    ck_json_text(answer.json, "anchors.0.not_after", "2040-01-01T00:00:00Z");
    ck_assert_uint_eq(0, json_array_size(at(answer.json, "anchors.0.notes")));
    ck_assert_int_eq(harness.pokes, 1);
    AUTO_ANSWER struct answer again = add("pem", root, "ours");
    ck_assert_int_eq(200, again.status);
    ck_assert(json_is_true(at(again.json, "existing")));
    AUTO_ANSWER struct answer list = harness_ask(&harness, "GET", "/v1/trust", NULL);
    ck_assert_uint_eq(1, json_array_size(at(list.json, "anchors")));
    ck_json_text(list.json, "anchors.0.subject", "CN=Root of the house");
    ck_json_text(list.json, "anchors.0.comment", "ours");
    ck_json_text(list.json, "anchors.0.added_by", actor);
    ck_json_text(list.json, "anchors.0.added_at", "2027-01-15T08:00:00Z");

    const char *hash = json_string_value(at(list.json, "anchors.0.sha256"));
    AUTO_FREE char *path = mem_printf("/v1/trust/%s", hash);
    AUTO_ANSWER struct answer gone = harness_ask(&harness, "DELETE", path, NULL);
    ck_assert_int_eq(200, gone.status);
    ck_json_text(gone.json, "sha256", hash);
    ck_json_text(gone.json, "subject", "CN=Root of the house");
    AUTO_ANSWER struct answer twice = harness_ask(&harness, "DELETE", path, NULL);
    ck_refused(twice, 404, "E_NOT_FOUND", "no anchor with this fingerprint");
    AUTO_ANSWER struct answer after = harness_ask(&harness, "GET", "/v1/trust", NULL);
    ck_assert_uint_eq(0, json_array_size(at(after.json, "anchors")));
    AUTO_ANSWER struct answer events = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_json_text(events.json, "events.0.kind", "trust-added");
    ck_json_text(events.json, "events.0.actor", actor);
    ck_json_text(events.json, "events.1.kind", "trust-removed");
    ck_json_text(events.json, "events.1.actor", actor);
}
END_TEST

START_TEST(der_comes_in_base64)
{
    AUTO_FREE char *root = harness_root("Root");
    char *base64 = strchr(root, '\n') + 1;

    *strstr(base64, "-----END") = '\0';
    AUTO_ANSWER struct answer answer = add("der", base64, "");
    ck_assert_int_eq(200, answer.status);
    ck_json_text(answer.json, "anchors.0.subject", "CN=Root");
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    AUTO_FREE char *root = harness_root("Root"), *other = harness_root("Other");
    AUTO_FREE char *leaf = harness_leaf("www");
    AUTO_FREE char *both = mem_printf("%s%s", root, other);
    AUTO_FREE char *long_comment = mem_alloc(1, 202);
    const struct {
        const char *body;
        int status;
        const char *code, *piece;
    } bodies[] = {
        {"{}", 400, "E_INPUT", "wanted either pem (text) or der"},
        {"{\"pem\": \"a\", \"der\": \"b\"}", 400, "E_INPUT", "wanted either pem"},
        {"{\"pem\": 7}", 400, "E_INPUT", "pem: wanted a string"},
        {"{\"pme\": \"a\"}", 400, "E_INPUT", "unknown key \"pme\""},
        {"{\"pem\": \"a\", \"all\": 1}", 400, "E_INPUT", "all: wanted true or false"},
        {"{\"pem\": \"nothing\"}", 400, "E_FORMAT", "trust: "},
        {"{\"der\": \"!\"}", 400, "E_FORMAT", "trust: "},
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        AUTO_ANSWER struct answer answer =
            harness_ask(&harness, "POST", "/v1/trust", bodies[i].body);
        ck_refused(answer, bodies[i].status, bodies[i].code, bodies[i].piece);
    }
    memset(long_comment, 'x', 201);
    AUTO_ANSWER struct answer comment = add("pem", root, long_comment);
    ck_refused(comment, 400, "E_INPUT", "comment: wanted at most 200 bytes");
    AUTO_ANSWER struct answer no_ca = add("pem", leaf, "");
    ck_refused(no_ca, 422, "E_REFUSED", "\"CN=www\": wanted the certificate of an authority");
    AUTO_ANSWER struct answer two = add("pem", both, "");
    ck_refused(two, 422, "E_REFUSED", "got 2");
    AUTO_ANSWER struct answer put = harness_ask(&harness, "PUT", "/v1/trust", "{}");
    ck_assert_int_eq(405, put.status);
    AUTO_ANSWER struct answer bad = harness_ask(&harness, "DELETE", "/v1/trust/zz", NULL);
    ck_refused(bad, 400, "E_INPUT", "wanted a SHA-256 fingerprint");
    ck_assert_int_eq(harness.pokes, 0);
}
END_TEST

/* Nobody of no group, whatever is asked. */
START_TEST(others_are_refused)
{
    if (geteuid() != 0)
        return;
    AUTO_ANSWER struct answer post =
        harness_ask_as(&harness, 4711, 4711, "POST", "/v1/trust", "{}");
    ck_assert_int_eq(403, post.status);
    AUTO_ANSWER struct answer remove =
        harness_ask_as(&harness, 4711, 4711, "DELETE", "/v1/trust/0123456789", NULL);
    ck_assert_int_eq(403, remove.status);
    AUTO_ANSWER struct answer list = harness_ask_as(&harness, 4711, 4711, "GET", "/v1/trust", NULL);
    ck_assert_int_eq(403, list.status);
}
END_TEST

/* Who may read may list, and nothing else. */
START_TEST(readers_only_read)
{
    char group[] = "nogroup";

    if (geteuid() != 0)
        return;
    harness.config.read_group = group;
    AUTO_ANSWER struct answer list =
        harness_ask_as(&harness, 4711, 65534, "GET", "/v1/trust", NULL);
    AUTO_ANSWER struct answer post =
        harness_ask_as(&harness, 4711, 65534, "POST", "/v1/trust", "{}");
    AUTO_ANSWER struct answer remove =
        harness_ask_as(&harness, 4711, 65534, "DELETE", "/v1/trust/0123456789", NULL);
    harness.config.read_group = NULL;
    ck_assert_int_eq(200, list.status);
    ck_refused(post, 403, "E_DENIED", "got a reader");
    ck_refused(remove, 403, "E_DENIED", "got a reader");
}
END_TEST

START_TEST(the_pool_is_paged)
{
    struct error err = {0};

    for (uint8_t i = 1; i <= 3; i++) {
        struct cert cert = {.subject = "CN=CA", .not_after = HARNESS_NOW, .issuer_sha256 = {1}};
        bool is_new;

        cert.sha256[0] = cert.subject_sha256[0] = i;
        ck_ok(
            authorities_add(harness.inventory, span_text("x"), &cert, HARNESS_NOW, &is_new, &err));
        if (i == 2)
            ck_ok(authorities_set_anchored(harness.inventory, cert.sha256, cert.sha256, HARNESS_NOW,
                                           &err));
    }
    AUTO_ANSWER struct answer first = harness_ask(&harness, "GET", "/v1/authorities?limit=2", NULL);
    ck_assert_int_eq(200, first.status);
    ck_json_number(first.json, "count", 3);
    ck_json_number(first.json, "more_after", 2);
    ck_assert_uint_eq(2, json_array_size(at(first.json, "authorities")));
    ck_assert(json_is_false(at(first.json, "authorities.0.anchored")));
    ck_json_null(first.json, "authorities.0.anchored_at");
    ck_assert(json_is_true(at(first.json, "authorities.1.anchored")));
    ck_json_text(first.json, "authorities.1.anchored_at", "2027-01-15T08:00:00Z");
    AUTO_ANSWER struct answer rest = harness_ask(&harness, "GET", "/v1/authorities?after=2", NULL);
    ck_assert_uint_eq(1, json_array_size(at(rest.json, "authorities")));
    ck_json_null(rest.json, "more_after");
    AUTO_ANSWER struct answer wrong = harness_ask(&harness, "GET", "/v1/authorities?after=x", NULL);
    ck_refused(wrong, 400, "E_INPUT", "after: wanted");
    AUTO_ANSWER struct answer much =
        harness_ask(&harness, "GET", "/v1/authorities?limit=1001", NULL);
    ck_refused(much, 400, "E_INPUT", "limit: wanted");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api-trust");
    TCase *tcase = tcase_create("trust");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, added_listed_removed);
    tcase_add_test(tcase, der_comes_in_base64);
    tcase_add_test(tcase, what_is_wrong_is_named);
    tcase_add_test(tcase, others_are_refused);
    tcase_add_test(tcase, readers_only_read);
    tcase_add_test(tcase, the_pool_is_paged);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
