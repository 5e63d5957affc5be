/* `unlapse check` on files: its words, its exit status, its document. Live hosts: tests/flow. */
#include "tests/daemon/cli/run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "daemon/cli/check_look.h"
#include "tests/pki/authority.h"

static struct error err;
static const struct authority *root, *issuing, *leaf;
static char *root_file, *chain_file, *leaf_file;

static char *write_file(const char *name, const char *first, const char *second)
{
    char *path = testing_path(name);
    AUTO_FREE char *text = mem_printf("%s%s", first, second);

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
    return path;
}

static void setup(void)
{
    root = authority_make(NULL, &(struct authority_plan){.subject = "Root", .ca = true});
    issuing = authority_make(root, &(struct authority_plan){.subject = "Issuing", .ca = true});
    leaf = authority_make(
        issuing, &(struct authority_plan){.subject = "www", .names = "DNS:www.example.com"});
    root_file = write_file("root.pem", authority_pem(root), "");
    leaf_file = write_file("leaf.pem", authority_pem(leaf), "");
    chain_file = write_file("chain.pem", authority_pem(leaf), authority_pem(issuing));
}

static void teardown(void)
{
    free(root_file);
    free(leaf_file);
    free(chain_file);
    authority_done();
}

/* At AUTHORITY_NOW, under the root. */
#define check(...) run(NULL, "check", "--anchor", root_file, "--at", "@1795348800", __VA_ARGS__)

START_TEST(test_good)
{
    AUTO_RAN struct ran ran = check("--host", "www.example.com", chain_file);

    ck_ran(ran, 0);
    ck_assert_str_eq("", ran.err);
    ck_says(ran.out, "chain.pem: good\n");
    ck_says(ran.out, "SUBJECT");
    ck_says(ran.out, "CN=Issuing");
    ck_says(ran.out, "EC P-256");
    ck_says(ran.out, "2026-11-21  2027-02-20 (90 d)");
    ck_says(ran.out, "trust anchor");
    ck_says(ran.out, "dns:www.example.com");
    /* The verdict comes first. */
    ck_assert_ptr_eq(strstr(ran.out, ": good"), strchr(ran.out, ':'));
}
END_TEST

START_TEST(test_bad)
{
    AUTO_RAN struct ran ran = check("--host", "www.example.com", "--host", "192.0.2.1", leaf_file);

    ck_ran(ran, 1);
    ck_says(ran.out, "leaf.pem: bad, 2 findings\n");
    ck_says(ran.out, "bad chain-incomplete (0): the certificate of its issuer is missing: "
                     "\"CN=Issuing\"\n    get it");
    ck_says(ran.out, "bad host-mismatch (0): it is not for ip \"192.0.2.1\", but for: "
                     "dns:www.example.com\n");
    AUTO_FREE char *chain = write_file("rest.pem", authority_pem(issuing), "");
    AUTO_RAN struct ran hinted = check("--untrusted", chain, leaf_file);
    ck_ran(hinted, 0);
    ck_says(hinted.out, "info chain-incomplete (1)");
    /* Without --anchor the system's store counts. */
    AUTO_RAN struct ran system = run(NULL, "check", chain_file);
    ck_ran(system, 1);
    ck_says(system.out, "\"CN=Root\"");
}
END_TEST

START_TEST(test_times)
{
    AUTO_RAN struct ran day =
        run(NULL, "check", "--anchor", root_file, "--at", "2027-02-20", chain_file);
    AUTO_RAN struct ran last =
        run(NULL, "check", "--anchor", root_file, "--at", "2027-02-20T12:00:00Z", chain_file);
    AUTO_RAN struct ran after =
        run(NULL, "check", "--anchor", root_file, "--at", "2027-02-20T12:00:01Z", chain_file);

    ck_ran(day, 0);
    ck_ran(last, 0);
    ck_says(last.out, "warning expires-soon (0)");
    ck_ran(after, 1);
    ck_says(after.out, "bad expired (0): validity: wanted a certificate valid on "
                       "2027-02-20 12:00:01 UTC, this one ended on 2027-02-20 12:00:00 UTC");
}
END_TEST

