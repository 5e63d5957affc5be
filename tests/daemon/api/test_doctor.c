/* The doctor over the API: asked, read while it works, read when it has ended. */
#include <string.h>

#include "store/schedule.h"
#include "store/certificates.h"
#include "tests/daemon/api/harness.h"

static struct harness harness;
static struct error err;
static int64_t www;

static void setup(void)
{
    harness_open(&harness);
    www = harness_www(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

START_TEST(asked_and_read)
{
    AUTO_ANSWER struct answer none = harness_ask(&harness, "GET", "/v1/doctor", NULL);
    ck_assert_int_eq(none.status, 200);
    ck_json_number(none.json, "run", 0);
    ck_assert(json_is_false(at(none.json, "well")));
    ck_json_null(none.json, "began_at");

    harness.doctor_rests = true;
    AUTO_ANSWER struct answer asked = harness_ask(&harness, "POST", "/v1/doctor", NULL);
    ck_assert_int_eq(asked.status, 200);
    ck_json_number(asked.json, "run", 1);
    ck_assert_int_eq(harness.pokes, 1);
    AUTO_ANSWER struct answer works = harness_ask(&harness, "GET", "/v1/doctor", NULL);
    ck_assert(json_is_true(at(works.json, "running")));
    ck_assert(json_is_false(at(works.json, "well")));
    ck_json_text(works.json, "began_at", "2027-01-15T08:00:00Z");
    ck_json_null(works.json, "ended_at");
    ck_json_text(works.json, "checks.0.result", "waiting");

    harness.doctor_rests = false;
    AUTO_ANSWER struct answer again = harness_ask(&harness, "POST", "/v1/doctor", NULL);
    ck_json_number(again.json, "run", 1);
    AUTO_ANSWER struct answer done = harness_ask(&harness, "GET", "/v1/doctor", NULL);
    ck_assert(json_is_false(at(done.json, "running")));
    ck_assert(json_is_true(at(done.json, "well")));
    ck_json_text(done.json, "ended_at", "2027-01-15T08:00:00Z");
    ck_json_text(done.json, "checks.0.check", "file");
    ck_json_text(done.json, "checks.0.result", "good");
    ck_json_number(done.json, "checks.0.count", 0);
    ck_assert_uint_eq(json_array_size(at(done.json, "checks")), doctor_checks_count());
}
END_TEST

START_TEST(what_is_bad_is_a_problem)
{
    testing_expect_log("doctor");
    ck_ok(certificates_set_plan(harness.inventory, www,
                                &(struct certificate_plan){.next_at = HARNESS_NOW + 1,
                                                           .next_action = "dance",
                                                           .deadline = UTC_NEVER,
                                                           .ends_at = UTC_NEVER,
                                                           .state = "ok"},
                                HARNESS_NOW, &err));
    AUTO_ANSWER struct answer asked = harness_ask(&harness, "POST", "/v1/doctor", NULL);
    ck_assert_int_eq(asked.status, 200);
    AUTO_ANSWER struct answer done = harness_ask(&harness, "GET", "/v1/doctor", NULL);
    ck_assert(json_is_false(at(done.json, "well")));
    ck_json_text(done.json, "checks.4.check", "plans");
    ck_json_text(done.json, "checks.4.result", "bad");
    ck_json_number(done.json, "checks.4.count", 1);
    const char *broken = json_string_value(json_array_get(at(done.json, "checks.4.broken"), 0));
    ck_assert_ptr_nonnull(strstr(broken, "www: wanted \"start\" at "));
    ck_assert_ptr_nonnull(
        strstr(json_string_value(at(done.json, "checks.4.remedy")), "restart unlapsed"));
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    AUTO_FREE char *problems = json_dumps(at(status.json, "problems"), 0);
    ck_assert_ptr_nonnull(strstr(problems, "doctor: plans: wanted: the next action"));
}
END_TEST

START_TEST(nothing_else_is_understood)
{
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "POST", "/v1/doctor", "{\"repair\": true}");

    ck_refused(answer, 400, "E_INPUT", "repair");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/api/doctor");
    TCase *tcase = tcase_create("doctor");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, asked_and_read);
    tcase_add_test(tcase, what_is_bad_is_a_problem);
    tcase_add_test(tcase, nothing_else_is_understood);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
