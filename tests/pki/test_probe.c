#include "pki/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

enum { PATIENCE_MS = 20000, SHORT_MS = 200 };

static struct error err;
static const struct authority *root, *issuing, *leaf, *other;
static pid_t server;

static void setup(void)
{
    /* As the daemon does: a peer that is gone must not end the process. */
    signal(SIGPIPE, SIG_IGN);
    server = 0;
    root = authority_make(NULL, &(struct authority_plan){.subject = "Root", .ca = true});
    issuing = authority_make(root, &(struct authority_plan){.subject = "Issuing", .ca = true});
    leaf = authority_make(issuing, &(struct authority_plan){.subject = "www"});
    other = authority_make(root, &(struct authority_plan){.subject = "other"});
}

static void teardown(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    authority_done();
}

static char *write_file(const char *name, const char *text)
{
    char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
    return path;
}

/* Waits for "ACCEPT host:port" in what the server says, and returns the port. */
static int read_port(int from)
{
    char text[4096] = "";
    size_t len = 0;
    int64_t port = 0;

    for (;;) {
        struct pollfd one = {.fd = from, .events = POLLIN};
        ck_assert_msg(poll(&one, 1, PATIENCE_MS) == 1, "the server says nothing: %s", text);
        ssize_t got = read(from, text + len, sizeof text - 1 - len);
        ck_assert_msg(got > 0, "the server ended: %s", text);
        len += (size_t)got;
        text[len] = '\0';
        char *line = strstr(text, "ACCEPT ");
        char *end = line ? strchr(line, '\n') : NULL;
        if (!end)
            continue;
        *end = '\0';
        ck_assert_msg(text_number(strrchr(line, ':') + 1, 1, 65535, &port), "no port: %s", line);
        return (int)port;
    }
}

/* `openssl s_server` on a free port of host, with more arguments, NULL at the end. */
static int start_server(const char *host, const char *const more[])
{
    AUTO_FREE char *cert = write_file("cert.pem", authority_pem(leaf));
    AUTO_FREE char *key = write_file("key.pem", authority_key_pem(leaf));
    AUTO_FREE char *chain = write_file("chain.pem", authority_pem(issuing));
    AUTO_FREE char *cert2 = write_file("cert2.pem", authority_pem(other));
    AUTO_FREE char *key2 = write_file("key2.pem", authority_key_pem(other));
    AUTO_FREE char *address = mem_printf("%s:0", host);
    const char *argv[40] = {"openssl",     "s_server",     "-accept", address,       "-www",
                            "-cert",       cert,           "-key",    key,           "-cert2",
                            cert2,         "-key2",        key2,      "-cert_chain", chain,
                            "-servername", "other.example"};
    size_t count = 17;
    int out[2];

    for (size_t i = 0; more && more[i]; i++)
        argv[count++] = more[i];
    ck_assert_int_eq(0, pipe2(out, O_CLOEXEC));
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(out[1], 1);
        dup2(null, 2);
        execv("/usr/bin/openssl", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(out[1]);
    return read_port(out[0]);
}

static struct probe_address address_of(const char *host, int port)
{
    struct probe_addresses found = {0};

    ck_ok(probe_resolve(host, port, PATIENCE_MS, &found, &err));
    ck_assert_uint_eq(1, found.count);
    return found.items[0];
}

static void serves(const struct probe_result *result, size_t place,
                   const struct authority *authority)
{
    ck_assert_uint_gt(result->sent.count, place);
    ck_assert_msg(span_equal(authority_der(authority), blob_span(&result->sent.items[place])),
                  "another certificate at place %zu", place);
}

START_TEST(test_chain_as_sent)
{
    AUTO_PROBE struct probe_result result = {0};
    struct probe_address at = address_of("127.0.0.1", start_server("127.0.0.1", NULL));

    ck_ok(probe_handshake(&at, NULL, PATIENCE_MS, &result, &err));
    ck_assert_uint_eq(2, result.sent.count);
    serves(&result, 0, leaf);
    serves(&result, 1, issuing);
    ck_assert_str_eq("TLSv1.3", result.protocol);
}
END_TEST

START_TEST(test_server_name)
{
    struct probe_address at = address_of("127.0.0.1", start_server("127.0.0.1", NULL));
    const struct {
        const char *name;
        const struct authority *served;
    } rows[] = {{"other.example", other},
                {"other.example.", other},
                {"www.example", leaf},
                {"127.0.0.1", leaf},
                {"::1", leaf},
                {"", leaf},
                {NULL, leaf}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_PROBE struct probe_result result = {0};

        ck_ok(probe_handshake(&at, rows[i].name, PATIENCE_MS, &result, &err));
        serves(&result, 0, rows[i].served);
    }
}
END_TEST

START_TEST(test_ipv6)
{
    AUTO_PROBE struct probe_result result = {0};
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    AUTO_FD int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&loopback, sizeof loopback) < 0)
        return; /* no IPv6 here */
    int port = start_server("[::1]", NULL);
    struct probe_address at = address_of("::1", port);
    AUTO_FREE char *text = mem_printf("[::1]:%d", port);
    ck_assert_str_eq(text, at.text);
    ck_ok(probe_handshake(&at, NULL, PATIENCE_MS, &result, &err));
    serves(&result, 0, leaf);
}
END_TEST

