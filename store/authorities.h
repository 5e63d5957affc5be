/*
 * The CA pool: every CA certificate seen, as untrusted hints for chain building. What was proved to
 * lead to an anchor stays until it has ended; strangers' certificates, which anybody who may write
 * into the drop folder can make by the thousand, are few of one name and few in all.
 */
#ifndef UL_STORE_AUTHORITIES_H
#define UL_STORE_AUTHORITIES_H

#include "pki/cert.h"
#include "store/inventory.h"

enum {
    STRANGERS_OF_NAME_MAX = 32,
    STRANGERS_MAX = 2000,
    AUTHORITY_ENDED_KEPT = 30 * 86400 /* seconds that one is kept after its end */
};

struct authority_row {
    int64_t id;
    uint8_t sha256[SHA256_LEN];
    uint8_t subject_sha256[SHA256_LEN];
    char *subject;
    utc_t not_before;
    utc_t not_after;
    utc_t seen_at;                     /* last */
    utc_t anchored_at;                 /* UTC_NEVER: a stranger's */
    uint8_t anchor_sha256[SHA256_LEN]; /* all zero: none */
    utc_t used_at;                     /* accepted in a chain; UTC_NEVER: not yet */
    struct blob der;
};
void authority_row_done(struct authority_row *row);
#define AUTO_AUTHORITY __attribute__((cleanup(authority_row_done)))

/* Adds a CA certificate once; *ret_new tells whether it was unknown. Its bounds are
 * authorities_trim's. */
int authorities_add(struct inventory *inventory, struct span der, const struct cert *cert,
                    utc_t seen_at, bool *ret_new, struct error *err);

/* Throws out what ended long ago and was never used in a chain, and of strangers, of that name and
 * of all, those too many: the longest unseen first. */
int authorities_trim(struct inventory *inventory, const uint8_t subject_sha256[SHA256_LEN],
                     utc_t now, struct error *err);

/* Appends the DER of all with that subject: the anchored ones first, then those that end last. The
 * signature of chain_pool.find with self an inventory; likewise the next, of anchored ones alone.
 */
int authorities_find(void *inventory, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                     struct error *err);
int authorities_find_anchored(void *inventory, const uint8_t subject_sha256[SHA256_LEN],
                              struct blobs *ret, struct error *err);

/* E_NOT_FOUND. */
int authorities_get(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct authority_row *ret, struct error *err);

/* Proved to lead to that anchor; no word when it is not in the pool. */
int authorities_set_anchored(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                             const uint8_t anchor_sha256[SHA256_LEN], utc_t at, struct error *err);
/* The same by the acceptance of a chain that it is part of. */
int authorities_set_used(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                         const uint8_t anchor_sha256[SHA256_LEN], utc_t at, struct error *err);
/* Forgets what was proved by that anchor. */
int authorities_unanchor(struct inventory *inventory, const uint8_t anchor_sha256[SHA256_LEN],
                         struct error *err);

typedef int (*authority_fn)(void *self, const struct authority_row *row, struct error *err);
/* The `limit` strangers last seen that an authority of this name issued; and those proved by an
 * anchor. */
int authorities_issued_by(struct inventory *inventory, const uint8_t issuer_sha256[SHA256_LEN],
                          size_t limit, authority_fn fn, void *self, struct error *err);
int authorities_of_anchor(struct inventory *inventory, const uint8_t anchor_sha256[SHA256_LEN],
                          size_t limit, authority_fn fn, void *self, struct error *err);
/* All, by id, from the first after `after`. */
int authorities_each(struct inventory *inventory, int64_t after, size_t limit, authority_fn fn,
                     void *self, struct error *err);

int authorities_count(struct inventory *inventory, int64_t *ret, struct error *err);
/* The greatest id of all, 0 when there is none: ids only grow, so whoever remembers it sees that
 * something has joined. */
int authorities_newest(struct inventory *inventory, int64_t *ret, struct error *err);

#endif
