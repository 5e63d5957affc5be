/*
 * How a private key lies in the inventory, and the file of the key that opens it. For pki/keeper.c
 * and pki/ring.c only.
 *
 *     version 0x01 | id of the sealing key, 8 bytes | nonce, 12 random bytes |
 *     AES-256-GCM ciphertext | tag, 16 bytes
 *
 * with version || id || renewal id (64 bits, big-endian) || SHA-256 of the public key as the
 * associated data. Random nonces are safe for 2^32 sealings under one key (NIST SP 800-38D 8.3).
 * The inventory has an index on the id: store/schema.
 */
#ifndef UL_PKI_SEAL_H
#define UL_PKI_SEAL_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"
#include "pki/keeper.h"

enum { SEAL_KEY_LEN = 32, SEAL_NONCE_LEN = 12, SEAL_TAG_LEN = 16, SEAL_VERSION = 1 };

/* A sealing key, and the name that it has: the first bytes of a derived hash. */
struct seal_key {
    uint8_t id[SEALING_ID_LEN];
    uint8_t secret[SEAL_KEY_LEN];
};
void seal_key_wipe(struct seal_key *key);
#define AUTO_SEAL_KEY __attribute__((cleanup(seal_key_wipe)))

/*
 * Reads a sealing key's file; makes it first when it is missing and `create`. However many
 * processes start at once, all of them end with the one key that is in the file. Codes as
 * keeper_open.
 */
int seal_load_key(const char *path, bool create, struct seal_key *ret, struct error *err);

/*
 * Puts a new key into the file, in place of `old`, which stays beside it as seal_old_path says.
 * Killed at any instant it leaves the file with one of both, whole, and the old key on the disk.
 * Where that was done already and only could not be told, the key that is there is the new one.
 * E_CORRUPT when the file holds another key than `old`.
 */
int seal_replace_key(const char *path, const struct seal_key *old, struct seal_key *ret,
                     struct error *err);
/* Whoever renamed the key into its place may have died before that was on the disk: nothing may be
 * sealed under it before it is. A folder that cannot be synced holds nothing that was renamed. */
int seal_sync_folder(const char *path, struct error *err);
/* PATH.old-ID, ID in hexadecimal; owned by the caller. */
char *seal_old_path(const char *path, const uint8_t id[SEALING_ID_LEN]);

int seal_lock(const struct seal_key *key, int64_t renewal_id, const uint8_t spki_sha256[SHA256_LEN],
              struct span plain, struct blob *ret, struct error *err);

/* Which key it was sealed under. E_CORRUPT when it is nothing that was ever sealed. */
int seal_id(struct span sealed, uint8_t ret[SEALING_ID_LEN], struct error *err);

/* ret is a secret: blob_wipe. E_CORRUPT when anything is not as it was sealed. */
int seal_unlock(const struct seal_key *key, int64_t renewal_id,
                const uint8_t spki_sha256[SHA256_LEN], struct span sealed, struct blob *ret,
                struct error *err);

#endif
