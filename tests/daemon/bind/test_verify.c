#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "tests/daemon/bind/server.h"
#include "tests/daemon/bind/site.h"

/* Names that need no name server: both addresses of loopback, as "localhost" has them on most
 * machines, but not on all; 127.0.0.1 and an address of this machine; and one that resolves at the
 * second call. */
#define BOTH "both.test"
#define MIXED "mixed.test"
#define LATE "late.test"
static int late_calls;
static char own_address[INET6_ADDRSTRLEN];

static bool find_own_address(void)
{
    struct ifaddrs *list;

    ck_assert_int_eq(getifaddrs(&list), 0);
    for (const struct ifaddrs *at = list; at && own_address[0] == '\0'; at = at->ifa_next) {
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK))
            continue;
        ck_assert_int_eq(getnameinfo(at->ifa_addr, sizeof(struct sockaddr_in), own_address,
                                     sizeof own_address, NULL, 0, NI_NUMERICHOST),
                         0);
    }
    freeifaddrs(list);
    return own_address[0] != '\0';
}

/* The linker's --wrap puts this in front of the C library's. */
int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res)
{
    const char *more = strcmp(node, BOTH) == 0    ? "::1"
                       : strcmp(node, MIXED) == 0 ? own_address
                                                  : NULL;
    struct addrinfo *first = NULL;

    if (strcmp(node, LATE) == 0 && late_calls++ == 0)
        return EAI_AGAIN;
    if (!more)
        return __real_getaddrinfo(strcmp(node, LATE) == 0 ? "127.0.0.1" : node, service, hints,
                                  res);
    int rc = __real_getaddrinfo(more, service, hints, &first);
    if (rc == 0)
        rc = __real_getaddrinfo("127.0.0.1", service, hints, &first->ai_next);
    if (rc == 0)
        *res = first;
    return rc;
}

static struct error err;
static struct service service;
static struct deploy_order order;
static struct pair pair, other;
static struct server server;
static struct bind_endpoint endpoint;
static struct expectation expected;
static struct blobs wanted; /* of a chain */
static struct buf report = {.max = BUF_MAX_RECEIPT};

static void start(enum server_v6 v6)
{
    service = site_service();
    pair_make("old.example.com", &pair);
    pair_make("new.example.com", &other);
    site_order(&service, "key fullchain", &order);
    site_install(&order, &pair.bundle);
    AUTO_FREE char *key = testing_path("other.key");
    AUTO_FREE char *fullchain = testing_path("other.fullchain");
    ck_ok(file_replace(key, blob_span(&other.bundle.parts[BUNDLE_KEY]), FILE_PRIVATE, &err));
    ck_ok(file_replace(fullchain, blob_span(&other.bundle.parts[BUNDLE_FULLCHAIN]), FILE_PUBLIC,
                       &err));
    server_start(&server, v6);
    endpoint = (struct bind_endpoint){"127.0.0.1", server.port, "www.example.com"};
    order.endpoints = &endpoint;
    order.endpoint_count = 1;
    order.patience = 0;
    expected = pair_expected(&pair);
}

static void setup(void)
{
    start(V6_SAME);
}

static void setup_v4(void)
{
    start(V6_CLOSED);
}

static void setup_other(void)
{
    start(V6_OTHER);
}

static void teardown(void)
{
    server_stop(&server);
    site_order_done(&order);
    pair_done(&pair);
    pair_done(&other);
    authority_done();
    buf_done(&report);
    blobs_done(&wanted);
}

/* A new server: one that is told to read its files again serves both for a moment. */
static void serve(const char *text)
{
    server_stop(&server);
    ck_ok(file_replace(order.files[BUNDLE_FULLCHAIN], span_text(text), FILE_PUBLIC, &err));
    server_start(&server, V6_SAME);
    endpoint.port = server.port;
}

START_TEST(without_endpoints)
{
    order.endpoint_count = 0;
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "no endpoint"));
    ck_ok(deployer_verify(&order, &expected, NULL, &err));
}
END_TEST

