#include "base/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfyaml.h>

#include "base/text.h"

enum { DEPTH_MAX = 16 };

struct source {
    struct yaml *yaml;
    struct fy_parser *parser;
    struct fy_event *event; /* the current one */
    bool failed;
};

void yaml_complain_at(struct yaml *yaml, int line, int column, const char *key, const char *format,
                      va_list args)
{
    char raw[ERROR_TEXT_MAX], shown[ERROR_TEXT_MAX];
    int used = snprintf(raw, sizeof raw, "%s:%d:%d: %s%s", yaml->name, line, column, key ? key : "",
                        key ? ": " : "");

    if (used >= 0 && (size_t)used < sizeof raw)
        vsnprintf(raw + used, sizeof raw - (size_t)used, format, args);
    text_escape(raw, shown, sizeof shown);
    if (yaml->complaint_count++ == 0)
        error_set(&yaml->first, E_CONFIG, "%s", shown);
    buf_printf(yaml->complaints, "%s\n", shown);
}

void yaml_complain_key(struct yaml *yaml, const struct yaml_entry *entry, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    yaml_complain_at(yaml, entry->line, entry->column, entry->key, format, args);
    va_end(args);
}

/* Where the current event begins. libfyaml's mark of a quoted scalar or an alias lies behind the
 * quote or "*". */
static bool here(const struct source *source, int *ret_line, int *ret_column)
{
    struct fy_event *event = source->event;
    const struct fy_mark *mark = event ? fy_event_start_mark(event) : NULL;

    if (!mark)
        return false;
    bool scalar = event->type == FYET_SCALAR && event->scalar.value;
    enum fy_scalar_style style = scalar ? fy_token_scalar_style(event->scalar.value) : FYSS_PLAIN;
    bool behind =
        style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED || event->type == FYET_ALIAS;
    *ret_line = mark->line + 1;
    *ret_column = mark->column + (behind && mark->column > 0 ? 0 : 1);
    return true;
}