START_TEST(test_json)
{
    AUTO_RAN struct ran ran = check("--host", "other.example.com", "--json", chain_file);

    ck_ran(ran, 1);
    json_t *document = json_loads(ran.out, 0, NULL);
    ck_json_number(document, "schema_version", 1);
    ck_json_text(document, "verdict", "bad");
    ck_json_text(document, "at", "2026-11-22T12:00:00Z");
    ck_json_text(document, "purpose", "server");
    ck_json_text(document, "hosts.0", "dns:other.example.com");
    ck_json_text(document, "looks.0.chain.0.subject", "CN=www");
    ck_json_text(document, "looks.0.chain.0.issuer", "CN=Issuing");
    ck_json_text(document, "looks.0.chain.0.not_after", "2027-02-20T12:00:00Z");
    ck_json_number(document, "looks.0.chain.0.days_left", 90);
    ck_json_text(document, "looks.0.chain.0.key", "EC P-256");
    ck_json_text(document, "looks.0.chain.0.signature", "ecdsa-with-SHA256");
    ck_json_text(document, "looks.0.chain.2.from", "anchor");
    ck_json_text(document, "looks.0.findings.0.severity", "bad");
    ck_json_text(document, "looks.0.findings.0.code", "host-mismatch");
    ck_json_number(document, "looks.0.findings.0.link", 0);
    json_decref(document);
}
END_TEST

static const struct {
    const char *words[6], *says;
} mistakes[] = {
    {{NULL}, "a FILE or HOST:PORT is wanted"},
    {{"a.example:443", "b.example:443"}, "is too much"},
    {{"--at", "yesterday", "x"}, "--at: wanted"},
    {{"--at", "2026-02-30", "x"}, "--at: wanted"},
    {{"--purpose", "mail", "x"}, "wanted server, client or any"},
    {{"--starttls", "gopher", "x"}, "no protocol \"gopher\""},
    {{"--starttls", "smtp", "/etc/hostname"}, "is for HOST:PORT"},
    {{"--host", "*.example.com", "x"}, "wanted one name"},
    {{"--host", "no name", "x"}, "--host: "},
    {{"host.example:0"}, "no such file, and no HOST:PORT"},
    {{"host.example:65536"}, "no such file, and no HOST:PORT"},
    {{"[::1"}, "no such file, and no HOST:PORT"},
    {{"not a host"}, "no such file, and as a host"},
    {{"--frobnicate"}, "no such option"},
};

START_TEST(test_usage)
{
    const char *words[8] = {"check"};

    for (size_t i = 0; i < 6; i++)
        words[i + 1] = mistakes[_i].words[i];
    AUTO_RAN struct ran ran = run_argv(NULL, -1, words);
    ck_ran(ran, 2);
    ck_says(ran.err, mistakes[_i].says);
    ck_assert_str_eq("", ran.out);
}
END_TEST

START_TEST(test_cannot_look)
{
    AUTO_FREE char *page = write_file("page.html", "<html>not found</html>", "");
    AUTO_FREE char *gone = testing_path("gone.pem");
    AUTO_RAN struct ran no_file = check(gone);
    AUTO_RAN struct ran no_cert = check(page);
    AUTO_RAN struct ran no_anchor = run(NULL, "check", "--anchor", gone, chain_file);
    AUTO_RAN struct ran no_server = check("127.0.0.1:1", "--json");

    ck_ran(no_file, 3);
    ck_says(no_file.out, "gone.pem: unknown\n");
    ck_ran(no_cert, 3);
    ck_says(no_cert.out, "wanted a certificate, got ");
    ck_ran(no_anchor, 3);
    ck_says(no_anchor.err, "gone.pem");
    ck_ran(no_server, 3);
    ck_says(no_server.out, "cannot connect");
}
END_TEST

