#include "pki/probe.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

int probe_resolve(const char *host, int port, struct probe_addresses *ret, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct probe_addresses list = {0};
    char service[16];

    if (port < 1 || port > 65535)
        return error_set(err, E_INPUT, "probe %s: wanted a port from 1 to 65535, got %d", host,
                         port);
    snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(host, service, &hints, &found);
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
