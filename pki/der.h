/*
 * What a piece of DER is, told from its first few elements alone: nothing is built from a
 * stranger's bytes, and from a private key nothing at all, before it is known what they are.
 */
#ifndef UL_PKI_DER_H
#define UL_PKI_DER_H

#include "base/mem.h"

enum der_tag {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0A,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xA0,
    DER_CONTEXT_1 = 0xA1,
};

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

/* One whole element of definite length. */
struct der_item {
    int tag;
    struct span content;
    struct span whole; /* with its tag and length */
};

/* Takes the first element off in; false at the end and at anything that is not such an element. */
bool der_next(struct span *in, struct der_item *ret);

/* As der_next when the element has this tag; else nothing is taken. */
bool der_take(struct span *in, int tag, struct der_item *ret);

#endif
