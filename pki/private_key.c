#include "pki/private_key.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum { KEY_INPUT_MAX = 1 << 20, RSA_BITS_MAX = 8192 };

int private_key_make(enum key_type type, EVP_PKEY **ret, struct error *err)
{
    EVP_PKEY *key = NULL;

    switch (type) {
    case KEY_EC_P256:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        break;
    case KEY_EC_P384:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
        break;
    case KEY_RSA_2048:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        break;
    case KEY_RSA_3072:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
        break;
    case KEY_RSA_4096:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
        break;
    case KEY_ED25519:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    }
    if (!key)
        return crypto_error(err, E_CRYPTO, "private key: cannot make one of type %s",
                            key_type_text(type));
    *ret = key;
    return 0;
}

static int refuse_encrypted(struct error *err)
{
    return error_set(err, E_REFUSED,
                     "private key: it is encrypted: wanted an unencrypted one; openssl pkey -in "
                     "FILE -out NEWFILE takes the password off");
}

static bool is_encrypted_pkcs8(struct span der)
{
    const uint8_t *at = der.data;
    AUTO_OF(X509_SIG) X509_SIG *outer = d2i_X509_SIG(NULL, &at, (long)der.len);
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *object = NULL;

    if (!outer || at != der.data + der.len)
        return false;
    X509_SIG_get0(outer, &algorithm, NULL);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    /* A digest in a DigestInfo has the same outer form. */
    return OBJ_obj2nid(object) == NID_pbes2 ||
           EVP_PBE_find(EVP_PBE_TYPE_OUTER, OBJ_obj2nid(object), NULL, NULL, NULL) == 1;
}

static EVP_PKEY *read_pkcs8(struct span der)
{
    const uint8_t *at = der.data;
    AUTO_OF(PKCS8_PRIV_KEY_INFO)
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);

    return info && at == der.data + der.len ? EVP_PKCS82PKEY(info) : NULL;
}

static EVP_PKEY *read_bare(int type, struct span der)
{
    const uint8_t *at = der.data;
    AUTO_OF(EVP_PKEY) EVP_PKEY *key = d2i_PrivateKey(type, NULL, &at, (long)der.len);

    return key && at == der.data + der.len ? TAKE(key) : NULL;
}

static int read_der(struct span der, EVP_PKEY **ret, struct error *err)
{
    EVP_PKEY *key = read_pkcs8(der);

    if (!key && is_encrypted_pkcs8(der)) {
        ERR_clear_error();
        return refuse_encrypted(err);
    }
    if (!key)
        key = read_bare(EVP_PKEY_RSA, der);
    if (!key)
        key = read_bare(EVP_PKEY_EC, der);
    ERR_clear_error();
    if (!key)
        return error_set(err, E_FORMAT,
                         "private key: wanted PKCS#8, PKCS#1 or SEC1 in PEM or DER, got %zu bytes "
                         "that are none of them",
                         der.len);
    *ret = key;
    return 0;
}

static bool is_key_label(const char *label)
{
    size_t len = strlen(label), end = strlen("PRIVATE KEY");

    return len >= end && strcmp(label + len - end, "PRIVATE KEY") == 0;
}

/* One block; `ret_found` says that it was a key, readable or not. */
static int read_block(const char *label, const char *head, struct span data, bool *ret_found,
                      EVP_PKEY **ret, struct error *err)
{
    *ret_found = is_key_label(label);
    if (!*ret_found)
        return 0;
    if (strcmp(label, "ENCRYPTED PRIVATE KEY") == 0 || strstr(head, "ENCRYPTED"))
        return refuse_encrypted(err);
    return read_der(data, ret, err);
}

