/*
 * Distinguished names compared as RFC 5280 7.1 wants it, not byte by byte: a name in
 * PrintableString is the one in UTF8String, capitals (of ASCII) and runs of blanks do not count.
 * For the .c files of pki/ only.
 */
#ifndef UL_PKI_DN_H
#define UL_PKI_DN_H

#include <openssl/x509.h>

#include "pki/cert.h"

/* Equal for two names exactly when X509_NAME_cmp calls them equal. False when a text in it cannot
 * be read. */
bool dn_hash(const X509_NAME *name, uint8_t ret[SHA256_LEN]);

#endif
