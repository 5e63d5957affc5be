/* The routes that change something. */
#include "tests/daemon/api/harness.h"

#include <string.h>
#include <unistd.h>

static struct harness harness;

static void setup(void)
{
    harness_open(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

START_TEST(add_brings_a_certificate_in)
{
    AUTO_ANSWER struct answer answer = harness_ask(
        &harness, "POST", "/v1/certificates",
        "{\"name\": \"www\", \"names\": [\"dns:www.example.com\", \"192.0.2.1\"], \"targets\": "
        "[{\"service\": \"files\", \"files\": {\"key\": \"/srv/k\", \"fullchain\": \"/srv/c\"}, "
        "\"endpoints\": [{\"host\": \"h\", \"port\": 8443, \"server_name\": \"n\"}]}]}");

    ck_assert_msg(answer.status == 201, "%d %s", answer.status, json_dumps(answer.json, 0));
    ck_json_text(answer.json, "name", "www");
    ck_assert_int_eq(harness.pokes, 1);
    AUTO_ANSWER struct answer shown = harness_ask(&harness, "GET", "/v1/certificates/www", NULL);
    ck_json_text(shown.json, "policy", "default");
    ck_json_text(shown.json, "names.1", "ip:192.0.2.1");
    ck_json_text(shown.json, "targets.0.files.fullchain", "/srv/c");
    ck_json_number(shown.json, "targets.0.endpoints.0.port", 8443);
    ck_json_text(shown.json, "targets.0.endpoints.0.server_name", "n");
    AUTO_ANSWER struct answer events = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_json_text(events.json, "events.0.certificate", "www");
    AUTO_FREE char *actor = harness_actor();
    ck_json_text(events.json, "events.0.actor", actor);

    AUTO_ANSWER struct answer again =
        harness_ask(&harness, "POST", "/v1/certificates",
                    "{\"name\": \"www\", \"names\": [\"dns:www.example.com\"]}");
    ck_refused(again, 409, "E_EXISTS", "www");
    ck_assert_int_eq(harness.pokes, 1);
}
END_TEST

#define TARGET(text) "{\"name\":\"a\",\"names\":[\"a.example\"],\"targets\":[" text "]}"

static const struct {
    const char *body;
    int status;
    const char *code;
    const char *piece;
} bad_bodies[] = {
    {"", 400, "E_INPUT", "name: wanted"},
    {"{", 400, "E_FORMAT", "request body:1:"},
    {"[]", 400, "E_FORMAT", "wanted an object"},
    {"{\"name\":\"a\",\"name\":\"b\"}", 400, "E_FORMAT", "request body:1:"},
    {"{\"name\":\"a\\u0000b\"}", 400, "E_FORMAT", "request body"},
    {"{\"name\":\"a\",\"nmaes\":[]}", 400, "E_INPUT", "unknown key \"nmaes\""},
    {"{\"name\":1}", 400, "E_INPUT", "name: wanted a string, got a number"},
    {"{\"name\":\"a b\",\"names\":[\"a.example\"]}", 400, "E_INPUT", "a b"},
    {"{\"name\":\"a\",\"names\":{}}", 400, "E_INPUT", "names: wanted an array"},
    {"{\"name\":\"a\",\"names\":[1]}", 400, "E_INPUT", "names: wanted strings"},
    {"{\"name\":\"a\",\"names\":[\"dns:_\"]}", 400, "E_INPUT", "_"},
    {"{\"name\":\"a\"}", 400, "E_INPUT", "at least one name"},
    {"{\"name\":\"a\",\"names\":[\"a.example\"],\"policy\":\"nope\"}", 404, "E_NOT_FOUND", "nope"},
    {TARGET("1"), 400, "E_INPUT", "target 1: target: wanted an object"},
    {TARGET("{}"), 400, "E_INPUT", "service: wanted"},
    {TARGET("{\"service\":\"files\"}"), 400, "E_INPUT", "files: wanted an object"},
    {TARGET("{\"service\":\"files\",\"files\":{}}"), 400, "E_INPUT", "files: wanted an object"},
    {TARGET("{\"service\":\"files\",\"files\":{\"pkcs\":\"/a\"}}"), 400, "E_INPUT", "\"pkcs\""},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":\"a\"}}"), 400, "E_INPUT", "absolute"},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":7}}"), 400, "E_INPUT", "absolute"},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":\"/a\\nb\"}}"), 400, "E_INPUT", "absolute"},
    {TARGET("{\"service\":\"nope\",\"files\":{\"key\":\"/a\"}}"), 404, "E_NOT_FOUND", "nope"},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":\"/a\"},\"endpoints\":[{}]}"), 400,
     "E_INPUT", "host: wanted"},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":\"/a\"},\"endpoints\":"
            "[{\"host\":\"h\",\"port\":70000}]}"),
     400, "E_INPUT", "port: wanted"},
    {TARGET("{\"service\":\"files\",\"files\":{\"key\":\"/a\"},\"endpoints\":"
            "[{\"host\":\"h\",\"server_name\":\"\"}]}"),
     400, "E_INPUT", "server_name: wanted"},
};

