#include "daemon/api/route.h"

#include <string.h>

static const struct route routes[] = {
    {"GET", "/v1/status", get_status, 200, true},
    {"GET", "/v1/doctor", get_doctor, 200, false},
    {"POST", "/v1/doctor", post_doctor, 200, false},
    {"GET", "/v1/history", get_history, 200, false},
    {"GET", "/v1/audit", get_audit, 200, false},
    {"GET", "/v1/audit/verify", get_audit_verify, 200, false},
    {"GET", "/v1/authorities", get_authorities, 200, false},
    {"GET", "/v1/seal", get_seal, 200, false},
    {"POST", "/v1/seal/rotations", post_seal_rotation, 200, false},
    {"GET", "/v1/trust", get_trust, 200, false},
    {"POST", "/v1/trust", post_trust, 200, false},
    {"DELETE", "/v1/trust/*", delete_trust, 200, false},
    {"GET", "/v1/certificates", get_certificates, 200, false},
    {"POST", "/v1/certificates", post_certificate, 201, false},
    {"GET", "/v1/certificates/*", get_certificate, 200, false},
    {"GET", "/v1/certificates/*/explain", get_explain, 200, false},
    {"GET", "/v1/certificates/*/history", get_history, 200, false},
    {"GET", "/v1/certificates/*/request", get_request, 200, false},
    {"POST", "/v1/certificates/*/renewals", post_renewal, 200, false},
    {"GET", "/v1/keys/*", get_key, 200, false},
    {"GET", "/v1/backups", get_backups, 200, true},
    {"POST", "/v1/backups", post_backup, 202, false},
};

/* True when path fits pattern; *ret_name and *ret_len are what stands at "*". */
static bool fits(const char *pattern, const char *path, const char **ret_name, size_t *ret_len)
{
    const char *star = strchr(pattern, '*');

    *ret_name = NULL;
    *ret_len = 0;
    if (!star)
        return strcmp(pattern, path) == 0;
    size_t head = (size_t)(star - pattern);
    if (strncmp(pattern, path, head) != 0)
        return false;
    size_t len = strcspn(path + head, "/");
    if (len == 0 || strcmp(star + 1, path + head + len) != 0)
        return false;
    *ret_name = path + head;
    *ret_len = len;
    return true;
}

const struct route *route_find(const char *method, const char *path, char **ret_name,
                               const char **ret_allowed)
{
    *ret_name = NULL;
    *ret_allowed = NULL;
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        const char *name;
        size_t len;

        if (!fits(routes[i].path, path, &name, &len))
            continue;
        if (strcmp(routes[i].method, method) != 0) {
            *ret_allowed = *ret_allowed ? "GET, POST" : routes[i].method;
            continue;
        }
        if (name)
            *ret_name = mem_printf("%.*s", (int)len, name);
        return &routes[i];
    }
    return NULL;
}

enum role route_role(const struct route *route)
{
    return strcmp(route->method, "GET") == 0 ? ROLE_READ : ROLE_ADMIN;
}

size_t route_count(void)
{
    return COUNT_OF(routes);
}

const struct route *route_at(size_t index)
{
    return &routes[index];
}
