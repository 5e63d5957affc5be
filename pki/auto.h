/*
 * Cleanup attributes for OpenSSL's objects: for the .c files of pki/ only, no other header includes
 * it.
 */
#ifndef UL_PKI_AUTO_H
#define UL_PKI_AUTO_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define UL_AUTO_DEFINE(type, free_fn)                     \
    static inline void auto_##type##_free(type **pointer) \
    {                                                     \
        free_fn(*pointer);                                \
    }

UL_AUTO_DEFINE(X509, X509_free)
UL_AUTO_DEFINE(X509_REQ, X509_REQ_free)
UL_AUTO_DEFINE(X509_CRL, X509_CRL_free)
UL_AUTO_DEFINE(PKCS7, PKCS7_free)
UL_AUTO_DEFINE(BIO, BIO_free_all)
UL_AUTO_DEFINE(EVP_PKEY, EVP_PKEY_free)
UL_AUTO_DEFINE(GENERAL_NAMES, GENERAL_NAMES_free)
UL_AUTO_DEFINE(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
UL_AUTO_DEFINE(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)

/* AUTO_OF(X509) X509 *x509 = ...; */
#define AUTO_OF(type) __attribute__((cleanup(auto_##type##_free)))

#endif
