/*
 * Replies that are not what they should be: a daemon of another version, another program on the
 * socket. The answer is a sentence and a status, never a crash and never half an output.
 */
#include "tests/daemon/cli/run.h"

#include <string.h>

static const char *const good_list =
    "{\"schema_version\":1,\"more_after\":null,\"certificates\":[{\"name\":\"www\",\"names\":["
    "\"dns:"
    "a\"],\"policy\":\"default\",\"state\":\"ok\",\"says\":\"is\",\"not_after\":\"2027-01-15T08:00:"
    "00Z\",\"next\":{\"action\":\"start\",\"says\":\"start\",\"at\":null,\"owner\":\"daemon\","
    "\"target\":null}}]}";

static void check(const char *reply, const char *verb, int status, const char *piece)
{
    struct server server;
    AUTO_RAN struct ran ran = {0};

    server_start_canned(&server, &reply, 1);
    ran = run(&server, verb);
    server_stop(&server);
    ck_assert_msg(ran.status == status, "%s\nwanted %d, got %d: %s", reply, status, ran.status,
                  ran.err);
    if (status != 0)
        ck_assert_str_eq(ran.out, "");
    ck_says(ran.err, piece);
}

START_TEST(replies_of_something_else)
{
    static const struct {
        int status, exit;
        const char *body, *says;
    } rows[] = {
        {200, 1, "", "wanted a JSON object"},
        {200, 1, "<html>", "wanted a JSON object"},
        {200, 1, "[]", "wanted a JSON object"},
        {200, 1, "null", "wanted a JSON object"},
        {200, 1, "{}", "schema_version"},
        {200, 1, "{\"schema_version\":2}", "same version"},
        {200, 1, "{\"schema_version\":1}", "certificates: wanted an array, got nothing"},
        {200, 1, "{\"schema_version\":1,\"schema_version\":1}", "wanted a JSON object"},
        {404, 1, "{}", "status 404"},
        {500, 1, "{\"error\":1}", "status 500"},
        {500, 1, "{\"error\":{\"code\":\"E_LATER\",\"message\":\"m\"}}", "unlapse: m\n"},
        {403, 6, "{\"error\":{\"code\":\"E_DENIED\",\"message\":\"\\u001b[2J\"}}", "\\x1b[2J"},
        {302, 1, "{\"schema_version\":1}", "status 302"},
    };
    AUTO_FREE char *reply = http_reply(rows[_i].status, rows[_i].body);

    check(reply, "list", rows[_i].exit, rows[_i].says);
}
END_TEST

START_TEST(no_http_at_all)
{
    check("220 mail.example.com ESMTP\r\n", "list", 7, "cannot reach the daemon");
    check("", "list", 7, "cannot reach the daemon");
    check("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "list", 7, "cannot reach the daemon");
}
END_TEST

/* A list that would go on for ever. */
START_TEST(pages_must_move_on)
{
    AUTO_FREE char *reply =
        http_reply(200, "{\"schema_version\":1,\"more_after\":\"a\",\"certificates\":[]}");

    check(reply, "list", 1, "it does not move on");
}
END_TEST

START_TEST(pages_become_one_list)
{
    struct server server;
    AUTO_FREE char *first = http_reply(
        200, "{\"schema_version\":1,\"more_after\":\"a\",\"certificates\":[{\"name\":\"a\"}]}");
    AUTO_FREE char *last = http_reply(
        200, "{\"schema_version\":1,\"more_after\":null,\"certificates\":[{\"name\":\"b\"}]}");
    const char *const replies[] = {first, last};

    server_start_canned(&server, replies, 2);
    AUTO_RAN struct ran ran = run(&server, "list", "--json");
    server_stop(&server);
    json_t *document = json_loads(ran.out, 0, NULL);
    ck_json_text(document, "certificates.0.name", "a");
    ck_json_text(document, "certificates.1.name", "b");
    ck_json_null(document, "more_after");
    json_decref(document);
}
END_TEST

enum { CASES_MAX = 2000, KINDS = 7 };

static char *cases[CASES_MAX];
static size_t case_count;

static void keep(const json_t *root)
{
    char *body = json_dumps(root, JSON_COMPACT);

    ck_assert_uint_lt(case_count, CASES_MAX);
    cases[case_count++] = http_reply(200, body);
    free(body);
}

static json_t *other_kind(size_t kind)
{
    switch (kind) {
    case 0:
        return json_null();
    case 1:
        return json_integer(INT64_MIN);
    case 2:
        return json_string("\033[2J never");
    case 3:
        return json_array();
    case 4:
        return json_pack("[[n], {}]");
    case 5:
        return json_object();
    default:
        return json_real(1e300);
    }
}

static void spoil(const json_t *root, json_t *node, size_t *turn);

static void spoil_object(const json_t *root, json_t *object, size_t *turn)
{
    const char *key;
    json_t *value;
    json_t *keys = json_array();

    json_object_foreach(object, key, value) json_array_append_new(keys, json_string(key));
    for (size_t k = 0; k < json_array_size(keys); k++) {
        key = json_string_value(json_array_get(keys, k));
        value = json_incref(json_object_get(object, key));
        for (int i = 0; i < 2; i++) {
            json_object_set_new(object, key, other_kind((*turn)++ % KINDS));
            keep(root);
        }
        json_object_del(object, key);
        keep(root);
        json_object_set_new(object, key, value);
        spoil(root, value, turn);
    }
    json_decref(keys);
}

/* Every value of the document in turn is left out and replaced by other kinds. */
static void spoil(const json_t *root, json_t *node, size_t *turn)
{
    if (json_is_object(node))
        spoil_object(root, node, turn);
    for (size_t i = 0; json_is_array(node) && i < json_array_size(node); i++) {
        json_t *value = json_incref(json_array_get(node, i));

        json_array_set_new(node, i, other_kind((*turn)++ % KINDS));
        keep(root);
        json_array_set_new(node, i, value);
        spoil(root, value, turn);
    }
}

static void fill(struct harness *harness)
{
    struct error err = {0};
    int64_t renewal, number;

    harness->now = HARNESS_NOW;
    harness_www(harness);
    ck_ok(life_renew(&harness->life, "www", false, "test", &renewal, &err));
    utc_t next = 0;
    ck_ok(life_backup_ask(&harness->life, "test", &number, &err));
    ck_ok(life_backup(&harness->life, NULL, NULL, &next, &err));
}

static const char *const spoiled[][3] = {
    {"status"},       {"list"},           {"show", "www"},    {"explain", "www"}, {"history"},
    {"renew", "www"}, {"backup", "list"}, {"seal", "status"}, {"seal", "rotate"},
};

START_TEST(spoiled_replies_do_no_harm)
{
    struct server server;
    const char *words[4] = {"--json", spoiled[_i][0], spoiled[_i][1]};
    size_t turn = 0, refused = 0;

    server_start(&server, fill);
    AUTO_RAN struct ran good = run_argv(&server, -1, words);
    server_stop(&server);
    json_t *document = json_loads(good.out, 0, NULL);
    ck_assert_ptr_nonnull(document);
    /* With something in every list. */
    json_object_set_new(document, "problems",
                        json_pack("[{s:n, s:s}]", "certificate", "text", "t"));
    json_object_set_new(document, "errors",
                        json_pack("[{s:n, s:s, s:s}]", "at", "what", "w", "text", "t"));
    json_object_set_new(document, "told",
                        json_pack("[{s:s, s:s, s:n, s:n, s:n, s:n, s:s}]", "recipient", "r", "kind",
                                  "k", "sent_at", "bad_at", "dropped_at", "next_try_at",
                                  "last_error", "e"));
    spoil(document, document, &turn);
    server_start_canned(&server, (const char *const *)cases, case_count);
    for (size_t i = 0; i < case_count; i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, spoiled[_i]);

        ck_assert_msg(ran.status <= 3, "%s\n%d: %s", cases[i], ran.status, ran.err);
        ck_assert_msg(!strchr(ran.out, '\033') && !strchr(ran.err, '\033'), "%s", ran.out);
        if (ran.status == 1) {
            refused++;
            ck_assert_str_eq(ran.out, "");
            ck_assert_msg(strlen(ran.err) > 10, "%s", cases[i]);
        }
    }
    server_stop(&server);
    ck_assert_uint_gt(refused, 3);
    json_decref(document);
    for (size_t i = 0; i < case_count; i++)
        free(cases[i]);
}
END_TEST

