#include <signal.h>
#include <string.h>

#include "policies/service_draft.h"

enum { PARAMETERS_MAX = 32, DEADLINE_MAX = 3600 };

static bool is_parameter(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text) && *text;
}

static void read_parameters(struct yaml *yaml, const struct yaml_node *map,
                            struct service_draft *draft)
{
    const struct yaml_node *list;

    if (!yaml_map(yaml, map, "parameters", &list))
        return;
    if (yaml_count(list) > PARAMETERS_MAX) {
        yaml_complain(yaml, list, "wanted at most %d parameters, got %zu", PARAMETERS_MAX,
                      yaml_count(list));
        return;
    }
    draft->parameters = mem_alloc(yaml_count(list), sizeof draft->parameters[0]);
    for (size_t i = 0; i < yaml_count(list); i++) {
        const char *name = yaml_item_key(yaml, list, i);
        const struct yaml_node *node = yaml_item(list, i);
        const char *value = yaml_item_text(yaml, node, "text");

        if (!is_parameter(name))
            yaml_complain(yaml, node, "wanted a parameter of small letters, digits and \"-\"");
        else if (value)
            draft->parameters[draft->parameter_count++] = (struct parameter){
                mem_strdup(name), mem_strdup(value), yaml_place(yaml, node), false};
    }
}

/* What others may read is no secret any more: refused here rather than found out later. */
static bool mode_is_safe(enum bundle_part part, unsigned mode)
{
    return (mode & 0400) && !(bundle_part_is_secret(part) && (mode & 0007));
}

static void read_part(struct yaml *yaml, const struct yaml_node *map, enum bundle_part part,
                      struct service_part *ret)
{
    const struct yaml_node *node, *mode;
    const char *text;

    if (!yaml_map(yaml, map, bundle_part_text(part), &node))
        return;
    ret->allowed = true;
    ret->has_mode = yaml_mode(yaml, node, "mode", &ret->mode);
    if (ret->has_mode && !mode_is_safe(part, ret->mode) && yaml_any(yaml, node, "mode", &mode))
        yaml_complain(yaml, mode, "wanted a mode that its owner can read%s, got %04o",
                      bundle_part_is_secret(part) ? " and others can not: it holds the private key"
                                                  : "",
                      ret->mode);
    if (yaml_text(yaml, node, "owner", &text))
        ret->owner = mem_strdup(text);
    if (yaml_text(yaml, node, "group", &text))
        ret->group = mem_strdup(text);
}

static bool read_argv(struct yaml *yaml, const struct yaml_node *list, struct template argv[],
                      size_t *ret_count)
{
    bool fine = true;

    if (yaml_count(list) > SERVICE_ARGV_MAX) {
        yaml_complain(yaml, list, "wanted at most %d words, got %zu", SERVICE_ARGV_MAX,
                      yaml_count(list));
        return false;
    }
    for (size_t i = 0; i < yaml_count(list); i++) {
        const char *text = yaml_item_text(yaml, yaml_item(list, i), "a word of a command");

        if (text)
            argv[(*ret_count)++] =
                (struct template){mem_strdup(text), yaml_place(yaml, yaml_item(list, i))};
        fine = fine && text;
    }
    return fine;
}

static void read_signal(struct yaml *yaml, const struct yaml_node *map, struct service_draft *draft)
{
    static const char *const words[] = {"HUP", "USR1", "USR2", "INT", "TERM", "WINCH", NULL};
    static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGWINCH};
    const struct yaml_node *node;
    const char *text = NULL;
    int index;

    if (yaml_choice(yaml, map, "signal", words, &index))
        draft->reload_signal = signals[index];
    yaml_require(yaml, map, "signal", draft->reload_signal != 0);
    if (yaml_text(yaml, map, "pid-file", &text) && yaml_any(yaml, map, "pid-file", &node))
        draft->pid_file = (struct template){mem_strdup(text), yaml_place(yaml, node)};
    yaml_require(yaml, map, "pid-file", text);
}

static void read_reload(struct yaml *yaml, const struct yaml_node *map, struct service_draft *draft)
{
    const struct yaml_node *node;

    if (!yaml_any(yaml, map, "reload", &node))
        return;
    draft->has_reload = true;
    switch (yaml_node_kind(node)) {
    case YAML_LIST:
        read_argv(yaml, node, draft->reload, &draft->reload_count);
        break;
    case YAML_MAP:
        read_signal(yaml, node, draft);
        break;
    case YAML_NOTHING:
    case YAML_TEXT:
        yaml_complain(yaml, node,
                      "wanted a command as [/path, word, ...], or {signal: HUP, pid-file: /path}");
        break;
    }
}

struct heir *service_draft_read(struct yaml *yaml, const struct yaml_node *map)
{
    struct service_draft *draft = mem_alloc(1, sizeof *draft);
    const struct yaml_node *node;
    seconds_t deadline;

    read_parameters(yaml, map, draft);
    if (yaml_map(yaml, map, "files", &node))
        for (int part = 0; part < BUNDLE_PARTS; part++)
            read_part(yaml, node, (enum bundle_part)part, &draft->parts[part]);
    draft->has_test = yaml_list(yaml, map, "test", &node);
    if (draft->has_test)
        read_argv(yaml, node, draft->test, &draft->test_count);
    read_reload(yaml, map, draft);
    if (yaml_seconds(yaml, map, "deadline", 1, DEADLINE_MAX, &deadline))
        draft->deadline = (int)deadline;
    return &draft->heir;
}
