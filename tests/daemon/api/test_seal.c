/* The sealing key over the API. */
#include <string.h>
#include <unistd.h>

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

START_TEST(told_and_changed)
{
    AUTO_FREE char *actor = harness_actor();
    AUTO_ANSWER struct answer before = harness_ask(&harness, "GET", "/v1/seal", NULL);

    ck_assert_int_eq(200, before.status);
    ck_json_text(before.json, "file", "/var/lib/unlapsed/sealing.key");
    ck_json_text(before.json, "key", "0000000000000000");
    ck_assert(json_is_null(at(before.json, "rotation")));
    ck_assert_uint_eq(0, json_array_size(at(before.json, "older")));
    ck_assert_uint_eq(0, json_array_size(at(before.json, "missing")));
    ck_assert_int_eq(0, json_integer_value(at(before.json, "left")));

    AUTO_ANSWER struct answer answer = harness_ask(&harness, "POST", "/v1/seal/rotations", "{}");
    ck_assert_int_eq(200, answer.status);
    ck_assert(json_is_false(at(answer.json, "existing")));
    ck_json_text(answer.json, "key", "0100000000000000");
    ck_json_text(answer.json, "older.0", "0000000000000000");
    ck_json_text(answer.json, "rotation.by", actor);
    ck_json_text(answer.json, "rotation.began_at", "2027-01-15T08:00:00Z");
    ck_assert_int_eq(harness.pokes, 1);
    AUTO_ANSWER struct answer again = harness_ask(&harness, "POST", "/v1/seal/rotations", NULL);
    ck_assert_int_eq(200, again.status);
    ck_assert(json_is_true(at(again.json, "existing")));
    ck_assert_uint_eq(harness.rotations, 1);
    ck_assert_int_eq(harness.pokes, 1);
    AUTO_ANSWER struct answer events = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_assert_uint_eq(1, json_array_size(at(events.json, "events")));
    ck_json_text(events.json, "events.0.kind", "seal-rotation-begun");
    ck_json_text(events.json, "events.0.actor", actor);
}
END_TEST

START_TEST(refused)
{
    harness.rotation_code = E_REFUSED;
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "POST", "/v1/seal/rotations", "{}");
    ck_refused(answer, 422, "E_REFUSED", "is a systemd credential");
    AUTO_ANSWER struct answer body =
        harness_ask(&harness, "POST", "/v1/seal/rotations", "{\"now\": true}");
    ck_refused(body, 400, "E_INPUT", "unknown key \"now\"");
    AUTO_ANSWER struct answer get = harness_ask(&harness, "GET", "/v1/seal/rotations", NULL);
    ck_assert_int_eq(405, get.status);
    ck_assert_int_eq(harness.pokes, 0);
    AUTO_ANSWER struct answer events = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_assert_uint_eq(0, json_array_size(at(events.json, "events")));
    AUTO_ANSWER struct answer state = harness_ask(&harness, "GET", "/v1/seal", NULL);
    ck_assert(json_is_null(at(state.json, "rotation")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/seal");
    TCase *tcase = tcase_create("seal");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, told_and_changed);
    tcase_add_test(tcase, refused);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
