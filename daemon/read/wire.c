#include "daemon/read/wire.h"

#include <string.h>

#include "base/text.h"

/* A field that is added to one of these must be added to its message below. */
#ifdef __LP64__
_Static_assert(sizeof(struct cert) == 1352, "struct cert has changed: look at wire_cert");
_Static_assert(sizeof(struct object) == 1752, "struct object has changed: look at wire_object");
_Static_assert(sizeof(struct chain) == 568, "struct chain has changed: look at wire_chain");
#endif

enum {
    PATH_BYTES_MAX = 4096,
    PASSWORD_BYTES_MAX = 4096,
    ANCHOR_FILES_MAX = 256,
    KEY_BITS_LIMIT = 1 << 15, /* pki/cert.c refuses long before */
    SECURITY_BITS_LIMIT = 1024,
};

static void wire_serial(struct wire *wire, char *serial, size_t size)
{
    wire_text(wire, serial, size);
    if (strspn(serial, "0123456789abcdef") != strlen(serial))
        wire->bad = true;
}

void wire_cert(struct wire *wire, struct cert *cert)
{
    wire_text(wire, cert->subject, sizeof cert->subject);
    wire_text(wire, cert->issuer, sizeof cert->issuer);
    wire_serial(wire, cert->serial, sizeof cert->serial);
    wire_text(wire, cert->key_text, sizeof cert->key_text);
    wire_text(wire, cert->signature_text, sizeof cert->signature_text);
    cert->key_bits = (int)wire_number(wire, (size_t)cert->key_bits, KEY_BITS_LIMIT);
    cert->signature_security =
        (int)wire_number(wire, (size_t)cert->signature_security, SECURITY_BITS_LIMIT);
    wire_fixed(wire, cert->sha256, sizeof cert->sha256);
    wire_fixed(wire, cert->spki_sha256, sizeof cert->spki_sha256);
    wire_fixed(wire, cert->subject_sha256, sizeof cert->subject_sha256);
    wire_fixed(wire, cert->issuer_sha256, sizeof cert->issuer_sha256);
    wire_time(wire, &cert->not_before);
    wire_time(wire, &cert->not_after);
    cert->version = (int)wire_number(wire, (size_t)cert->version, 3);
    wire_flag(wire, &cert->is_ca);
    wire_flag(wire, &cert->self_issued);
    wire_flag(wire, &cert->self_signed);
    wire_flag(wire, &cert->usable_as_server);
    wire_flag(wire, &cert->usable_as_client);
    wire_names(wire, &cert->issuer_urls, CERT_URLS_MAX);
    wire_names(wire, &cert->names, CERT_SAN_MAX);
}

/* Which kinds come with their bytes, as struct object says. */
static bool has_der(enum object_kind kind)
{
    return kind == OBJECT_CERTIFICATE || kind == OBJECT_CSR || kind == OBJECT_CRL;
}

static void wire_object(struct wire *wire, struct object *object, bool keep_keys)
{
    size_t most = 0, most_key = 0;

    object->kind = (enum object_kind)wire_number(wire, object->kind, OBJECT_BROKEN);
    if (has_der(object->kind))
        most = object->kind == OBJECT_CERTIFICATE ? CERT_DER_MAX : DELIVERY_FILE_MAX;
    if (object->kind == OBJECT_PRIVATE_KEY && keep_keys)
        most_key = BUF_MAX_DELIVERY;
    wire_blob(wire, &object->der, most);
    wire_blob(wire, &object->key, most_key);
    wire_text(wire, object->origin, sizeof object->origin);
    wire_text(wire, object->note, sizeof object->note);
    wire_flag(wire, &object->has_spki);
    wire_fixed(wire, object->spki_sha256, sizeof object->spki_sha256);
    if (object->kind == OBJECT_CERTIFICATE)
        wire_cert(wire, &object->cert);
    if (has_der(object->kind) != (object->der.len > 0))
        wire->bad = true;
    if (object->has_spki && object->kind != OBJECT_CSR && object->kind != OBJECT_PRIVATE_KEY)
        wire->bad = true;
}

void wire_objects(struct wire *wire, struct delivery_objects *objects, bool keep_keys)
{
    size_t count = wire_number(wire, objects->count, DELIVERY_OBJECTS_MAX);

    if (!wire->out) {
        objects->items = wire_room(wire, &count, sizeof *objects->items);
        objects->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++)
        wire_object(wire, &objects->items[i], keep_keys);
    wire_text(wire, objects->summary, sizeof objects->summary);
}

void wire_chain(struct wire *wire, struct chain *chain)
{
    wire_blobs(wire, &chain->certs, WIRE_CHAIN_MAX, CERT_DER_MAX);
    wire_text(wire, chain->anchor, sizeof chain->anchor);
    wire_fixed(wire, chain->anchor_sha256, sizeof chain->anchor_sha256);
    wire_time(wire, &chain->earliest_not_after);
}

void wire_der(struct wire *wire, struct blob *der)
{
    wire_blob(wire, der, CERT_DER_MAX);
    wire->bad = wire->bad || der->len == 0;
}

void wire_setup(struct wire *wire, struct wire_setup *setup)
{
    setup->duty = (enum wire_duty)wire_number(wire, setup->duty, WIRE_DUTIES - 1);
    wire_flag(wire, &setup->faults);
    wire_flag(wire, &setup->keep_keys);
    wire_texts(wire, &setup->passwords, DELIVERY_PASSWORDS_MAX, PASSWORD_BYTES_MAX);
    size_t count = wire_number(wire, setup->anchor_count, WIRE_ANCHOR_SETS_MAX);
    if (!wire->out) {
        setup->anchors = wire_room(wire, &count, sizeof *setup->anchors);
        setup->anchor_count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        wire_owned_text(wire, &setup->anchors[i].name, PATH_BYTES_MAX);
        wire_flag(wire, &setup->anchors[i].system);
        wire_texts(wire, &setup->anchors[i].files, ANCHOR_FILES_MAX, PATH_BYTES_MAX);
    }
}

void wire_chain_order(struct wire *wire, struct wire_chain_order *order)
{
    order->anchor_set = wire_number(wire, order->anchor_set, WIRE_ANCHOR_SETS_MAX - 1);
    wire_blob(wire, &order->leaf, CERT_DER_MAX);
    wire_blobs(wire, &order->added_anchors, WIRE_FOUND_MAX, CERT_DER_MAX);
    wire_time(wire, &order->at);
    order->purpose = (enum chain_purpose)wire_number(wire, order->purpose, CHAIN_ANY);
    wire_text(wire, order->preferred_root, sizeof order->preferred_root);
}

void wire_setup_done(struct wire_setup *setup)
{
    wire_texts_done(&setup->passwords);
    for (size_t i = 0; i < setup->anchor_count; i++) {
        free(setup->anchors[i].name);
        wire_texts_done(&setup->anchors[i].files);
    }
    free(setup->anchors);
    *setup = (struct wire_setup){0};
}

void wire_chain_order_done(struct wire_chain_order *order)
{
    blob_done(&order->leaf);
    blobs_done(&order->added_anchors);
    *order = (struct wire_chain_order){0};
}
