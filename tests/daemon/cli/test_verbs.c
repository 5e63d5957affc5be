/* The verbs of `unlapse` against a real API. */
#include "tests/daemon/cli/run.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static struct server server;

static void fill(struct harness *harness)
{
    /* www ends 60 days after HARNESS_NOW: the daemon's clock stays there, the program's is real. */
    harness->now = HARNESS_NOW;
    harness_www(harness);
}

static void setup(void)
{
    server_start(&server, fill);
}

static void teardown(void)
{
    server_stop(&server);
}

START_TEST(status)
{
    AUTO_RAN struct ran ran = run(&server, "status");

    ck_ran(ran, 0);
    ck_says(ran.out, "Certificates   1 (1 ok)\n");
    ck_says(ran.out, "Next           www: start a renewal, ");
    ck_says(ran.out, "on web1, process ");
    ck_says(ran.out, "Backups        none yet; next ");
    ck_assert_str_eq(ran.err, "");
}
END_TEST

START_TEST(list)
{
    AUTO_RAN struct ran ran = run(&server, "list");
    ck_ran(ran, 0);
    ck_says(ran.out, "NAME  STATE  ENDS IN");
    ck_says(ran.out, "\nwww   ok     ");
    ck_assert_ptr_null(strchr(ran.out, '\033'));

    AUTO_RAN struct ran far = run(&server, "list", "--expiring", "5000w");
    ck_says(far.out, "\nwww ");
    AUTO_RAN struct ran near = run(&server, "list", "--expiring=0s");
    ck_ran(near, 0);
    ck_assert_ptr_null(strstr(near.out, "www"));
    AUTO_RAN struct ran json = run(&server, "list", "--json");
    json_t *document = json_loads(json.out, 0, NULL);
    ck_json_text(document, "certificates.0.name", "www");
    ck_json_number(document, "schema_version", 1);
    json_decref(document);
    AUTO_RAN struct ran narrow = run(&server, "list", "--state", "ok", "--match", "w*", "--policy",
                                     "default", "--limit", "1");
    ck_says(narrow.out, "\nwww ");
    AUTO_RAN struct ran none = run(&server, "list", "--state", "handed over");
    ck_ran(none, 0);
    ck_assert_ptr_null(strstr(none.out, "www"));
    AUTO_RAN struct ran unknown = run(&server, "list", "--state", "fine");
    ck_ran(unknown, 2);
    ck_says(unknown.err, "state: wanted one such as");
    AUTO_RAN struct ran wrong = run(&server, "list", "--expiring", "soon");
    ck_ran(wrong, 2);
    ck_says(wrong.err, "30d");
}
END_TEST

START_TEST(show_and_explain)
{
    AUTO_RAN struct ran show = run(&server, "show", "www");
    ck_ran(show, 0);
    ck_says(show.out, "Issuer         CN=Example CA\n");
    ck_says(show.out, "  key          /srv/www.key\n");
    ck_says(show.out, "  endpoint     [::1]:443\n");
    AUTO_RAN struct ran explain = run(&server, "explain", "www");
    ck_ran(explain, 0);
    ck_says(explain.out, "www is in service everywhere (ok).\n\nWhy\n");
    ck_says(explain.out, "What happens next\n  start a renewal, at 20");
    ck_says(explain.out, "by the daemon.\n");
    ck_says(explain.out, "Who was told\n  nobody yet\n");
    AUTO_RAN struct ran none = run(&server, "explain", "wwx");
    ck_ran(none, 5);
    ck_assert_str_eq(none.out, "");
    ck_says(none.err, "unlapse: wwx: there is no certificate of this name\n");
    AUTO_RAN struct ran json = run(&server, "--json", "show", "wwx");
    ck_ran(json, 5);
    json_t *document = json_loads(json.out, 0, NULL);
    ck_json_text(document, "error.code", "E_NOT_FOUND");
    json_decref(document);
}
END_TEST

/* Names are percent-encoded: none of these may reach another route. */
START_TEST(odd_names)
{
    static const char *const names[] = {"..",   ".",   "www/history", "www?x=1",
                                        "www#", "%2e", "a b",         "\xff"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_RAN struct ran ran = run(&server, "show", names[i]);
        ck_assert_msg(ran.status == 5, "%s: %d %s", names[i], ran.status, ran.err);
        ck_says(ran.err, "there is no certificate of this name");
    }
    AUTO_RAN struct ran empty = run(&server, "show", "");
    ck_ran(empty, 2);
}
END_TEST

