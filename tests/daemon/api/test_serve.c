/* What stands around the handlers: who may ask, what is a request, and what strangers send. */
#include "tests/daemon/api/harness.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "store/events.h"

#include "daemon/api/json.h"
#include "daemon/api/route.h"

static struct harness harness;

static void setup(void)
{
    harness_open(&harness);
}

static void teardown(void)
{
    harness_close(&harness);
}

START_TEST(unknown_routes_and_methods)
{
    static const char *const unknown[] = {"/",
                                          "/v1",
                                          "/v2/status",
                                          "/v1/status/",
                                          "/v1/certificates/",
                                          "/v1/certificates//request",
                                          "/v1/certificates/a/b/c",
                                          "/v1/certificates/a/renewal",
                                          "/v1/certificates/a%00b"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", unknown[i], NULL);
        ck_refused(answer, 404, "E_NOT_FOUND", "no such route");
    }
    AUTO_ANSWER struct answer put = harness_ask(&harness, "PUT", "/v1/status", "{}");
    ck_refused(put, 405, "E_INPUT", "PUT");
    ck_assert_msg(strstr(put.head, "Allow: GET\r\n") || strstr(put.head, "Allow: GET"), "%s",
                  put.head);
    AUTO_ANSWER struct answer both = harness_ask(&harness, "DELETE", "/v1/certificates", NULL);
    ck_assert_int_eq(both.status, 405);
    ck_assert_msg(strstr(both.head, "Allow: GET, POST"), "%s", both.head);
}
END_TEST

/* An encoded "/" belongs to the name, and "_" may be written as it likes. */
START_TEST(encoded_names)
{
    harness_www(&harness);
    AUTO_ANSWER struct answer slash =
        harness_ask(&harness, "GET", "/v1/certificates/www%2Fhistory", NULL);
    ck_refused(slash, 404, "E_NOT_FOUND", "www/history: there is no certificate");
    AUTO_ANSWER struct answer letter = harness_ask(&harness, "GET", "/v1/certificates/%77ww", NULL);
    ck_assert_int_eq(letter.status, 200);
    AUTO_ANSWER struct answer after =
        harness_ask(&harness, "GET", "/v1/certificates?after=ww%77", NULL);
    ck_assert_uint_eq(json_array_size(at(after.json, "certificates")), 0);
}
END_TEST

START_TEST(large_bodies_are_refused)
{
    size_t size = BUF_MAX_REQUEST_BODY + 1;
    AUTO_FREE char *body = mem_alloc(1, size + 1);
    memset(body, ' ', size);
    AUTO_ANSWER struct answer announced = harness_ask(&harness, "POST", "/v1/certificates", body);
    ck_refused(announced, 413, "E_TOO_LARGE", "body");

    /* Refused before it is sent. */
    static const char large[] = "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                "Expect: 100-continue\r\nContent-Length: 9999999999\r\n\r\n";
    AUTO_ANSWER struct answer early = harness_send(&harness, large, sizeof large - 1);
    ck_refused(early, 413, "E_TOO_LARGE", "body");

    static const char head[] = "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    AUTO_FREE char *chunked = mem_printf("%s%zx\r\n%s\r\n0\r\n\r\n", head, size, body);
    AUTO_ANSWER struct answer swallowed = harness_send(&harness, chunked, strlen(chunked));
    ck_refused(swallowed, 413, "E_TOO_LARGE", "body");

    body[BUF_MAX_REQUEST_BODY] = '\0';
    AUTO_ANSWER struct answer just = harness_ask(&harness, "POST", "/v1/certificates", body);
    ck_refused(just, 400, "E_FORMAT", "body");
}
END_TEST