static void complain_here(struct source *source, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain_here(struct source *source, const char *format, ...)
{
    int line = 1, column = 1;
    va_list args;

    here(source, &line, &column);
    va_start(args, format);
    yaml_complain_at(source->yaml, line, column, NULL, format, args);
    va_end(args);
}

/* Moves on to the next event; false at the end of the stream or after a syntax error. */
static bool advance(struct source *source)
{
    if (source->event)
        fy_parser_event_free(source->parser, source->event);
    source->event = source->failed ? NULL : fy_parser_parse(source->parser);
    return source->event != NULL;
}

static struct yaml_node *new_node(struct yaml *yaml, enum yaml_kind kind, const char *key)
{
    struct yaml_node *node = mem_alloc(1, sizeof *node);

    if (yaml->node_count == yaml->node_room) {
        yaml->node_room = yaml->node_room ? yaml->node_room * 2 : 64;
        yaml->nodes = mem_resize(yaml->nodes, yaml->node_room, sizeof yaml->nodes[0]);
    }
    node->kind = kind;
    node->key = key;
    node->id = yaml->node_count;
    yaml->nodes[yaml->node_count++] = node;
    return node;
}

static struct yaml_entry *new_entry(struct yaml_node *node)
{
    if (node->count == node->room) {
        node->room = node->room ? node->room * 2 : 8;
        node->entries = mem_resize(node->entries, node->room, sizeof node->entries[0]);
    }
    struct yaml_entry *entry = &node->entries[node->count++];
    *entry = (struct yaml_entry){0};
    return entry;
}

/* The text of the current scalar; NULL (with a complaint) when it holds a NUL, which "\0" makes. */
static char *scalar_text(struct source *source)
{
    size_t len = 0;
    const char *text = fy_token_get_text(source->event->scalar.value, &len);

    if (text && memchr(text, '\0', len)) {
        complain_here(source, "wanted text, got a NUL character in it");
        return NULL;
    }
    char *copy = mem_alloc(len + 1, 1);
    if (text && len > 0)
        memcpy(copy, text, len);
    return copy;
}

/* Anchors and tags have no use here, and what has none is a mistake or an attack. */
static void refuse_extras(struct source *source)
{
    const struct fy_event *event = source->event;
    bool anchor = (event->type == FYET_SCALAR && event->scalar.anchor) ||
                  (event->type == FYET_SEQUENCE_START && event->sequence_start.anchor) ||
                  (event->type == FYET_MAPPING_START && event->mapping_start.anchor);
    bool tag = (event->type == FYET_SCALAR && event->scalar.tag) ||
               (event->type == FYET_SEQUENCE_START && event->sequence_start.tag) ||
               (event->type == FYET_MAPPING_START && event->mapping_start.tag);

    if (anchor)
        complain_here(source, "wanted a plain value, got an anchor (&...)");
    if (tag)
        complain_here(source, "wanted a plain value, got a tag (!...)");
}

static struct yaml_node *read_value(struct source *source, const char *key, int depth);

static void read_list(struct source *source, struct yaml_node *list, int depth)
{
    while (advance(source) && source->event->type != FYET_SEQUENCE_END) {
        struct yaml_node *value = read_value(source, list->key, depth + 1);

        if (!value)
            return;
        struct yaml_entry *entry = new_entry(list);
        entry->line = value->line;
        entry->column = value->column;
        entry->value = value;
    }
    source->failed |= !source->event;
}

static void refuse_duplicate(struct yaml *yaml, const struct yaml_node *map)
{
    const struct yaml_entry *last = &map->entries[map->count - 1];

    for (size_t i = 0; i + 1 < map->count; i++) {
        if (strcmp(map->entries[i].key, last->key) == 0) {
            yaml_complain_key(yaml, last, "wanted once, got it again (first in line %d)",
                              map->entries[i].line);
            return;
        }
    }
}

static void read_map(struct source *source, struct yaml_node *map, int depth)
{
    while (advance(source) && source->event->type != FYET_MAPPING_END) {
        int line = map->line, column = map->column;
        char *key = NULL;

        here(source, &line, &column);
        if (source->event->type == FYET_SCALAR) {
            refuse_extras(source);
            key = scalar_text(source);
        } else {
            complain_here(source, "wanted a word as the key");
        }
        if (!key) {
            source->failed = true;
            return;
        }
        struct yaml_entry *entry = new_entry(map);
        entry->key = key;
        entry->line = line;
        entry->column = column;
        if (advance(source))
            entry->value = read_value(source, key, depth + 1);
        if (!entry->value) {
            source->failed = true;
            return;
        }
        if (entry->value->line == 0) { /* nothing stands there: the key is the place */
            entry->value->line = entry->line;
            entry->value->column = entry->column;
        }
        refuse_duplicate(source->yaml, map);
    }
    source->failed |= !source->event;
}

/* The value that begins with the current event; NULL when reading cannot go on. */
static struct yaml_node *read_value(struct source *source, const char *key, int depth)
{
    enum fy_event_type type = source->event->type;
    struct yaml_node *node = new_node(source->yaml, YAML_NOTHING, key);

    here(source, &node->line, &node->column); /* line 0: nothing stands there */
    refuse_extras(source);
    if (depth > DEPTH_MAX) {
        complain_here(source, "wanted at most %d levels", DEPTH_MAX);
        source->failed = true;
    } else if (type == FYET_SCALAR) {
        struct fy_token *token = source->event->scalar.value;

        node->text = scalar_text(source);
        source->failed = !node->text;
        if (node->text && (*node->text || (token && fy_token_scalar_style(token) != FYSS_PLAIN)))
            node->kind = YAML_TEXT;
    } else if (type == FYET_SEQUENCE_START) {
        node->kind = YAML_LIST;
        read_list(source, node, depth);
    } else if (type == FYET_MAPPING_START) {
        node->kind = YAML_MAP;
        read_map(source, node, depth);
    } else {
        complain_here(source, "wanted a value, got an alias (*...)");
    }
    return source->failed ? NULL : node;
}

static void read_documents(struct source *source)
{
    size_t documents = 0;

    while (advance(source)) {
        if (source->event->type != FYET_DOCUMENT_START)
            continue;
        if (++documents > 1) {
            complain_here(source, "wanted one document, got another one");
            return;
        }
        if (advance(source))
            source->yaml->root = read_value(source, NULL, 0);
    }
}

/* What libfyaml has to say about the syntax. */
static void take_diagnosis(struct yaml *yaml, struct fy_diag *diag)
{
    struct yaml_entry at = {0};
    const struct fy_diag_error *found;
    void *state = NULL;

    while ((found = fy_diag_errors_iterate(diag, &state))) {
        at.line = found->line;
        at.column = found->column;
        yaml_complain_key(yaml, &at, "%s", found->msg);
    }
}

/* True when the bytes can be given to the parser at all. */
static bool is_text(struct yaml *yaml, const char *text, size_t len)
{
    struct yaml_entry at = {.line = 1, .column = 1};

    if (text_is_utf8(text, len))
        return true;
    for (const char *line = text; line < text + len; at.line++) {
        size_t left = len - (size_t)(line - text);
        const char *end = memchr(line, '\n', left);
        size_t step = end ? (size_t)(end - line) + 1 : left;

        if (!text_is_utf8(line, step))
            break;
        line += step;
    }
    yaml_complain_key(yaml, &at, "wanted UTF-8 text, got other bytes");
    return false;
}

static void parse(struct yaml *yaml, const char *text, size_t len)
{
    struct fy_diag_cfg diag_cfg;

    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    diag_cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
                               .diag = diag};
    struct source source = {.yaml = yaml, .parser = fy_parser_create(&cfg)};
    if (!source.parser || fy_parser_set_string(source.parser, text, len) != 0) {
        complain_here(&source, "the YAML parser could not be started");
    } else {
        read_documents(&source);
        if (source.event)
            fy_parser_event_free(source.parser, source.event);
        take_diagnosis(yaml, diag);
    }
    if (source.parser)
        fy_parser_destroy(source.parser);
    fy_diag_destroy(diag);
}

int yaml_parse(const char *name, const char *text, size_t len, struct yaml **ret,
               struct buf *complaints, struct error *err)
{
    struct yaml *yaml = mem_alloc(1, sizeof *yaml);
    bool broken = true;

    yaml->name = mem_strdup(name);
    yaml->complaints = complaints;
    if (is_text(yaml, text, len)) {
        parse(yaml, text, len);
        broken = !yaml->root && yaml->complaint_count > 0;
    }
    if (broken) {
        int rc = error_set(err, E_CONFIG, "%s", yaml->first.text);
        yaml_free(yaml);
        return rc;
    }
    if (!yaml->root)
        yaml->root = new_node(yaml, YAML_NOTHING, NULL);
    if (yaml->root->line == 0)
        yaml->root->line = yaml->root->column = 1;
    *ret = yaml;
    return 0;
}

static void free_node(struct yaml_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        free(node->entries[i].key);
    for (size_t i = 0; i < node->asked_count; i++)
        free(node->asked[i]);
    free(node->entries);
    free(node->asked);
    free(node->text);
    free(node);
}

void yaml_free(struct yaml *yaml)
{
    if (!yaml)
        return;
    for (size_t i = 0; i < yaml->node_count; i++)
        free_node(yaml->nodes[i]);
    free(yaml->nodes);
    free(yaml->name);
    free(yaml);
}
