#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml_tree.h"

enum { GOT_TEXT_MAX = 120, WORDS_TEXT_MAX = 400 };

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

enum yaml_kind yaml_node_kind(const struct yaml_node *node)
{
    return node->kind;
}

void yaml_complain(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    yaml_complain_at(yaml, node->line, node->column, node->key, format, args);
    va_end(args);
}

char *yaml_place(const struct yaml *yaml, const struct yaml_node *node)
{
    return mem_printf("%s:%d:%d: %s", yaml->name, node->line, node->column,
                      node->key ? node->key : "file");
}

/* What stands there, for the end of a complaint. */
static const char *got(const struct yaml_node *node, char ret[GOT_TEXT_MAX])
{
    static const char *const kinds[] = {"nothing", "", "a list", "a mapping"};
    char shown[GOT_TEXT_MAX - 2];

    if (node->kind == YAML_TEXT)
        snprintf(ret, GOT_TEXT_MAX, "\"%s\"", text_escape(node->text, shown, sizeof shown));
    else
        snprintf(ret, GOT_TEXT_MAX, "%s", kinds[node->kind]);
    return ret;
}

static void complain_wanted(struct yaml *yaml, const struct yaml_node *node, const char *wanted)
{
    char shown[GOT_TEXT_MAX];

    yaml_complain(yaml, node, "wanted %s, got %s", wanted, got(node, shown));
}

/* Marks a mapping as looked into; false (and one complaint) when it is none. */
static bool open_map(struct yaml *yaml, const struct yaml_node *map)
{
    bool first = !map->opened;

    yaml->nodes[map->id]->opened = true;
    if (map->kind == YAML_MAP)
        return true;
    if (first && map->kind != YAML_NOTHING)
        complain_wanted(yaml, map, "a mapping");
    return false;
}

static void remember_asked(struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->asked_count; i++)
        if (strcmp(map->asked[i], key) == 0)
            return;
    if (map->asked_count == map->asked_room) {
        map->asked_room = map->asked_room ? map->asked_room * 2 : 8;
        map->asked = mem_resize(map->asked, map->asked_room, sizeof map->asked[0]);
    }
    map->asked[map->asked_count++] = mem_strdup(key);
}

bool yaml_any(struct yaml *yaml, const struct yaml_node *map, const char *key,
              const struct yaml_node **ret)
{
    bool found = false;

    if (!open_map(yaml, map))
        return false;
    remember_asked(yaml->nodes[map->id], key);
    for (size_t i = map->count; i-- > 0;) {
        if (strcmp(map->entries[i].key, key) != 0)
            continue;
        map->entries[i].known = true;
        *ret = map->entries[i].value;
        found = true;
    }
    return found;
}

static bool find_kind(struct yaml *yaml, const struct yaml_node *map, const char *key,
                      enum yaml_kind kind, const char *wanted, const struct yaml_node **ret)
{
    const struct yaml_node *node;

    if (!yaml_any(yaml, map, key, &node))
        return false;
    if (node->kind != kind && !(node->kind == YAML_NOTHING && kind == YAML_MAP)) {
        complain_wanted(yaml, node, wanted);
        return false;
    }
    *ret = node;
    return true;
}

bool yaml_map(struct yaml *yaml, const struct yaml_node *map, const char *key,
              const struct yaml_node **ret)
{
    return find_kind(yaml, map, key, YAML_MAP, "a mapping", ret);
}

bool yaml_list(struct yaml *yaml, const struct yaml_node *map, const char *key,
               const struct yaml_node **ret)
{
    return find_kind(yaml, map, key, YAML_LIST, "a list in brackets", ret);
}

bool yaml_text(struct yaml *yaml, const struct yaml_node *map, const char *key, const char **ret)
{
    const struct yaml_node *node;

    if (!find_kind(yaml, map, key, YAML_TEXT, "text", &node))
        return false;
    if (*node->text == '\0' || !text_is_header_safe(node->text, strlen(node->text))) {
        complain_wanted(yaml, node, "one line of text");
        return false;
    }
    *ret = node->text;
    return true;
}

