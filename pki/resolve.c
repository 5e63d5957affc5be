#include "pki/probe.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Threads that wait for the system's resolver at one time, given up or not. */
enum { LOOKUPS_MAX = 32 };

/*
 * getaddrinfo(3) takes no deadline: with name servers that keep silent it takes half a minute and
 * more. So a thread asks, and whoever waits no longer leaves its question to it. Belongs to both;
 * the last one frees it.
 */
struct lookup {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    char *host;
    char service[16];
    unsigned owners;
    bool done;
    int failed;             /* of getaddrinfo */
    struct addrinfo *found; /* taken by who waits */
};

static atomic_uint lookups;

static bool is_known(const struct probe_addresses *list, const struct addrinfo *info)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].len == info->ai_addrlen &&
            memcmp(list->items[i].storage, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    return false;
}

static void add_address(struct probe_addresses *list, const struct addrinfo *info, int port)
{
    struct probe_address *item = &list->items[list->count];
    char host[PROBE_ADDRESS_TEXT_MAX - 10];

    if (list->count == PROBE_ADDRESSES_MAX || info->ai_addrlen > sizeof item->storage ||
        is_known(list, info) ||
        getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
            0)
        return;
    memcpy(item->storage, info->ai_addr, info->ai_addrlen);
    item->len = info->ai_addrlen;
    snprintf(item->text, sizeof item->text, info->ai_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
             port);
    list->count++;
}

/* It needs nobody's answer. */
static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static int ask(const char *host, const char *service, struct addrinfo **ret)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

    return getaddrinfo(host, service, &hints, ret);
}

static struct lookup *lookup_new(const char *host, const char *service)
{
    struct lookup *lookup = mem_alloc(1, sizeof *lookup);
    pthread_condattr_t attributes;

    *lookup = (struct lookup){.host = mem_strdup(host), .owners = 2};
    snprintf(lookup->service, sizeof lookup->service, "%s", service);
    pthread_mutex_init(&lookup->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return lookup;
}

static void lookup_leave(struct lookup *lookup)
{
    pthread_mutex_lock(&lookup->mutex);
    bool last = --lookup->owners == 0;
    pthread_mutex_unlock(&lookup->mutex);
    if (!last)
        return;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    pthread_cond_destroy(&lookup->answered);
    pthread_mutex_destroy(&lookup->mutex);
    free(lookup->host);
    free(lookup);
}

static void *look_up(void *self)
{
    struct lookup *lookup = self;
    struct addrinfo *found = NULL;
    int failed = ask(lookup->host, lookup->service, &found);

    pthread_mutex_lock(&lookup->mutex);
    lookup->failed = failed;
    lookup->found = failed == 0 ? found : NULL;
    lookup->done = true;
    pthread_cond_signal(&lookup->answered);
    pthread_mutex_unlock(&lookup->mutex);
    lookup_leave(lookup);
    atomic_fetch_sub(&lookups, 1);
    return NULL;
}

/* Signals are for the threads that know of them. */
static int start(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attributes, look_up, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

/* False when its time is over. */
static bool wait_for(struct lookup *lookup, int timeout_ms)
{
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&lookup->mutex);
    while (!lookup->done && rc == 0)
        rc = pthread_cond_timedwait(&lookup->answered, &lookup->mutex, &end);
    bool done = lookup->done;
    pthread_mutex_unlock(&lookup->mutex);
    return done;
}

static int ask_in_time(const char *host, const char *service, int timeout_ms, int *ret_failed,
                       struct addrinfo **ret, struct error *err)
{
    if (atomic_fetch_add(&lookups, 1) >= LOOKUPS_MAX) {
        atomic_fetch_sub(&lookups, 1);
        return error_set(err, E_BUSY,
                         "probe %s: no address: %d other names wait for the name server", host,
                         LOOKUPS_MAX);
    }
    struct lookup *lookup = lookup_new(host, service);
    int failed = start(lookup);
    if (failed != 0) {
        atomic_fetch_sub(&lookups, 1);
        lookup->owners = 1;
        lookup_leave(lookup);
        return error_set_errno(err, failed, "probe %s: no thread to look it up", host);
    }
    bool done = wait_for(lookup, timeout_ms);
    if (done) {
        *ret_failed = lookup->failed;
        *ret = lookup->found;
        lookup->found = NULL;
    }
    lookup_leave(lookup);
    return done ? 0
                : error_set(err, E_TIMEOUT,
                            "probe %s: no address: wanted an answer of the name server within %d "
                            "ms, got none",
                            host, timeout_ms);
}

int probe_resolve(const char *host, int port, int timeout_ms, struct probe_addresses *ret,
                  struct error *err)
{
    struct addrinfo *found = NULL;
    struct probe_addresses list = {0};
    char service[16];
    int failed = 0, rc = 0;

    if (port < 1 || port > 65535)
        return error_set(err, E_INPUT, "probe %s: wanted a port from 1 to 65535, got %d", host,
                         port);
    snprintf(service, sizeof service, "%d", port);
    if (is_address(host))
        failed = ask(host, service, &found);
    else
        rc = ask_in_time(host, service, timeout_ms, &failed, &found, err);
    if (rc < 0)
        return rc;
    if (failed != 0)
        return error_set(err, E_NETWORK, "probe %s: no address: %s", host, gai_strerror(failed));
    for (const struct addrinfo *info = found; info; info = info->ai_next)
        if (info->ai_family == AF_INET || info->ai_family == AF_INET6)
            add_address(&list, info, port);
    freeaddrinfo(found);
    if (list.count == 0)
        return error_set(err, E_NETWORK, "probe %s: no IPv4 or IPv6 address", host);
    *ret = list;
    return 0;
}
