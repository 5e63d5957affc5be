#include "daemon/fetch/fetch.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

static struct error err;

/* tests/daemon/fetch/server.py, which ends when `hold` closes: also when a test fails. */
static struct {
    pid_t pid;
    int hold;
    int port;
} server;

/* Names of our own: what they resolve to, the first of two addresses and the second. */
static const struct {
    const char *name, *first, *second;
} names[] = {
    {"inside.example", "127.0.0.1", NULL},
    {"mixed.example", "8.8.8.8", "127.0.0.1"},
    {"turned.example", "127.0.0.1", "8.8.8.8"},
    {"metadata.example", "169.254.169.254", NULL},
    {"mapped.example", "::ffff:127.0.0.1", NULL},
    {"localhost.", "127.0.0.1", NULL},
    /* A resolver that lies about an address: libcurl needs none for it. */
    {"127.0.0.1", NULL, NULL},
};
static bool lying;
/* libcurl gets no list of addresses, and goes its own way. */
static bool unpinned;

struct curl_slist;
struct curl_slist *__real_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text);

struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text)
{
    return unpinned ? NULL : __real_curl_slist_append(list, text);
}

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(host, names[i].name) != 0)
            continue;
        if (!names[i].first)
            return __real_getaddrinfo(lying ? "8.8.8.8" : host, service, hints, ret);
        int rc = __real_getaddrinfo(names[i].first, service, hints, ret);
        return rc != 0 || !names[i].second
                   ? rc
                   : __real_getaddrinfo(names[i].second, service, hints, &(*ret)->ai_next);
    }
    return __real_getaddrinfo(host, service, hints, ret);
}

static void serve(const char *cert, const char *key)
{
    AUTO_FREE char *script = mem_printf("%s/tests/daemon/fetch/server.py", getenv("SOURCE_ROOT"));
    const char *argv[] = {
        "/usr/bin/python3", script, testing_dir(), cert ? "--tls" : NULL, cert, key, NULL};
    int in[2], out[2];
    char port[16] = "";

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.hold = in[1];
    for (size_t len = 0; !strchr(port, '\n'); len++)
        ck_assert_int_eq(read(out[0], port + len, 1), 1);
    close(out[0]);
    server.port = (int)strtol(port, NULL, 10);
}

static void write_file(const char *name, const char *text)
{
    AUTO_FREE char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
}

static void set_up(void)
{
    write_file("body", "what the authority publishes");
    serve(NULL, NULL);
}

static void tear_down(void)
{
    file_close(&server.hold);
    if (server.pid > 0)
        waitpid(server.pid, NULL, 0);
    authority_done();
}

/* Asks for a path at a host, by these exceptions; the server's port is one of them. */
static int get(const char *scheme, const char *host, const char *path, const char *allow,
               struct blob *ret)
{
    const struct fetch_rules rules = {
        .allow = &allow, .allow_count = allow != NULL, .ports = &server.port, .port_count = 1};
    AUTO_FREE char *url = mem_printf("%s://%s:%d%s", scheme, host, server.port, path);

    err = (struct error){0};
    return fetch_get(&rules, url, ret, &err);
}

static bool was_asked(const char *piece)
{
    AUTO_FREE char *path = testing_path("requests.log");
    AUTO_BLOB struct blob log = {0};

    return file_read(path, 1 << 20, &log, NULL) == 0 &&
           strstr((const char *)log.data, piece) != NULL;
}

static void expect_body(const char *host, const char *path, const char *allow)
{
    AUTO_BLOB struct blob body = {0};

    ck_ok(get("http", host, path, allow, &body));
    ck_assert(span_equal(blob_span(&body), span_text("what the authority publishes")));
}

START_TEST(what_is_published_comes)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    expect_body("127.0.0.1", "/body", "127.0.0.0/8");
    expect_body("127.0.0.1", "/chunked", "127.0.0.1");
    expect_body("127.0.0.1", "/cookie", "127.0.0.0/8");
    expect_body("127.0.0.1", "/body", "127.0.0.0/8");
    ck_assert(was_asked("GET /body HTTP/1.1\r\n"));
    ck_assert(was_asked("User-Agent: unlapsed\r\n"));
    static const char *const none[] = {"Cookie", "Authorization", "Referer", "Accept-Encoding"};
    for (size_t i = 0; i < COUNT_OF(none); i++)
        ck_assert_msg(!was_asked(none[i]), "%s was sent", none[i]);
}
END_TEST

