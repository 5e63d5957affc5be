/*
 * The keeper: everything that touches a private key. Callers name a renewal and get a CSR or a
 * bundle; no plain key and no OpenSSL type comes out but in a struct bundle on its way to the
 * deployer. Keys are sealed with AES-256-GCM under the sealing key; the renewal's id and the
 * SHA-256 of its public key are the associated data, so a sealed key moved to another row does not
 * open.
 */
#ifndef UL_PKI_KEEPER_H
#define UL_PKI_KEEPER_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"
#include "pki/names.h"

/* clang-format off */
#define KEY_TYPE_TABLE(X) \
    X(KEY_EC_P256,  "ec-p256") \
    X(KEY_EC_P384,  "ec-p384") \
    X(KEY_RSA_2048, "rsa-2048") \
    X(KEY_RSA_3072, "rsa-3072") \
    X(KEY_RSA_4096, "rsa-4096") \
    X(KEY_ED25519,  "ed25519")
/* clang-format on */

enum key_type {
#define X(name, text) name,
    KEY_TYPE_TABLE(X)
#undef X
};

const char *key_type_text(enum key_type type);

/* Fields of the subject; NULL or "" leaves one out. No organizationalUnitName: CA/B BR 7.1.2.7
 * forbids it. */
struct subject {
    const char *common_name; /* left out by the caller when longer than 64 characters */
    const char *organization;
    const char *country; /* two letters */
    const char *state;
    const char *locality;
};

struct keeper;

enum { SEALING_ID_LEN = 8, SEALING_KEYS_MAX = 16 };

/*
 * Opens the sealing key: 32 raw bytes in a file of mode 0600 (or a systemd credential, 0400). A
 * missing file is made, synced, 0600 before its first byte, when `create`. E_CORRUPT when it has
 * another length, E_DENIED when group or others may read it, E_NOT_FOUND when missing and not to be
 * created. The files PATH.old-*, which keeper_rotate leaves, are opened too: what was sealed under
 * one of them opens. A keeper may be used by several threads at once.
 */
int keeper_open(const char *path, bool create, struct keeper **ret, struct error *err);
void keeper_free(struct keeper *keeper);

/* One more key that only opens what was sealed under it: where an administrator replaces the key
 * and names the one before. Codes as keeper_open. */
int keeper_open_previous(struct keeper *keeper, const char *path, struct error *err);

/*
 * From its return on everything is sealed under a new key, which stands in the keeper's file; the
 * one before stays beside it as PATH.old-ID and goes on opening. Nothing is sealed anew here: that
 * is keeper_reseal, key by key. A kill at any instant leaves either key in the file, whole, and the
 * old one on the disk; repeating it after a failure is safe. E_TOO_LARGE when too many old keys lie
 * there, E_CORRUPT when the file holds a key that is not ours. Writes files: for a keeper that
 * confines itself, before that.
 */
int keeper_rotate(struct keeper *keeper, struct error *err);

/* Names the sealing key without telling it: the first 8 bytes of a derived hash. An inventory
 * records it, so a wrong key is found at start. */
void keeper_id(const struct keeper *keeper, uint8_t ret[SEALING_ID_LEN]);

/* All that a keeper has: the first one seals, each of them opens. */
struct sealing_ids {
    uint8_t items[SEALING_KEYS_MAX][SEALING_ID_LEN];
    size_t count;
};
void keeper_ids(const struct keeper *keeper, struct sealing_ids *ret);
bool sealing_ids_has(const struct sealing_ids *ids, const uint8_t id[SEALING_ID_LEN]);

/* Proves later that whoever held this sealing key has seen the message: HMAC-SHA256 under a key
 * that is derived for nothing else. */
int keeper_sign_off(struct keeper *keeper, struct span message, uint8_t ret_mac[SHA256_LEN],
                    struct error *err);
/* Whether it was signed off so, with any sealing key that the keeper has. */
int keeper_signed_off(struct keeper *keeper, struct span message, const uint8_t mac[SHA256_LEN],
                      bool *ret, struct error *err);

struct key_request {
    enum key_type key_type;
    struct subject subject;
    const struct names *names; /* at least one */
};

/* What is stored of a key: the sealed key and the hash of its public half. */
struct sealed_key {
    struct blob sealed;
    uint8_t spki_sha256[SHA256_LEN];
};
void sealed_key_done(struct sealed_key *key);

/* Makes a key and a CSR (PKCS#10, RFC 2986, signed with SHA-256 or SHA-384 by key; SANs as
 * extensionRequest). */
int keeper_make_request(struct keeper *keeper, int64_t renewal_id,
                        const struct key_request *request, struct sealed_key *ret_key,
                        struct blob *ret_csr, struct error *err);

/* Seals an existing key, PEM (unencrypted PKCS#8, PKCS#1 or SEC1, prose around it allowed) or DER.
 * E_FORMAT when it is no key, E_REFUSED when it is encrypted: nobody is asked for a password. */
int keeper_seal(struct keeper *keeper, int64_t renewal_id, struct span key, struct sealed_key *ret,
                struct error *err);

/* The same key sealed for another renewal, or for the same one under the key in force. E_CORRUPT
 * when it does not open. */
int keeper_reseal(struct keeper *keeper, int64_t from_id, const struct sealed_key *from,
                  int64_t to_id, struct blob *ret, struct error *err);

/* Proves that a sealed key opens and fits the CSR or certificate in DER. E_CORRUPT or E_REFUSED.
 * csr and cert may be empty. */
int keeper_check(struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                 struct span csr, struct span cert, struct error *err);

/* What a target installs. Keys inside: wipe with bundle_done as soon as it is written. */
enum bundle_part {
    BUNDLE_KEY,
    BUNDLE_LEAF,
    BUNDLE_CHAIN,
    BUNDLE_FULLCHAIN,
    BUNDLE_COMBINED,
    BUNDLE_PARTS
};
/* "key", "leaf", "chain", "fullchain" (leaf, then chain), "combined" (leaf, chain, key) */
const char *bundle_part_text(enum bundle_part part);
bool bundle_part_is_secret(enum bundle_part part);

struct bundle {
    struct blob parts[BUNDLE_PARTS]; /* PEM */
};
void bundle_done(struct bundle *bundle);

/* Opens the key, checks once more that the leaf carries its public half (E_REFUSED), and writes the
 * PEM parts. */
int keeper_build_bundle(struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                        struct span leaf, const struct blobs *chain, struct bundle *ret,
                        struct error *err);

/* True when key (PEM or DER) is the private half of the certificate: for pairs found on disk. */
bool key_fits_cert(struct span key, struct span cert_der);

#endif