START_TEST(by_hash_alone)
{
    expected.leaf = (struct span){0};
    expected.chain = NULL;
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    expected.leaf_sha256[0] ^= 1;
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED,
             "wanted the certificate with SHA-256");
}
END_TEST

/* Every row serves the right leaf. */
static const struct chain_row {
    const char *sent; /* letters: I intermediate, R root, O the intermediate of another authority */
    const char *wanted; /* likewise; NULL: not checked */
    const char *piece;  /* of the sentence; NULL: passes */
} chain_rows[] = {
    {"I", "I", NULL},
    {"", "", NULL},
    {"", NULL, NULL},
    {"OR", NULL, NULL},
    {"IR", "I", NULL},
    {"R", "", NULL},
    {"", "I", "lacks intermediate 1, CN=Intermediate"},
    {"I", "", "1 certificate too many, first CN=Intermediate"},
    {"O", "I", "intermediate 1: wanted CN=Intermediate, got CN=Intermediate"},
    {"IO", "I", "1 certificate too many"},
    {"RI", "I", "intermediate 1: wanted CN=Intermediate, got CN=Root"},
    {"IRR", "I", "2 certificates too many, first CN=Root"},
    {"OI", "IO", "intermediate 1"},
    {"I", "IO", "lacks intermediate 2"},
};

static const struct authority *by_letter(char letter)
{
    return letter == 'I' ? pair.intermediate : letter == 'R' ? pair.root : other.intermediate;
}

START_TEST(chains)
{
    const struct chain_row *row = &chain_rows[_i];
    AUTO_BUF struct buf sent = {.max = BUF_MAX_PEM};

    buf_add_text(&sent, authority_pem(pair.leaf));
    for (const char *at = row->sent; *at != '\0'; at++)
        buf_add_text(&sent, authority_pem(by_letter(*at)));
    for (const char *at = row->wanted; at && *at != '\0'; at++)
        blobs_add(&wanted, authority_der(by_letter(*at)));
    serve(buf_text(&sent));
    expected.chain = row->wanted ? &wanted : NULL;
    if (row->piece)
        ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, row->piece);
    else
        ck_ok(deployer_verify(&order, &expected, &report, &err));
    if (row->wanted && !row->piece)
        ck_assert_msg(!strchr(row->sent, 'R') == !strstr(buf_text(&report), "sends the root too"),
                      "row %d: %s", _i, buf_text(&report));
}
END_TEST

START_TEST(patience)
{
    pid_t pid = fork();

    if (pid == 0) {
        usleep(1000000);
        ck_ok(file_replace(order.files[BUNDLE_KEY], blob_span(&other.bundle.parts[BUNDLE_KEY]),
                           FILE_PRIVATE, &err));
        ck_ok(file_replace(order.files[BUNDLE_FULLCHAIN],
                           blob_span(&other.bundle.parts[BUNDLE_FULLCHAIN]), FILE_PUBLIC, &err));
        kill(server.pid, SIGHUP);
        _exit(0);
    }
    expected = pair_expected(&other);
    order.patience = 30;
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    /* One line an address, of the last attempt. */
    ck_assert_ptr_null(strstr(buf_text(&report), "old.example.com"));
}
END_TEST

START_TEST(each_address_of_a_name)
{
    endpoint.host = BOTH;
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    AUTO_FREE char *v4 = mem_printf("127.0.0.1:%d (www.example.com): serves", server.port);
    AUTO_FREE char *v6 = mem_printf("[::1]:%d (www.example.com): serves", server.port);
    ck_assert_ptr_nonnull(strstr(buf_text(&report), v4));
    ck_assert_ptr_nonnull(strstr(buf_text(&report), v6));
    ck_assert_ptr_null(strstr(buf_text(&report), "passed over"));
}
END_TEST

START_TEST(resolves_later)
{
    endpoint.host = LATE;
    order.patience = 10;
    ck_ok(deployer_verify(&order, &expected, NULL, &err));
    ck_assert_int_eq(late_calls, 2);
    late_calls = 0;
    order.patience = 0;
    ck_fails(deployer_verify(&order, &expected, &report, &err), E_NOT_SERVED, "no address");
    ck_assert_ptr_nonnull(strstr(buf_text(&report), LATE));
}
END_TEST

