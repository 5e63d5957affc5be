#include "pki/keeper.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/hmac.h>

#include "pki/bundle.h"
#include "pki/crypto.h"
#include "pki/csr.h"
#include "pki/private_key.h"
#include "pki/seal.h"

struct keeper {
    uint8_t key[SEAL_KEY_LEN];
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
    int rc = seal_load_key(path, create, keeper->key, err);

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
    mem_wipe(keeper, sizeof *keeper);
    free(keeper);
}

void keeper_id(const struct keeper *keeper, uint8_t ret[8])
{
    static const uint8_t purpose[] = "unlapsed: the name of this sealing key";
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;

    HMAC(EVP_sha256(), keeper->key, SEAL_KEY_LEN, purpose, sizeof purpose - 1, digest, &len);
    memcpy(ret, digest, 8);
}

int keeper_sign_off(struct keeper *keeper, struct span message, uint8_t ret_mac[SHA256_LEN],
                    struct error *err)
{
    static const uint8_t purpose[] = "unlapsed: the key that signs off";
    uint8_t key[SHA256_LEN];
    bool done =
        HMAC(EVP_sha256(), keeper->key, SEAL_KEY_LEN, purpose, sizeof purpose - 1, key, NULL) &&
        HMAC(EVP_sha256(), key, sizeof key, message.data, message.len, ret_mac, NULL);

    mem_wipe(key, sizeof key);
    return done ? 0 : crypto_error(err, E_CRYPTO, "sealing key: cannot sign off");
}

int keeper_signed_off(struct keeper *keeper, struct span message, const uint8_t mac[SHA256_LEN],
                      bool *ret, struct error *err)
{
    uint8_t own[SHA256_LEN];
    int rc = keeper_sign_off(keeper, message, own, err);

    if (rc == 0)
        *ret = CRYPTO_memcmp(own, mac, SHA256_LEN) == 0;
    return rc;
}

void sealed_key_done(struct sealed_key *key)
{
    blob_done(&key->sealed);
    *key = (struct sealed_key){0};
}

static int seal(const struct keeper *keeper, int64_t renewal_id, const EVP_PKEY *key,
                const uint8_t spki_sha256[SHA256_LEN], struct sealed_key *ret, struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    struct sealed_key out = {0};
    int rc = private_key_to_der(key, &der, err);

    memcpy(out.spki_sha256, spki_sha256, SHA256_LEN);
    if (rc == 0)
        rc = seal_lock(keeper->key, renewal_id, spki_sha256, blob_span(&der), &out.sealed, err);
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
    AUTO_SECRET struct blob der = {0};
    int rc =
        seal_unlock(keeper->key, from_id, from->spki_sha256, blob_span(&from->sealed), &der, err);

    if (rc == 0)
        rc = seal_lock(keeper->key, to_id, from->spki_sha256, blob_span(&der), ret, err);
    return rc;
}

/* The key as PKCS#8 and as OpenSSL has it. The tag vouches that it is what was sealed. */
static int unseal(const struct keeper *keeper, int64_t renewal_id, const struct sealed_key *key,
                  struct blob *ret_der, EVP_PKEY **ret, struct error *err)
{
    AUTO_SECRET struct blob der = {0};
    int rc =
        seal_unlock(keeper->key, renewal_id, key->spki_sha256, blob_span(&key->sealed), &der, err);

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