START_TEST(add)
{
    AUTO_RAN struct ran ran =
        run(&server, "add", "shop", "--name", "shop.example.com", "--name", "ip:192.0.2.1",
            "--policy=default", "--target",
            "files,key=/srv/shop.key,leaf=/srv/shop.pem,endpoint=[2001:db8::1]:443/shop.example");
    ck_ran(ran, 0);
    ck_says(ran.out, "shop is looked after");
    AUTO_RAN struct ran show = run(&server, "show", "shop");
    ck_says(show.out, "dns:shop.example.com, ip:192.0.2.1");
    ck_says(show.out, "[2001:db8::1]:443, server name shop.example\n");
    AUTO_RAN struct ran again = run(&server, "add", "shop", "--name", "shop.example.com");
    ck_ran(again, 1);
    AUTO_RAN struct ran policy = run(&server, "add", "b", "--name", "b.example", "--policy", "no");
    ck_ran(policy, 5);
    AUTO_RAN struct ran taken = run(&server, "add", "c", "--name", "c.example", "--target",
                                    "files,key=/srv/shop.key,leaf=/srv/c.pem");
    ck_ran(taken, 1);
    AUTO_RAN struct ran name = run(&server, "add", "d", "--name", "d e");
    ck_ran(name, 2);
    AUTO_RAN struct ran target = run(&server, "add", "--target", "files,key=x", "e");
    ck_ran(target, 2);
    ck_says(target.err, "absolute path");
    AUTO_RAN struct ran nothing = run(&server, "add", "--name", "a.example");
    ck_ran(nothing, 2);
}
END_TEST

START_TEST(renew)
{
    AUTO_RAN struct ran first = run(&server, "renew", "www");
    ck_ran(first, 0);
    ck_says(first.out, "www: renewal 2 has begun\n");
    AUTO_RAN struct ran second = run(&server, "renew", "www");
    ck_ran(second, 3);
    ck_says(second.out, "renewal 2 is open already");
    AUTO_RAN struct ran again = run(&server, "renew", "www", "--again", "--json");
    ck_ran(again, 0);
    ck_says(again.out, "\"renewal\": 3");
    AUTO_RAN struct ran none = run(&server, "renew", "wwx");
    ck_ran(none, 5);
}
END_TEST

/* Asked for, begun, made after a while: what a real daemon with a worker does. */
START_TEST(request_waits_for_the_csr)
{
    struct server canned;
    AUTO_FREE char *none = http_reply(
        404, "{\"error\":{\"code\":\"E_NOT_FOUND\",\"message\":\"there is no open renewal\"}}");
    AUTO_FREE char *begun =
        http_reply(200, "{\"schema_version\":1,\"name\":\"www\",\"renewal\":2,\"existing\":false}");
    AUTO_FREE char *early =
        http_reply(409, "{\"error\":{\"code\":\"E_NOT_YET\",\"message\":\"being made\"}}");
    AUTO_FREE char *made = http_reply(200, "{\"schema_version\":1,\"csr\":\"-----BEGIN\\nA\\n\","
                                           "\"drop\":\"/srv/drop\"}");
    const char *const replies[] = {none, begun, early, early, made};

    server_start_canned(&canned, replies, COUNT_OF(replies));
    AUTO_RAN struct ran ran = run(&canned, "request", "www");
    server_stop(&canned);
    ck_ran(ran, 0);
    ck_assert_str_eq(ran.out, "-----BEGIN\nA\n");
    ck_says(ran.err, "/srv/drop\n");

    /* With --again nothing is looked up before. */
    server_start_canned(&canned, replies + 1, COUNT_OF(replies) - 1);
    AUTO_RAN struct ran again = run(&canned, "request", "--again", "www", "--json");
    server_stop(&canned);
    ck_ran(again, 0);
    ck_says(again.out, "\"csr\"");
    ck_assert_str_eq(again.err, "");

    AUTO_RAN struct ran nobody = run(&server, "request", "wwx");
    ck_ran(nobody, 5);
    ck_says(nobody.err, "wwx");
}
END_TEST

START_TEST(history)
{
    AUTO_RAN struct ran begun = run(&server, "renew", "www");
    ck_ran(begun, 0);
    AUTO_RAN struct ran all = run(&server, "history");
    ck_ran(all, 0);
    ck_says(all.out, "AT ");
    ck_says(all.out, "started");
    AUTO_RAN struct ran one = run(&server, "history", "www", "--limit", "1", "--json");
    json_t *document = json_loads(one.out, 0, NULL);
    ck_assert_uint_eq(json_array_size(at(document, "events")), 1);
    json_decref(document);
    AUTO_RAN struct ran none = run(&server, "history", "wwx");
    ck_ran(none, 5);
    AUTO_RAN struct ran wrong = run(&server, "history", "--limit", "0");
    ck_ran(wrong, 2);
}
END_TEST

