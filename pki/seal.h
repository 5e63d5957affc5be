/*
 * How a private key lies in the inventory, and where the key that opens it comes from. For
 * pki/keeper.c only.
 *
 *     version 0x01 | nonce, 12 random bytes | AES-256-GCM ciphertext | tag, 16 bytes
 *
 * with version || renewal id (64 bits, big-endian) || SHA-256 of the public key as the associated
 * data. Random nonces are safe for 2^32 sealings under one key (NIST SP 800-38D 8.3).
 */
#ifndef UL_PKI_SEAL_H
#define UL_PKI_SEAL_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"

enum { SEAL_KEY_LEN = 32, SEAL_NONCE_LEN = 12, SEAL_TAG_LEN = 16, SEAL_VERSION = 1 };

/*
 * Reads the sealing key's file; makes it first when it is missing and `create`. However many
 * processes start at once, all of them end with the one key that is in the file. Codes as
 * keeper_open.
 */
int seal_load_key(const char *path, bool create, uint8_t ret[SEAL_KEY_LEN], struct error *err);

int seal_lock(const uint8_t key[SEAL_KEY_LEN], int64_t renewal_id,
              const uint8_t spki_sha256[SHA256_LEN], struct span plain, struct blob *ret,
              struct error *err);

/* ret is a secret: blob_wipe. E_CORRUPT when anything is not as it was sealed. */
int seal_unlock(const uint8_t key[SEAL_KEY_LEN], int64_t renewal_id,
                const uint8_t spki_sha256[SHA256_LEN], struct span sealed, struct blob *ret,
                struct error *err);

#endif
