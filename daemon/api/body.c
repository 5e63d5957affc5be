#include "daemon/api/body.h"

#include <string.h>

#include "base/mem.h"

static const char *kind_of(const json_t *value)
{
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

int body_keys(const json_t *object, const char *what, const char *const keys[], struct error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return error_set(err, E_INPUT, "%s: wanted an object, got %s", what, kind_of(object));
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;

        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i])
            return error_set(err, E_INPUT, "%s: unknown key \"%s\"", what, key);
    }
    return 0;
}

int body_text(const json_t *object, const char *key, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return error_set(err, E_INPUT, "%s: wanted a string, got %s", key, kind_of(value));
    *ret = json_string_value(value);
    return 0;
}

int body_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                struct error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return error_set(err, E_INPUT, "%s: wanted a whole number from %lld to %lld", key,
                         (long long)min, (long long)max);
    *ret = json_integer_value(value);
    return 0;
}

int body_bool(const json_t *object, const char *key, bool *ret, struct error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_boolean(value))
        return error_set(err, E_INPUT, "%s: wanted true or false, got %s", key, kind_of(value));
    *ret = json_is_true(value);
    return 0;
}

int body_array(const json_t *object, const char *key, const json_t **ret, struct error *err)
{
    const json_t *value = json_object_get(object, key);

    *ret = NULL;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_array(value))
        return error_set(err, E_INPUT, "%s: wanted an array, got %s", key, kind_of(value));
    *ret = value;
    return 0;
}

const char *body_actor(const struct api_call *call, char *ret)
{
    return caller_text(call->caller, ret);
}
