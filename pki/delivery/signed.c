#include "pki/delivery/signed.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pki/der.h"

/* Who a certificate is for, in a few words. */
static void describe(const struct cert *cert, char *ret, size_t size)
{
    const char *kind = cert->is_ca ? "a CA certificate" : "a certificate";

    if (cert->subject[0] != '\0')
        snprintf(ret, size, "%s for %s", kind, cert->subject);
    else if (cert->names.count > 0)
        snprintf(ret, size, "%s for %s", kind, cert->names.items[0].text);
    else
        snprintf(ret, size, "%s", kind);
}

int signed_add_certificate(struct object_list *list, struct span der, const char *where,
                           struct error *err)
{
    AUTO_CERT struct cert cert = {0};
    struct error reason = {0};
    char text[CERT_DN_MAX + 64];

    if (object_is_listed(list, OBJECT_CERTIFICATE, der))
        return 0;
    if (cert_parse(der, &cert, &reason) < 0)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, reason.text);
    describe(&cert, text, sizeof text);
    AUTO_BLOB struct blob copy = blob_copy(der);
    int rc = object_add(list, OBJECT_CERTIFICATE, &copy, err, "%s", text);
    if (rc < 0)
        return rc;
    list->items[list->count - 1].cert = cert;
    cert = (struct cert){0};
    return 0;
}

int signed_add_x509(struct object_list *list, X509 *x509, const char *where, struct error *err)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    int rc = len > 0 ? signed_add_certificate(list, span_of(der, (size_t)len), where, err)
                     : object_add(list, OBJECT_BROKEN, NULL, err,
                                  "%sa certificate that cannot be read", where);

    OPENSSL_free(der);
    return rc;
}

/* "2026-01-01", or nothing that can be read. */
static void put_date(const char *word, const ASN1_TIME *time, char *ret, size_t size)
{
    struct tm tm;

    ret[0] = '\0';
    if (time && ASN1_TIME_to_tm(time, &tm))
        snprintf(ret, size, ", %s %04d-%02d-%02d", word, tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
}

int signed_add_crl(struct object_list *list, X509_CRL *crl, const char *where, struct error *err)
{
    char issuer[CERT_DN_MAX] = "", made[48], next[48];
    uint8_t *der = NULL;
    int len = i2d_X509_CRL(crl, &der);

    if (len <= 0)
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%sa list of revoked certificates (CRL) that cannot be read", where);
    AUTO_BLOB struct blob copy = blob_copy(span_of(der, (size_t)len));
    OPENSSL_free(der);
    if (object_is_listed(list, OBJECT_CRL, blob_span(&copy)))
        return 0;
    crypto_print_name(X509_CRL_get_issuer(crl), issuer);
    put_date("made on", X509_CRL_get0_lastUpdate(crl), made, sizeof made);
    put_date("valid until", X509_CRL_get0_nextUpdate(crl), next, sizeof next);
    return object_add(list, OBJECT_CRL, &copy, err, "a list of revoked certificates (CRL)%s%s%s%s",
                      made, next, issuer[0] != '\0' ? ", of " : "", issuer);
}

/* The subjectAltName it asks for (RFC 2985 5.4.2), as far as it can be read. */
static void requested_names(X509_REQ *request, struct names *ret)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    AUTO_OF(GENERAL_NAMES)
    GENERAL_NAMES *list = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);

    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    for (int i = 0; i < sk_GENERAL_NAME_num(list) && ret->count < CERT_SAN_MAX; i++) {
        const GENERAL_NAME *item = sk_GENERAL_NAME_value(list, i);

        if (item->type == GEN_DNS || item->type == GEN_IPADD)
            names_add_found(ret, item->type == GEN_DNS ? NAME_DNS : NAME_IP,
                            span_of(ASN1_STRING_get0_data(item->d.ia5),
                                    (size_t)ASN1_STRING_length(item->d.ia5)));
    }
}

