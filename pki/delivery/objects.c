#include "pki/delivery/objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "pki/auto.h"
#include "pki/cert.h"
#include "pki/der.h"

void object_done(struct object *object)
{
    blob_done(&object->der);
    blob_wipe(&object->key);
    cert_done(&object->cert);
}

void object_list_done(struct object_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        object_done(&list->items[i]);
    free(list->items);
    *list = (struct object_list){0};
}

int object_add(struct object_list *list, enum object_kind kind, struct blob *der, struct error *err,
               const char *format, ...)
{
    char raw[1024];
    va_list args;

    if (list->count == DELIVERY_OBJECTS_MAX)
        return error_set(err, E_TOO_LARGE, "delivery: objects in one file: wanted at most %d",
                         DELIVERY_OBJECTS_MAX);
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    list->items = mem_resize(list->items, list->count + 1, sizeof list->items[0]);
    struct object *item = &list->items[list->count++];
    *item = (struct object){.kind = kind};
    if (der)
        item->der = blob_take(der);
    text_escape(raw, item->note, sizeof item->note);
    return 0;
}

static bool is_listed(const struct object_list *list, enum object_kind kind, struct span der)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == kind && span_equal(blob_span(&list->items[i].der), der))
            return true;
    return false;
}

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

static int add_certificate(struct object_list *list, X509 *x509, const char *where,
                           struct error *err)
{
    AUTO_CERT struct cert cert = {0};
    AUTO_BLOB struct blob der = {0};
    struct error reason = {0};
    char text[CERT_DN_MAX + 64];
    uint8_t *encoded = NULL;
    int len = i2d_X509(x509, &encoded);

    if (len > 0)
        der = blob_copy(span_of(encoded, (size_t)len));
    OPENSSL_free(encoded);
    if (len <= 0)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%sa certificate that cannot be read",
                          where);
    if (is_listed(list, OBJECT_CERTIFICATE, blob_span(&der)))
        return 0;
    if (cert_parse(blob_span(&der), &cert, &reason) < 0)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, reason.text);
    describe(&cert, text, sizeof text);
    int rc = object_add(list, OBJECT_CERTIFICATE, &der, err, "%s", text);
    if (rc < 0)
        return rc;
    list->items[list->count - 1].cert = cert;
    cert = (struct cert){0};
    return 0;
}

/* A request or a revocation list: kept as it came. */
static int add_other(struct object_list *list, enum object_kind kind, struct span der,
                     const char *note, struct error *err)
{
    if (is_listed(list, kind, der))
        return 0;
    AUTO_BLOB struct blob copy = blob_copy(der);
    return object_add(list, kind, &copy, err, "%s", note);
}

/* The bytes tell only "something signed"; what it is, OpenSSL says. Each must fill der. */
static int add_signed(struct object_list *list, struct span der, const char *where,
                      struct error *err)
{
    const uint8_t *end = der.data + der.len;
    const uint8_t *at = der.data;
    AUTO_OF(X509) X509 *x509 = d2i_X509(NULL, &at, (long)der.len);

    if (x509 && at == end)
        return add_certificate(list, x509, where, err);
    at = der.data;
    AUTO_OF(X509_REQ) X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    if (request && at == end)
        return add_other(list, OBJECT_CSR, der, "a certificate request (CSR), not a certificate",
                         err);
    at = der.data;
    AUTO_OF(X509_CRL) X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    if (crl && at == end)
        return add_other(list, OBJECT_CRL, der, "a list of revoked certificates (CRL)", err);
    return object_add(list, OBJECT_BROKEN, NULL, err, "%sdamaged: not a readable certificate",
                      where);
}

/* RFC 2315 9.1: the certificates are an unordered set, the signature of it is of no interest. */
static int add_pkcs7(struct object_list *list, struct span der, const char *where,
                     struct error *err)
{
    const uint8_t *at = der.data;
    AUTO_OF(PKCS7) PKCS7 *pkcs7 = d2i_PKCS7(NULL, &at, (long)der.len);
    int rc = 0;

    list->pkcs7++;
    if (!pkcs7 || at != der.data + der.len)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%sdamaged: not a readable PKCS#7",
                          where);
    if (!PKCS7_type_is_signed(pkcs7) || !pkcs7->d.sign)
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%sa PKCS#7 that holds no certificates, but something else", where);
    const STACK_OF(X509) *certs = pkcs7->d.sign->cert;
    for (int i = 0; rc == 0 && i < sk_X509_num(certs); i++)
        rc = add_certificate(list, sk_X509_value(certs, i), where, err);
    if (rc == 0 && sk_X509_num(certs) <= 0)
        rc = object_add(list, OBJECT_BROKEN, NULL, err, "%sa PKCS#7 without certificates", where);
    return rc;
}

static int add_form(struct object_list *list, enum der_form form, struct span der,
                    const char *where, struct error *err)
{
    switch (form) {
    case DER_SIGNED:
        return add_signed(list, der, where, err);
    case DER_PKCS7:
        return add_pkcs7(list, der, where, err);
    case DER_PRIVATE_KEY:
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "a private key, which is not kept");
    case DER_TRUNCATED:
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%struncated: the end of what was announced is missing", where);
    case DER_PKCS12:
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%sa PKCS#12 (PFX): not read, please save the certificates as PEM",
                          where);
    case DER_PUBLIC_KEY:
        return object_add(list, OBJECT_BROKEN, NULL, err, "%sa public key without a certificate",
                          where);
    case DER_UNKNOWN:
        break;
    }
    return object_add(list, OBJECT_BROKEN, NULL, err, "%snot a certificate, but other data", where);
}

int object_add_der(struct object_list *list, struct span der, bool more_follows, const char *where,
                   struct error *err)
{
    size_t len;
    enum der_form form = der_form_of(der, &len);
    int rc;

    if (len < der.len && !more_follows && (form == DER_SIGNED || form == DER_PKCS7))
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%sdamaged: %zu bytes follow the end of it", where, der.len - len);
    rc = add_form(list, form, span_of(der.data, len), where, err);
    ERR_clear_error(); /* d2i leaves its complaints there */
    return rc;
}