/* What a certificate and a file's name say reaches neither the terminal nor the document raw. */
START_TEST(test_hostile)
{
    const struct authority *odd =
        authority_make(issuing, &(struct authority_plan){.subject = "\x1b[31mred\x07\xe2\x80\xae",
                                                         .names = "DNS:www.example.com"});
    AUTO_FREE char *path = write_file("odd\x1b[1m\xff.pem", authority_pem(odd), "");
    AUTO_RAN struct ran people = check(path);
    AUTO_RAN struct ran machine = check("--json", path);

    ck_ran(people, 1);
    for (const char *c = people.out; *c; c++)
        ck_assert_msg(*c == '\n' || (unsigned char)*c >= 0x20, "%s", people.out);
    ck_assert(text_is_utf8(people.out, strlen(people.out)));
    json_t *document = json_loads(machine.out, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_ptr_null(strstr(machine.out, "\\u001b"));
    json_decref(document);
}
END_TEST

START_TEST(test_broken_block)
{
    AUTO_FREE char *cut = mem_strdup(authority_pem(issuing));

    cut[100] = '!';
    AUTO_FREE char *path = write_file("cut.pem", authority_pem(leaf), cut);
    AUTO_FREE char *only = write_file("only.pem", cut, "");
    AUTO_RAN struct ran ran = check(path);
    AUTO_RAN struct ran alone = check(only);

    ck_ran(ran, 1);
    ck_says(ran.out, "bad malformed: block 2");
    ck_ran(alone, 1);
    ck_says(alone.out, "bad malformed: block 1");
}
END_TEST

/* What check_http says of a web server that answers this once. */
static void check_web(const char *reply, struct check_report *report)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char request[4096];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(0, bind(fd, (struct sockaddr *)&at, sizeof at));
    ck_assert_int_eq(0, listen(fd, 1));
    ck_assert_int_eq(0, getsockname(fd, (struct sockaddr *)&at, &size));
    pid_t child = fork();
    if (child == 0) {
        int peer = accept(fd, NULL, NULL);

        if (peer < 0 || recv(peer, request, sizeof request, 0) <= 0 ||
            send(peer, reply, strlen(reply), MSG_NOSIGNAL) < 0)
            _exit(1);
        close(peer);
        _exit(0);
    }
    /* Nobody answers on port 1. */
    check_http("127.0.0.1", 1, ntohs(at.sin_port), report);
    close(fd);
    ck_assert_int_eq(child, waitpid(child, NULL, 0));
}

START_TEST(test_redirect)
{
    AUTO_CHECK struct check_report good = {0};
    AUTO_CHECK struct check_report bad = {0};
    AUTO_CHECK struct check_report other = {0};

    check_web("HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\n\r\n", &good);
    ck_assert_uint_eq(0, good.finding_count);
    check_web("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", &bad);
    ck_assert_uint_eq(1, bad.finding_count);
    ck_assert_str_eq("no-redirect", bad.findings[0].code);
    ck_assert_int_eq(CHECK_WARNING, bad.findings[0].severity);
    check_web("HTTP/1.1 302 Found\r\nLocation: http://www.example.com/\r\n\r\n", &other);
    ck_assert_uint_eq(1, other.finding_count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/check");
    TCase *tcase = tcase_create("check");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_good);
    tcase_add_test(tcase, test_bad);
    tcase_add_test(tcase, test_times);
    tcase_add_test(tcase, test_json);
    tcase_add_loop_test(tcase, test_usage, 0, COUNT_OF(mistakes));
    tcase_add_test(tcase, test_cannot_look);
    tcase_add_test(tcase, test_hostile);
    tcase_add_test(tcase, test_broken_block);
    tcase_add_test(tcase, test_redirect);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
