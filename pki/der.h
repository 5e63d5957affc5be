/*
 * What a piece of DER is, told from its first few elements alone: nothing is built from a
 * stranger's bytes, and from a private key nothing at all, before it is known what they are.
 */
#ifndef UL_PKI_DER_H
#define UL_PKI_DER_H

#include "base/mem.h"

enum der_form {
    DER_UNKNOWN,     /* no ASN.1 that is met here */
    DER_TRUNCATED,   /* a whole element was announced, less is there */
    DER_SIGNED,      /* certificate, request or CRL: a SEQUENCE of a SEQUENCE */
    DER_PKCS7,       /* ContentInfo of PKCS#7 or CMS (RFC 5652 3) */
    DER_PKCS12,      /* PFX (RFC 7292 4) */
    DER_PRIVATE_KEY, /* PKCS#8, plain or encrypted, PKCS#1 or SEC1 */
    DER_PUBLIC_KEY
};

/* ret_len is the length of the first element; all of data when it has no definite length (BER). */
enum der_form der_form_of(struct span data, size_t *ret_len);

#endif
