#include "pki/delivery/pbe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

UL_AUTO_DEFINE(PBE2PARAM, PBE2PARAM_free)
UL_AUTO_DEFINE(PBKDF2PARAM, PBKDF2PARAM_free)
UL_AUTO_DEFINE(PBEPARAM, PBEPARAM_free)
UL_AUTO_DEFINE(SCRYPT_PARAMS, SCRYPT_PARAMS_free)
UL_AUTO_DEFINE(EVP_CIPHER, EVP_CIPHER_free)

static int refuse_count(const char *got, struct error *why)
{
    return error_set(why, E_TOO_LARGE, "iteration count: wanted at most %d, got %s",
                     PBE_ITERATIONS_MAX, got);
}

int pbe_check_count(const ASN1_INTEGER *count, uint64_t *ret_cost, struct error *why)
{
    uint64_t value = 1; /* PKCS#12's default (RFC 7292 appendix C) */
    char got[24];

    if (count && ASN1_INTEGER_get_uint64(&value, count) != 1)
        return refuse_count("one below 0 or of more than 64 bits", why);
    snprintf(got, sizeof got, "%" PRIu64, value);
    if (value == 0 || value > PBE_ITERATIONS_MAX)
        return refuse_count(got, why);
    *ret_cost = value;
    return 0;
}

static int refuse_form(struct error *why)
{
    return error_set(why, E_FORMAT, "its encryption is damaged or of an unknown kind");
}

/* Whether the cipher can be had here and now: without the legacy provider the old ones cannot. */
static int check_cipher(int nid, struct error *why)
{
    const char *name = OBJ_nid2sn(nid);
    AUTO_OF(EVP_CIPHER) EVP_CIPHER *cipher = name ? EVP_CIPHER_fetch(NULL, name, NULL) : NULL;

    ERR_clear_error();
    if (cipher)
        return 0;
    return error_set(why, E_CRYPTO,
                     "its cipher (%s) is not known here: export it again with AES, or install "
                     "OpenSSL's legacy provider",
                     name ? name : "without a name");
}

/* Mixing one block takes about twice as long as an iteration (RFC 7914 2). */
static int scrypt_cost(const ASN1_TYPE *parameter, uint64_t *ret, struct error *why)
{
    AUTO_OF(SCRYPT_PARAMS)
    SCRYPT_PARAMS *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameter);
    uint64_t n, r, p;
    char got[64];

    if (!params || ASN1_INTEGER_get_uint64(&n, params->costParameter) != 1 ||
        ASN1_INTEGER_get_uint64(&r, params->blockSize) != 1 ||
        ASN1_INTEGER_get_uint64(&p, params->parallelizationParameter) != 1)
        return refuse_form(why);
    enum { FACTOR_MAX = 1 << 20 };
    snprintf(got, sizeof got, "scrypt's N=%" PRIu64 " r=%" PRIu64 " p=%" PRIu64, n, r, p);
    if (n > FACTOR_MAX || r > FACTOR_MAX || p > FACTOR_MAX || n * r * p > 2 * PBE_ITERATIONS_MAX)
        return refuse_count(got, why);
    *ret = n * r * p / 2 + 1;
    return 0;
}

/* RFC 8018 6.2: a key derivation and a cipher. */
static int pbes2_cost(const ASN1_TYPE *parameter, uint64_t *ret, struct error *why)
{
    AUTO_OF(PBE2PARAM)
    PBE2PARAM *outer = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
    AUTO_OF(PBKDF2PARAM) PBKDF2PARAM *inner = NULL;
    int rc;

    if (!outer)
        return refuse_form(why);
    switch (OBJ_obj2nid(outer->keyfunc->algorithm)) {
    case NID_id_scrypt:
        rc = scrypt_cost(outer->keyfunc->parameter, ret, why);
        break;
    case NID_id_pbkdf2:
        inner = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), outer->keyfunc->parameter);
        rc = inner ? pbe_check_count(inner->iter, ret, why) : refuse_form(why);
        break;
    default:
        return refuse_form(why);
    }
    return rc < 0 ? rc : check_cipher(OBJ_obj2nid(outer->encryption->algorithm), why);
}

int pbe_cost(const X509_ALGOR *algorithm, uint64_t *ret, struct error *why)
{
    int nid = OBJ_obj2nid(algorithm->algorithm), cipher = NID_undef;

    if (nid == NID_pbes2)
        return pbes2_cost(algorithm->parameter, ret, why);
    /* A digest in a DigestInfo has the same outer form. */
    if (!EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, &cipher, NULL, NULL))
        return refuse_form(why);
    AUTO_OF(PBEPARAM)
    PBEPARAM *params = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
    if (!params)
        return refuse_form(why);
    int rc = pbe_check_count(params->iter, ret, why);
    return rc < 0 ? rc : check_cipher(cipher, why);
}

bool pbe_pay(struct object_list *list, uint64_t cost)
{
    if (cost > PBE_WORK_MAX - list->work)
        return false;
    list->work += cost;
    return true;
}

/* The configured passwords, "" and NULL. */
static const char *password_at(const struct delivery_options *options, size_t i)
{
    if (i < options->password_count)
        return options->passwords[i];
    return i == options->password_count ? "" : NULL;
}

static int refuse_passwords(const struct delivery_options *options, struct error *why)
{
    return error_set(why, E_REFUSED, "%s: set drop.passwords",
                     options->password_count > 0 ? "that none of the configured passwords opens"
                                                 : "that needs a password, and none is configured");
}

int pbe_open(struct object_list *list, uint64_t cost, pbe_try_fn attempt, void *self,
             struct error *why)
{
    size_t count = list->options->password_count + 2;

    for (size_t i = 0; i < count; i++) {
        size_t which = (list->password + i) % count;
        const char *password = password_at(list->options, which);

        if (!pbe_pay(list, cost))
            return error_set(why, E_TOO_LARGE,
                             "iterations: wanted at most %d for all passwords and keys of a file, "
                             "got more",
                             PBE_WORK_MAX);
        bool open = attempt(self, password, password ? (int)strlen(password) : 0);
        ERR_clear_error();
        if (open) {
            list->password = which;
            return 0;
        }
    }
    return refuse_passwords(list->options, why);
}