/* What is served is seen, however old its manner. */
START_TEST(test_old_server)
{
    AUTO_PROBE struct probe_result result = {0};

    leaf = authority_make(
        root, &(struct authority_plan){.subject = "old", .rsa_bits = 1024, .sha1 = true});
    int port = start_server("127.0.0.1",
                            (const char *const[]){"-tls1", "-cipher", "ALL:@SECLEVEL=0", NULL});
    struct probe_address at = address_of("127.0.0.1", port);
    ck_ok(probe_handshake(&at, "old.example", PATIENCE_MS, &result, &err));
    serves(&result, 0, leaf);
    ck_assert_str_eq("TLSv1", result.protocol);
}
END_TEST

/* A server that wants our certificate first has shown its own all the same. */
START_TEST(test_client_certificate_wanted)
{
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    AUTO_PROBE struct probe_result result = {0};
    int port = start_server("127.0.0.1", (const char *const[]){versions[_i], "-Verify", "2",
                                                               "-verify_return_error", NULL});
    struct probe_address at = address_of("127.0.0.1", port);

    ck_ok(probe_handshake(&at, NULL, PATIENCE_MS, &result, &err));
    serves(&result, 0, leaf);
}
END_TEST

START_TEST(test_alert)
{
    struct probe_result result = {0};
    int port = start_server("127.0.0.1", (const char *const[]){"-servername_fatal", NULL});
    struct probe_address at = address_of("127.0.0.1", port);

    ck_fails(probe_handshake(&at, "www.example", PATIENCE_MS, &result, &err), E_NETWORK,
             "handshake: tlsv1 unrecognized name");
    ck_assert_ptr_null(result.sent.items);
    /* This server would end a handshake with any name it does not have: an address is not sent. */
    for (size_t i = 0; i < 2; i++) {
        ck_ok(probe_handshake(&at, i == 0 ? "127.0.0.1" : "::1", PATIENCE_MS, &result, &err));
        probe_result_done(&result);
    }
}
END_TEST

/* A socket that listens on a free loopback port and never accepts by itself. */
static int listen_on(int *ret_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(0, bind(fd, (struct sockaddr *)&to, sizeof to));
    ck_assert_int_eq(0, listen(fd, 5));
    ck_assert_int_eq(0, getsockname(fd, (struct sockaddr *)&to, &len));
    *ret_port = ntohs(to.sin_port);
    return fd;
}

START_TEST(test_nobody_listens)
{
    struct probe_result result = {0};
    int port;
    int fd = listen_on(&port);

    close(fd);
    struct probe_address at = address_of("127.0.0.1", port);
    AUTO_FREE char *text = mem_printf("probe 127.0.0.1:%d: cannot connect", port);
    ck_fails(probe_handshake(&at, NULL, PATIENCE_MS, &result, &err), E_NETWORK, text);
}
END_TEST

START_TEST(test_never_answers)
{
    struct probe_result result = {0};
    int port;
    AUTO_FD int fd = listen_on(&port);
    struct probe_address at = address_of("127.0.0.1", port);

    ck_assert_int_ge(fd, 0);
    ck_fails(probe_handshake(&at, NULL, SHORT_MS, &result, &err), E_TIMEOUT, "within 200 ms");
    ck_fails(probe_handshake(&at, NULL, 0, &result, &err), E_TIMEOUT, "within 0 ms");
}
END_TEST

