/*
 * Builds the chain from a leaf to a trust anchor (RFC 5280 section 6) out of certificates that are
 * only hints. Paths are tried by bounded backtracking, since OpenSSL's own builder takes the first
 * issuer of a name and gives up when that one does not lead home; each complete path is then
 * verified by OpenSSL alone, with nothing else to choose from.
 */
#ifndef UL_PKI_CHAIN_H
#define UL_PKI_CHAIN_H

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"

struct anchors;

/*
 * Trust anchors: the certificates of some files (PEM, or one in DER), and the system's store when
 * `system`: the bundle file of the distribution, whatever SSL_CERT_FILE of the environment says.
 * E_NOT_FOUND, E_FORMAT name the file. The system's store takes 20 ms to read: open once and share;
 * an open one is never changed, so any thread may use it.
 */
int anchors_open(const char *const files[], size_t count, bool system, struct anchors **ret,
                 struct error *err);
void anchors_free(struct anchors *anchors);

/* Where hints come from: adds the DER of every known CA certificate whose subject name hashes to
 * subject_sha256. */
struct chain_pool {
    void *self;
    int (*find)(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *err);
};

/* What the leaf at the end of the path must be good for (RFC 5280 4.2.1.12). */
enum chain_purpose {
    CHAIN_AS_IT_SAYS, /* a server's, when its extendedKeyUsage lets it be one; else anything */
    CHAIN_SERVER,
    CHAIN_CLIENT,
    CHAIN_ANY, /* also an authority's: one that is an anchor itself has an empty chain to itself */
};

enum { CHAIN_ADDED_MAX = 256 };

struct chain_request {
    struct span leaf;              /* DER */
    const struct chain_pool *pool; /* NULL: none */
    const struct anchors *anchors;
    const struct blobs *added_anchors; /* more anchors, each in DER, at most CHAIN_ADDED_MAX; one
                                          that cannot be read is none; NULL: none */
    utc_t at;
    enum chain_purpose purpose;
    const char *preferred_root; /* a part of the anchor's subject: paths that end there come before
                                   all others; NULL: none */
};

struct chain {
    struct blobs certs; /* intermediates from the leaf's issuer upward; no leaf, nothing
                           self-signed, nothing twice; an intermediate among the anchors is in it,
                           since clients need not know it */
    char anchor[CERT_DN_MAX];
    uint8_t anchor_sha256[SHA256_LEN];
    utc_t earliest_not_after; /* of leaf and intermediates */
};
void chain_done(struct chain *chain);
#define AUTO_CHAIN __attribute__((cleanup(chain_done)))

/*
 * Paths that end in the preferred root come first, then those that end in a self-signed anchor are
 * preferred to those that end in an intermediate named as one, then paths whose first link to end
 * (anchor included) lives longest, then shorter ones. At most 8 certificates above the leaf, 2048
 * signatures of candidates checked, 8192 certificates of the pool parsed: those whose key
 * identifier is the wanted one first, those with another one never tried, so that a stranger's
 * authorities of the same name hide nothing. pool may be NULL. Failures name what is missing or
 * wrong: E_NO_CHAIN  no path reaches an anchor; the text names the issuer that is not known
 * ("wanted the certificate of ...") E_REFUSED   a path reaches an anchor but breaks a rule (expired
 * link, name constraints, purpose, weak key), told by name; or the path ends in a root that is no
 * anchor
 */
int chain_build(const struct chain_request *request, struct chain *ret, struct error *err);

/*
 * Where the search of chain_build ends for want of an issuer: the certificate furthest up, in DER,
 * whose issuer is not known; each below it was proved to be signed by the next. E_NOT_FOUND when no
 * issuer is missing, whatever else is wrong.
 */
int chain_find_gap(const struct chain_request *request, struct blob *ret, struct error *err);

#endif