/* PEM_read_bio only splits: unlike PEM_read_bio_PrivateKey it never decrypts, so never asks. */
static int read_pem(struct span text, EVP_PKEY **ret, struct error *err)
{
    AUTO_OF(BIO) BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    bool found = false;
    int rc = 0;

    while (bio && rc == 0 && !found) {
        char *label = NULL, *head = NULL;
        uint8_t *data = NULL;
        long len = 0;

        if (!PEM_read_bio(bio, &label, &head, &data, &len))
            break;
        rc = read_block(label, head, span_of(data, (size_t)len), &found, ret, err);
        OPENSSL_clear_free(data, (size_t)len);
        OPENSSL_free(head);
        OPENSSL_free(label);
    }
    ERR_clear_error();
    if (rc == 0 && !found)
        return error_set(err, E_FORMAT,
                         "private key: wanted PKCS#8, PKCS#1 or SEC1 in PEM or DER, found none");
    return rc;
}

/* 0x30 is a SEQUENCE, and the digit 0 that prose may begin with: its length tells them apart. */
static bool is_der(struct span key)
{
    return key.len >= 2 && key.data[0] == 0x30 &&
           (key.data[1] < 0x80 ? key.data[1] + 2U == key.len : true);
}

int private_key_read(struct span key, EVP_PKEY **ret, struct error *err)
{
    static const char bom[] = "\xEF\xBB\xBF";
    AUTO_OF(EVP_PKEY) EVP_PKEY *found = NULL;

    if (key.len > KEY_INPUT_MAX)
        return error_set(err, E_TOO_LARGE, "private key: wanted at most %d bytes, got %zu",
                         KEY_INPUT_MAX, key.len);
    if (key.len >= 3 && memcmp(key.data, bom, 3) == 0)
        key = span_of(key.data + 3, key.len - 3);
    int rc = is_der(key) ? read_der(key, &found, err) : read_pem(key, &found, err);
    if (rc < 0)
        return rc;
    if (EVP_PKEY_is_a(found, "RSA") && EVP_PKEY_get_bits(found) > RSA_BITS_MAX)
        return error_set(err, E_TOO_LARGE, "private key: wanted RSA of at most %d bits, got %d",
                         RSA_BITS_MAX, EVP_PKEY_get_bits(found));
    *ret = TAKE(found);
    return 0;
}

int private_key_to_der(const EVP_PKEY *key, struct blob *ret, struct error *err)
{
    AUTO_OF(PKCS8_PRIV_KEY_INFO) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    uint8_t *der = NULL;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

    if (len <= 0)
        return crypto_error(err, E_CRYPTO, "private key: cannot be written as PKCS#8");
    *ret = blob_copy(span_of(der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return 0;
}

int private_key_spki(const EVP_PKEY *key, uint8_t ret[SHA256_LEN], struct error *err)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    if (len <= 0)
        return crypto_error(err, E_CRYPTO, "private key: its public half cannot be written");
    sha256_of(span_of(der, (size_t)len), ret);
    OPENSSL_free(der);
    return 0;
}

const EVP_MD *private_key_digest(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL;
    /* Only a curve stronger than SHA-256 gets more: every authority can check SHA-256. */
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) >= 384)
        return EVP_sha384();
    return EVP_sha256();
}

int private_key_prove(EVP_PKEY *key, EVP_PKEY *public_key, struct error *err)
{
    static const uint8_t text[] = "unlapsed: this key fits its certificate";
    AUTO_OF(EVP_MD_CTX) EVP_MD_CTX *sign = EVP_MD_CTX_new();
    AUTO_OF(EVP_MD_CTX) EVP_MD_CTX *verify = EVP_MD_CTX_new();
    uint8_t signature[RSA_BITS_MAX / 8];
    size_t len = sizeof signature;
    const EVP_MD *digest = private_key_digest(key);

    if (!sign || !verify || EVP_DigestSignInit(sign, NULL, digest, NULL, key) != 1 ||
        EVP_DigestSign(sign, signature, &len, text, sizeof text) != 1 ||
        EVP_DigestVerifyInit(verify, NULL, digest, NULL, public_key) != 1 ||
        EVP_DigestVerify(verify, signature, len, text, sizeof text) != 1) {
        ERR_clear_error();
        return error_set(err, E_REFUSED, "private key: wanted the one of this public key");
    }
    return 0;
}
