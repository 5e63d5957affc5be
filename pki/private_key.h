/*
 * Private keys as OpenSSL has them: for the .c files of pki/ only.
 */
#ifndef UL_PKI_PRIVATE_KEY_H
#define UL_PKI_PRIVATE_KEY_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/crypto.h"
#include "pki/keeper.h"

int private_key_make(enum key_type type, EVP_PKEY **ret, struct error *err);

/*
 * Reads PEM with anything around it (the first key counts) or DER; PKCS#8, PKCS#1, SEC1. E_REFUSED
 * when it is encrypted (nobody is ever asked for a password), E_FORMAT when it is no key.
 */
int private_key_read(struct span key, EVP_PKEY **ret, struct error *err);

/* PKCS#8, unencrypted: a secret, blob_wipe. */
int private_key_to_der(const EVP_PKEY *key, struct blob *ret, struct error *err);

int private_key_spki(const EVP_PKEY *key, uint8_t ret[SHA256_LEN], struct error *err);

/*
 * Signs with key and verifies with public: a file can name any public half, only this shows that
 * the private half belongs to it. E_REFUSED when it does not.
 */
int private_key_prove(EVP_PKEY *key, EVP_PKEY *public_key, struct error *err);

/* The digest a signature by this key is made over; NULL when the algorithm has its own. */
const EVP_MD *private_key_digest(const EVP_PKEY *key);

#endif
