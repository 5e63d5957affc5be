#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "daemon/bind/judge.h"
#include "pki/probe.h"

enum {
    HANDSHAKE_MS = 5000, /* most, and least, for one handshake */
    HANDSHAKE_LEAST_MS = 1000,
    PAUSE_MS = 50, /* between two looks at an address that did not pass; grows by itself */
    PAUSE_MOST_MS = 200,
    SPREAD_MS = 150, /* between two handshakes in a row that passed */
    LINE_MAX_BYTES = 2048,
    SENTENCE_MAX = 900, /* of an error: the report has the rest */
};

/* One address of an endpoint and what it showed last. */
struct view {
    bool passed;
    bool closed; /* refuses connections, and may: see may_be_closed */
    struct buf line;
};

struct spot {
    const struct bind_endpoint *endpoint;
    struct probe_addresses addresses; /* none while the host does not resolve */
    struct view views[PROBE_ADDRESSES_MAX];
};

static void spots_free(struct spot *spots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t v = 0; v < PROBE_ADDRESSES_MAX; v++)
            buf_done(&spots[i].views[v].line);
    free(spots);
}

static bool is_loopback(const struct probe_address *address)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&to, address->storage, address->len < sizeof to ? address->len : sizeof to);
    memcpy(&v4, &to, sizeof v4);
    memcpy(&v6, &to, sizeof v6);
    return to.ss_family == AF_INET ? ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                   : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

/* On loopback the answer comes at once. */
static bool refuses(const struct probe_address *address)
{
    struct sockaddr_storage to = {0};
    int failed = 0;
    socklen_t size = sizeof failed;

    memcpy(&to, address->storage, address->len < sizeof to ? address->len : sizeof to);
    AUTO_FD int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, (socklen_t)address->len) == 0)
        return false;
    if (errno != EINPROGRESS)
        return errno == ECONNREFUSED;
    struct pollfd ready = {fd, POLLOUT, 0};
    return poll(&ready, 1, PAUSE_MOST_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == ECONNREFUSED;
}

/*
 * A listener that was forgotten on one address family is a fault people hit, so every address of a
 * host must serve. But "localhost" is two addresses on any machine, whatever a service listens on:
 * there one of them may be closed when another one passes (has_passed).
 */
static bool may_be_closed(const struct spot *spot, size_t index)
{
    const struct probe_address *address = &spot->addresses.items[index];

    return is_loopback(address) && refuses(address);
}

static int64_t between(int64_t least, int64_t value, int64_t most)
{
    if (value < least)
        return least;
    return value < most ? value : most;
}

/* The handshakes in a row of one address; each view ends up with one line. */
static void try_address(const struct deploy_order *order, const struct expectation *expected,
                        struct spot *spot, size_t index, int64_t deadline)
{
    const struct probe_address *address = &spot->addresses.items[index];
    struct view *view = &spot->views[index];

    for (int i = 0; i < order->handshakes || i == 0; i++) {
        AUTO_PROBE struct probe_result result = {0};
        struct error why = {0};
        /* Spread over a little time: a worker that has not heard of the reload yet may still take
         * every tenth connection. */
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = SPREAD_MS * 1000000}, NULL);
        int64_t left = between(HANDSHAKE_LEAST_MS, deadline - clock_monotonic_ms(), HANDSHAKE_MS);

        buf_done(&view->line);
        buf_init(&view->line, LINE_MAX_BYTES);
        buf_printf(&view->line, "%s (%s): ", address->text,
                   spot->endpoint->server_name ? spot->endpoint->server_name : "no server name");
        int rc = probe_handshake(address, spot->endpoint->server_name, (int)left, &result, &why);
        view->closed = rc == E_NETWORK && may_be_closed(spot, index);
        if (rc < 0) {
            buf_printf(&view->line, "%s", why.text);
            return;
        }
        if (!judge_served(expected, &result.sent, &view->line))
            return;
    }
    view->passed = true;
}

static bool has_passed(const struct spot *spot)
{
    bool any = false;

    for (size_t i = 0; i < spot->addresses.count; i++) {
        any = any || spot->views[i].passed;
        if (!spot->views[i].passed && !spot->views[i].closed)
            return false;
    }
    return any;
}

static bool try_spot(const struct deploy_order *order, const struct expectation *expected,
                     struct spot *spot, int64_t deadline)
{
    const struct bind_endpoint *endpoint = spot->endpoint;
    struct error why = {0};

    if (spot->addresses.count == 0 && probe_resolve(endpoint->host, endpoint->port,
                                                    PROBE_RESOLVE_MS, &spot->addresses, &why) < 0) {
        buf_done(&spot->views[0].line);
        buf_init(&spot->views[0].line, LINE_MAX_BYTES);
        buf_printf(&spot->views[0].line, "%s:%d: %s", endpoint->host, endpoint->port, why.text);
        return false;
    }
    for (size_t i = 0; i < spot->addresses.count; i++)
        if (!spot->views[i].passed)
            try_address(order, expected, spot, i, deadline);
    return has_passed(spot);
}

/* Until all have passed or patience is over; everything is tried at least once. */
static bool try_all(const struct deploy_order *order, const struct expectation *expected,
                    struct spot *spots)
{
    int64_t deadline = clock_monotonic_ms() + order->patience * 1000;

    for (int round = 1;; round++) {
        bool all = true;

        for (size_t i = 0; i < order->endpoint_count; i++)
            if (!has_passed(&spots[i]))
                all = try_spot(order, expected, &spots[i], deadline) && all;
        int64_t left = deadline - clock_monotonic_ms();
        if (all || left <= 0)
            return all;
        int64_t pause =
            between(1, PAUSE_MS * (int64_t)round, left < PAUSE_MOST_MS ? left : PAUSE_MOST_MS);
        nanosleep(&(struct timespec){.tv_nsec = pause * 1000000}, NULL);
    }
}

/* Lines of one spot to the report, and those that failed to the sentence. */
static void tell(const struct spot *spot, struct buf *report, struct buf *sentence)
{
    bool passed = has_passed(spot);

    for (size_t i = 0; i == 0 || i < spot->addresses.count; i++) {
        const struct view *view = &spot->views[i];
        bool tolerated = passed && !view->passed;

        if (report)
            buf_printf(report, "%s%s\n", buf_text(&view->line),
                       tolerated ? " (passed over: another address of it serves)" : "");
        if (!view->passed && !tolerated)
            buf_printf(sentence, "%s%s", sentence->len > 0 ? "; " : "", buf_text(&view->line));
    }
}

int deployer_verify(const struct deploy_order *order, const struct expectation *expected,
                    struct buf *report, struct error *err)
{
    AUTO_BUF struct buf sentence = {.max = SENTENCE_MAX};

    if (order->endpoint_count == 0) {
        if (report)
            buf_add_text(report, "no endpoint is declared: what is served was not looked at\n");
        return 0;
    }
    struct spot *spots = mem_alloc(order->endpoint_count, sizeof *spots);
    for (size_t i = 0; i < order->endpoint_count; i++)
        spots[i].endpoint = &order->endpoints[i];
    bool all = try_all(order, expected, spots);
    for (size_t i = 0; i < order->endpoint_count; i++)
        tell(&spots[i], report, &sentence);
    spots_free(spots, order->endpoint_count);
    if (all)
        return 0;
    return error_set(err, E_NOT_SERVED, "verify: %s%s", buf_text(&sentence),
                     sentence.full ? "; and more" : "");
}
