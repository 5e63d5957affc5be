/*
 * What must always be so in an inventory, written down once, as queries: `unlapse doctor`, the
 * daemon at its start and the tests after every scenario ask the same questions. A row that is
 * found broken is told, never repaired. What needs a key, a parse or a policy is in
 * daemon/life/doctor.c.
 */
#ifndef UL_STORE_INVARIANTS_H
#define UL_STORE_INVARIANTS_H

#include "store/inventory.h"

struct invariant {
    const char *name;   /* a stable word: "deployment-accepted" */
    const char *means;  /* what must be so */
    const char *remedy; /* what to do where it is not */
    const char *page;   /* the last id of the next rows (?1: after, ?2: how many) */
    const char *broken; /* a text for each of those rows (?1: after, ?2: up to) that breaks it */
};

size_t invariants_count(void);
const struct invariant *invariants_at(size_t index);

/* So many rows are looked at in one go: other handles wait for nothing, and a caller who has more
 * to do gets its turn. */
enum { INVARIANT_PAGE = 500 };

/* One broken row in words: "renewal 5 of www". */
typedef void (*invariant_fn)(void *self, const char *text);

/* Looks at the next page of rows, those after *after (0: from the beginning). *after moves on, and
 * is 0 again when there were no more rows. */
int invariant_look(struct inventory *inventory, const struct invariant *invariant, int64_t *after,
                   invariant_fn fn, void *self, struct error *err);

#endif
