/*
 * Builds a certification request (PKCS#10, RFC 2986). For pki/keeper.c only. Every field is put in
 * as a value of its own type: no text of OpenSSL's configuration language is ever composed, where a
 * comma in a name would begin another name.
 */
#ifndef UL_PKI_CSR_H
#define UL_PKI_CSR_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/crypto.h"
#include "pki/keeper.h"

/* E_INPUT tells which field was wrong. ret is DER; ret_spki the SHA-256 of the public key in it. */
int csr_make(EVP_PKEY *key, const struct subject *subject, const struct names *names,
             struct blob *ret, uint8_t ret_spki[SHA256_LEN], struct error *err);

/* A whole request in DER, or NULL. */
X509_REQ *csr_read(struct span der);

#endif
