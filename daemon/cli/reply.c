#include "daemon/cli/reply.h"

#include <string.h>

static const char *kind_of(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static void complain(const json_t *value, const char *key, const char *wanted, struct error *bad)
{
    if (bad->code == 0)
        error_set(bad, E_FORMAT, "the daemon's reply: %s: wanted %s, got %s", key, wanted,
                  kind_of(value));
}

const char *reply_text(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_string(value))
        return json_string_value(value);
    complain(value, key, "a text", bad);
    return "";
}

const char *reply_text_or_null(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value) && !json_is_null(value))
        complain(value, key, "a text or null", bad);
    return json_string_value(value);
}

int64_t reply_number(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        complain(value, key, "a whole number", bad);
    return json_integer_value(value);
}

bool reply_bool(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_boolean(value))
        complain(value, key, "true or false", bad);
    return json_is_true(value);
}

utc_t reply_time(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);
    utc_t at = UTC_NEVER;

    if (!json_is_null(value) &&
        !(json_is_string(value) && utc_parse(json_string_value(value), &at)))
        complain(value, key, "a time or null", bad);
    return at;
}

const json_t *reply_object_or_null(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_object(value))
        return value;
    if (!json_is_null(value))
        complain(value, key, "an object or null", bad);
    return NULL;
}

const json_t *reply_object(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_object(value))
        return value;
    complain(value, key, "an object", bad);
    return NULL;
}

const json_t *reply_array(const json_t *object, const char *key, struct error *bad)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_array(value))
        return value;
    complain(value, key, "an array", bad);
    return NULL;
}

const char *reply_item_text(const json_t *array, size_t index, struct error *bad)
{
    const json_t *value = json_array_get(array, index);

    if (json_is_string(value))
        return json_string_value(value);
    complain(value, "an entry", "a text", bad);
    return "";
}
