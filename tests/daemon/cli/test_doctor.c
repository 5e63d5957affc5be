/* `unlapse doctor`: the table, what is wrong and what to do, and the exit status. */
#include <string.h>

#include "store/schedule.h"
#include "store/certificates.h"
#include "tests/daemon/cli/run.h"

static struct server server;
static struct error err;

static void fill_well(struct harness *harness)
{
    harness->now = HARNESS_NOW;
    harness_www(harness);
}

static void fill_broken(struct harness *harness)
{
    harness->now = HARNESS_NOW;
    ck_ok(certificates_set_plan(harness->inventory, harness_www(harness),
                                &(struct certificate_plan){.next_at = HARNESS_NOW + 1,
                                                           .next_action = "dance",
                                                           .deadline = UTC_NEVER,
                                                           .ends_at = UTC_NEVER,
                                                           .state = "ok"},
                                HARNESS_NOW, &err));
}

START_TEST(well)
{
    server_start(&server, fill_well);
    AUTO_RAN struct ran ran = run(&server, "doctor");
    ck_ran(ran, 0);
    ck_says(ran.out, "CHECK ");
    ck_says(ran.out, "\nkeys ");
    ck_says(ran.out, " every key opens under the sealing key");
    ck_assert_ptr_null(strstr(ran.out, "To do"));
    AUTO_RAN struct ran json = run(&server, "doctor", "--json");
    ck_ran(json, 0);
    json_t *document = json_loads(json.out, 0, NULL);
    ck_assert(json_is_true(at(document, "well")));
    json_decref(document);
    AUTO_RAN struct ran usage = run(&server, "doctor", "www");
    ck_ran(usage, 2);
    server_stop(&server);
}
END_TEST

START_TEST(not_well)
{
    testing_expect_log("doctor");
    server_start(&server, fill_broken);
    AUTO_RAN struct ran ran = run(&server, "doctor");
    ck_ran(ran, 1);
    ck_says(ran.out, "\nplans                  bad     ");
    ck_says(ran.out, "\n\nplans\n  certificate www: wanted \"start\" at ");
    ck_says(ran.out, "  To do: restart unlapsed");
    AUTO_RAN struct ran json = run(&server, "doctor", "--json");
    ck_ran(json, 1);
    ck_says(json.out, "\"dance\\\"");
    server_stop(&server);
}
END_TEST

/* More than are told one by one, a check that could not be looked at, and a daemon that takes its
 * time. */
START_TEST(whatever_it_says)
{
    AUTO_FREE char *asked = http_reply(200, "{\"schema_version\":1,\"run\":7}");
    AUTO_FREE char *works = http_reply(200, "{\"schema_version\":1,\"running\":true}");
    AUTO_FREE char *done = http_reply(
        200,
        "{\"schema_version\":1,\"running\":false,\"well\":false,\"checks\":["
        "{\"check\":\"a\",\"means\":\"m\",\"result\":\"bad\",\"count\":3,\"broken\":[\"x\\u001b\"],"
        "\"remedy\":\"r\"},"
        "{\"check\":\"b\",\"means\":\"m\",\"result\":\"unknown\",\"count\":0,\"broken\":[\"y\"],"
        "\"remedy\":\"r\"}]}");
    const char *const replies[] = {asked, works, works, done};

    server_start_canned(&server, replies, 4);
    AUTO_RAN struct ran ran = run(&server, "doctor");
    ck_ran(ran, 1);
    ck_says(ran.out, "a\n  x\\x1b\n  and 2 more\n  To do: r\n\nb\n  y\n  To do: r\n");
    server_stop(&server);
}
END_TEST

START_TEST(a_broken_reply)
{
    AUTO_FREE char *asked = http_reply(200, "{\"schema_version\":1,\"run\":7}");
    AUTO_FREE char *odd = http_reply(200, "{\"schema_version\":1,\"running\":\"perhaps\"}");
    const char *const replies[] = {asked, odd};

    server_start_canned(&server, replies, 2);
    AUTO_RAN struct ran ran = run(&server, "doctor");
    ck_ran(ran, 1);
    ck_says(ran.err, "running");
    ck_assert_str_eq(ran.out, "");
    server_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/cli/doctor");
    TCase *tcase = tcase_create("doctor");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, well);
    tcase_add_test(tcase, not_well);
    tcase_add_test(tcase, whatever_it_says);
    tcase_add_test(tcase, a_broken_reply);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