/* libcurl could not resolve this name: it connects where it was told to. */
START_TEST(a_host_is_allowed_by_its_name_or_by_its_addresses)
{
    expect_body("inside.example", "/body", "inside.example");
    expect_body("Inside.Example", "/body", "inside.example.");
    expect_body("inside.example", "/body", "127.0.0.0/8");
    expect_body("mapped.example", "/body", "127.0.0.0/8");
    ck_assert(was_asked("Host: inside.example:"));
}
END_TEST

static const struct {
    const char *host, *allow;
} inside[] = {
    {"127.0.0.1", NULL},
    {"127.0.0.1", "10.0.0.0/8"},
    {"127.0.0.1", "inside.example"},
    {"localhost", NULL},
    {"localhost.", NULL},
    {"LOCALHOST", "localhost.example"},
    {"2130706433", NULL},
    {"0x7f000001", NULL},
    {"0x7f.1", NULL},
    {"0177.0.0.1", NULL},
    {"127.1", NULL},
    {"0", NULL},
    {"0.0.0.0", NULL},
    {"[::1]", NULL},
    {"[::]", NULL},
    {"[::ffff:127.0.0.1]", NULL},
    {"[::ffff:7f00:1]", NULL},
    {"[64:ff9b::7f00:1]", NULL},
    {"[2002:7f00:1::]", NULL},
    {"169.254.169.254", NULL},
    {"[fd00:ec2::254]", NULL},
    {"inside.example", NULL},
    {"inside.example", "example"},
    {"inside.example", "other.inside.example"},
    {"mapped.example", NULL},
    {"mixed.example", NULL},
    {"turned.example", NULL},
    {"mixed.example", "10.0.0.0/8"},
    {"metadata.example", NULL},
};

START_TEST(inside_is_out_of_reach)
{
    AUTO_BLOB struct blob body = {0};

    ck_fails(get("http", inside[_i].host, "/body", inside[_i].allow, &body), E_REFUSED,
             "wanted a public address");
    ck_assert_uint_eq(body.len, 0);
    ck_assert_msg(!was_asked("GET"), "%s was reached", inside[_i].host);
}
END_TEST

/* The resolver says that it is a public address: libcurl goes there and nowhere else. */
START_TEST(a_lying_resolver_reaches_nothing)
{
    AUTO_BLOB struct blob body = {0};

    lying = true;
    ck_assert_int_lt(get("http", "127.0.0.1", "/body", NULL, &body), 0);
    ck_assert(!was_asked("GET"));
}
END_TEST

/* The last check is made on the socket's own address, whatever was said before. */
START_TEST(a_libcurl_that_resolves_by_itself_reaches_nothing)
{
    AUTO_BLOB struct blob body = {0};

    lying = unpinned = true;
    ck_fails(get("http", "127.0.0.1", "/body", NULL, &body), E_REFUSED,
             "the address to connect to is a loopback address");
    ck_assert(!was_asked("GET"));
}
END_TEST

START_TEST(other_forms_and_ports_are_refused)
{
    static const char *const forms[] = {"user@127.0.0.1", "u:p@127.0.0.1", "127.0.0.1%00",
                                        "[fe80::1%25lo]", "a@b@127.0.0.1"};
    const struct fetch_rules rules = {.allow = (const char *const[]){"127.0.0.0/8"},
                                      .allow_count = 1};
    AUTO_FREE char *url = mem_printf("http://127.0.0.1:%d/body", server.port);
    AUTO_FREE char *file = mem_printf("file://%s/body", testing_dir());
    AUTO_BLOB struct blob body = {0};

    for (size_t i = 0; i < COUNT_OF(forms); i++)
        ck_fails(get("http", forms[i], "/body", "127.0.0.0/8", &body), E_INPUT, "URL: wanted");
    ck_fails(get("ftp", "127.0.0.1", "/body", "127.0.0.0/8", &body), E_INPUT, "http://");
    ck_fails(fetch_get(&rules, file, &body, &err), E_INPUT, "http://");
    ck_fails(fetch_get(&rules, url, &body, &err), E_REFUSED, "wanted port 80 or 443");
    ck_assert(!was_asked("GET"));
}
END_TEST

START_TEST(nobody_is_followed)
{
    AUTO_BLOB struct blob body = {0};

    ck_fails(get("http", "127.0.0.1", "/redirect", "127.0.0.0/8", &body), E_REFUSED,
             "got 302: redirects are not followed");
    ck_fails(get("http", "127.0.0.1", "/moved-to-file", "127.0.0.0/8", &body), E_REFUSED,
             "got 301: redirects");
    ck_assert(!was_asked("GET /body"));
    ck_assert_uint_eq(body.len, 0);
}
END_TEST