START_TEST(add_refuses_what_it_does_not_know)
{
    AUTO_ANSWER struct answer answer =
        harness_ask(&harness, "POST", "/v1/certificates", bad_bodies[_i].body);

    ck_assert_msg(answer.json, "row %d: no JSON", _i);
    ck_refused(answer, bad_bodies[_i].status, bad_bodies[_i].code, bad_bodies[_i].piece);
    ck_assert_int_eq(harness.pokes, 0);
    AUTO_ANSWER struct answer list = harness_ask(&harness, "GET", "/v1/certificates", NULL);
    ck_assert_uint_eq(json_array_size(at(list.json, "certificates")), 0);
}
END_TEST

START_TEST(renewal_begins_once)
{
    harness_www(&harness);
    AUTO_ANSWER struct answer first =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "");
    ck_assert_int_eq(first.status, 200);
    ck_json_number(first.json, "renewal", 2);
    ck_assert(json_is_false(at(first.json, "existing")));
    ck_assert_int_eq(harness.pokes, 1);

    AUTO_ANSWER struct answer second =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "{\"again\": false}");
    ck_assert_int_eq(second.status, 200);
    ck_json_number(second.json, "renewal", 2);
    ck_assert(json_is_true(at(second.json, "existing")));
    ck_assert_int_eq(harness.pokes, 1);

    AUTO_ANSWER struct answer again =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "{\"again\": true}");
    ck_json_number(again.json, "renewal", 3);
    ck_assert(json_is_false(at(again.json, "existing")));
    ck_assert_int_eq(harness.pokes, 2);

    AUTO_ANSWER struct answer open = harness_ask(&harness, "GET", "/v1/certificates/www", NULL);
    ck_json_number(open.json, "open.renewal", 3);
    AUTO_FREE char *actor = harness_actor();
    AUTO_FREE char *reason = mem_printf("asked for by %s", actor);
    ck_json_text(open.json, "open.reason", reason);
}
END_TEST

START_TEST(renewal_of_nothing)
{
    AUTO_ANSWER struct answer none =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "{}");
    ck_refused(none, 404, "E_NOT_FOUND", "www");
    AUTO_ANSWER struct answer wrong =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "{\"again\": 1}");
    ck_refused(wrong, 400, "E_INPUT", "again: wanted true or false, got a number");
    AUTO_ANSWER struct answer unknown =
        harness_ask(&harness, "POST", "/v1/certificates/www/renewals", "{\"agian\": true}");
    ck_refused(unknown, 400, "E_INPUT", "agian");
    ck_assert_int_eq(harness.pokes, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("api-write");
    TCase *tcase = tcase_create("write");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, add_brings_a_certificate_in);
    tcase_add_loop_test(tcase, add_refuses_what_it_does_not_know, 0, (int)COUNT_OF(bad_bodies));
    tcase_add_test(tcase, renewal_begins_once);
    tcase_add_test(tcase, renewal_of_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
