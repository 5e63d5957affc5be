#include "pki/delivery/objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "pki/delivery/cms.h"
#include "pki/delivery/key.h"
#include "pki/delivery/pkcs12.h"
#include "pki/delivery/signed.h"
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

bool object_is_listed(struct object_list *list, enum object_kind kind, struct span der)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != kind || !span_equal(blob_span(&list->items[i].der), der))
            continue;
        list->repeated++;
        return true;
    }
    return false;
}

/* What begins with an ENUMERATED (RFC 6960 4.2.1). */
static int add_unknown(struct object_list *list, struct span der, const char *where,
                       struct error *err)
{
    struct der_item outer, first;

    if (der_take(&der, DER_SEQUENCE, &outer) && der_take(&outer.content, DER_ENUMERATED, &first))
        return object_add(
            list, OBJECT_OTHER, NULL, err,
            "%san OCSP response (whether a certificate is revoked), not a certificate", where);
    return object_add(list, OBJECT_BROKEN, NULL, err, "%snot a certificate, but other data", where);
}

/* One element at the beginning of der; ret_used is less than len where only its reader knows its
 * end, ret_good tells whether what follows is worth a look. */
static int add_form(struct object_list *list, enum der_form form, struct span der,
                    const char *where, size_t *ret_used, bool *ret_good, struct error *err)
{
    *ret_good = true;
    *ret_used = der.len;
    switch (form) {
    case DER_SIGNED:
        return signed_add(list, der, where, ret_good, err);
    case DER_PKCS7:
        return cms_add(list, der, where, ret_used, ret_good, err);
    case DER_PKCS12:
        return pkcs12_add(list, der, where, ret_used, ret_good, err);
    case DER_PRIVATE_KEY:
        return key_add_der(list, der, where, err);
    case DER_PUBLIC_KEY:
        return object_add(list, OBJECT_OTHER, NULL, err, "%sa public key without a certificate",
                          where);
    case DER_TRUNCATED:
        return object_add(list, OBJECT_BROKEN, NULL, err,
                          "%struncated: the end of what was announced is missing", where);
    case DER_UNKNOWN:
        break;
    }
    *ret_good = false;
    return add_unknown(list, der, where, err);
}

/* Line ends of a careless copy, zeros of a block device or a fixed-size record. */
static bool is_padding(struct span rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (rest.data[i] != '\0' && rest.data[i] != ' ' && rest.data[i] != '\t' &&
            rest.data[i] != '\r' && rest.data[i] != '\n' && rest.data[i] != 0x1A)
            return false;
    return true;
}

int object_add_der(struct object_list *list, struct span der, bool more_follows, const char *where,
                   struct error *err)
{
    bool good = true;
    int rc = 0;

    for (bool first = true; rc == 0 && good; first = false) {
        size_t len, used;
        enum der_form form = der_form_of(der, &len);

        if (!first && is_padding(der))
            break;
        if (!first && form == DER_UNKNOWN) {
            rc = object_add(list, OBJECT_BROKEN, NULL, err,
                            "%sdamaged: %zu bytes follow the end of it", where, der.len);
            break;
        }
        rc = add_form(list, form, span_of(der.data, len), where, &used, &good, err);
        der = span_of(der.data + used, der.len - used);
        good = good && !more_follows;
    }
    ERR_clear_error(); /* d2i leaves its complaints there */
    return rc;
}
