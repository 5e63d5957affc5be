/* A service as its file gives it, before inheritance and with its parameters still in braces.
 * Between service_load.c and service.c. */
#ifndef UL_POLICIES_SERVICE_DRAFT_H
#define UL_POLICIES_SERVICE_DRAFT_H

#include "policies/heirs.h"
#include "policies/service.h"

/* A text that may hold "{parameter}", and where it stands. */
struct template
{
    char *text;
    char *place;
};

struct parameter {
    char *name;
    char *value;
    char *place;
    bool used;
};

struct service_draft {
    struct heir heir;
    struct parameter *parameters;
    size_t parameter_count;
    struct service_part parts[BUNDLE_PARTS]; /* allowed: the draft names it */
    bool has_test;
    struct template test[SERVICE_ARGV_MAX];
    size_t test_count;
    bool has_reload; /* by command, by signal, or not at all */
    struct template reload[SERVICE_ARGV_MAX];
    size_t reload_count;
    int reload_signal;
    struct template pid_file;
    int deadline; /* 0: not set */
    struct service service;
};

/* Reads one service; wrong fields are complaints and stay unset. */
struct heir *service_draft_read(struct yaml *yaml, const struct yaml_node *map);
void service_draft_free(struct service_draft *draft);

#endif
