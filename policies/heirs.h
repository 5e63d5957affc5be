/* Inheritance by `extends`, the same for policies and services: who extends whom, and in what order
 * they can be filled in. */
#ifndef UL_POLICIES_HEIRS_H
#define UL_POLICIES_HEIRS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/yaml.h"

/* The first member of whatever inherits. */
struct heir {
    char *name;
    char *file;
    char *place;         /* "FILE:LINE:COL: NAME" */
    char *extends;       /* NULL: the fallback */
    char *extends_place; /* of the `extends` value */
    bool shipped;        /* gives way to an administrator's of the same name */
    int state;
    bool broken;       /* it or a base of it could not be resolved: what it lacks means nothing */
    struct heir *base; /* set by heirs_resolve; NULL: extends nothing */
};

struct heirs {
    struct heir **items;
    size_t count;
};

/* Collects complaints that come after the documents are gone; remembers the first. */
struct late {
    struct buf *complaints;
    struct error first;
    size_t count;
};

/* Adds the line "PLACE: ..." unless it is there already. */
void late_complain(struct late *late, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Frees the members, not the heir. */
void heir_done(struct heir *heir);

/*
 * Reads a document whose top key `word` maps names to mappings; make reads one, and what it returns
 * belongs to heirs. Complaints and return as policies_load has them.
 */
typedef struct heir *(*heir_make_fn)(struct yaml *yaml, const struct yaml_node *map);
struct heirs_document {
    const char *word; /* "policies" */
    const char *file;
    const char *text;
    size_t len;
    bool shipped;
    heir_make_fn make;
};
int heirs_load(struct heirs *heirs, const struct heirs_document *document, struct buf *complaints,
               struct error *err);

/*
 * Finds the base of each; one without `extends` gets the one named fallback (NULL: none). One that
 * extends its own name means the shipped one of that name. Loops and unknown names are complaints.
 * Afterwards items stand in an order in which each base comes before its heirs.
 */
void heirs_resolve(struct heirs *heirs, const char *fallback, struct late *late);

/* The one that counts for a name: an administrator's before the shipped one. NULL when unknown. */
struct heir *heirs_find(const struct heirs *heirs, const char *name);

/* True when another one of the same name counts instead. */
bool heirs_is_hidden(const struct heirs *heirs, const struct heir *heir);

#endif