static void describe_request(X509_REQ *request, char *ret, size_t size)
{
    AUTO_NAMES struct names names = {0};
    char subject[CERT_DN_MAX] = "";

    crypto_print_name(X509_REQ_get_subject_name(request), subject);
    requested_names(request, &names);
    AUTO_FREE char *joined = names_join(&names);
    snprintf(ret, size, "a certificate request (CSR)%s%s%s%s, not a certificate",
             subject[0] != '\0' ? " for " : "", subject, names.count > 0 ? ", names " : "", joined);
}

static int add_request(struct object_list *list, X509_REQ *request, struct span der,
                       const char *where, struct error *err)
{
    char text[2 * CERT_DN_MAX];
    uint8_t *spki = NULL;

    if (der.len > CERT_DER_MAX)
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%scertificate request: wanted at most %d bytes, got %zu", where,
                          CERT_DER_MAX, der.len);
    if (object_is_listed(list, OBJECT_CSR, der))
        return 0;
    describe_request(request, text, sizeof text);
    AUTO_BLOB struct blob copy = blob_copy(der);
    int rc = object_add(list, OBJECT_CSR, &copy, err, "%s", text);
    int len = rc == 0 ? i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &spki) : 0;
    if (len > 0) {
        struct object *item = &list->items[list->count - 1];

        item->has_spki = true;
        sha256_of(span_of(spki, (size_t)len), item->spki_sha256);
    }
    OPENSSL_free(spki);
    return rc;
}

/* RFC 5280 4.1: to be signed, algorithm, signature. */
static bool looks_signed(struct span content)
{
    struct der_item item;

    for (int i = 0; i < 2; i++)
        if (!der_take(&content, DER_SEQUENCE, &item))
            return false;
    return der_take(&content, DER_BIT_STRING, &item) && content.len == 0;
}

bool signed_is_sequence(struct span content)
{
    struct der_item item;
    size_t count = 0;

    for (; content.len > 0; count++)
        if (!der_take(&content, DER_SEQUENCE, &item) || !looks_signed(item.content))
            return false;
    return count > 0;
}

int signed_add_sequence(struct object_list *list, struct span content, const char *where,
                        struct error *err)
{
    struct der_item item;
    int rc = 0;

    while (rc == 0 && der_next(&content, &item))
        rc = signed_add_certificate(list, item.whole, where, err);
    return rc;
}

/* RFC 3161 2.4.2: a status and the token, which is a PKCS#7. */
static bool is_time_stamp(struct span content)
{
    struct der_item status, token, first;

    return der_take(&content, DER_SEQUENCE, &status) && der_take(&content, DER_SEQUENCE, &token) &&
           der_take(&status.content, DER_INTEGER, &first) &&
           der_take(&token.content, DER_OID, &first);
}

static int add_unsigned(struct object_list *list, struct span der, const char *where,
                        bool *ret_good, struct error *err)
{
    struct der_item outer = {0};

    if (der_next(&der, &outer) && signed_is_sequence(outer.content)) {
        *ret_good = true;
        return signed_add_sequence(list, outer.content, where, err);
    }
    if (is_time_stamp(outer.content))
        return object_add(list, OBJECT_OTHER, NULL, err, "%sa time stamp, not a certificate",
                          where);
    return object_add(list, OBJECT_BROKEN, NULL, err, "%sdamaged: not a readable certificate",
                      where);
}

/* The bytes tell only "something signed"; what it is, OpenSSL says. Each must fill der. */
int signed_add(struct object_list *list, struct span der, const char *where, bool *ret_good,
               struct error *err)
{
    const uint8_t *end = der.data + der.len;
    const uint8_t *at = der.data;

    *ret_good = true;
    AUTO_OF(X509) X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    if (x509 && at == end)
        return signed_add_x509(list, x509, where, err);
    at = der.data;
    AUTO_OF(X509_REQ) X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    if (request && at == end)
        return add_request(list, request, der, where, err);
    at = der.data;
    AUTO_OF(X509_CRL) X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    if (crl && at == end)
        return signed_add_crl(list, crl, where, err);
    *ret_good = false;
    return add_unsigned(list, der, where, ret_good, err);
}