/* None of it may be answered with 2xx, and the next caller must be served. */
START_TEST(strangers_send_anything)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
#define ROW(text) {text, sizeof text - 1}
        ROW("GET\r\n\r\n"),
        ROW("GET /v1/status HTTP/9.9\r\nConnection: close\r\n\r\n"),
        ROW("GET /v1/certificates/%00%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ROW("GET /v1/certificates/%2e%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ROW("GET /v1/certificates/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ROW("GET /v1/history?limit=%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        ROW("POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        ROW("POST /v1/certificates HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Content-Length: 99999999999999999999999\r\n\r\n"),
        ROW("POST /v1/certificates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
            "chunked\r\n\r\nzz\r\n"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
#undef ROW
    };
    AUTO_FD int fd = harness_connect(&harness);
    char reply[16] = "";

    ck_assert_int_eq(send(fd, rows[_i].bytes, rows[_i].len, MSG_NOSIGNAL), (ssize_t)rows[_i].len);
    shutdown(fd, SHUT_WR);
    ck_assert_msg(harness_turn_for(&harness, fd), "row %d: no end", _i);
    ssize_t got = recv(fd, reply, sizeof reply - 1, 0);
    ck_assert_msg(got <= 0 || strncmp(reply, "HTTP/1.1 4", 10) == 0 ||
                      strncmp(reply, "HTTP/1.0 4", 10) == 0 ||
                      strncmp(reply, "HTTP/1.1 5", 10) == 0,
                  "row %d: %s", _i, reply);
    AUTO_ANSWER struct answer next = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_assert_int_eq(next.status, 200);
}
END_TEST

START_TEST(one_connection_many_requests)
{
    AUTO_FD int fd = harness_connect(&harness);
    static const char request[] = "GET /v1/history HTTP/1.1\r\nHost: x\r\n\r\n";

    for (int i = 0; i < 3; i++) {
        char reply[4096] = "";
        ck_assert_int_eq(send(fd, request, sizeof request - 1, MSG_NOSIGNAL),
                         (ssize_t)sizeof request - 1);
        ck_assert(harness_turn_for(&harness, fd));
        ck_assert_int_gt(recv(fd, reply, sizeof reply - 1, 0), 0);
        ck_assert_msg(strncmp(reply, "HTTP/1.1 200", 12) == 0, "request %d: %s", i, reply);
    }
}
END_TEST

static gid_t gid_of(const char *name)
{
    const struct group *group = getgrnam(name);

    ck_assert_ptr_nonnull(group);
    return group->gr_gid;
}

static uid_t uid_of(const char *name)
{
    const struct passwd *user = getpwnam(name);

    ck_assert_ptr_nonnull(user);
    return user->pw_uid;
}

static int status_as(const char *user, const char *group, const char *method)
{
    AUTO_ANSWER struct answer answer = harness_ask_as(
        &harness, uid_of(user), gid_of(group), method,
        method[0] == 'G' ? "/v1/status" : "/v1/certificates", method[0] == 'G' ? NULL : "{}");

    if (answer.status == 403)
        ck_json_text(answer.json, "error.code", "E_DENIED");
    return answer.status;
}

/* 400: the handler was reached. Every Debian has these users and groups. */
START_TEST(rights_come_from_the_peer)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(status_as("nobody", "nogroup", "GET"), 403);
    ck_assert_int_eq(status_as("nobody", "nogroup", "POST"), 403);

    harness.config.read_group = (char *)(uintptr_t) "nogroup";
    harness.config.admin_group = (char *)(uintptr_t) "daemon";
    ck_assert_int_eq(status_as("nobody", "nogroup", "GET"), 200);
    ck_assert_int_eq(status_as("nobody", "nogroup", "POST"), 403);
    ck_assert_int_eq(status_as("nobody", "daemon", "POST"), 400);
    ck_assert_int_eq(status_as("nobody", "daemon", "GET"), 200);
    /* By the group database, whatever group the process has. */
    ck_assert_int_eq(status_as("daemon", "games", "POST"), 400);
    ck_assert_int_eq(status_as("bin", "games", "GET"), 403);

    harness.config.read_group = (char *)(uintptr_t) "no-such-group";
    harness.config.admin_group = NULL;
    ck_assert_int_eq(status_as("nobody", "nogroup", "GET"), 403);
    harness.config.read_group = NULL;
}
END_TEST

static int count_refused(void *self, const struct event_row *row, struct error *err)
{
    (void)err;
    if (strcmp(row->kind, "refused") == 0) {
        ck_assert_msg(strncmp(row->actor, "uid 65534 (nobody)", 18) == 0 ||
                          strncmp(row->actor, "uid 2 (bin)", 11) == 0 || row->actor[4] == '7',
                      "%s", row->actor);
        ck_assert_ptr_nonnull(strstr(row->text, "/v1/"));
        ++*(int *)self;
    }
    return 0;
}

static int refused(void)
{
    struct error err = {0};
    int count = 0;

    ck_ok(events_each(harness.inventory, 0, 1000, count_refused, &count, &err));
    return count;
}

/* Whoever asks all day costs an event an hour; however many users there are, a few. */
START_TEST(refusals_are_told_within_bounds)
{
    if (geteuid() != 0)
        return;
    for (int i = 0; i < 5; i++)
        status_as("nobody", "nogroup", i % 2 == 0 ? "GET" : "POST");
    ck_assert_int_eq(refused(), 1);
    status_as("bin", "bin", "POST");
    ck_assert_int_eq(refused(), 2);
    harness.now += 3600;
    status_as("nobody", "nogroup", "GET");
    ck_assert_int_eq(refused(), 3);
    for (uid_t uid = 70000; uid < 70040; uid++) {
        AUTO_ANSWER struct answer answer =
            harness_ask_as(&harness, uid, 65534, "GET", "/v1/status", NULL);
        ck_assert_int_eq(answer.status, 403);
    }
    ck_assert_int_eq(refused(), 2 + 16);
}
END_TEST

START_TEST(strangers_learn_nothing)
{
    if (geteuid() != 0)
        return;
    harness_www(&harness);
    AUTO_ANSWER struct answer there =
        harness_ask_as(&harness, 65534, 65534, "GET", "/v1/certificates/www", NULL);
    AUTO_ANSWER struct answer absent =
        harness_ask_as(&harness, 65534, 65534, "GET", "/v1/certificates/wwx", NULL);
    AUTO_ANSWER struct answer nowhere = harness_ask_as(&harness, 65534, 65534, "GET", "/x", NULL);

    ck_assert_int_eq(there.status, 403);
    ck_assert(json_equal(there.json, absent.json));
    ck_assert(json_equal(there.json, nowhere.json));
}
END_TEST

/* One user holding connections open must not keep root out, nor another user. */
START_TEST(one_user_cannot_take_all_connections)
{
    int ready[2], fds[64];
    char byte;

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(testing_dir(), 0711), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct pollfd poll_fd;
        int closed = 0;

        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
            _exit(99);
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
            fds[i] = harness_connect(&harness);
            poll_fd = (struct pollfd){.fd = fds[i], .events = POLLIN};
            /* Served once in a while: those that were turned away are at their end by then. */
            closed += poll(&poll_fd, 1, 20) == 1;
        }
        _exit(write(ready[1], "x", 1) == 1 ? closed : 99);
    }
    ck_assert(harness_turn_for(&harness, ready[0]));
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_assert_int_eq(answer.status, 200);
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), 64 - 16);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

