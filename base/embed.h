/* Files compiled into the program (schema, templates, shipped policies and services): see
 * script/embed.py. */
#ifndef UL_BASE_EMBED_H
#define UL_BASE_EMBED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* base name; NULL ends a table */
    const char *text; /* NUL after len */
    size_t len;
};

extern const struct embedded_file embedded_policies[];  /* policies/defaults/ */
extern const struct embedded_file embedded_services[];  /* services/ */
extern const struct embedded_file embedded_schema[];    /* store/schema/ */
extern const struct embedded_file embedded_templates[]; /* notify/templates/ */

#endif