/* The audit trail, told and proven: whatever its pages look like. */
static const struct {
    const char *words[4];
    const char *page;
} audits[] = {
    {{"audit"},
     "{\"schema_version\":1,\"head\":{\"id\":9,\"hash\":\"00\"},\"pruned\":null,\"after\":9,"
     "\"more\":false,\"events\":[{\"id\":9,\"at\":\"2027-01-15T08:00:00Z\","
     "\"certificate\":\"www\",\"actor\":\"a\",\"kind\":\"k\",\"text\":\"t\","
     "\"old_sha256\":\"00\",\"new_sha256\":null}]}"},
    {{"audit", "verify"},
     "{\"schema_version\":1,\"from\":{\"id\":0,\"hash\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\"},\"to\":{\"id\":9,"
     "\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\"},"
     "\"more\":false,\"broken\":null,\"pruned\":{\"id\":0,\"by\":\"a\",\"at\":"
     "\"2027-01-15T08:00:00Z\"}}"},
};

START_TEST(spoiled_audits_do_no_harm)
{
    struct server server;
    json_t *document = json_loads(audits[_i].page, 0, NULL);
    size_t turn = 0, refused = 0;

    ck_assert_ptr_nonnull(document);
    spoil(document, document, &turn);
    json_decref(document);
    server_start_canned(&server, (const char *const *)cases, case_count);
    for (size_t i = 0; i < case_count; i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, audits[_i].words);

        ck_assert_msg(ran.status <= 1, "%s\n%d: %s", cases[i], ran.status, ran.err);
        ck_assert_msg(!strchr(ran.out, '\033') && !strchr(ran.err, '\033'), "%s", ran.out);
        refused += ran.status == 1;
    }
    server_stop(&server);
    ck_assert_uint_gt(refused, 10);
    while (case_count > 0)
        free(cases[--case_count]);
}
END_TEST

START_TEST(the_sample_is_good)
{
    AUTO_FREE char *reply = http_reply(200, good_list);

    check(reply, "list", 0, "");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-garbage");
    TCase *tcase = tcase_create("garbage");

    tcase_set_timeout(tcase, 4 * TESTING_SLOW_SECONDS);
    tcase_add_loop_test(tcase, replies_of_something_else, 0, 13);
    tcase_add_test(tcase, no_http_at_all);
    tcase_add_test(tcase, pages_must_move_on);
    tcase_add_test(tcase, pages_become_one_list);
    tcase_add_test(tcase, the_sample_is_good);
    tcase_add_loop_test(tcase, spoiled_replies_do_no_harm, 0, (int)COUNT_OF(spoiled));
    tcase_add_loop_test(tcase, spoiled_audits_do_no_harm, 0, (int)COUNT_OF(audits));
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
