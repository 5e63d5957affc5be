#include "pki/delivery/cms.h"

#include <openssl/pkcs7.h>

#include "pki/delivery/signed.h"
#include "pki/der.h"

/* How deep one message may lie in another: authorities send one. */
enum { NESTED_MAX = 4 };

/* RFC 2315 9.1: the certificates are an unordered set, the signature of it is of no interest. */
static int add_one(struct object_list *list, const PKCS7_SIGNED *sign, const char *where,
                   struct error *err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < sk_X509_num(sign->cert); i++)
        rc = signed_add_x509(list, sk_X509_value(sign->cert, i), where, err);
    for (int i = 0; rc == 0 && i < sk_X509_CRL_num(sign->crl); i++)
        rc = signed_add_crl(list, sk_X509_CRL_value(sign->crl, i), where, err);
    return rc;
}

/* The message, and one that was signed as its content. */
static int add_signed(struct object_list *list, const PKCS7 *pkcs7, const char *where,
                      struct error *err)
{
    bool found = false;
    int rc = 0;

    for (int depth = 0; rc == 0 && depth < NESTED_MAX && pkcs7; depth++) {
        const PKCS7_SIGNED *sign = PKCS7_type_is_signed(pkcs7) ? pkcs7->d.sign : NULL;

        if (sign)
            rc = add_one(list, sign, where, err);
        found = found || (sign && (sk_X509_num(sign->cert) > 0 || sk_X509_CRL_num(sign->crl) > 0));
        pkcs7 = sign ? sign->contents : NULL;
    }
    if (rc == 0 && !found)
        rc = object_add(list, OBJECT_BROKEN, NULL, err, "%sa PKCS#7 without certificates", where);
    return rc;
}

/*
 * RFC 5652 5.1 by hand: version, digests, content, certificates [0], ... CMS has kinds of
 * certificates and of signers that PKCS#7 had not, and OpenSSL reads it as PKCS#7 as a whole or not
 * at all. False when there is no certificate.
 */
static bool find_certificates(struct span der, struct span *ret)
{
    struct der_item item, first;

    return der_take(&der, DER_SEQUENCE, &item) && der_take(&item.content, DER_OID, &first) &&
           der_take(&item.content, DER_CONTEXT_0, &item) &&
           der_take(&item.content, DER_SEQUENCE, &item) &&
           der_take(&item.content, DER_INTEGER, &first) &&
           der_take(&item.content, DER_SET, &first) &&
           der_take(&item.content, DER_SEQUENCE, &first) &&
           der_take(&item.content, DER_CONTEXT_0, &first) && (*ret = first.content).len > 0;
}

static int add_by_hand(struct object_list *list, struct span certificates, const char *where,
                       bool *ret_good, struct error *err)
{
    struct der_item item;
    int rc = 0;

    *ret_good = false;
    while (rc == 0 && der_next(&certificates, &item)) {
        if (!signed_is_sequence(item.whole))
            continue;
        *ret_good = true;
        rc = signed_add_certificate(list, item.whole, where, err);
    }
    if (rc == 0 && !*ret_good)
        rc = object_add(list, OBJECT_BROKEN, NULL, err, "%sdamaged: not a readable PKCS#7", where);
    return rc;
}

/* What holds no certificates to take, and why. */
static const char *name_of(int nid)
{
    static const struct {
        int nid;
        const char *name;
    } names[] = {
        {NID_pkcs7_data, "a PKCS#7 of plain data"},
        {NID_pkcs7_enveloped, "an encrypted message (PKCS#7), which only its receiver can open"},
        {NID_pkcs7_signedAndEnveloped,
         "an encrypted message (PKCS#7), which only its receiver can open"},
        {NID_pkcs7_encrypted, "an encrypted message (PKCS#7)"},
        {NID_pkcs7_digest, "a PKCS#7 of data with its digest"},
        {NID_id_smime_ct_authEnvelopedData,
         "an encrypted message (CMS), which only its receiver can open"},
        {NID_id_smime_ct_authData, "a CMS of data with its checksum"},
        {NID_id_smime_ct_compressedData, "a compressed message (CMS)"},
        {NID_id_smime_ct_TSTInfo, "the content of a time stamp"},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].nid == nid)
            return names[i].name;
    return "a PKCS#7 that holds no certificates, but something else";
}

static int type_of(struct span der)
{
    struct der_item item, oid;
    int nid = NID_undef;

    if (der.len < 2)
        return nid;
    /* Of BER, too: only the first element of it must have a length. */
    size_t head = der.data[1] < 0x80 || der.data[1] == 0x80 ? 2 : 2 + (der.data[1] & 0x7FU);
    if (head > der.len)
        return nid;
    item.content = span_of(der.data + head, der.len - head);
    if (!der_take(&item.content, DER_OID, &oid))
        return nid;
    const uint8_t *at = oid.whole.data;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)oid.whole.len);
    nid = OBJ_obj2nid(object);
    ASN1_OBJECT_free(object);
    return nid;
}

/* Netscape's certificate sequence, and plain data: what is in them may be certificates. */
static bool find_content(int nid, struct span der, struct span *ret)
{
    struct der_item item, first;

    if ((nid != NID_netscape_cert_sequence && nid != NID_pkcs7_data) ||
        !der_take(&der, DER_SEQUENCE, &item) || !der_take(&item.content, DER_OID, &first) ||
        !der_take(&item.content, DER_CONTEXT_0, &item) || !der_next(&item.content, &first))
        return false;
    *ret = first.content;
    return signed_is_sequence(*ret);
}

static int add_other(struct object_list *list, int nid, struct span der, const char *where,
                     struct error *err)
{
    struct span content;

    if (find_content(nid, der, &content))
        return signed_add_sequence(list, content, where, err);
    return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, name_of(nid));
}

int cms_add(struct object_list *list, struct span der, const char *where, size_t *ret_used,
            bool *ret_good, struct error *err)
{
    const uint8_t *at = der.data;
    AUTO_OF(PKCS7) PKCS7 *pkcs7 = NULL;
    struct span certificates;
    int nid = type_of(der);

    list->pkcs7++;
    *ret_good = true;
    *ret_used = der.len;
    if (nid != NID_pkcs7_signed)
        return add_other(list, nid, der, where, err);
    pkcs7 = d2i_PKCS7(NULL, &at, (long)der.len);
    if (pkcs7) {
        *ret_used = (size_t)(at - der.data);
        return add_signed(list, pkcs7, where, err);
    }
    if (find_certificates(der, &certificates))
        return add_by_hand(list, certificates, where, ret_good, err);
    *ret_good = false;
    return object_add(list, OBJECT_BROKEN, NULL, err, "%sdamaged: not a readable PKCS#7", where);
}
