/*
 * Writes the PEM parts a target installs. For pki/keeper.c only, which opens the key and checks
 * that it fits.
 */
#ifndef UL_PKI_BUNDLE_H
#define UL_PKI_BUNDLE_H

#include "pki/keeper.h"

/* key is PKCS#8 in DER, leaf a certificate. E_FORMAT when the chain holds something that is none.
 */
int bundle_write(struct span key, struct span leaf, const struct blobs *chain, struct bundle *ret,
                 struct error *err);

#endif
