/* What base/yaml.c builds and base/yaml_read.c asks: the tree behind base/yaml.h. Nobody else
 * includes this. */
#ifndef UL_BASE_YAML_TREE_H
#define UL_BASE_YAML_TREE_H

#include <stdarg.h>

#include "base/yaml.h"

struct yaml_entry {
    char *key; /* NULL in a list */
    int line, column;
    bool known; /* somebody asked for it */
    struct yaml_node *value;
};

struct yaml_node {
    enum yaml_kind kind;
    size_t id; /* its place in the document's list of nodes */
    int line, column;
    const char *key; /* the key it stands under, through any lists; NULL at the top */
    char *text;      /* of a scalar; may hold any character but NUL */
    struct yaml_entry *entries;
    size_t count, room;
    bool opened; /* somebody looked into it: keys not asked for are mistakes */
    char **asked;
    size_t asked_count, asked_room;
};

struct yaml {
    char *name;
    struct yaml_node **nodes; /* all, for freeing and for writing through borrowed const pointers */
    size_t node_count, node_room;
    struct yaml_node *root;
    struct buf *complaints; /* the caller's */
    size_t complaint_count;
    struct error first;
};

/* One line at a place; key may be NULL. */
void yaml_complain_at(struct yaml *yaml, int line, int column, const char *key, const char *format,
                      va_list args) __attribute__((format(printf, 5, 0)));
void yaml_complain_key(struct yaml *yaml, const struct yaml_entry *entry, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
