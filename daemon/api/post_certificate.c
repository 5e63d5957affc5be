#include "daemon/api/handler.h"

#include <string.h>

#include "base/text.h"

#include "daemon/api/body.h"
#include "daemon/api/json.h"

enum { TARGETS_MAX = DEPLOYMENTS_MAX, ENDPOINTS_MAX = 64 };

struct targets {
    struct target_row *items;
    size_t count;
};

static void targets_done(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        target_row_done(&targets->items[i]);
    free(targets->items);
}

static int read_names(const json_t *body, struct names *names, struct error *err)
{
    const json_t *list;
    int rc = body_array(body, "names", &list, err);

    if (rc == 0 && json_array_size(list) > CERT_SAN_MAX)
        return error_set(err, E_INPUT, "names: wanted at most %d, got %zu", CERT_SAN_MAX,
                         json_array_size(list));
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        rc = text ? names_add_tagged(names, text, err)
                  : error_set(err, E_INPUT, "names: wanted strings like \"dns:www.example.com\"");
    }
    return rc;
}

static bool part_of(const char *text, size_t *ret)
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++) {
        if (strcmp(bundle_part_text((enum bundle_part)i), text) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static int read_files(const json_t *item, struct target_row *target, struct error *err)
{
    json_t *files = json_object_get(item, "files");
    const char *key;
    json_t *value;

    if (!json_is_object(files) || json_object_size(files) == 0)
        return error_set(err, E_INPUT, "files: wanted an object like {\"key\": \"/path\"}");
    json_object_foreach(files, key, value)
    {
        const char *path = json_string_value(value);
        size_t part;

        if (!part_of(key, &part))
            return error_set(err, E_INPUT,
                             "files: wanted key, leaf, chain, fullchain or combined, got \"%s\"",
                             key);
        if (!path || path[0] != '/' || !text_is_header_safe(path, strlen(path)))
            return error_set(err, E_INPUT, "files: %s: wanted an absolute path, got \"%s\"", key,
                             path ? path : "something else");
        target->files[part] = mem_strdup(path);
    }
    return 0;
}

static int read_endpoint(const json_t *item, struct endpoint_row *ret, struct error *err)
{
    static const char *const keys[] = {"host", "port", "server_name", NULL};
    const char *host = NULL, *server_name = NULL;
    int64_t port = 443;
    int rc = body_keys(item, "endpoint", keys, err);

    if (rc == 0)
        rc = body_text(item, "host", &host, err);
    if (rc == 0)
        rc = body_number(item, "port", 1, 65535, &port, err);
    if (rc == 0)
        rc = body_text(item, "server_name", &server_name, err);
    if (rc != 0)
        return rc;
    if (!host || host[0] == '\0' || !text_is_header_safe(host, strlen(host)))
        return error_set(err, E_INPUT, "endpoint: host: wanted a name or an address");
    if (server_name &&
        (server_name[0] == '\0' || !text_is_header_safe(server_name, strlen(server_name))))
        return error_set(err, E_INPUT, "endpoint: server_name: wanted a name");
    *ret = (struct endpoint_row){.host = mem_strdup(host),
                                 .port = (int)port,
                                 .server_name = server_name ? mem_strdup(server_name) : NULL};
    return 0;
}

static int read_target(const json_t *item, struct target_row *target, struct error *err)
{
    static const char *const keys[] = {"service", "files", "endpoints", NULL};
    const json_t *endpoints = NULL;
    const char *service = NULL;
    int rc = body_keys(item, "target", keys, err);

    if (rc == 0)
        rc = body_text(item, "service", &service, err);
    if (rc == 0 && !service)
        rc = error_set(err, E_INPUT, "target: service: wanted the name of a service");
    if (rc != 0)
        return rc;
    target->service = mem_strdup(service);
    rc = read_files(item, target, err);
    if (rc == 0)
        rc = body_array(item, "endpoints", &endpoints, err);
    if (rc != 0)
        return rc;
    size_t count = json_array_size(endpoints);
    if (count > ENDPOINTS_MAX)
        return error_set(err, E_INPUT, "endpoints: wanted at most %d, got %zu", ENDPOINTS_MAX,
                         count);
    if (count > 0)
        target->endpoints = mem_alloc(count, sizeof *target->endpoints);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = read_endpoint(json_array_get(endpoints, i), &target->endpoints[i], err);
        target->endpoint_count += rc == 0;
    }
    return rc;
}

static int read_targets(const json_t *body, struct targets *ret, struct error *err)
{
    const json_t *list;
    int rc = body_array(body, "targets", &list, err);

    if (rc != 0 || json_array_size(list) == 0)
        return rc;
    if (json_array_size(list) > TARGETS_MAX)
        return error_set(err, E_INPUT, "targets: wanted at most %d, got %zu", TARGETS_MAX,
                         json_array_size(list));
    ret->items = mem_alloc(json_array_size(list), sizeof *ret->items);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        ret->count++;
        rc = read_target(json_array_get(list, i), &ret->items[i], err);
        if (rc != 0)
            error_wrap(err, rc, "target %zu", i + 1);
    }
    return rc;
}

HANDLER(post_certificate)
{
    static const char *const keys[] = {"name", "policy", "names", "targets", NULL};
    __attribute__((cleanup(targets_done))) struct targets targets = {0};
    const struct api_context *context = call->context;
    AUTO_NAMES struct names names = {0};
    char actor[ACTOR_MAX];
    struct life_add add = {.names = &names, .actor = body_actor(call, actor)};
    int64_t id;
    int rc = body_keys(call->body, "request", keys, err);

    if (rc == 0)
        rc = body_text(call->body, "name", &add.name, err);
    if (rc == 0 && !add.name)
        rc = error_set(err, E_INPUT, "name: wanted the name of the certificate");
    if (rc == 0)
        rc = body_text(call->body, "policy", &add.policy, err);
    if (rc == 0)
        rc = read_names(call->body, &names, err);
    if (rc == 0)
        rc = read_targets(call->body, &targets, err);
    if (rc != 0)
        return rc;
    add.targets = targets.items;
    add.target_count = targets.count;
    rc = life_add(context->life, &add, &id, err);
    if (rc != 0)
        return rc;
    json_put_text(reply, "name", add.name);
    json_put_number(reply, "id", id);
    if (context->poke)
        context->poke(context->self);
    return 0;
}
