/* `unlapse seal` against a real API. */
#include "tests/daemon/cli/run.h"

#include <string.h>

static struct server server;

static void setup(void)
{
    server_start(&server, NULL);
}

static void teardown(void)
{
    server_stop(&server);
}

START_TEST(status_and_rotate)
{
    AUTO_RAN struct ran before = run(&server, "seal", "status");
    ck_ran(before, 0);
    ck_says(before.out, "0000000000000000, in /var/lib/unlapsed/sealing.key\n");
    ck_says(before.out, "none goes on; 0 keys are under older ones\n");
    AUTO_RAN struct ran rotated = run(&server, "seal", "rotate");
    ck_ran(rotated, 0);
    ck_says(rotated.out, "0100000000000000, in /var/lib/unlapsed/sealing.key\n");
    ck_says(rotated.out, "Backups that were made before need the old key");
    ck_says(rotated.out, "\n  /var/lib/unlapsed/sealing.key.old-0000000000000000\n");
    ck_says(rotated.out, "Keep a copy of /var/lib/unlapsed/sealing.key apart");
    AUTO_RAN struct ran again = run(&server, "seal", "rotate");
    ck_ran(again, 3);
    ck_says(again.out, "nothing was done");
    AUTO_RAN struct ran json = run(&server, "seal", "status", "--json");
    ck_ran(json, 0);
    ck_says(json.out, "\"rotation\": {");
    AUTO_RAN struct ran twice = run(&server, "seal", "rotate", "--json");
    ck_ran(twice, 3);
    ck_says(twice.out, "\"existing\": true");
}
END_TEST

START_TEST(usage)
{
    AUTO_RAN struct ran none = run(&server, "seal");
    ck_ran(none, 2);
    ck_says(none.err, "wanted status or rotate");
    AUTO_RAN struct ran other = run(&server, "seal", "break");
    ck_ran(other, 2);
    AUTO_RAN struct ran more = run(&server, "seal", "rotate", "x");
    ck_ran(more, 2);
    ck_says(more.err, "\"x\" is too much");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/seal");
    TCase *tcase = tcase_create("seal");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, status_and_rotate);
    tcase_add_test(tcase, usage);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
