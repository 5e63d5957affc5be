#include "pki/delivery/pkcs12.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "pki/delivery/key.h"
#include "pki/delivery/legacy.h"
#include "pki/delivery/pbe.h"
#include "pki/delivery/signed.h"

UL_AUTO_DEFINE(PKCS12, PKCS12_free)

typedef STACK_OF(PKCS12_SAFEBAG) bag_stack;
typedef STACK_OF(PKCS7) safe_stack;

static void free_bags(bag_stack **bags)
{
    sk_PKCS12_SAFEBAG_pop_free(*bags, PKCS12_SAFEBAG_free);
}
#define AUTO_BAGS __attribute__((cleanup(free_bags)))

static void free_safes(safe_stack **safes)
{
    sk_PKCS7_pop_free(*safes, PKCS7_free);
}
#define AUTO_SAFES __attribute__((cleanup(free_safes)))

/* One file being walked. */
struct walk {
    struct object_list *list;
    const char *where;
    size_t found;     /* bags with something in them */
    bool unproved;    /* no password fits its MAC: what is encrypted is not even tried */
    struct error why; /* the first reason why a part of it was not opened */
};

/* Bags may hold bags (RFC 7292 4.2.6); nobody makes them. */
enum { BAGS_DEPTH_MAX = 3 };

static void note(struct walk *walk, const struct error *why)
{
    if (walk->why.code == 0)
        walk->why = *why;
}

static int add_certificate(struct walk *walk, const PKCS12_SAFEBAG *bag, struct error *err)
{
    AUTO_OF(X509) X509 *x509 = NULL;

    if (PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate)
        x509 = PKCS12_SAFEBAG_get1_cert(bag);
    if (x509)
        return signed_add_x509(walk->list, x509, walk->where, err);
    return object_add(walk->list, OBJECT_BROKEN, NULL, err,
                      "%sa certificate in a PKCS#12 that cannot be read", walk->where);
}

static int add_crl(struct walk *walk, const PKCS12_SAFEBAG *bag, struct error *err)
{
    AUTO_OF(X509_CRL) X509_CRL *crl = NULL;

    if (PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Crl)
        crl = PKCS12_SAFEBAG_get1_crl(bag);
    return crl ? signed_add_crl(walk->list, crl, walk->where, err) : 0;
}

/* Plain or encrypted: key.c takes it from its DER, with the limits of any other key. */
static int add_key(struct walk *walk, const PKCS12_SAFEBAG *bag, struct error *err)
{
    uint8_t *der = NULL;
    int len = PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag
                  ? i2d_PKCS8_PRIV_KEY_INFO(PKCS12_SAFEBAG_get0_p8inf(bag), &der)
                  : i2d_X509_SIG(PKCS12_SAFEBAG_get0_pkcs8(bag), &der);
    AUTO_SECRET struct blob copy = blob_copy(span_of(der, len > 0 ? (size_t)len : 0));

    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    return key_add_der(walk->list, blob_span(&copy), walk->where, err);
}

static int add_bags(struct walk *walk, const bag_stack *bags, int depth, struct error *err);

static int add_bag(struct walk *walk, const PKCS12_SAFEBAG *bag, int depth, struct error *err)
{
    walk->found++;
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
    case NID_pkcs8ShroudedKeyBag:
        return add_key(walk, bag, err);
    case NID_certBag:
        return add_certificate(walk, bag, err);
    case NID_crlBag:
        return add_crl(walk, bag, err);
    case NID_safeContentsBag:
        return depth < BAGS_DEPTH_MAX
                   ? add_bags(walk, PKCS12_SAFEBAG_get0_safes(bag), depth + 1, err)
                   : 0;
    default:
        return object_add(walk->list, OBJECT_OTHER, NULL, err,
                          "%sa secret in a PKCS#12 that is no key of a certificate", walk->where);
    }
}

static int add_bags(struct walk *walk, const bag_stack *bags, int depth, struct error *err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < sk_PKCS12_SAFEBAG_num(bags); i++)
        rc = add_bag(walk, sk_PKCS12_SAFEBAG_value(bags, i), depth, err);
    return rc;
}

struct locked_safe {
    PKCS7 *pkcs7;
    bag_stack *bags;
};

static bool unlock_safe(void *self, const char *password, int len)
{
    struct locked_safe *safe = self;

    safe->bags = PKCS12_unpack_p7encdata(safe->pkcs7, password, len);
    return safe->bags != NULL;
}

static int refuse_safe(struct error *why)
{
    return error_set(why, E_FORMAT, "a part of it is damaged or encrypted for somebody's key");
}

