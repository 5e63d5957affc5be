#include "policies/heirs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { STATE_NEW, STATE_BUSY, STATE_READY, NAME_MAX_LEN = 64 };

void late_complain(struct late *late, const char *place, const char *format, ...)
{
    char raw[ERROR_TEXT_MAX], shown[ERROR_TEXT_MAX];
    va_list args;

    int used = snprintf(raw, sizeof raw, "%s: ", place);
    va_start(args, format);
    if (used >= 0 && (size_t)used < sizeof raw)
        vsnprintf(raw + used, sizeof raw - (size_t)used, format, args);
    va_end(args);
    text_escape(raw, shown, sizeof shown - 1);
    size_t len = strlen(shown);
    shown[len] = '\n';
    shown[len + 1] = '\0';
    if (strstr(buf_text(late->complaints), shown))
        return;
    buf_add_text(late->complaints, shown);
    if (late->count++ == 0)
        error_set(&late->first, E_CONFIG, "%.*s", (int)len, shown);
}

void heir_done(struct heir *heir)
{
    free(heir->name);
    free(heir->file);
    free(heir->place);
    free(heir->extends);
    free(heir->extends_place);
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= NAME_MAX_LEN && text[0] != '-' && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static void add(struct heirs *heirs, struct heir *heir)
{
    heirs->items = mem_resize(heirs->items, heirs->count + 1, sizeof heirs->items[0]);
    heirs->items[heirs->count++] = heir;
}

/* The administrator's (or the shipped) heir of a name. */
static struct heir *find(const struct heirs *heirs, const char *name, bool shipped)
{
    for (size_t i = 0; i < heirs->count; i++)
        if (heirs->items[i]->shipped == shipped && strcmp(heirs->items[i]->name, name) == 0)
            return heirs->items[i];
    return NULL;
}

struct heir *heirs_find(const struct heirs *heirs, const char *name)
{
    struct heir *own = find(heirs, name, false);

    return own ? own : find(heirs, name, true);
}

bool heirs_is_hidden(const struct heirs *heirs, const struct heir *heir)
{
    return heirs_find(heirs, heir->name) != heir;
}

static void load_one(struct heirs *heirs, const struct heirs_document *document, struct yaml *yaml,
                     const struct yaml_node *node, const char *name)
{
    const struct yaml_node *extends;
    const char *text;

    if (!is_name(name))
        yaml_complain(yaml, node, "wanted a name of letters, digits, \"-\", \"_\" and \".\"");
    const struct heir *other = find(heirs, name, document->shipped);
    if (other)
        yaml_complain(yaml, node, "wanted once, got it again (first: %s)", other->place);
    struct heir *heir = document->make(yaml, node);
    heir->name = mem_strdup(name);
    heir->file = mem_strdup(document->file);
    heir->place = yaml_place(yaml, node);
    heir->shipped = document->shipped;
    if (yaml_text(yaml, node, "extends", &text) && yaml_any(yaml, node, "extends", &extends)) {
        heir->extends = mem_strdup(text);
        heir->extends_place = yaml_place(yaml, extends);
    }
    add(heirs, heir);
}

int heirs_load(struct heirs *heirs, const struct heirs_document *document, struct buf *complaints,
               struct error *err)
{
    struct yaml *yaml;
    const struct yaml_node *map;

    int rc = yaml_parse(document->file, document->text, document->len, &yaml, complaints, err);
    if (rc < 0)
        return rc;
    if (yaml_map(yaml, yaml_root(yaml), document->word, &map)) {
        for (size_t i = 0; i < yaml_count(map); i++) {
            const char *name = yaml_item_key(yaml, map, i);

            if (name)
                load_one(heirs, document, yaml, yaml_item(map, i), name);
        }
    }
    rc = yaml_finish(yaml, err);
    yaml_free(yaml);
    return rc;
}

static struct heir *base_of(const struct heirs *heirs, const struct heir *heir,
                            const char *fallback)
{
    const char *name = heir->extends ? heir->extends : fallback;

    if (!name)
        return NULL;
    if (strcmp(name, heir->name) != 0)
        return heirs_find(heirs, name);
    return heir->shipped ? NULL : find(heirs, name, true);
}

static void complain_unknown(const struct heirs *heirs, const struct heir *heir, struct late *late)
{
    const char **names = mem_alloc(heirs->count, sizeof names[0]);
    size_t count = 0;

    for (size_t i = 0; i < heirs->count; i++)
        if (strcmp(heirs->items[i]->name, heir->name) != 0)
            names[count++] = heirs->items[i]->name;
    const char *near = text_nearest(heir->extends, names, count);
    if (strcmp(heir->extends, heir->name) == 0)
        late_complain(late, heir->extends_place, "wanted another name, got its own");
    else if (near)
        late_complain(late, heir->extends_place,
                      "wanted a known name, got \"%s\": did you mean %s?", heir->extends, near);
    else
        late_complain(late, heir->extends_place, "wanted a known name, got \"%s\"", heir->extends);
    free(names);
}

/* heir and its bases form a loop: told at one `extends` of an administrator. */
static void complain_loop(const struct heir *heir, struct late *late)
{
    const struct heir *at = heir;

    while ((at->shipped || !at->extends) && at->base != heir)
        at = at->base;
    late_complain(late, at->extends_place ? at->extends_place : at->place,
                  "wanted no loop, got one: %s extends itself through %s", at->name,
                  at->base->name);
}

static void settle(const struct heirs *heirs, struct heir *heir, const char *fallback,
                   struct heirs *sorted, struct late *late)
{
    heir->state = STATE_BUSY;
    heir->base = base_of(heirs, heir, fallback);
    if (!heir->base && heir->extends) {
        complain_unknown(heirs, heir, late);
        heir->broken = true;
    }
    if (heir->base && heir->base->state == STATE_BUSY) {
        complain_loop(heir, late);
        heir->broken = true;
        heir->base = NULL;
    }
    if (heir->base && heir->base->state == STATE_NEW)
        settle(heirs, heir->base, fallback, sorted, late);
    if (heir->base && heir->base->broken)
        heir->broken = true;
    heir->state = STATE_READY;
    sorted->items[sorted->count++] = heir;
}

void heirs_resolve(struct heirs *heirs, const char *fallback, struct late *late)
{
    struct heirs sorted = {mem_alloc(heirs->count, sizeof sorted.items[0]), 0};

    for (size_t i = 0; i < heirs->count; i++) {
        heirs->items[i]->state = STATE_NEW;
        heirs->items[i]->broken = false;
    }
    for (size_t i = 0; i < heirs->count; i++)
        if (heirs->items[i]->state == STATE_NEW)
            settle(heirs, heirs->items[i], fallback, &sorted, late);
    free(heirs->items);
    *heirs = sorted;
}