bool yaml_checked(struct yaml *yaml, const struct yaml_node *map, const char *key,
                  bool (*check)(const char *text), const char *wanted, const char **ret)
{
    const struct yaml_node *node;
    const char *text;

    if (!yaml_text(yaml, map, key, &text))
        return false;
    if (!check(text)) {
        yaml_any(yaml, map, key, &node);
        complain_wanted(yaml, node, wanted);
        return false;
    }
    *ret = text;
    return true;
}

bool yaml_path(struct yaml *yaml, const struct yaml_node *map, const char *key, const char **ret)
{
    return yaml_checked(yaml, map, key, text_is_absolute, "an absolute path", ret);
}

bool yaml_number(struct yaml *yaml, const struct yaml_node *map, const char *key, int64_t min,
                 int64_t max, int64_t *ret)
{
    const struct yaml_node *node;
    char wanted[80];

    snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, min, max);
    if (!find_kind(yaml, map, key, YAML_TEXT, wanted, &node))
        return false;
    if (!text_number(node->text, min, max, ret)) {
        complain_wanted(yaml, node, wanted);
        return false;
    }
    return true;
}

bool yaml_bool(struct yaml *yaml, const struct yaml_node *map, const char *key, bool *ret)
{
    static const char *const words[] = {"false", "true", NULL};
    int index;

    if (!yaml_choice(yaml, map, key, words, &index))
        return false;
    *ret = index == 1;
    return true;
}

/* A length of time in the spelling of the configuration, largest unit that fits. */
static const char *spell_seconds(seconds_t length, char *ret, size_t size)
{
    static const struct {
        seconds_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = length == 0 ? 3 : 0;

    while (length % units[i].seconds != 0)
        i++;
    snprintf(ret, size, "%" PRId64 "%c", length / units[i].seconds, units[i].letter);
    return ret;
}

static bool node_seconds(struct yaml *yaml, const struct yaml_node *node, seconds_t least,
                         seconds_t most, seconds_t *ret)
{
    char low[32], high[32], wanted[160];
    seconds_t value;

    if (node->kind == YAML_TEXT && seconds_parse(node->text, &value) && value >= least &&
        value <= most) {
        *ret = value;
        return true;
    }
    snprintf(wanted, sizeof wanted, "a time such as 30s, 15m, 12h, 21d or 2w (%s to %s)",
             spell_seconds(least, low, sizeof low), spell_seconds(most, high, sizeof high));
    complain_wanted(yaml, node, wanted);
    return false;
}

bool yaml_seconds(struct yaml *yaml, const struct yaml_node *map, const char *key, seconds_t min,
                  seconds_t max, seconds_t *ret)
{
    const struct yaml_node *node;

    return yaml_any(yaml, map, key, &node) && node_seconds(yaml, node, min, max, ret);
}

bool yaml_fraction(struct yaml *yaml, const struct yaml_node *map, const char *key, double *ret)
{
    const struct yaml_node *node;
    double value;

    if (!yaml_any(yaml, map, key, &node))
        return false;
    if (node->kind == YAML_TEXT && text_fraction(node->text, &value) && value > 0 && value <= 1) {
        *ret = value;
        return true;
    }
    complain_wanted(yaml, node, "a part such as 50%, 12.5% or 1/3 (more than 0, up to 100%)");
    return false;
}

/* A list of at most max entries. */
static bool short_list(struct yaml *yaml, const struct yaml_node *map, const char *key, size_t max,
                       const struct yaml_node **ret)
{
    const struct yaml_node *list;

    if (!yaml_list(yaml, map, key, &list))
        return false;
    if (list->count > max) {
        yaml_complain(yaml, list, "wanted at most %zu entries, got %zu", max, list->count);
        return false;
    }
    *ret = list;
    return true;
}

bool yaml_seconds_list(struct yaml *yaml, const struct yaml_node *map, const char *key,
                       seconds_t least, seconds_t most, size_t max, seconds_t ret[],
                       size_t *ret_count)
{
    const struct yaml_node *list;
    bool fine = true;

    if (!short_list(yaml, map, key, max, &list))
        return false;
    if (list->count == 0) {
        yaml_complain(yaml, list, "wanted at least one time, got none");
        return false;
    }
    seconds_t *values = mem_alloc(list->count, sizeof values[0]);
    for (size_t i = 0; i < list->count; i++)
        fine = node_seconds(yaml, list->entries[i].value, least, most, &values[i]) && fine;
    if (fine) {
        memcpy(ret, values, list->count * sizeof values[0]);
        *ret_count = list->count;
    }
    free(values);
    return fine;
}

bool yaml_text_list(struct yaml *yaml, const struct yaml_node *map, const char *key, size_t max,
                    bool (*check)(const char *text), const char *wanted, char *ret[],
                    size_t *ret_count)
{
    const struct yaml_node *list;
    bool fine = true;

    if (!short_list(yaml, map, key, max, &list))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_node *node = list->entries[i].value;
        const char *text = yaml_item_text(yaml, node, wanted);

        if (text && (*text == '\0' || (check && !check(text)))) {
            complain_wanted(yaml, node, wanted);
            text = NULL;
        }
        fine = fine && text;
    }
    if (!fine)
        return false;
    for (size_t i = 0; i < list->count; i++)
        ret[i] = mem_strdup(list->entries[i].value->text);
    *ret_count = list->count;
    return true;
}