START_TEST(an_address_that_is_closed)
{
    AUTO_FREE char *v6 = mem_printf("[::1]:%d (www.example.com): ", server.port);

    /* Of a name for loopback: passed over, and told. */
    endpoint.host = BOTH;
    ck_ok(deployer_verify(&order, &expected, &report, &err));
    ck_assert_msg(strstr(buf_text(&report), v6) == buf_text(&report), "%s", buf_text(&report));
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "Connection refused"));
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "passed over"));
    /* The other one serves something else: both count. */
    expected = pair_expected(&other);
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, "127.0.0.1");
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, "Connection refused");
    /* An address that was named must answer. */
    expected = pair_expected(&pair);
    endpoint.host = "::1";
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, v6);
    /* All closed. */
    endpoint.host = BOTH;
    endpoint.port = server_free_port();
    ck_fails(deployer_verify(&order, &expected, NULL, &err), E_NOT_SERVED, "Connection refused");
}
END_TEST

/* A closed address is passed over on loopback alone: elsewhere it is a listener somebody forgot. */
START_TEST(an_address_of_the_network_that_is_closed)
{
    if (!find_own_address())
        return;
    endpoint.host = MIXED;
    ck_fails(deployer_verify(&order, &expected, &report, &err), E_NOT_SERVED, own_address);
    ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "as expected"));
}
END_TEST

START_TEST(an_address_that_serves_another)
{
    endpoint.host = BOTH;
    ck_fails(deployer_verify(&order, &expected, &report, &err), E_NOT_SERVED, "[::1]");
    ck_assert_ptr_null(strstr(err.text, "127.0.0.1"));
    ck_assert_ptr_nonnull(strstr(err.text, "serves CN=new.example.com"));
}
END_TEST

START_TEST(one_endpoint_of_two)
{
    struct bind_endpoint two[] = {endpoint, endpoint};

    two[1].port = server_free_port();
    order.endpoints = two;
    order.endpoint_count = 2;
    ck_fails(deployer_verify(&order, &expected, &report, &err), E_NOT_SERVED, "Connection refused");
    ck_assert_msg(!strstr(err.text, "as expected"), "%s", err.text);
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "as expected"));
}
END_TEST

START_TEST(a_sentence_has_an_end)
{
    struct bind_endpoint many[40];

    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = endpoint;
    expected = pair_expected(&other);
    order.endpoints = many;
    order.endpoint_count = COUNT_OF(many);
    ck_fails(deployer_verify(&order, &expected, &report, &err), E_NOT_SERVED, "; and more");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/bind/verify");
    TCase *both = tcase_create("both");
    TCase *v4 = tcase_create("v4");
    TCase *split = tcase_create("split");

    tcase_add_checked_fixture(both, setup, teardown);
    tcase_set_timeout(both, TESTING_SLOW_SECONDS);
    tcase_add_test(both, without_endpoints);
    tcase_add_test(both, by_hash_alone);
    tcase_add_loop_test(both, chains, 0, COUNT_OF(chain_rows));
    tcase_add_test(both, patience);
    tcase_add_test(both, each_address_of_a_name);
    tcase_add_test(both, resolves_later);
    tcase_add_test(both, one_endpoint_of_two);
    tcase_add_test(both, a_sentence_has_an_end);
    suite_add_tcase(suite, both);
    tcase_add_checked_fixture(v4, setup_v4, teardown);
    tcase_set_timeout(v4, TESTING_SLOW_SECONDS);
    tcase_add_test(v4, an_address_that_is_closed);
    tcase_add_test(v4, an_address_of_the_network_that_is_closed);
    suite_add_tcase(suite, v4);
    tcase_add_checked_fixture(split, setup_other, teardown);
    tcase_set_timeout(split, TESTING_SLOW_SECONDS);
    tcase_add_test(split, an_address_that_serves_another);
    suite_add_tcase(suite, split);
    return testing_run(suite);
}
