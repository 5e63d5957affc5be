/*
 * Lists of certificates, page by page and by index: those of a state, of a policy, that end soon,
 * whose name fits a pattern. A page looks at a bounded number of rows, whatever it finds.
 */
#ifndef UL_STORE_LISTING_H
#define UL_STORE_LISTING_H

#include "store/certificates.h"

/* Where a page begins, or the next one does. By ends_at and name where the end is asked for, else
 * by name alone. */
struct listing_place {
    utc_t ends_at;
    char *name;
};
void listing_place_done(struct listing_place *place);
#define AUTO_PLACE __attribute__((cleanup(listing_place_done)))

struct listing {
    const char *state;          /* as of the last plan; NULL: any */
    const char *policy;         /* NULL: any */
    const char *match;          /* the name: "*", "?" and "[a-z]" as in a shell; NULL: any */
    utc_t ends_by;              /* what is in service ends by then; UTC_NEVER: any time, or none */
    struct listing_place after; /* borrowed; name NULL: from the beginning */
    size_t limit;
};

/* Calls each row, borrowed; the callback may use the handle. *ret_next is where the next page
 * begins, its name NULL when there is none; owned by the caller. */
int listing_page(struct inventory *inventory, const struct listing *listing, certificate_fn fn,
                 void *self, struct listing_place *ret_next, struct error *err);

/* How many certificates are in each state, as of their plans. */
typedef void (*state_count_fn)(void *self, const char *state, int64_t count);
int certificates_count_states(struct inventory *inventory, state_count_fn fn, void *self,
                              struct error *err);

#endif
