/*
 * A schema walker over YAML: the one home of libfyaml. The caller asks for what it knows; whatever
 * is left over, of the wrong form or out of range becomes one line in the list of complaints, with
 * file, line, column, what was found and what was expected, and all complaints of a file come out
 * of one pass. Scalars are text until asked for (no "Norway").
 */
#ifndef UL_BASE_YAML_H
#define UL_BASE_YAML_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

struct yaml;      /* a parsed document */
struct yaml_node; /* borrowed from its document */

/* YAML_NOTHING is a key with nothing behind it; it passes for an empty mapping. */
enum yaml_kind { YAML_NOTHING, YAML_TEXT, YAML_LIST, YAML_MAP };

/*
 * Parses text (len bytes of a file called name, used in messages). Mistakes become lines
 * "name:line:column: ..." in *complaints, which must live as long as the document. E_CONFIG when
 * the syntax is wrong (then the first such error is all there is; nothing is returned); duplicate
 * keys, anchors, aliases and tags are complaints that yaml_finish answers for, so that they come
 * out together with all others.
 */
int yaml_parse(const char *name, const char *text, size_t len, struct yaml **ret,
               struct buf *complaints, struct error *err);
void yaml_free(struct yaml *yaml);

/* The top node; a mapping, or the empty mapping when the document is empty. */
const struct yaml_node *yaml_root(const struct yaml *yaml);

enum yaml_kind yaml_node_kind(const struct yaml_node *node);

/*
 * The readers below return true when key was there and fine, with *ret set; false when absent (no
 * complaint) or wrong (complaint added: "NAME:LINE:COL: key: wanted X, got Y"). Every key they are
 * asked for counts as known. Asking something that is no mapping is one complaint, too. Texts have
 * no control characters and are not empty.
 */
bool yaml_text(struct yaml *yaml, const struct yaml_node *map, const char *key, const char **ret);
bool yaml_number(struct yaml *yaml, const struct yaml_node *map, const char *key, int64_t min,
                 int64_t max, int64_t *ret);
bool yaml_bool(struct yaml *yaml, const struct yaml_node *map, const char *key,
               bool *ret); /* true or false, nothing else */
bool yaml_seconds(struct yaml *yaml, const struct yaml_node *map, const char *key, seconds_t min,
                  seconds_t max, seconds_t *ret);
/* One of a NULL-terminated list of words; *ret is its index. A near miss is suggested. */
bool yaml_choice(struct yaml *yaml, const struct yaml_node *map, const char *key,
                 const char *const words[], int *ret);
/* A file mode written as three or four octal digits: 0640. */
bool yaml_mode(struct yaml *yaml, const struct yaml_node *map, const char *key, unsigned *ret);
/* A text that passes check; `wanted` says what that is. */
bool yaml_checked(struct yaml *yaml, const struct yaml_node *map, const char *key,
                  bool (*check)(const char *text), const char *wanted, const char **ret);
/* "/..." */
bool yaml_path(struct yaml *yaml, const struct yaml_node *map, const char *key, const char **ret);
/* A part of a whole as text_fraction reads it, more than 0 and up to 1. */
bool yaml_fraction(struct yaml *yaml, const struct yaml_node *map, const char *key, double *ret);
/* Lists with at most max entries, every entry right: lengths of time, and owned texts (check may be
 * NULL). */
bool yaml_seconds_list(struct yaml *yaml, const struct yaml_node *map, const char *key,
                       seconds_t least, seconds_t most, size_t max, seconds_t ret[],
                       size_t *ret_count);
bool yaml_text_list(struct yaml *yaml, const struct yaml_node *map, const char *key, size_t max,
                    bool (*check)(const char *text), const char *wanted, char *ret[],
                    size_t *ret_count);
/* Whatever stands there, for keys that take more than one form. */
bool yaml_any(struct yaml *yaml, const struct yaml_node *map, const char *key,
              const struct yaml_node **ret);
bool yaml_map(struct yaml *yaml, const struct yaml_node *map, const char *key,
              const struct yaml_node **ret);
bool yaml_list(struct yaml *yaml, const struct yaml_node *map, const char *key,
               const struct yaml_node **ret);

/* Entries of a list (or values of a mapping, in file order); NULL past the end. */
size_t yaml_count(const struct yaml_node *node);
const struct yaml_node *yaml_item(const struct yaml_node *node, size_t index);
const char *yaml_item_key(struct yaml *yaml, const struct yaml_node *map,
                          size_t index); /* marks the key as known */
/* The text of a scalar entry (a quoted one may be empty); complains and returns NULL when it is not
 * a scalar. */
const char *yaml_item_text(struct yaml *yaml, const struct yaml_node *node, const char *what);

/* "NAME:LINE:COL: key", for complaints that come when the document is gone. Owned by the caller. */
char *yaml_place(const struct yaml *yaml, const struct yaml_node *node);

/* Adds a complaint at the place of node; the key it stands under is put in front. */
void yaml_complain(struct yaml *yaml, const struct yaml_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Complains when a required key is absent: not present (a reader returned false) and not there in a
 * wrong form either. */
void yaml_require(struct yaml *yaml, const struct yaml_node *map, const char *key, bool present);

/*
 * Ends reading: every key nobody asked for becomes a complaint, with the nearest known key of that
 * mapping as a suggestion. Returns 0, or E_CONFIG when there was any complaint since yaml_parse;
 * err holds the first of them.
 */
int yaml_finish(struct yaml *yaml, struct error *err);

#endif
