/*
 * Private keys in a delivery: what kind they are, and whose: the hash of the public half tells the
 * daemon which of its certificates must be considered disclosed. A key handed on (only with
 * keep_keys) is PKCS#8; every other copy is wiped. For the .c files of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_KEY_H
#define UL_PKI_DELIVERY_KEY_H

#include "pki/delivery/objects.h"

/* Larger ones are named and not read: RSA of 8192 bits in PKCS#8 has less than 5 KiB. */
enum { KEY_DER_MAX = 16 << 10 };

/*
 * Adds one OBJECT_PRIVATE_KEY, whatever is wrong with it: even a part of a key was shown to
 * everybody who can read the folder. PKCS#8, encrypted PKCS#8, PKCS#1, SEC1. Sizes and curves are
 * looked at before anything is computed.
 */
int key_add_der(struct object_list *list, struct span der, const char *where, struct error *err);

/* As key_add_der: head is the text in front of the base64 of a PEM block ("Proc-Type: 4,ENCRYPTED"
 * and "DEK-Info: ..."), which may be empty. */
int key_add_pem(struct object_list *list, struct span head, struct span der, const char *where,
                struct error *err);

#endif