/* Without a descriptor to spare the loop must not spin, and must come back. */
START_TEST(no_descriptors_left)
{
    struct rlimit before, none;
    AUTO_FD int fd = harness_connect(&harness);
    static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";

    testing_expect_log("api-accept");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    api_turn(harness.api);
    struct pollfd poll_fd = {.fd = api_fd(harness.api), .events = POLLIN};
    ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
    ck_assert_int_eq(api_timeout_ms(harness.api), 1000);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(send(fd, request, sizeof request - 1, MSG_NOSIGNAL),
                     (ssize_t)sizeof request - 1);
    ck_assert(harness_turn_for(&harness, fd));
    ck_assert_int_gt(recv(fd, (char[64]){0}, 64, 0), 0);
    ck_assert_int_ne(api_timeout_ms(harness.api), 1000);
}
END_TEST

START_TEST(context_can_be_exchanged)
{
    struct api_context other = harness.context;

    other.started_at = HARNESS_NOW;
    api_set_context(harness.api, &other);
    AUTO_ANSWER struct answer answer = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_text(answer.json, "started_at", "2027-01-15T08:00:00Z");
}
END_TEST

START_TEST(every_code_has_a_status)
{
#define X(name, value, retry, text) \
    ck_assert_msg(http_status_of(name) >= 400 && http_status_of(name) < 600, "%s", #name);
    CODE_TABLE(X)
#undef X
}
END_TEST

/* Every route stands in docs/api.md under a heading of its own. */
START_TEST(routes_are_documented)
{
    struct error err = {0};
    AUTO_BLOB struct blob text = {0};
    AUTO_FREE char *path = mem_printf("%s/docs/api.md", getenv("SOURCE_ROOT"));

    ck_ok(file_read(path, 1 << 20, &text, &err));
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);
        const char *star = strchr(route->path, '*');
        AUTO_FREE char *heading = star
                                      ? mem_printf("`%s %.*sNAME%s`", route->method,
                                                   (int)(star - route->path), route->path, star + 1)
                                      : mem_printf("`%s %s`", route->method, route->path);

        ck_assert_msg(memmem(text.data, text.len, heading, strlen(heading)), "%s is not in %s",
                      heading, path);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("api-serve");
    TCase *tcase = tcase_create("serve");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, unknown_routes_and_methods);
    tcase_add_test(tcase, encoded_names);
    tcase_add_test(tcase, large_bodies_are_refused);
    tcase_add_loop_test(tcase, strangers_send_anything, 0, 10);
    tcase_add_test(tcase, one_connection_many_requests);
    tcase_add_test(tcase, rights_come_from_the_peer);
    tcase_add_test(tcase, refusals_are_told_within_bounds);
    tcase_add_test(tcase, strangers_learn_nothing);
    tcase_add_test(tcase, one_user_cannot_take_all_connections);
    tcase_add_test(tcase, no_descriptors_left);
    tcase_add_test(tcase, context_can_be_exchanged);
    tcase_add_test(tcase, every_code_has_a_status);
    tcase_add_test(tcase, routes_are_documented);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}