/* One connection that answers with a text and ends. */
static void answer_with(int fd, const char *text, bool wait)
{
    server = fork();
    if (server != 0)
        return;
    char ignored[4096];
    int peer = accept(fd, NULL, NULL);

    if (wait && read(peer, ignored, sizeof ignored) < 0)
        _exit(1);
    if (write(peer, text, strlen(text)) < 0)
        _exit(1);
    shutdown(peer, SHUT_WR);
    while (read(peer, ignored, sizeof ignored) > 0)
        continue;
    _exit(0);
}

static const struct {
    const char *answer;
    bool wait;
    const char *piece;
} strange[] = {
    {"220 mail.example ESMTP ready\r\n", false, "wanted TLS, got an answer that is none"},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", true, "wanted TLS, got an answer that is none"},
    {"", true, "handshake: "},
    {"", false, "handshake: "},
};

START_TEST(test_no_tls)
{
    struct probe_result result = {0};
    int port;
    AUTO_FD int fd = listen_on(&port);
    struct probe_address at = address_of("127.0.0.1", port);

    answer_with(fd, strange[_i].answer, strange[_i].wait);
    ck_fails(probe_handshake(&at, NULL, PATIENCE_MS, &result, &err), E_NETWORK, strange[_i].piece);
}
END_TEST

/* A resolver that keeps silent until it is told to answer; for one name alone. */
static pthread_mutex_t silence = PTHREAD_MUTEX_INITIALIZER;

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
    if (strcmp(host, "silent.example") != 0)
        return __real_getaddrinfo(host, service, hints, ret);
    pthread_mutex_lock(&silence);
    pthread_mutex_unlock(&silence);
    return __real_getaddrinfo("127.0.0.1", service, hints, ret);
}

START_TEST(test_resolve_in_time)
{
    struct probe_addresses found = {.count = 7};

    pthread_mutex_lock(&silence);
    /* 32 are given up and go on; one more is not begun. */
    for (int i = 0; i < 32; i++)
        ck_fails(probe_resolve("silent.example", 443, 1, &found, &err), E_TIMEOUT,
                 "silent.example: no address: wanted an answer of the name server within 1 ms");
    ck_fails(probe_resolve("silent.example", 443, 1, &found, &err), E_BUSY, "32 other names wait");
    ck_assert_uint_eq(7, found.count);
    ck_ok(probe_resolve("127.0.0.1", 443, 1, &found, &err));
    pthread_mutex_unlock(&silence);
    /* They end, and there is room again. */
    while (probe_resolve("silent.example", 443, PATIENCE_MS, &found, &err) == E_BUSY)
        usleep(1000);
    ck_assert_str_eq("127.0.0.1:443", found.items[0].text);
}
END_TEST

START_TEST(test_resolve)
{
    struct probe_addresses found = {0};

    ck_ok(probe_resolve("127.0.0.1", 443, PATIENCE_MS, &found, &err));
    ck_assert_uint_eq(1, found.count);
    ck_assert_str_eq("127.0.0.1:443", found.items[0].text);
    ck_ok(probe_resolve("localhost", 8443, PATIENCE_MS, &found, &err));
    ck_assert_uint_ge(found.count, 1);
    for (size_t i = 1; i < found.count; i++)
        ck_assert_str_ne(found.items[0].text, found.items[i].text);
    found.count = 7;
    ck_fails(probe_resolve("", 443, PATIENCE_MS, &found, &err), E_NETWORK, "no address");
    ck_fails(probe_resolve("localhost", 0, PATIENCE_MS, &found, &err), E_INPUT, "port");
    ck_fails(probe_resolve("localhost", 65536, PATIENCE_MS, &found, &err), E_INPUT, "got 65536");
    ck_assert_uint_eq(7, found.count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/probe");
    TCase *tcase = tcase_create("probe");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_chain_as_sent);
    tcase_add_test(tcase, test_server_name);
    tcase_add_test(tcase, test_ipv6);
    tcase_add_test(tcase, test_old_server);
    tcase_add_loop_test(tcase, test_client_certificate_wanted, 0, 2);
    tcase_add_test(tcase, test_alert);
    tcase_add_test(tcase, test_nobody_listens);
    tcase_add_test(tcase, test_never_answers);
    tcase_add_loop_test(tcase, test_no_tls, 0, COUNT_OF(strange));
    tcase_add_test(tcase, test_resolve);
    tcase_add_test(tcase, test_resolve_in_time);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
