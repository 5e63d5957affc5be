#include "daemon/cli/target.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "daemon/cli/reply.h"

/* Splits HOST:PORT, with an IPv6 address in brackets (RFC 3986 3.2.2), in place. */
static int split_host(char *text, char **ret_host, const char **ret_port, struct error *err)
{
    char *colon;

    if (text[0] == '[') {
        char *end = strchr(text, ']');

        if (!end || end == text + 1 || end[1] != ':')
            return error_set(err, E_INPUT, "endpoint: wanted [ADDRESS]:PORT, got \"%s\"", text);
        *end = '\0';
        *ret_host = text + 1;
        *ret_port = end + 2;
        return 0;
    }
    colon = strrchr(text, ':');
    if (!colon || colon == text)
        return error_set(err, E_INPUT, "endpoint: wanted HOST:PORT, got \"%s\"", text);
    if (memchr(text, ':', (size_t)(colon - text)))
        return error_set(err, E_INPUT,
                         "endpoint: wanted an IPv6 address in brackets, [ADDRESS]:PORT, got \"%s\"",
                         text);
    *colon = '\0';
    *ret_host = text;
    *ret_port = colon + 1;
    return 0;
}

static int add_endpoint(json_t *endpoints, const char *value, struct error *err)
{
    AUTO_FREE char *copy = mem_strdup(value);
    char *slash = strchr(copy, '/'), *host = NULL;
    const char *port = NULL, *server_name = NULL;
    int64_t number;

    if (slash) {
        *slash = '\0';
        server_name = slash + 1;
        if (server_name[0] == '\0')
            return error_set(err, E_INPUT, "endpoint: wanted a server name after \"/\"");
    }
    int rc = split_host(copy, &host, &port, err);
    if (rc != 0)
        return rc;
    if (!text_number(port, 1, 65535, &number))
        return error_set(err, E_INPUT, "endpoint: wanted a port from 1 to 65535, got \"%s\"", port);
    json_t *endpoint = json_pack("{s:s, s:I}", "host", host, "port", (json_int_t)number);
    if (server_name)
        json_object_set_new(endpoint, "server_name", json_string(server_name));
    json_array_append_new(endpoints, endpoint);
    return 0;
}

static int add_file(json_t *files, const char *part, const char *path, struct error *err)
{
    static const char *const parts[] = {"key", "leaf", "chain", "fullchain", "combined"};
    size_t i = 0;

    while (i < COUNT_OF(parts) && strcmp(parts[i], part) != 0)
        i++;
    if (i == COUNT_OF(parts))
        return error_set(
            err, E_INPUT,
            "\"%s\": wanted key, leaf, chain, fullchain, combined or endpoint before \"=\"", part);
    if (json_object_get(files, part))
        return error_set(err, E_INPUT, "%s: given twice", part);
    if (path[0] != '/')
        return error_set(err, E_INPUT, "%s: wanted an absolute path, got \"%s\"", part, path);
    json_object_set_new(files, part, json_string(path));
    return 0;
}

static int add_item(json_t *files, json_t *endpoints, char *item, struct error *err)
{
    char *equals = strchr(item, '=');

    if (!equals)
        return error_set(err, E_INPUT, "wanted PART=/PATH or endpoint=HOST:PORT, got \"%s\"", item);
    *equals = '\0';
    if (strcmp(item, "endpoint") == 0)
        return add_endpoint(endpoints, equals + 1, err);
    return add_file(files, item, equals + 1, err);
}

int target_parse(const char *text, json_t **ret, struct error *err)
{
    AUTO_FREE char *copy = mem_strdup(text);
    AUTO_JSON json_t *files = json_object();
    AUTO_JSON json_t *endpoints = json_array();
    char *rest = copy;
    const char *service = strsep(&rest, ",");
    int rc = 0;

    /* Jansson takes nothing else, and what it is given then is lost. */
    if (!text_is_utf8(text, strlen(text)))
        return error_set(err, E_INPUT, "target: wanted UTF-8, got \"%s\"", text);
    if (service[0] == '\0' || strchr(service, '='))
        return error_set(err, E_INPUT, "target: wanted SERVICE,PART=/PATH,..., got \"%s\"", text);
    while (rc == 0 && rest)
        rc = add_item(files, endpoints, strsep(&rest, ","), err);
    if (rc != 0)
        return error_wrap(err, rc, "target");
    if (json_object_size(files) == 0)
        return error_set(err, E_INPUT, "target: wanted at least one PART=/PATH after \"%s\"",
                         service);
    *ret = json_pack("{s:s, s:O, s:O}", "service", service, "files", files, "endpoints", endpoints);
    return 0;
}
