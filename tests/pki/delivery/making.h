/*
 * Deliveries made by the tools people use: openssl in a shell, and libzip.
 */
#ifndef UL_TESTS_PKI_DELIVERY_MAKING_H
#define UL_TESTS_PKI_DELIVERY_MAKING_H

#include "base/mem.h"
#include "pki/delivery/delivery.h"

/* Runs a line of sh in the folder of this test; fails the test when it fails. $LEGACY are the
 * options of openssl(1) for old ciphers. */
void making(const char *script);

/* A file of that folder, owned by the caller. */
struct blob made(const char *name);

/* c.pem and k.pem (EC, www.example.com), ca.pem and rk.pem (RSA 2048, CN=CA), and c.der, ca.der. */
void making_certificates(void);

/* One entry of an archive; the zero value of an option is what is usual. */
struct making_entry {
    const char *name;
    struct span data;
    bool stored;          /* not deflated */
    const char *password; /* encrypted with it */
    unsigned mode;        /* UNIX type and permissions */
    int method;           /* another one of libzip's */
};

struct blob making_zip(const struct making_entry *entries, size_t count);

/* Reads it; the test fails when that fails, or when anything of it is not fit to be shown. */
struct delivery_objects making_read(struct span file, const struct delivery_options *options);

/* The objects as "certificate CN=www.example.com; key a private key (EC P-256); ...", in their
 * order: kind, and the subject or the note. Owned by the caller. */
char *making_told(const struct delivery_objects *objects);

#endif