static const struct {
    const char *path;
    int code;
    const char *says;
} bad[] = {
    {"/silent", E_TIMEOUT, "within 5 s"},
    {"/slow", E_TIMEOUT, "within 5 s"},
    {"/endless", E_TOO_LARGE, "at most 65536 bytes"},
    {"/endless-chunks", E_TOO_LARGE, "at most 65536 bytes"},
    {"/huge", E_TOO_LARGE, "at most 65536 bytes"},
    {"/65537", E_TOO_LARGE, "at most 65536 bytes"},
    {"/endless-headers", E_NETWORK, "header"},
    {"/cut", E_NETWORK, "bytes remaining"},
    {"/rubbish", E_NETWORK, "HTTP"},
    {"/login", E_REFUSED, "wanted the status 200, got 401"},
    {"/nothing", E_REFUSED, "wanted the status 200, got 404"},
};

START_TEST(a_server_that_misbehaves_does_no_harm)
{
    AUTO_BLOB struct blob body = {0};

    ck_fails(get("http", "127.0.0.1", bad[_i].path, "127.0.0.0/8", &body), bad[_i].code,
             bad[_i].says);
    ck_assert_uint_eq(body.len, 0);
    expect_body("127.0.0.1", "/body", "127.0.0.0/8");
}
END_TEST

START_TEST(a_body_is_taken_as_it_is)
{
    AUTO_BLOB struct blob body = {0}, packed = {0};

    ck_ok(get("http", "127.0.0.1", "/65536", "127.0.0.0/8", &body));
    ck_assert_uint_eq(body.len, 65536);
    /* 50 MiB of zeros stay the few bytes that were sent. */
    ck_ok(get("http", "127.0.0.1", "/gzip", "127.0.0.0/8", &packed));
    ck_assert_uint_lt(packed.len, 65536);
    ck_assert_uint_eq(packed.data[0], 0x1F);
}
END_TEST

START_TEST(nobody_listens)
{
    AUTO_BLOB struct blob body = {0};

    server.port = 1;
    ck_fails(get("http", "127.0.0.1", "/body", "127.0.0.0/8", &body), E_NETWORK,
             "fetch: 127.0.0.1");
    ck_fails(get("http", "no-such-host.invalid", "/body", NULL, &body), E_NETWORK, "no address");
}
END_TEST

START_TEST(by_https_too_whoever_the_server_is)
{
    const struct authority *self = authority_make(
        NULL, &(struct authority_plan){.subject = "somebody", .names = "DNS:somebody.example"});
    AUTO_FREE char *cert = testing_path("cert.pem"), *key = testing_path("key.pem");
    AUTO_BLOB struct blob body = {0};

    write_file("cert.pem", authority_pem(self));
    write_file("key.pem", authority_key_pem(self));
    tear_down();
    write_file("body", "what the authority publishes");
    serve(cert, key);
    ck_ok(get("https", "127.0.0.1", "/body", "127.0.0.0/8", &body));
    ck_assert(span_equal(blob_span(&body), span_text("what the authority publishes")));
}
END_TEST

START_TEST(what_may_be_allowed)
{
    static const char *const good[] = {"10.0.0.0/8", "fd00::/8",      "192.0.2.1",
                                       "ca.example", "ca-1.example.", "localhost"};
    static const char *const wrong[] = {"",          "10.0.0.0/33",   "10.0.0",
                                        "*.example", "ca.example:80", "http://ca.example/",
                                        "a b",       "2130706433"};

    for (size_t i = 0; i < COUNT_OF(good); i++)
        ck_assert_msg(fetch_is_allowance(good[i]), "%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        ck_assert_msg(!fetch_is_allowance(wrong[i]), "%s", wrong[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/fetch/fetch");
    TCase *tcase = tcase_create("fetch");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, what_is_published_comes);
    tcase_add_test(tcase, a_host_is_allowed_by_its_name_or_by_its_addresses);
    tcase_add_loop_test(tcase, inside_is_out_of_reach, 0, COUNT_OF(inside));
    tcase_add_test(tcase, a_lying_resolver_reaches_nothing);
    tcase_add_test(tcase, a_libcurl_that_resolves_by_itself_reaches_nothing);
    tcase_add_test(tcase, other_forms_and_ports_are_refused);
    tcase_add_test(tcase, nobody_is_followed);
    tcase_add_loop_test(tcase, a_server_that_misbehaves_does_no_harm, 0, COUNT_OF(bad));
    tcase_add_test(tcase, a_body_is_taken_as_it_is);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, by_https_too_whoever_the_server_is);
    tcase_add_test(tcase, what_may_be_allowed);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
