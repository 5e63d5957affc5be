/*
 * For the .c files of pki/ only: the sentence for a failure inside OpenSSL, and cleanup attributes
 * for the objects that pki/auto.h does not have.
 */
#ifndef UL_PKI_CRYPTO_H
#define UL_PKI_CRYPTO_H

#include <openssl/pkcs12.h>

#include "base/error.h"
#include "base/mem.h"
#include "pki/auto.h"
#include "pki/cert.h"

UL_AUTO_DEFINE(X509_STORE, X509_STORE_free)
UL_AUTO_DEFINE(X509_STORE_CTX, X509_STORE_CTX_free)
UL_AUTO_DEFINE(X509_EXTENSION, X509_EXTENSION_free)
UL_AUTO_DEFINE(X509_SIG, X509_SIG_free)
UL_AUTO_DEFINE(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
UL_AUTO_DEFINE(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
UL_AUTO_DEFINE(EVP_MD_CTX, EVP_MD_CTX_free)

/* As error_set with OpenSSL's last reason appended when it gave one; empties its error queue. */
int crypto_error(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* A name in the order and the escapes of RFC 2253, one printable line; false when it has none. */
bool crypto_print_name(const X509_NAME *name, char ret[CERT_DN_MAX]);

/* "EC P-256", "RSA 2048", ..., escaped: how struct cert puts a key (in cert.c). */
void crypto_describe_key(EVP_PKEY *key, char *ret, size_t size);

/* A whole certificate and nothing behind it, or NULL (and an empty error queue). */
X509 *crypto_read_cert(struct span der);

#endif
