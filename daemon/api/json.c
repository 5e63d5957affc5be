#include "daemon/api/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#include "daemon/api/handler.h"

void json_put(json_t *object, const char *key, json_t *value)
{
    int rc = json_object_set_new(object, key, value);

    assert(rc == 0);
}

void json_append(json_t *array, json_t *value)
{
    int rc = json_array_append_new(array, value);

    assert(rc == 0);
}

json_t *json_text_of(const char *text)
{
    if (text_is_utf8(text, strlen(text)))
        return json_string(text);
    /* Four characters stand for a byte that is not UTF-8, eight for a character that is unfit. */
    size_t size = strlen(text) * 8 + 1;
    AUTO_FREE char *escaped = mem_alloc(1, size);
    return json_string(text_escape(text, escaped, size));
}

void json_append_text(json_t *array, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    assert(len >= 0);
    json_append(array, json_text_of(text));
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, text ? json_text_of(text) : json_null());
}

void json_put_number(json_t *object, const char *key, int64_t number)
{
    json_put(object, key, json_integer(number));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
    json_put(object, key, json_boolean(value));
}

void json_put_time(json_t *object, const char *key, utc_t at)
{
    char text[UTC_TEXT_MAX];

    json_put(object, key, at == UTC_NEVER ? json_null() : json_string(utc_format(at, text)));
}

void json_put_hash(json_t *object, const char *key, const uint8_t sha256[32])
{
    static const uint8_t none[32];
    char text[65];

    json_put(object, key,
             memcmp(sha256, none, sizeof none) == 0 ? json_null()
                                                    : json_string(text_hex(sha256, 32, text)));
}

void json_put_names(json_t *object, const char *key, const struct names *names)
{
    json_t *array = json_array();

    for (size_t i = 0; i < names->count; i++)
        json_append_text(array, "%s:%s", name_type_text(names->items[i].type),
                         names->items[i].text);
    json_put(object, key, array);
}

unsigned http_status_of(int code)
{
    switch ((enum code)code) {
    case E_INPUT:
    case E_FORMAT:
        return 400;
    case E_DENIED:
        return 403;
    case E_NOT_FOUND:
        return 404;
    case E_EXISTS:
    case E_NOT_YET:
    case E_NO_CHAIN:
        return 409;
    case E_TOO_LARGE:
        return 413;
    case E_REFUSED:
    case E_CONFIG:
        return 422;
    case E_BUSY:
        return 503;
    case E_NETWORK:
    case E_NOT_SERVED:
        return 502;
    case E_TIMEOUT:
        return 504;
    case E_FULL:
        return 507;
    case E_CRYPTO:
    case E_CORRUPT:
    case E_IO:
    case E_COMMAND:
        return 500;
    }
    return 500;
}

json_t *json_error(int code, const char *message)
{
    json_t *reply = json_object();
    json_t *error = json_object();

    json_put_number(reply, "schema_version", API_SCHEMA_VERSION);
    json_put_text(error, "code", code_name(code));
    json_put_text(error, "message", message);
    json_put(reply, "error", error);
    return reply;
}