bool yaml_choice(struct yaml *yaml, const struct yaml_node *map, const char *key,
                 const char *const words[], int *ret)
{
    const struct yaml_node *node;
    char all[WORDS_TEXT_MAX] = "", shown[GOT_TEXT_MAX];
    int count = 0;

    for (; words[count]; count++) {
        const char *join = count == 0 ? "" : words[count + 1] ? ", " : " or ";
        size_t used = strlen(all);

        snprintf(all + used, sizeof all - used, "%s%s", join, words[count]);
    }
    if (!find_kind(yaml, map, key, YAML_TEXT, all, &node))
        return false;
    for (int i = 0; i < count; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    const char *near = text_nearest(node->text, words, (size_t)count);
    yaml_complain(yaml, node, near ? "wanted %s, got %s: did you mean %s?" : "wanted %s, got %s",
                  all, got(node, shown), near);
    return false;
}

bool yaml_mode(struct yaml *yaml, const struct yaml_node *map, const char *key, unsigned *ret)
{
    const struct yaml_node *node;
    unsigned mode = 0;

    if (!yaml_any(yaml, map, key, &node))
        return false;
    size_t len = node->kind == YAML_TEXT ? strlen(node->text) : 0;
    bool fine = (len == 3 || (len == 4 && node->text[0] == '0'));
    for (size_t i = 0; fine && i < len; i++) {
        fine = node->text[i] >= '0' && node->text[i] <= '7';
        mode = mode * 8 + (unsigned)(node->text[i] - '0');
    }
    if (!fine) {
        complain_wanted(yaml, node, "a file mode such as 0640");
        return false;
    }
    *ret = mode;
    return true;
}

size_t yaml_count(const struct yaml_node *node)
{
    return node->count;
}

const struct yaml_node *yaml_item(const struct yaml_node *node, size_t index)
{
    return index < node->count ? node->entries[index].value : NULL;
}

const char *yaml_item_key(struct yaml *yaml, const struct yaml_node *map, size_t index)
{
    if (!open_map(yaml, map) || index >= map->count)
        return NULL;
    map->entries[index].known = true;
    return map->entries[index].key;
}

const char *yaml_item_text(struct yaml *yaml, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_TEXT && text_is_header_safe(node->text, strlen(node->text)))
        return node->text;
    complain_wanted(yaml, node, what);
    return NULL;
}

void yaml_require(struct yaml *yaml, const struct yaml_node *map, const char *key, bool present)
{
    const struct yaml_node *node;

    if (!present && !yaml_any(yaml, map, key, &node))
        yaml_complain(yaml, map, "wanted the key %s, got none", key);
}

static void find_unknown(struct yaml *yaml, const struct yaml_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];

        if (node->kind == YAML_MAP && node->opened && !entry->known) {
            const char *near =
                text_nearest(entry->key, (const char *const *)node->asked, node->asked_count);
            yaml_complain_key(yaml, entry,
                              near ? "wanted a known key: did you mean %s?" : "wanted a known key",
                              near);
        } else {
            find_unknown(yaml, entry->value);
        }
    }
}

int yaml_finish(struct yaml *yaml, struct error *err)
{
    open_map(yaml, yaml->root);
    find_unknown(yaml, yaml->root);
    if (yaml->complaint_count == 0)
        return 0;
    return error_set(err, E_CONFIG, "%s", yaml->first.text);
}
