/*
 * One certificate as the chain builder handles it: the parsed object and the few values a search
 * compares. For pki/chain.c, pki/path.c and pki/anchors.c only.
 */
#ifndef UL_PKI_LINK_H
#define UL_PKI_LINK_H

#include "base/clock.h"
#include "base/mem.h"
#include "pki/cert.h"
#include "pki/crypto.h"

struct link {
    X509 *x509;
    uint8_t sha256[SHA256_LEN];
    uint8_t subject_sha256[SHA256_LEN];
    uint8_t issuer_sha256[SHA256_LEN];
    utc_t not_before;
    utc_t not_after;
    bool anchor;      /* somebody put it among the trust anchors */
    bool key_id_fits; /* its key identifier is the one that the certificate below it names */
    bool self_signed; /* of an anchor as it says; of others only when its key really signed it */
};

/* False, and ret untouched, when the bytes are not a certificate with readable dates. */
bool link_read(struct span der, struct link *ret);

/* As link_read for a parsed certificate, of which it takes a reference of its own. */
bool link_from(X509 *x509, struct link *ret);

/* Another reference to the same certificate. */
struct link link_share(const struct link *from);
void link_done(struct link *link);

bool link_is_valid_at(const struct link *link, utc_t at);
bool link_is_same(const struct link *a, const struct link *b);
/* The same authority, perhaps in another certificate: equal name and equal key. */
bool link_is_same_authority(const struct link *a, const struct link *b);

/* Its subjectKeyIdentifier, and the keyid of its authorityKeyIdentifier (RFC 5280 4.2.1.1-2),
 * borrowed; empty when there is none. Names only, which anybody may copy. */
struct span link_key_id(const struct link *link);
struct span link_issuer_key_id(const struct link *link);

/* Appends the certificate in DER. */
void link_add_der(const struct link *link, struct blobs *ret);

/* As struct cert says it: no extendedKeyUsage, or serverAuth or any among it. */
bool link_is_server(const struct link *link);

/* The names as struct cert prints them. Each returns ret. */
char *link_subject(const struct link *link, char ret[CERT_DN_MAX]);
char *link_issuer(const struct link *link, char ret[CERT_DN_MAX]);

/* An owned list. */
struct links {
    struct link *items;
    size_t count;
};
/* Moves link into the list. */
void links_take(struct links *links, struct link *link);
void links_done(struct links *links);
#define AUTO_LINKS __attribute__((cleanup(links_done)))

#endif
