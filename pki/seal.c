#include "pki/seal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "pki/crypto.h"

enum {
    NONCE_AT = 1 + SEALING_ID_LEN,
    HEAD_LEN = NONCE_AT + SEAL_NONCE_LEN,
    AAD_LEN = 1 + SEALING_ID_LEN + 8 + SHA256_LEN,
    PLAIN_MAX = 64 << 10
};

static void bind_to(const struct seal_key *key, int64_t renewal_id,
                    const uint8_t spki_sha256[SHA256_LEN], uint8_t aad[AAD_LEN])
{
    aad[0] = SEAL_VERSION;
    memcpy(aad + 1, key->id, SEALING_ID_LEN);
    for (int i = 0; i < 8; i++)
        aad[NONCE_AT + i] = (uint8_t)((uint64_t)renewal_id >> (56 - 8 * i));
    memcpy(aad + NONCE_AT + 8, spki_sha256, SHA256_LEN);
}

static bool encrypt(const uint8_t *key, const uint8_t aad[AAD_LEN], struct span plain, uint8_t *out)
{
    AUTO_OF(EVP_CIPHER_CTX) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *body = out + HEAD_LEN;
    int len;

    return ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, out + NONCE_AT, NULL) &&
           EVP_EncryptUpdate(ctx, NULL, &len, aad, AAD_LEN) &&
           EVP_EncryptUpdate(ctx, body, &len, plain.data, (int)plain.len) &&
           EVP_EncryptFinal_ex(ctx, body + len, &len) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_LEN, body + plain.len);
}

int seal_lock(const struct seal_key *key, int64_t renewal_id, const uint8_t spki_sha256[SHA256_LEN],
              struct span plain, struct blob *ret, struct error *err)
{
    uint8_t aad[AAD_LEN];

    if (plain.len == 0 || plain.len > PLAIN_MAX)
        return error_set(err, E_TOO_LARGE, "private key: wanted 1 to %d bytes, got %zu", PLAIN_MAX,
                         plain.len);
    bind_to(key, renewal_id, spki_sha256, aad);
    size_t len = HEAD_LEN + plain.len + SEAL_TAG_LEN;
    AUTO_BLOB struct blob sealed = {mem_alloc(len, 1), len};
    sealed.data[0] = SEAL_VERSION;
    memcpy(sealed.data + 1, key->id, SEALING_ID_LEN);
    if (RAND_bytes(sealed.data + NONCE_AT, SEAL_NONCE_LEN) != 1)
        return crypto_error(err, E_CRYPTO, "private key: no random bytes");
    if (!encrypt(key->secret, aad, plain, sealed.data))
        return crypto_error(err, E_CRYPTO, "private key: cannot be sealed");
    *ret = blob_take(&sealed);
    return 0;
}

/* The plain text is the caller's only when the tag is right: nothing is looked at before. */
static bool decrypt(const uint8_t *key, const uint8_t aad[AAD_LEN], struct span sealed,
                    struct blob *plain)
{
    AUTO_OF(EVP_CIPHER_CTX) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t tag[SEAL_TAG_LEN];
    int len;

    memcpy(tag, sealed.data + sealed.len - SEAL_TAG_LEN, SEAL_TAG_LEN);
    return ctx && EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, sealed.data + NONCE_AT, NULL) &&
           EVP_DecryptUpdate(ctx, NULL, &len, aad, AAD_LEN) &&
           EVP_DecryptUpdate(ctx, plain->data, &len, sealed.data + HEAD_LEN, (int)plain->len) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_LEN, tag) &&
           EVP_DecryptFinal_ex(ctx, plain->data + len, &len);
}

int seal_id(struct span sealed, uint8_t ret[SEALING_ID_LEN], struct error *err)
{
    if (sealed.len <= HEAD_LEN + SEAL_TAG_LEN || sealed.len > HEAD_LEN + PLAIN_MAX + SEAL_TAG_LEN)
        return error_set(err, E_CORRUPT, "sealed key: length: wanted %d to %d bytes, got %zu",
                         HEAD_LEN + SEAL_TAG_LEN + 1, HEAD_LEN + PLAIN_MAX + SEAL_TAG_LEN,
                         sealed.len);
    if (sealed.data[0] != SEAL_VERSION)
        return error_set(err, E_CORRUPT, "sealed key: version: wanted %d, got %d", SEAL_VERSION,
                         sealed.data[0]);
    memcpy(ret, sealed.data + 1, SEALING_ID_LEN);
    return 0;
}

int seal_unlock(const struct seal_key *key, int64_t renewal_id,
                const uint8_t spki_sha256[SHA256_LEN], struct span sealed, struct blob *ret,
                struct error *err)
{
    uint8_t aad[AAD_LEN], id[SEALING_ID_LEN];
    int rc = seal_id(sealed, id, err);

    if (rc < 0)
        return rc;
    bind_to(key, renewal_id, spki_sha256, aad);
    size_t len = sealed.len - HEAD_LEN - SEAL_TAG_LEN;
    AUTO_SECRET struct blob plain = {mem_alloc(len, 1), len};
    if (!decrypt(key->secret, aad, sealed, &plain)) {
        ERR_clear_error();
        return error_set(err, E_CORRUPT,
                         "sealed key: does not open: wanted what was sealed for renewal %lld under "
                         "this sealing key",
                         (long long)renewal_id);
    }
    *ret = blob_take(&plain);
    return 0;
}
