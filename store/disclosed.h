/* Keys of ours that lay in the drop folder, by their public half: whoever could read there may have
 * them. */
#ifndef UL_STORE_DISCLOSED_H
#define UL_STORE_DISCLOSED_H

#include "pki/cert.h"
#include "store/inventory.h"

/* The first time counts. */
int disclosed_add(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN], utc_t at,
                  struct error *err);
/* *ret_at: when it was seen first; UTC_NEVER when it never was. */
int disclosed_find(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                   utc_t *ret_at, struct error *err);

#endif
