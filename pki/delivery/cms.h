/*
 * PKCS#7 and CMS as a bag of certificates: they are taken out, nothing is verified or decrypted.
 * For the .c files of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_CMS_H
#define UL_PKI_DELIVERY_CMS_H

#include "pki/delivery/objects.h"

/* Adds the certificates and CRLs of a ContentInfo (RFC 2315, RFC 5652), or says what else it is.
 * ret_used is its length, which BER tells only at its end; ret_good is false when it is damaged. */
int cms_add(struct object_list *list, struct span der, const char *where, size_t *ret_used,
            bool *ret_good, struct error *err);

#endif
