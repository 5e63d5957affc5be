/*
 * OpenSSL frees some buffers that held a plain key without wiping them (its decoders' copies of
 * PKCS#8), where the next core dump or swapped page finds them. This wipes whatever it frees.
 */
#ifndef UL_PKI_MEMORY_H
#define UL_PKI_MEMORY_H

#include "base/error.h"

/*
 * From here on everything OpenSSL frees or moves is overwritten first, whoever in this process uses
 * it. Before any other call of OpenSSL, or of a library that stands on it: E_CRYPTO when it has
 * allocated something already, and then nothing is changed.
 */
int crypto_wipe_freed(struct error *err);

#endif
