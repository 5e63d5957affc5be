/*
 * PKCS#12 (PFX, RFC 7292): certificates, revocation lists and keys behind a password. Its
 * attributes (friendly names) are not looked at. For the .c files of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_PKCS12_H
#define UL_PKI_DELIVERY_PKCS12_H

#include "pki/delivery/objects.h"

/*
 * Adds what is in it; what stands in it without encryption also when no password fits. An
 * OBJECT_BROKEN says what could not be opened and what to do. ret_used is its length, which BER
 * tells only at its end; ret_good is false when it is damaged.
 */
int pkcs12_add(struct object_list *list, struct span der, const char *where, size_t *ret_used,
               bool *ret_good, struct error *err);

#endif
