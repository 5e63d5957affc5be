#include "daemon/api/api.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/file.h"
#include "base/log.h"

#include "daemon/api/exchange.h"
#include "daemon/api/refusals.h"
#include "daemon/api/socket.h"

/*
 * Everybody may connect, so that connections are what a hostile local user could use up: one user
 * gets a few, all users but root and the daemon's own a part, and an idle one is closed. We accept
 * ourselves because libmicrohttpd counts connections by IP address only.
 */
enum {
    CONNECTIONS_MAX = 128,
    CONNECTIONS_OF_USERS = 96,
    CONNECTIONS_OF_USER = 16,
    IDLE_SECONDS = 10,
    CONNECTION_MEMORY = 32 << 10,
    ACCEPT_PER_TURN = 32,
    ACCEPT_PAUSE_MS = 1000
};

struct peer {
    struct peer *next;
    uid_t uid;
};

struct api {
    struct api_context context;
    struct refusals refusals;
    struct listener listener;
    struct MHD_Daemon *http;
    int epoll; /* the listening socket and libmicrohttpd's own epoll descriptor */
    struct peer *peers;
    bool accept_failed; /* no descriptors or memory: the listening socket is not watched for a while
                         */
};

static bool is_privileged(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

static bool may_connect(const struct api *api, uid_t uid)
{
    size_t users = 0, mine = 0;

    if (is_privileged(uid))
        return true;
    for (const struct peer *peer = api->peers; peer; peer = peer->next) {
        users += !is_privileged(peer->uid);
        mine += peer->uid == uid;
    }
    return users < CONNECTIONS_OF_USERS && mine < CONNECTIONS_OF_USER;
}

static void count_connection(void *self, struct MHD_Connection *connection, void **state,
                             enum MHD_ConnectionNotificationCode what)
{
    struct api *api = self;
    struct caller caller = {.uid = (uid_t)-1};

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct peer *peer = mem_alloc(1, sizeof *peer);

        if (info)
            caller_of_socket(info->connect_fd, &caller, NULL);
        *peer = (struct peer){.next = api->peers, .uid = caller.uid};
        api->peers = peer;
        *state = peer;
        return;
    }
    for (struct peer **at = &api->peers; *at; at = &(*at)->next) {
        if (*at == *state) {
            struct peer *gone = *at;

            *at = gone->next;
            free(gone);
            break;
        }
    }
    *state = NULL;
}

static enum MHD_Result serve(void *self, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *data_len, void **state)
{
    struct api *api = self;

    return exchange_serve(&api->context, connection, url, method, version, data, data_len, state);
}

/*
 * libmicrohttpd would decode "%2F" in a path before routes are looked up: a certificate's name
 * could then lead to another route. Paths begin with "/" and stay as they are (exchange.c decodes
 * the name), the parts of a query do not.
 */
static size_t decode_query_only(void *self, struct MHD_Connection *connection, char *text)
{
    (void)self;
    (void)connection;
    return text[0] == '/' ? strlen(text) : MHD_http_unescape(text);
}

static int start_http(struct api *api, struct error *err)
{
    api->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, serve, api,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_end, api, MHD_OPTION_NOTIFY_CONNECTION,
        count_connection, api, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_UNESCAPE_CALLBACK, decode_query_only, NULL,
        MHD_OPTION_END);
    if (!api->http)
        return error_set(err, E_IO, "libmicrohttpd: cannot start");
    return 0;
}

static int watch(struct api *api, int fd, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(api->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return error_set_errno(err, errno, "epoll");
    return 0;
}

static int start(struct api *api, const char *socket_path, struct error *err)
{
    int rc = listener_open(socket_path, &api->listener, err);

    if (rc == 0)
        rc = start_http(api, err);
    if (rc != 0)
        return rc;
    api->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (api->epoll < 0)
        return error_set_errno(err, errno, "epoll");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return error_set(err, E_IO, "libmicrohttpd: no epoll descriptor");
    rc = watch(api, info->epoll_fd, err);
    return rc == 0 ? watch(api, api->listener.fd, err) : rc;
}

int api_open(const char *socket_path, const struct api_context *context, struct api **ret,
             struct error *err)
{
    struct api *api = mem_alloc(1, sizeof *api);

    api->context = *context;
    api->context.refusals = &api->refusals;
    api->epoll = -1;
    int rc = start(api, socket_path, err);
    if (rc != 0) {
        api_close(api);
        return rc;
    }
    *ret = api;
    return 0;
}

void api_set_context(struct api *api, const struct api_context *context)
{
    api->context = *context;
    api->context.refusals = &api->refusals;
}

int api_fd(const struct api *api)
{
    return api->epoll;
}

/* A connection that cannot be taken would keep the descriptor readable and the loop spinning. */
static void pause_accepting(struct api *api, int errnum)
{
    log_warn("api-accept", "cannot accept a connection: %s", strerror(errnum));
    epoll_ctl(api->epoll, EPOLL_CTL_DEL, api->listener.fd, NULL);
    api->accept_failed = true;
}

static void accept_some(struct api *api)
{
    if (api->accept_failed)
        api->accept_failed = watch(api, api->listener.fd, NULL) != 0;
    for (int i = 0; i < ACCEPT_PER_TURN; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct caller caller;
        AUTO_FD int fd = accept4(api->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                pause_accepting(api, errno);
            return;
        }
        if (caller_of_socket(fd, &caller, NULL) != 0)
            continue;
        if (!may_connect(api, caller.uid)) {
            log_debug("api-crowded", "uid %u has too many connections", caller.uid);
            continue;
        }
        /* The descriptor is libmicrohttpd's from here on, even when it fails. */
        MHD_add_connection(api->http, fd, (const struct sockaddr *)&address, sizeof address);
        fd = -1;
    }
}

void api_turn(struct api *api)
{
    accept_some(api);
    MHD_run(api->http);
}

int api_timeout_ms(const struct api *api)
{
    MHD_UNSIGNED_LONG_LONG wait;
    int most = api->accept_failed ? ACCEPT_PAUSE_MS : IDLE_SECONDS * 1000;

    if (MHD_get_timeout(api->http, &wait) != MHD_YES)
        return api->accept_failed ? most : -1;
    return wait > (unsigned)most ? most : (int)wait;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    listener_close(&api->listener);
    if (api->http)
        MHD_stop_daemon(api->http);
    file_close(&api->epoll);
    free(api);
}
