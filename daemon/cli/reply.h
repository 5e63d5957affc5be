/*
 * Reading a reply that may be anything: whatever is missing or of the wrong kind becomes one
 * sentence in `bad` (E_FORMAT, the first one stays) and a harmless value. Look at bad->code once,
 * at the end. An object may be NULL.
 */
#ifndef UL_DAEMON_CLI_REPLY_H
#define UL_DAEMON_CLI_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"

const char *reply_text(const json_t *object, const char *key, struct error *bad); /* never NULL */
const char *reply_text_or_null(const json_t *object, const char *key, struct error *bad);
int64_t reply_number(const json_t *object, const char *key, struct error *bad);
bool reply_bool(const json_t *object, const char *key, struct error *bad);
utc_t reply_time(const json_t *object, const char *key, struct error *bad); /* null: UTC_NEVER */
const json_t *reply_object(const json_t *object, const char *key, struct error *bad);
const json_t *reply_object_or_null(const json_t *object, const char *key, struct error *bad);
const json_t *reply_array(const json_t *object, const char *key, struct error *bad);
/* An entry of an array that must be a text; never NULL. */
const char *reply_item_text(const json_t *array, size_t index, struct error *bad);

static inline void json_done(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(json_done)))

#endif
