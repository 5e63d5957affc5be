#include "tests/pki/authority.h"

#include <check.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

struct authority {
    struct authority *next;
    X509 *cert;
    EVP_PKEY *key; /* of a CSR the public half alone */
    struct blob der;
    char *pem, *key_pem;
};

static struct authority *all;

static EVP_PKEY *make_key(const struct authority_plan *plan)
{
    static const char *const curves[] = {[KEY_EC_P256] = "P-256", [KEY_EC_P384] = "P-384"};
    static const size_t bits[] = {
        [KEY_RSA_2048] = 2048, [KEY_RSA_3072] = 3072, [KEY_RSA_4096] = 4096};

    if (plan->rsa_bits > 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)plan->rsa_bits);
    if (plan->key_type == KEY_ED25519)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (plan->key_type <= KEY_EC_P384)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[plan->key_type]);
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits[plan->key_type]);
}

static void set_name(X509 *cert, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(cert);

    if (common_name)
        ck_assert_int_eq(1, X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                       (const uint8_t *)common_name, -1, -1, 0));
}

static void set_dates(X509 *cert, const struct authority_plan *plan)
{
    utc_t begin = plan->not_before ? plan->not_before : AUTHORITY_NOW - AUTHORITY_DAY;
    utc_t end = plan->not_after
                    ? plan->not_after
                    : AUTHORITY_NOW + AUTHORITY_DAY * (plan->ca ? INT64_C(3650) : INT64_C(90));

    ck_assert_ptr_nonnull(ASN1_TIME_adj(X509_getm_notBefore(cert), begin, 0, 0));
    ck_assert_ptr_nonnull(ASN1_TIME_adj(X509_getm_notAfter(cert), end, 0, 0));
}

static void extend(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    if (!value)
        return;
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    ck_assert_msg(extension && X509_add_ext(cert, extension, -1), "cannot add %s = %s",
                  OBJ_nid2sn(nid), value);
    X509_EXTENSION_free(extension);
}

static void copy_names(X509 *cert, X509_REQ *csr)
{
    STACK_OF(X509_EXTENSION) *wanted = X509_REQ_get_extensions(csr);
    int at = X509v3_get_ext_by_NID(wanted, NID_subject_alt_name, -1);

    if (at >= 0)
        ck_assert(X509_add_ext(cert, X509v3_get_ext(wanted, at), -1));
    sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
}

static void set_extensions(X509 *cert, X509 *issuer, const struct authority_plan *plan)
{
    X509V3_CTX ctx;
    const char *usage = plan->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    if (plan->key_id_of)
        X509_add1_ext_i2d(cert, NID_subject_key_identifier,
                          (void *)(uintptr_t)X509_get0_subject_key_id(plan->key_id_of->cert), 0, 0);
    else if (!plan->no_key_ids)
        extend(cert, &ctx, NID_subject_key_identifier, "hash");
    if (!plan->no_key_ids && issuer != cert)
        extend(cert, &ctx, NID_authority_key_identifier, "keyid:always");
    extend(cert, &ctx, NID_basic_constraints,
           plan->basic ? plan->basic : (plan->ca ? "critical,CA:TRUE" : NULL));
    extend(cert, &ctx, NID_key_usage, plan->key_usage ? plan->key_usage : usage);
    extend(cert, &ctx, NID_subject_alt_name, plan->names);
    extend(cert, &ctx, NID_ext_key_usage,
           plan->extended_key ? plan->extended_key : (plan->ca ? NULL : "serverAuth"));
    extend(cert, &ctx, NID_name_constraints, plan->constraints);
    extend(cert, &ctx, NID_info_access, plan->information);
}

static void take_key(struct authority *made, const struct authority_plan *plan)
{
    const uint8_t *at = plan->csr.data;

    if (plan->csr.len > 0) {
        X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)plan->csr.len);

        ck_assert_ptr_nonnull(csr);
        made->key = X509_REQ_get_pubkey(csr);
        ck_assert_msg(X509_REQ_verify(csr, made->key) == 1, "the CSR's signature is wrong");
        if (!plan->names)
            copy_names(made->cert, csr);
        X509_REQ_free(csr);
    } else if (plan->key_of) {
        made->key = plan->key_of->key;
        EVP_PKEY_up_ref(made->key);
    } else {
        made->key = make_key(plan);
    }
    ck_assert_ptr_nonnull(made->key);
    ck_assert(X509_set_pubkey(made->cert, made->key));
}

static char *read_bio(BIO *bio)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    char *copy = mem_printf("%.*s", (int)len, text);

    BIO_free(bio);
    return copy;
}

static void encode(struct authority *made, bool with_key)
{
    uint8_t *der = NULL;
    int len = i2d_X509(made->cert, &der);
    BIO *pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());

    ck_assert_int_gt(len, 0);
    made->der = blob_copy(span_of(der, (size_t)len));
    OPENSSL_free(der);
    ck_assert(PEM_write_bio_X509(pem, made->cert));
    made->pem = read_bio(pem);
    if (with_key)
        ck_assert(PEM_write_bio_PKCS8PrivateKey(key_pem, made->key, NULL, NULL, 0, NULL, NULL));
    made->key_pem = read_bio(key_pem);
}

const struct authority *authority_make(const struct authority *issuer,
                                       const struct authority_plan *plan)
{
    struct authority *made = mem_alloc(1, sizeof *made);
    uint8_t serial[12];

    made->next = all;
    all = made;
    made->cert = X509_new();
    X509_set_version(made->cert, X509_VERSION_3);
    RAND_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x3F) | 0x40;
    ck_assert(ASN1_STRING_set(X509_get_serialNumber(made->cert), serial, sizeof serial));
    set_name(made->cert, plan->subject);
    set_dates(made->cert, plan);
    take_key(made, plan);
    const struct authority *signer = issuer ? issuer : made;
    X509_set_issuer_name(made->cert, X509_get_subject_name(signer->cert));
    set_extensions(made->cert, signer->cert, plan);
    const EVP_MD *digest = plan->sha1 ? EVP_sha1() : EVP_sha256();
    if (EVP_PKEY_is_a(signer->key, "ED25519"))
        digest = NULL;
    ck_assert_msg(X509_sign(made->cert, signer->key, digest) > 0, "cannot sign");
    encode(made, plan->csr.len == 0);
    return made;
}

struct span authority_der(const struct authority *authority)
{
    return blob_span(&authority->der);
}

const char *authority_pem(const struct authority *authority)
{
    return authority->pem;
}

const char *authority_key_pem(const struct authority *authority)
{
    return authority->key_pem[0] ? authority->key_pem : NULL;
}

void authority_done(void)
{
    while (all) {
        struct authority *next = all->next;

        X509_free(all->cert);
        EVP_PKEY_free(all->key);
        blob_done(&all->der);
        free(all->pem);
        free(all->key_pem);
        free(all);
        all = next;
    }
}
