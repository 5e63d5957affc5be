/* The CA pool: every CA certificate seen, as untrusted hints for chain building. */
#ifndef UL_STORE_AUTHORITIES_H
#define UL_STORE_AUTHORITIES_H

#include "pki/cert.h"
#include "store/inventory.h"

/* Adds a CA certificate once; *ret_new tells whether it was unknown. */
int authorities_add(struct inventory *inventory, struct span der, const struct cert *cert,
                    utc_t seen_at, bool *ret_new, struct error *err);
/* Appends the DER of all with that subject, those that end last first. The signature of
 * chain_pool.find with self an inventory. */
int authorities_find(void *inventory, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                     struct error *err);
int authorities_count(struct inventory *inventory, int64_t *ret, struct error *err);

#endif
