#include "pki/keeper.h"

#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/hmac.h>

#include "pki/bundle.h"
#include "pki/crypto.h"
#include "pki/csr.h"
#include "pki/private_key.h"
#include "pki/ring.h"

struct keeper {
    char *path;
    pthread_mutex_t *lock; /* of the ring */
    struct ring *ring;
};

const char *key_type_text(enum key_type type)
{
    static const char *const texts[] = {
#define X(name, text) [name] = (text),
        KEY_TYPE_TABLE(X)
#undef X
    };

    return texts[type];
}

int keeper_open(const char *path, bool create, struct keeper **ret, struct error *err)
{
    struct keeper *keeper = mem_alloc(1, sizeof *keeper);

    /* New and old keys stand beside the file itself, also where the path is a link to it. */
    keeper->path = realpath(path, NULL);
    if (!keeper->path)
        keeper->path = mem_strdup(path);
    keeper->ring = mem_alloc(1, sizeof *keeper->ring);
    keeper->lock = mem_alloc(1, sizeof *keeper->lock);
    pthread_mutex_init(keeper->lock, NULL);
    int rc = ring_load(keeper->path, create, keeper->ring, err);
    if (rc < 0) {
        keeper_free(keeper);
        return rc;
    }
    *ret = keeper;
    return 0;
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return;
    ring_wipe(keeper->ring);
    free(keeper->ring);
    pthread_mutex_destroy(keeper->lock);
    free(keeper->lock);
    free(keeper->path);
    free(keeper);
}

int keeper_open_previous(struct keeper *keeper, const char *path, struct error *err)
{
    pthread_mutex_lock(keeper->lock);
    int rc = ring_add_file(keeper->ring, path, err);
    pthread_mutex_unlock(keeper->lock);
    return rc;
}

int keeper_rotate(struct keeper *keeper, struct error *err)
{
    pthread_mutex_lock(keeper->lock);
    int rc = ring_rotate(keeper->ring, keeper->path, err);
    pthread_mutex_unlock(keeper->lock);
    return rc;
}

void keeper_id(const struct keeper *keeper, uint8_t ret[SEALING_ID_LEN])
{
    pthread_mutex_lock(keeper->lock);
    memcpy(ret, keeper->ring->keys[0].id, SEALING_ID_LEN);
    pthread_mutex_unlock(keeper->lock);
}

void keeper_ids(const struct keeper *keeper, struct sealing_ids *ret)
{
    pthread_mutex_lock(keeper->lock);
    ret->count = keeper->ring->count;
    for (size_t i = 0; i < ret->count; i++)
        memcpy(ret->items[i], keeper->ring->keys[i].id, SEALING_ID_LEN);
    pthread_mutex_unlock(keeper->lock);
}

bool sealing_ids_has(const struct sealing_ids *ids, const uint8_t id[SEALING_ID_LEN])
{
    for (size_t i = 0; i < ids->count; i++)
        if (memcmp(ids->items[i], id, SEALING_ID_LEN) == 0)
            return true;
    return false;
}

/* The key that seals: a copy, wiped by AUTO_SEAL_KEY, since it may be replaced meanwhile. */
static void pick_sealing(const struct keeper *keeper, struct seal_key *ret)
{
    pthread_mutex_lock(keeper->lock);
    *ret = keeper->ring->keys[0];
    pthread_mutex_unlock(keeper->lock);
}

static int sign_off_with(const struct seal_key *with, struct span message,
                         uint8_t ret_mac[SHA256_LEN], struct error *err)
{
    static const uint8_t purpose[] = "unlapsed: the key that signs off";
    uint8_t key[SHA256_LEN];
    bool done =
        HMAC(EVP_sha256(), with->secret, SEAL_KEY_LEN, purpose, sizeof purpose - 1, key, NULL) &&
        HMAC(EVP_sha256(), key, sizeof key, message.data, message.len, ret_mac, NULL);

    mem_wipe(key, sizeof key);
    return done ? 0 : crypto_error(err, E_CRYPTO, "sealing key: cannot sign off");
}

int keeper_sign_off(struct keeper *keeper, struct span message, uint8_t ret_mac[SHA256_LEN],
                    struct error *err)
{
    AUTO_SEAL_KEY struct seal_key key = {0};

    pick_sealing(keeper, &key);
    return sign_off_with(&key, message, ret_mac, err);
}

int keeper_signed_off(struct keeper *keeper, struct span message, const uint8_t mac[SHA256_LEN],
                      bool *ret, struct error *err)
{
    bool found = false;
    int rc = 0;

    pthread_mutex_lock(keeper->lock);
    for (size_t i = 0; rc == 0 && !found && i < keeper->ring->count; i++) {
        uint8_t own[SHA256_LEN];

        rc = sign_off_with(&keeper->ring->keys[i], message, own, err);
        found = rc == 0 && CRYPTO_memcmp(own, mac, SHA256_LEN) == 0;
    }
    pthread_mutex_unlock(keeper->lock);
    if (rc == 0)
        *ret = found;
    return rc;
}

/* The plain key in what was sealed, whichever of our keys it was sealed under. */
static int open_sealed(const struct keeper *keeper, int64_t renewal_id,
                       const struct sealed_key *sealed, struct blob *ret, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key key = {0};
    uint8_t id[SEALING_ID_LEN];
    int rc = seal_id(blob_span(&sealed->sealed), id, err);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(keeper->lock);
    rc = ring_find(keeper->ring, id, &key, err);
    pthread_mutex_unlock(keeper->lock);
    return rc < 0 ? rc
                  : seal_unlock(&key, renewal_id, sealed->spki_sha256, blob_span(&sealed->sealed),
                                ret, err);
}