static int unlock(struct walk *walk, PKCS7 *pkcs7, bag_stack **ret, struct error *why)
{
    struct locked_safe safe = {.pkcs7 = pkcs7};
    const PKCS7_ENC_CONTENT *content = pkcs7->d.encrypted ? pkcs7->d.encrypted->enc_data : NULL;
    uint64_t cost = 0;

    if (!content || !content->enc_data || !content->algorithm)
        return refuse_safe(why);
    int rc = pbe_cost(content->algorithm, &cost, why);
    if (rc == 0)
        rc = pbe_open(walk->list, cost, unlock_safe, &safe, why);
    *ret = safe.bags;
    return rc;
}

static int add_safe(struct walk *walk, PKCS7 *pkcs7, struct error *err)
{
    AUTO_BAGS bag_stack *bags = NULL;
    struct error why = {0};
    int rc = 0;

    if (PKCS7_type_is_encrypted(pkcs7) && walk->unproved)
        return 0;
    if (PKCS7_type_is_encrypted(pkcs7))
        rc = unlock(walk, pkcs7, &bags, &why);
    else if (PKCS7_type_is_data(pkcs7) && pkcs7->d.data)
        bags = PKCS12_unpack_p7data(pkcs7);
    if (rc == 0 && !bags)
        rc = refuse_safe(&why);
    if (rc < 0) {
        note(walk, &why);
        return 0;
    }
    return add_bags(walk, bags, 0, err);
}

static bool verify_mac(void *self, const char *password, int len)
{
    return PKCS12_verify_mac(self, password, len) == 1;
}

/*
 * Which password it is, told by its MAC; without a MAC by what it opens. RFC 9579's way to make one
 * is not OpenSSL 3.0's.
 */
static int check_mac(struct walk *walk, PKCS12 *p12, struct error *why)
{
    const ASN1_INTEGER *count = NULL;
    const X509_ALGOR *algorithm = NULL;
    uint64_t cost = 0;

    if (!PKCS12_mac_present(p12))
        return 0;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &count, p12);
    char name[64] = "";
    OBJ_obj2txt(name, sizeof name, algorithm->algorithm, 0);
    if (strcmp(name, "1.2.840.113549.1.5.14") == 0 || strcmp(name, "PBMAC1") == 0)
        return error_set(why, E_CRYPTO,
                         "its MAC is of the kind PBMAC1, which is not read: export "
                         "it again with a MAC that others can read");
    int rc = pbe_check_count(count, &cost, why);
    /* Three keys and IVs of up to two blocks are derived from a password, one for the MAC. */
    return rc < 0 ? rc : pbe_open(walk->list, cost, verify_mac, p12, why);
}

static int add_safes(struct walk *walk, const PKCS12 *p12, struct error *err)
{
    AUTO_SAFES safe_stack *safes = PKCS12_unpack_authsafes(p12);
    int rc = 0;

    if (!safes) {
        error_set(&walk->why, E_FORMAT, "it is damaged or of an unknown kind");
        return 0;
    }
    for (int i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++)
        rc = add_safe(walk, sk_PKCS7_value(safes, i), err);
    return rc;
}

static int read_whole(struct walk *walk, PKCS12 *p12, struct error *err)
{
    struct error why = {0};
    int rc = check_mac(walk, p12, &why);

    walk->unproved = rc < 0;
    if (rc < 0)
        note(walk, &why);
    /* A count past the limit, or too many passwords for it: no part of it is worth trying. */
    rc = rc == 0 || rc == E_REFUSED ? add_safes(walk, p12, err) : 0;
    if (rc < 0)
        return rc;
    if (walk->why.code != 0)
        return object_add(walk->list, OBJECT_BROKEN, NULL, err, "%sa PKCS#12 file%s%s", walk->where,
                          walk->why.code == E_REFUSED ? " " : ", not read: ", walk->why.text);
    if (walk->found == 0)
        return object_add(walk->list, OBJECT_BROKEN, NULL, err, "%san empty PKCS#12 file",
                          walk->where);
    return 0;
}

int pkcs12_add(struct object_list *list, struct span der, const char *where, size_t *ret_used,
               bool *ret_good, struct error *err)
{
    AUTO_LEGACY OSSL_LIB_CTX *before = legacy_enter();
    struct walk walk = {.list = list, .where = where};
    const uint8_t *at = der.data;
    AUTO_OF(PKCS12) PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)der.len);

    list->pkcs12++;
    *ret_used = p12 ? (size_t)(at - der.data) : der.len;
    *ret_good = p12 != NULL;
    int rc = p12 ? read_whole(&walk, p12, err)
                 : object_add(list, OBJECT_BROKEN, NULL, err,
                              "%sdamaged: not a readable PKCS#12 file", where);
    ERR_clear_error();
    return rc;
}
