/*
 * Recognises what is in a file somebody dropped, by content and never by name: certificates in PEM
 * with anything around them, in DER, in PKCS#7 (DER, PEM, or AD CS's PKCS#7 under the CERTIFICATE
 * label), and says what else it was.
 */
#ifndef UL_PKI_DELIVERY_DELIVERY_H
#define UL_PKI_DELIVERY_DELIVERY_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"

enum {
    DELIVERY_FILE_MAX = 10 << 20, /* of ZIP archives and mail; all else: BUF_MAX_DELIVERY */
    DELIVERY_OBJECTS_MAX = 256,   /* of the whole file, its parts included */
    DELIVERY_NOTE_MAX = 160,
    DELIVERY_SUMMARY_MAX = 200,
    DELIVERY_ORIGIN_MAX = 160,
    DELIVERY_PASSWORDS_MAX = 16,
};

struct delivery_options {
    const char *const *passwords; /* to try on what is encrypted (PKCS#12, keys); borrowed */
    size_t password_count;        /* DELIVERY_PASSWORDS_MAX at most */
    bool keep_keys;               /* private keys come out in struct object's key */
};

enum object_kind {
    OBJECT_CERTIFICATE,
    OBJECT_CSR,
    OBJECT_CRL,
    OBJECT_PRIVATE_KEY,
    OBJECT_OTHER, /* whole and harmless, but of no use: a public key, an OCSP response, a read-me */
    OBJECT_BROKEN /* may well have been a certificate: damaged, cut off, locked, past a limit */
};

struct object {
    enum object_kind kind;
    struct blob der;  /* of certificates, CSRs and CRLs; empty for the others */
    struct blob key;  /* of a private key that could be read, with keep_keys: PKCS#8 in DER, wiped
                         when it is freed; else empty */
    struct cert cert; /* of certificates: what it says */
    bool has_spki;    /* of CSRs and private keys that could be read: whose they are */
    uint8_t spki_sha256[SHA256_LEN];
    char origin[DELIVERY_ORIGIN_MAX]; /* where within the file, escaped: "bundle.zip entry
                       certs/ca.crt", "attachment certnew.p7b"; "" for the file itself */
    char note[DELIVERY_NOTE_MAX]; /* what it is or what is wrong with it, for people: "a certificate
                       request (CSR)", "block 2: truncated" */
};

struct delivery_objects {
    struct object *items;
    size_t count;
    char summary[DELIVERY_SUMMARY_MAX]; /* of the whole file: "PEM with 2 certificates", "an HTML
                                           page", "empty" */
};

/*
 * Loads what reading needs from files (OpenSSL's configuration and its legacy provider), for
 * processes that give up opening files later. delivery_read does it by itself otherwise; any number
 * of times, from any thread.
 */
void delivery_prepare(void);

/*
 * options may be NULL: no passwords, no keys. Returns 0 also when nothing useful was found (count
 * 0, summary says what it looked like); E_TOO_LARGE past BUF_MAX_DELIVERY bytes
 * (archives and mail: DELIVERY_FILE_MAX) or DELIVERY_OBJECTS_MAX objects. The same certificate
 * twice in one file is listed once. A file that is one damaged thing is an OBJECT_BROKEN. Never
 * logs, never touches the world.
 */
int delivery_read(struct span file, const struct delivery_options *options,
                  struct delivery_objects *ret, struct error *err);
void delivery_objects_done(struct delivery_objects *objects);
#define AUTO_OBJECTS __attribute__((cleanup(delivery_objects_done)))

#endif