void sealed_key_done(struct sealed_key *key)
{
    blob_done(&key->sealed);
    *key = (struct sealed_key){0};
}

static int seal(const struct keeper *keeper, int64_t renewal_id, const EVP_PKEY *key,
                const uint8_t spki_sha256[SHA256_LEN], struct sealed_key *ret, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key under = {0};
    AUTO_SECRET struct blob der = {0};
    struct sealed_key out = {0};
    int rc = private_key_to_der(key, &der, err);

    pick_sealing(keeper, &under);
    memcpy(out.spki_sha256, spki_sha256, SHA256_LEN);
    if (rc == 0)
        rc = seal_lock(&under, renewal_id, spki_sha256, blob_span(&der), &out.sealed, err);
    if (rc == 0)
        *ret = out;
    return rc;
}

int keeper_make_request(struct keeper *keeper, int64_t renewal_id,
                        const struct key_request *request, struct sealed_key *ret_key,
                        struct blob *ret_csr, struct error *err)
{
    AUTO_OF(EVP_PKEY) EVP_PKEY *key = NULL;
    AUTO_BLOB struct blob csr = {0};
    uint8_t spki[SHA256_LEN];
    int rc = private_key_make(request->key_type, &key, err);

    if (rc == 0)
        rc = csr_make(key, &request->subject, request->names, &csr, spki, err);
    if (rc == 0)
        rc = seal(keeper, renewal_id, key, spki, ret_key, err);
    if (rc == 0)
        *ret_csr = blob_take(&csr);
    return rc;
}

int keeper_seal(struct keeper *keeper, int64_t renewal_id, struct span key, struct sealed_key *ret,
                struct error *err)
{
    AUTO_OF(EVP_PKEY) EVP_PKEY *found = NULL;
    uint8_t spki[SHA256_LEN];
    int rc = private_key_read(key, &found, err);

    if (rc < 0)
        return rc;
    if (private_key_prove(found, found, NULL) < 0)
        return error_set(err, E_FORMAT,
                         "private key: wanted one that can sign and whose public half is its own");
    rc = private_key_spki(found, spki, err);
    return rc < 0 ? rc : seal(keeper, renewal_id, found, spki, ret, err);
}

int keeper_reseal(struct keeper *keeper, int64_t from_id, const struct sealed_key *from,
                  int64_t to_id, struct blob *ret, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key under = {0};
    AUTO_SECRET struct blob der = {0};
    int rc = open_sealed(keeper, from_id, from, &der, err);

    pick_sealing(keeper, &under);
    if (rc == 0)
        rc = seal_lock(&under, to_id, from->spki_sha256, blob_span(&der), ret, err);
    return rc;
}

/* The key as PKCS#8 and as OpenSSL has it. The tag vouches that it is what was sealed. */
static int unseal(const struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                  struct blob *ret_der, EVP_PKEY **ret, struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    int rc = open_sealed(keeper, renewal_id, key, &der, err);

    if (rc < 0)
        return rc;
    if (private_key_read(blob_span(&der), ret, NULL) < 0)
        return error_set(err, E_CORRUPT, "sealed key: opened, but wanted a private key in it");
    *ret_der = blob_take(&der);
    return 0;
}

static int check_csr(EVP_PKEY *key, struct span der, struct error *err)
{
    AUTO_OF(X509_REQ) X509_REQ *csr = csr_read(der);
    EVP_PKEY *public_key = csr ? X509_REQ_get0_pubkey(csr) : NULL;

    ERR_clear_error();
    if (!public_key)
        return error_set(err, E_CORRUPT, "request: wanted a CSR in DER");
    int rc = private_key_prove(key, public_key, err);
    return rc < 0 ? error_wrap(err, rc, "request") : 0;
}

static int check_cert(EVP_PKEY *key, struct span der, int code, struct error *err)
{
    AUTO_OF(X509) X509 *cert = crypto_read_cert(der);
    EVP_PKEY *public_key = cert ? X509_get0_pubkey(cert) : NULL;

    ERR_clear_error();
    if (!public_key)
        return error_set(err, code, "certificate: wanted one in DER with a public key");
    int rc = private_key_prove(key, public_key, err);
    return rc < 0 ? error_wrap(err, rc, "certificate") : 0;
}

int keeper_check(struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                 struct span csr, struct span cert, struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    AUTO_OF(EVP_PKEY) EVP_PKEY *found = NULL;
    int rc = unseal(keeper, renewal_id, key, &der, &found, err);

    if (rc == 0 && csr.len > 0)
        rc = check_csr(found, csr, err);
    if (rc == 0 && cert.len > 0)
        rc = check_cert(found, cert, E_CORRUPT, err);
    return rc;
}

int keeper_build_bundle(struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                        struct span leaf, const struct blobs *chain, struct bundle *ret,
                        struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    AUTO_OF(EVP_PKEY) EVP_PKEY *found = NULL;
    int rc = unseal(keeper, renewal_id, key, &der, &found, err);

    if (rc == 0)
        rc = check_cert(found, leaf, E_FORMAT, err);
    if (rc == 0)
        rc = bundle_write(blob_span(&der), leaf, chain, ret, err);
    return rc;
}

bool key_fits_cert(struct span key, struct span cert_der)
{
    AUTO_OF(X509) X509 *cert = crypto_read_cert(cert_der);
    AUTO_OF(EVP_PKEY) EVP_PKEY *found = NULL;

    if (!cert || private_key_read(key, &found, NULL) < 0)
        return false;
    bool fits = EVP_PKEY_eq(X509_get0_pubkey(cert), found) == 1;
    ERR_clear_error();
    return fits;
}
