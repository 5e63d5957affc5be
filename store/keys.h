/* The sealed private keys of renewals: which sealing key each is under, and which are still needed.
 */
#ifndef UL_STORE_KEYS_H
#define UL_STORE_KEYS_H

#include "pki/keeper.h"
#include "store/inventory.h"

/* The sealing keys that keys are sealed under, in the order of their ids; of more than
 * SEALING_KEYS_MAX the first. An index look-up for each. */
int keys_sealing_ids(struct inventory *inventory, struct sealing_ids *ret, struct error *err);

/* How many keys are sealed under this one, counted to `most`. */
int keys_count_under(struct inventory *inventory, const uint8_t sealing_id[SEALING_ID_LEN],
                     int64_t most, int64_t *ret, struct error *err);

/* Those of them whose renewals come after `after`, by id, at most `limit`. By index; the callback
 * may write. */
typedef int (*key_fn)(void *self, int64_t renewal_id, const struct sealed_key *key,
                      struct error *err);
int keys_under(struct inventory *inventory, const uint8_t sealing_id[SEALING_ID_LEN], int64_t after,
               size_t limit, key_fn fn, void *self, struct error *err);

/* Puts the same key, sealed anew, in the place of `from`. E_NOT_FOUND when the renewal has another
 * one by now, or none. */
int keys_replace(struct inventory *inventory, int64_t renewal_id, const struct blob *from,
                 const struct blob *to, struct error *err);

/* One key of a certificate, which several of its renewals may have. */
struct key_row {
    uint8_t spki_sha256[SHA256_LEN];
    int64_t renewal_id; /* the oldest */
    bool open;          /* one of them is neither accepted nor superseded nor withdrawn */
    bool accepted;      /* one of them is */
    bool withdrawn;     /* all of them are */
    utc_t superseded_at, withdrawn_at; /* the latest; UTC_NEVER: none */
};
/* The keys of a certificate that are kept, by their hash. Rows are borrowed; no writing. */
typedef int (*key_row_fn)(void *self, const struct key_row *row, struct error *err);
int keys_each(struct inventory *inventory, int64_t certificate_id, key_row_fn fn, void *self,
              struct error *err);

/* Overwrites a key in all renewals of the certificate that have it, and sets key_erased_at. One of
 * them that still waits for its chain waits no more: `reason` becomes that of its refusal. */
int keys_erase(struct inventory *inventory, int64_t certificate_id,
               const uint8_t spki_sha256[SHA256_LEN], utc_t at, const char *reason,
               struct error *err);

#endif
