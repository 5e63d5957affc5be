/*
 * A plain record: an ordered list of named texts, and its JSON form. Notices freeze what they will
 * say in one, the event trail stores one, templates are filled from one. Keys are unique; setting
 * again replaces.
 */
#ifndef UL_BASE_FIELDS_H
#define UL_BASE_FIELDS_H

#include "base/error.h"
#include "base/mem.h"

struct field {
    char *key;
    char *value;
};

struct fields {
    struct field *items;
    size_t count;
};

#define FIELDS_EMPTY ((struct fields){0})

void fields_done(struct fields *fields);
#define AUTO_FIELDS __attribute__((cleanup(fields_done)))

void fields_set(struct fields *fields, const char *key, const char *value);
void fields_printf(struct fields *fields, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL when there is no such key. Borrowed. */
const char *fields_get(const struct fields *fields, const char *key);

/* A JSON object of strings on one line, owned by the caller. Values that are not UTF-8 are escaped
 * as text_escape does. */
char *fields_to_json(const struct fields *fields);
/* E_FORMAT when it is not an object of strings. */
int fields_from_json(const char *json, struct fields *ret, struct error *err);

#endif
