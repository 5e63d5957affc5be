#include "tests/pki/forge.h"

#include <string.h>

#include <check.h>

#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/cert.h"

/* Hands an i2d result over to our allocator. */
static struct blob taken(uint8_t *der, int len)
{
    ck_assert_int_gt(len, 0);
    struct blob out = blob_copy(span_of(der, (size_t)len));
    OPENSSL_free(der);
    return out;
}

static X509_NAME *make_name(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    if (common_name)
        ck_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                             (const uint8_t *)common_name, -1, -1, 0));
    return name;
}

/* Bytes as they are. */
static ASN1_TIME *make_time(const char *text, int type)
{
    int by_length = strlen(text) > 13 ? V_ASN1_GENERALIZEDTIME : V_ASN1_UTCTIME;
    ASN1_TIME *time = ASN1_STRING_type_new(type ? type : by_length);

    ck_assert(ASN1_STRING_set(time, text, -1));
    return time;
}

static X509_EXTENSION *make_extension(const struct forge_extension *from)
{
    int nid = OBJ_sn2nid(from->name);

    if (from->text)
        return X509V3_EXT_conf_nid(NULL, NULL, nid, from->text);
    ASN1_OCTET_STRING *raw = ASN1_OCTET_STRING_new();
    ck_assert(ASN1_OCTET_STRING_set(raw, from->raw.data, (int)from->raw.len));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, raw);
    ASN1_OCTET_STRING_free(raw);
    return extension;
}

static const EVP_MD *digest_for(const EVP_PKEY *key, const char *name)
{
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        return NULL;
    return EVP_get_digestbyname(name ? name : "SHA256");
}

static void fill(X509 *x509, const struct forge *forge, EVP_PKEY *key)
{
    X509_NAME *subject = make_name(forge->common_name);
    X509_NAME *issuer = make_name(forge->issuer_name ? forge->issuer_name : forge->common_name);
    ASN1_TIME *from =
        make_time(forge->not_before ? forge->not_before : "20260101000000Z", forge->time_type);
    ASN1_TIME *to =
        make_time(forge->not_after ? forge->not_after : "20270101000000Z", forge->time_type);

    ck_assert(X509_set_version(x509, forge->version > 0 ? forge->version - 1 : X509_VERSION_3));
    ck_assert(X509_set_subject_name(x509, subject) && X509_set_issuer_name(x509, issuer));
    ck_assert(X509_set1_notBefore(x509, from) && X509_set1_notAfter(x509, to));
    ck_assert(X509_set_pubkey(x509, key));
    ck_assert(ASN1_STRING_set(X509_get_serialNumber(x509),
                              forge->serial.len > 0 ? forge->serial.data : (const uint8_t *)"\1",
                              forge->serial.len > 0 ? (int)forge->serial.len : 1));
    for (size_t i = 0; i < FORGE_EXTENSIONS && forge->extensions[i].name; i++) {
        X509_EXTENSION *extension = make_extension(&forge->extensions[i]);

        ck_assert_msg(extension && X509_add_ext(x509, extension, -1), "%s",
                      forge->extensions[i].name);
        X509_EXTENSION_free(extension);
    }
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    ASN1_STRING_free(from);
    ASN1_STRING_free(to);
}

struct blob forge_certificate(const struct forge *forge)
{
    EVP_PKEY *key = forge->key ? forge->key : EVP_EC_gen("P-256");
    EVP_PKEY *signer = forge->signer ? forge->signer : key;
    X509 *x509 = X509_new();
    uint8_t *der = NULL;

    fill(x509, forge, key);
    ck_assert(X509_sign(x509, signer, digest_for(signer, forge->digest)) > 0);
    int len = i2d_X509(x509, &der);
    X509_free(x509);
    if (!forge->key)
        EVP_PKEY_free(key);
    return taken(der, len);
}

struct blob forge_request(EVP_PKEY *key)
{
    X509_REQ *request = X509_REQ_new();
    uint8_t *der = NULL;

    ck_assert(X509_REQ_set_pubkey(request, key));
    ck_assert(X509_REQ_sign(request, key, digest_for(key, NULL)) > 0);
    int len = i2d_X509_REQ(request, &der);
    X509_REQ_free(request);
    return taken(der, len);
}

struct blob forge_crl(EVP_PKEY *key)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *name = make_name("CA");
    ASN1_TIME *time = make_time("260101000000Z", V_ASN1_UTCTIME);
    uint8_t *der = NULL;

    ck_assert(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
              X509_CRL_set_issuer_name(crl, name) && X509_CRL_set1_lastUpdate(crl, time));
    ck_assert(X509_CRL_sign(crl, key, digest_for(key, NULL)) > 0);
    int len = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    X509_NAME_free(name);
    ASN1_STRING_free(time);
    return taken(der, len);
}

struct blob forge_pkcs7(const struct blob *certs, size_t count)
{
    PKCS7 *pkcs7 = PKCS7_new();
    uint8_t *der = NULL;

    ck_assert(PKCS7_set_type(pkcs7, NID_pkcs7_signed) && PKCS7_content_new(pkcs7, NID_pkcs7_data));
    PKCS7_set_detached(pkcs7, 1);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = certs[i].data;
        X509 *x509 = d2i_X509(NULL, &at, (long)certs[i].len);

        ck_assert(x509 && PKCS7_add_certificate(pkcs7, x509));
        X509_free(x509);
    }
    int len = i2d_PKCS7(pkcs7, &der);
    PKCS7_free(pkcs7);
    return taken(der, len);
}

char *forge_pem(const char *label, struct span der)
{
    AUTO_BUF struct buf out;

    buf_init(&out, BUF_MAX_PEM);
    pem_write(&out, label, der);
    return mem_strdup(buf_text(&out));
}
