/*
 * What one X.509 certificate says (RFC 5280), as plain values: no OpenSSL type leaves pki/.
 */
#ifndef UL_PKI_CERT_H
#define UL_PKI_CERT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "pki/names.h"

enum { SHA256_LEN = 32, CERT_DN_MAX = 512, CERT_DER_MAX = 64 << 10, CERT_SAN_MAX = 1000 };
enum { CERT_URLS_MAX = 4, CERT_URL_MAX = 1024 };

struct cert {
    char subject[CERT_DN_MAX]; /* RFC 4514 order as OpenSSL prints RFC 2253, escaped, one printable
                                  line */
    char issuer[CERT_DN_MAX];
    char
        serial[2 * 20 + 1]; /* lower-case hexadecimal, truncated past 20 bytes (RFC 5280 4.1.2.2) */
    char key_text[32];      /* "EC P-256", "RSA 2048", "Ed25519", ... */
    char signature_text[48];    /* "ecdsa-with-SHA256", ... */
    int key_bits;               /* security-relevant size: 256, 384, 2048, ... */
    int signature_security;     /* bits of security of the signature digest: 128 for SHA-256, 63 for
                                   SHA-1; 0 unknown */
    uint8_t sha256[SHA256_LEN]; /* of the whole DER: the fingerprint */
    uint8_t
        spki_sha256[SHA256_LEN]; /* of the subjectPublicKeyInfo: what a delivery is matched by */
    uint8_t subject_sha256[SHA256_LEN]; /* of the subject's name (RFC 5280 7.1, pki/dn.h): how
                                           issuers are found */
    uint8_t issuer_sha256[SHA256_LEN];
    utc_t not_before;
    utc_t not_after;  /* inclusive to the second (RFC 5280 4.1.2.5); 99991231235959Z is UTC_NEVER */
    int version;      /* 1, 2 or 3 */
    bool is_ca;       /* basicConstraints cA, or a version-1 self-signed root */
    bool self_issued; /* subject and issuer are the same name */
    bool self_signed; /* and its own key verifies its signature */
    bool usable_as_server; /* no extendedKeyUsage, or serverAuth or any among it */
    bool usable_as_client;
    struct names issuer_urls; /* caIssuers of authorityInfoAccess (RFC 5280 4.2.2.1): the first few
                                 that are http or https in printable ASCII; hints of a stranger */
    struct names names; /* subjectAltName only; the common name does not count (RFC 9525 6.3) */
};

/*
 * E_FORMAT when it is no certificate or one that is read in more than one way (a version that does
 * not fit, dates in another form than RFC 5280 wants, a NUL in a name, an extension that is there
 * twice); E_TOO_LARGE past the limits above or with a key over 8192 bits.
 */
int cert_parse(struct span der, struct cert *ret, struct error *err);
void cert_done(struct cert *cert);
#define AUTO_CERT __attribute__((cleanup(cert_done)))

/* SHA-256 of any bytes. */
void sha256_of(struct span data, uint8_t ret[SHA256_LEN]);

/* Appends one PEM block (64 columns, LF, ending in LF; RFC 7468) with the label. */
void pem_write(struct buf *out, const char *label, struct span der);

#endif
