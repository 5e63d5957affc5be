/*
 * A certificate authority for tests: roots, intermediates, cross-signs and leaves with chosen
 * names, dates and faults, made with OpenSSL. Everything it makes is valid until authority_done().
 * Not for what must come from an authority that is not ours: see tests/flow.
 */
#ifndef UL_TESTS_PKI_AUTHORITY_H
#define UL_TESTS_PKI_AUTHORITY_H

#include "base/clock.h"
#include "base/mem.h"
#include "pki/keeper.h"

/* 2026-11-22T12:00:00Z: the time the dates below are relative to. */
#define AUTHORITY_NOW INT64_C(1795348800)
enum { AUTHORITY_DAY = 86400 };

/* One certificate; all zero is a leaf with a new P-256 key, valid from yesterday for 90 days. */
struct authority_plan {
    const char *subject; /* the common name; NULL leaves the subject empty */
    struct span csr;     /* key from this CSR (DER), and its names when `names` is NULL */
    const struct authority *key_of; /* its key and no new one: cross-signs, reissues */
    enum key_type key_type;
    int rsa_bits;             /* instead of key_type, for weak keys */
    utc_t not_before;         /* 0: AUTHORITY_NOW less a day */
    utc_t not_after;          /* 0: AUTHORITY_NOW and 90 days, of a CA 3650 days */
    bool ca;                  /* basicConstraints and keyCertSign */
    const char *basic;        /* basicConstraints instead, as in x509v3_config(5) */
    const char *key_usage;    /* keyUsage instead */
    const char *names;        /* subjectAltName: "DNS:www.example.com,IP:192.0.2.1" */
    const char *extended_key; /* extendedKeyUsage; NULL: serverAuth for a leaf, none for a CA */
    const char *information;  /* authorityInfoAccess: "caIssuers;URI:http://ca.example/ca.cer" */
    const char *constraints;  /* nameConstraints: "permitted;DNS:example.com" */
    const struct authority *key_id_of; /* its subject key identifier, as a stranger copies it */
    bool no_key_ids;                   /* without subject and authority key identifiers */
    bool sha1;                         /* signed over SHA-1 */
};

/* issuer NULL is self-signed. Fails the test when OpenSSL does. */
const struct authority *authority_make(const struct authority *issuer,
                                       const struct authority_plan *plan);

struct span authority_der(const struct authority *authority);
/* PEM of the certificate; PKCS#8 PEM of the key, which is NULL when it came by CSR. */
const char *authority_pem(const struct authority *authority);
const char *authority_key_pem(const struct authority *authority);

/* Frees everything; call it in the teardown of a test case. */
void authority_done(void);

#endif