START_TEST(usage)
{
    static const char *const rows[][4] = {
        {NULL},
        {"frobnicate"},
        {"--frobnicate", "list"},
        {"--socket"},
        {"list", "--frobnicate"},
        {"list", "more"},
        {"show"},
        {"show", "a", "b"},
        {"status", "x"},
        {"renew"},
        {"renew", "a", "--again=1"},
        {"history", "--limit"},
        {"help", "frobnicate"},
        {"version", "x"},
        {"check-config", "a", "b"},
        {"backup", "a", "b"},
        {"restore"},
        {"restore", "a", "b"},
        {"restore", "--config"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, rows[i]);

        ck_assert_msg(ran.status == 2, "row %zu: %d %s", i, ran.status, ran.err);
        ck_assert_msg(strstr(ran.err, "see: unlapse help"), "row %zu: %s", i, ran.err);
        ck_assert_str_eq(ran.out, "");
    }
    AUTO_RAN struct ran foreign = run(&server, "\033[2J");
    ck_assert_ptr_null(strchr(foreign.err, '\033'));
}
END_TEST

START_TEST(help_and_version)
{
    static const char *const verbs[] = {"add",   "list",         "show",    "explain", "status",
                                        "renew", "request",      "history", "seal",    "version",
                                        "help",  "check-config", "backup",  "restore"};
    AUTO_RAN struct ran help = run(NULL, "help");
    AUTO_RAN struct ran option = run(NULL, "-h");

    ck_ran(help, 0);
    ck_assert_str_eq(help.out, option.out);
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        AUTO_FREE char *line = mem_printf("\n  %s ", verbs[i]);
        ck_says(help.out, line);
        AUTO_RAN struct ran one = run(NULL, "help", verbs[i]);
        AUTO_RAN struct ran same = run(NULL, verbs[i], "--help");
        ck_ran(one, 0);
        ck_ran(same, 0);
        ck_assert_str_eq(one.out, same.out);
    }
    ck_says(help.out, "  7  the daemon cannot be reached\n");
    AUTO_RAN struct ran version = run(NULL, "version");
    ck_assert_str_eq(version.out, "unlapse " UNLAPSED_VERSION "\n");
    AUTO_RAN struct ran json = run(NULL, "version", "--json");
    ck_says(json.out, "\"version\": \"" UNLAPSED_VERSION "\"");
}
END_TEST

START_TEST(no_daemon)
{
    AUTO_RAN struct ran ran = run(NULL, "list");
    ck_ran(ran, 7);
    ck_says(ran.err, "/nowhere/api.sock: cannot reach the daemon: No such file");
    AUTO_RAN struct ran json = run(NULL, "list", "--json");
    ck_ran(json, 7);
    ck_says(json.out, "\"E_NETWORK\"");
    AUTO_RAN struct ran socket = run(&server, "list", "--socket", "/nowhere");
    ck_ran(socket, 7);
}
END_TEST

START_TEST(output_that_is_lost)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
    static const char *const words[] = {"list", NULL};

    AUTO_RAN struct ran ran = run_argv(&server, full, words);
    ck_ran(ran, 1);
    ck_says(ran.err, "standard output: No space left");
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    AUTO_RAN struct ran gone = run_argv(&server, ends[1], words);
    ck_ran(gone, 1);
    ck_says(gone.err, "Broken pipe");
}
END_TEST

START_TEST(check_config)
{
    struct error err = {0};
    AUTO_FREE char *good = testing_path("good.yaml");
    AUTO_FREE char *bad = testing_path("bad.yaml");

    ck_ok(file_replace(good, span_text("host: web1\n"), FILE_PUBLIC, &err));
    ck_ok(file_replace(bad, span_text("hosst: web1\nsocket: [a]\n"), FILE_PUBLIC, &err));
    AUTO_RAN struct ran fine = run(NULL, "check-config", good);
    ck_ran(fine, 0);
    ck_says(fine.out, "good.yaml: fine\n");
    AUTO_RAN struct ran wrong = run(NULL, "check-config", bad);
    ck_ran(wrong, 4);
    ck_assert_str_eq(wrong.out, "");
    ck_says(wrong.err, "bad.yaml:1:1: ");
    ck_says(wrong.err, "bad.yaml:2:");
    AUTO_RAN struct ran json = run(NULL, "--json", "check-config", bad);
    ck_ran(json, 4);
    json_t *document = json_loads(json.out, 0, NULL);
    ck_assert(json_is_false(at(document, "fine")));
    ck_assert_uint_ge(json_array_size(at(document, "complaints")), 2);
    json_decref(document);
    AUTO_RAN struct ran none = run(NULL, "check-config", "/nowhere/unlapsed.yaml");
    ck_ran(none, 5);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-verbs");
    TCase *tcase = tcase_create("verbs");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, status);
    tcase_add_test(tcase, list);
    tcase_add_test(tcase, show_and_explain);
    tcase_add_test(tcase, odd_names);
    tcase_add_test(tcase, add);
    tcase_add_test(tcase, renew);
    tcase_add_test(tcase, request_waits_for_the_csr);
    tcase_add_test(tcase, history);
    tcase_add_test(tcase, usage);
    tcase_add_test(tcase, help_and_version);
    tcase_add_test(tcase, no_daemon);
    tcase_add_test(tcase, output_that_is_lost);
    tcase_add_test(tcase, check_config);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
