#include "base/fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"

void fields_done(struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        free(fields->items[i].key);
        free(fields->items[i].value);
    }
    free(fields->items);
    *fields = FIELDS_EMPTY;
}

static struct field *find(const struct fields *fields, const char *key)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strcmp(fields->items[i].key, key) == 0)
            return &fields->items[i];
    return NULL;
}

/* Takes value. */
static void put(struct fields *fields, const char *key, char *value)
{
    struct field *field = find(fields, key);

    if (field) {
        free(field->value);
        field->value = value;
        return;
    }
    fields->items = mem_resize(fields->items, fields->count + 1, sizeof *fields->items);
    fields->items[fields->count++] = (struct field){mem_strdup(key), value};
}

void fields_set(struct fields *fields, const char *key, const char *value)
{
    put(fields, key, mem_strdup(value));
}

void fields_printf(struct fields *fields, const char *key, const char *format, ...)
{
    char *value = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&value, format, args);
    va_end(args);
    assert(len >= 0);
    put(fields, key, value);
}

const char *fields_get(const struct fields *fields, const char *key)
{
    const struct field *field = find(fields, key);

    return field ? field->value : NULL;
}

/* The longest escape, \xHH, makes four characters of a byte. */
static char *as_utf8(const char *text)
{
    size_t len = strlen(text);

    if (text_is_utf8(text, len))
        return mem_strdup(text);
    char *copy = mem_alloc(len + 1, 4);
    return text_escape(text, copy, 4 * (len + 1));
}

char *fields_to_json(const struct fields *fields)
{
    json_t *object = json_object();

    /* What jansson refuses of these calls is bad UTF-8, which is gone, and memory. */
    assert(object);
    for (size_t i = 0; i < fields->count; i++) {
        AUTO_FREE char *key = as_utf8(fields->items[i].key);
        AUTO_FREE char *value = as_utf8(fields->items[i].value);
        int rc = json_object_set_new_nocheck(object, key, json_string_nocheck(value));

        assert(rc == 0);
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    assert(text);
    json_decref(object);
    return text;
}

static void release(json_t **object)
{
    json_decref(*object);
}

int fields_from_json(const char *json, struct fields *ret, struct error *err)
{
    json_error_t where;
    json_t *object __attribute__((cleanup(release))) =
        json_loads(json, JSON_REJECT_DUPLICATES, &where);
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;
    const char *key;
    json_t *value;

    if (!object)
        return error_set(err, E_FORMAT, "record: wanted a JSON object, got: line %d column %d: %s",
                         where.line, where.column, where.text);
    if (!json_is_object(object))
        return error_set(err, E_FORMAT, "record: wanted a JSON object, got another value");
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return error_set(err, E_FORMAT, "record: %s: wanted a string, got another value", key);
        fields_set(&fields, key, json_string_value(value));
    }
    *ret = fields;
    fields = FIELDS_EMPTY;
    return 0;
}
