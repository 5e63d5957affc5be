/* `unlapse inspect` on files that are and are not for a certificate of the daemon's. */
#include "tests/daemon/cli/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/cert.h"
#include "tests/pki/authority.h"

static struct server server;
static char ours[64], stranger[64], odd[64]; /* files */

/* Leaves the certificate that is in service in a file. */
static void fill(struct harness *harness)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};
    struct error err = {0};
    int64_t id = harness_www(harness);

    ck_ok(renewals_accepted(harness->inventory, id, &renewal, &err));
    ck_ok(file_replace(ours, blob_span(&renewal.leaf), FILE_PUBLIC, &err));
}

static void setup(void)
{
    const struct authority_plan plan = {.subject = "far.example.net",
                                        .names = "DNS:far.example.net"};
    const struct authority *far = authority_make(NULL, &plan);
    struct error err = {0};

    snprintf(ours, sizeof ours, "/tmp/inspect-%d-ours", (int)getpid());
    snprintf(stranger, sizeof stranger, "/tmp/inspect-%d-stranger", (int)getpid());
    snprintf(odd, sizeof odd, "/tmp/inspect-%d-odd\x1b[31m", (int)getpid());
    AUTO_FREE char *both = mem_printf("%s%s", authority_pem(far), authority_key_pem(far));
    ck_ok(file_replace(stranger, span_text(both), FILE_PUBLIC, &err));
    ck_ok(file_replace(odd, span_text("<html><body>Sign in</body></html>"), FILE_PUBLIC, &err));
    server_start(&server, fill);
}

static void teardown(void)
{
    server_stop(&server);
    unlink(ours);
    unlink(stranger);
    unlink(odd);
    authority_done();
}

START_TEST(names_the_certificate_it_is_for)
{
    AUTO_RAN struct ran ran = run(&server, "inspect", ours);

    ck_ran(ran, 0);
    ck_says(ran.out, "DER with 1 certificate\n");
    ck_says(ran.out, "Names          dns:www.example.com\n");
    ck_says(ran.out, "www (renewal 1): a certificate for it was accepted");
    ck_assert_ptr_null(strstr(ran.out, "is not known"));
}
END_TEST

START_TEST(tells_strangers_and_keys)
{
    AUTO_RAN struct ran ran = run(&server, "inspect", stranger);

    ck_ran(ran, 0);
    ck_says(ran.out, "PEM with 1 certificate, 1 private key\n");
    ck_says(ran.out, "its key belongs to no request made here");
    ck_says(ran.out, "2. a private key");
    ck_assert_ptr_null(strstr(ran.out, "BEGIN"));
}
END_TEST

START_TEST(needs_no_daemon)
{
    AUTO_RAN struct ran ran =
        run(&server, "--socket", "/nonexistent/socket", "inspect", "--json", ours);
    AUTO_RAN struct ran text = run(&server, "--socket", "/nonexistent/socket", "inspect", ours);

    ck_ran(ran, 0);
    json_t *json = json_loads(ran.out, 0, NULL);
    ck_json_number(json, "schema_version", 1);
    ck_json_text(json, "objects.0.kind", "certificate");
    ck_json_text(json, "objects.0.names.0", "dns:www.example.com");
    ck_json_null(json, "objects.0.renewals");
    ck_assert_ptr_nonnull(strstr(json_string_value(at(json, "not_asked")), "cannot reach"));
    json_decref(json);
    ck_says(text.out, "Whether it is for a certificate of ours is not known");
}
END_TEST

START_TEST(says_what_is_no_certificate)
{
    AUTO_RAN struct ran ran = run(&server, "inspect", odd);

    ck_ran(ran, 0);
    ck_says(ran.out, "an HTML page");
    ck_assert_ptr_null(strchr(ran.out, '\033'));
}
END_TEST

/* By the same rule as those of the configuration. */
START_TEST(passwords_are_a_list)
{
    AUTO_FREE char *path = mem_printf("/tmp/inspect-%d-passwords", (int)getpid());
    struct error err = {0};

    ck_ok(file_replace(path, span_text(" one \r\ntwo"), FILE_PRIVATE, &err));
    AUTO_RAN struct ran good = run(&server, "inspect", "--password-file", path, ours);
    ck_ok(file_replace(path, span_text("hunter2\n\nhunter3\n"), FILE_PRIVATE, &err));
    AUTO_RAN struct ran blank = run(&server, "inspect", "--password-file", path, ours);
    unlink(path);
    ck_ran(good, 0);
    ck_ran(blank, 1);
    ck_says(blank.err, "line 2: wanted a password, got a blank line");
    ck_assert_ptr_null(strstr(blank.err, "hunter"));
}
END_TEST

/* The file is parsed by a process of its own, or not at all: a socket pair does not fit here. */
START_TEST(parses_nothing_itself)
{
    run_descriptors = 5;
    AUTO_RAN struct ran few = run(&server, "inspect", stranger);
    run_descriptors = 0;
    AUTO_RAN struct ran hand = run(&server, "--role=reader");

    ck_ran(few, 1);
    ck_says(few.err, "no process to read it in: reader: no socket pair");
    ck_assert_str_eq(few.out, "");
    ck_ran(hand, 2);
    ck_says(hand.err, "not started by hand");
}
END_TEST

START_TEST(mistakes)
{
    AUTO_RAN struct ran none = run(&server, "inspect");
    AUTO_RAN struct ran two = run(&server, "inspect", ours, stranger);
    AUTO_RAN struct ran absent = run(&server, "inspect", "/nonexistent/file");
    AUTO_RAN struct ran passwords =
        run(&server, "inspect", "--password-file", "/nonexistent/passwords", ours);

    ck_ran(none, 2);
    ck_ran(two, 2);
    ck_ran(absent, 5);
    ck_says(absent.err, "/nonexistent/file");
    ck_ran(passwords, 5);
    ck_says(passwords.err, "/nonexistent/passwords");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-inspect");
    TCase *tcase = tcase_create("inspect");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, names_the_certificate_it_is_for);
    tcase_add_test(tcase, tells_strangers_and_keys);
    tcase_add_test(tcase, needs_no_daemon);
    tcase_add_test(tcase, says_what_is_no_certificate);
    tcase_add_test(tcase, passwords_are_a_list);
    tcase_add_test(tcase, parses_nothing_itself);
    tcase_add_test(tcase, mistakes);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
