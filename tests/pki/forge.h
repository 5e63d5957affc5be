/*
 * Makes certificates for tests, also ones that no authority would sign: any version, any bytes as
 * serial, date or extension.
 */
#ifndef UL_TESTS_PKI_FORGE_H
#define UL_TESTS_PKI_FORGE_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/mem.h"

/* A span of a literal with any bytes, without its final NUL. */
#define BYTES(text)                               \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

enum { FORGE_EXTENSIONS = 4 };

struct forge {
    int version;             /* 1, 2, 3, ...; 0 stands for 3 */
    const char *common_name; /* NULL: an empty name */
    const char *issuer_name; /* NULL: the same as common_name */
    const char *not_before;  /* as in DER; NULL: 20260101000000Z */
    const char *not_after;   /* NULL: 20270101000000Z */
    int time_type;           /* V_ASN1_...; 0: by the length of the text */
    struct span serial;      /* empty: 01 */
    EVP_PKEY *key;           /* NULL: a fresh EC P-256 key */
    EVP_PKEY *signer;        /* NULL: key */
    const char *digest;      /* NULL: the key's own */
    struct forge_extension {
        const char *name; /* OpenSSL's short name; NULL ends the list */
        const char *text; /* as in openssl.cnf, or NULL and */
        struct span raw;  /* the content as it is */
    } extensions[FORGE_EXTENSIONS];
};

/* DER, owned by the caller. */
struct blob forge_certificate(const struct forge *forge);
struct blob forge_request(EVP_PKEY *key);
struct blob forge_crl(EVP_PKEY *key);
/* A PKCS#7 of these certificates, in this order. */
struct blob forge_pkcs7(const struct blob *certs, size_t count);
/* Text, owned by the caller. */
char *forge_pem(const char *label, struct span der);

#endif
