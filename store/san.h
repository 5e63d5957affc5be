/* For store/ alone: the list of names (pki/names.h) of a certificate or of a renewal, one row each,
 * in their order. */
#ifndef UL_STORE_SAN_H
#define UL_STORE_SAN_H

#include "pki/names.h"
#include "store/inventory.h"

/* sql inserts (owner, position, type, name). */
int san_add(struct inventory *inventory, const char *sql, int64_t owner, const struct names *names,
            struct error *err);
/* sql selects type and name for an owner, ordered. Names are taken as they were stored: a rule that
 * has become stricter since must not make an old row unreadable. */
int san_read(struct inventory *inventory, const char *sql, int64_t owner, struct names *ret,
             struct error *err);

#endif
