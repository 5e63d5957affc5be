/*
 * JSON as the API writes it: times in RFC 3339 and null for never, hashes in hexadecimal, text in
 * UTF-8. A value that cannot be made for want of memory ends the process, as base/mem.h does.
 */
#ifndef UL_DAEMON_API_JSON_H
#define UL_DAEMON_API_JSON_H

#include <jansson.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "pki/names.h"

/* Takes over value. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_text(json_t *object, const char *key, const char *text); /* null for NULL */
void json_put_number(json_t *object, const char *key, int64_t number);
void json_put_bool(json_t *object, const char *key, bool value);
void json_put_time(json_t *object, const char *key, utc_t at);
/* null when all bytes are zero: no certificate */
void json_put_hash(json_t *object, const char *key, const uint8_t sha256[32]);
void json_put_names(json_t *object, const char *key, const struct names *names);
void json_append(json_t *array, json_t *value);
void json_append_text(json_t *array, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON text, bytes that are not UTF-8 escaped. */
json_t *json_text_of(const char *text);

/* The status that goes with a result code (RFC 9110 15). */
unsigned http_status_of(int code);
/* {"schema_version": 1, "error": {"code": ..., "message": ...}} */
json_t *json_error(int code, const char *message);

static inline void json_done(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(json_done)))

#endif
