/*
 * What an authority signs, as objects: certificates, requests, revocation lists. For the .c files
 * of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_SIGNED_H
#define UL_PKI_DELIVERY_SIGNED_H

#include "pki/crypto.h"
#include "pki/delivery/objects.h"

/* Listed once; a certificate past a limit or read in more than one way is an OBJECT_BROKEN. */
int signed_add_certificate(struct object_list *list, struct span der, const char *where,
                           struct error *err);
int signed_add_x509(struct object_list *list, X509 *x509, const char *where, struct error *err);
int signed_add_crl(struct object_list *list, X509_CRL *crl, const char *where, struct error *err);

/*
 * One element "SEQUENCE of a SEQUENCE": certificate, CSR, CRL, PkiPath or time stamp reply.
 * ret_good tells whether it was one of them.
 */
int signed_add(struct object_list *list, struct span der, const char *where, bool *ret_good,
               struct error *err);

/* Certificates one after another (a PkiPath's, a set's); false, and nothing added, unless all of it
 * is. */
bool signed_is_sequence(struct span content);
int signed_add_sequence(struct object_list *list, struct span content, const char *where,
                        struct error *err);

#endif
