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
    NAME_BYTES_MAX = 4 * CERT_DER_MAX, /* each byte may have become \xHH */
};

/* What ASN.1 and RFC 3339 can write: the years 0 to 9999. */
static const utc_t first_time = -62167219200, last_time = 253402300799;

static void take_bytes(struct wire *wire, void *ret, size_t len)
{
    if (wire->bad || wire->in.len < len) {
        wire->bad = true;
        memset(ret, 0, len);
        return;
    }
    memcpy(ret, wire->in.data, len);
    wire->in = span_of(wire->in.data + len, wire->in.len - len);
}

static void wire_fixed(struct wire *wire, void *data, size_t len)
{
    if (wire->out)
        buf_add(wire->out, data, len);
    else
        take_bytes(wire, data, len);
}

/* A number from 0 to most; 0 when what came is another. */
static uint32_t wire_number(struct wire *wire, size_t value, size_t most)
{
    uint32_t number = (uint32_t)value;

    wire_fixed(wire, &number, sizeof number);
    if (!wire->out && number > most) {
        wire->bad = true;
        number = 0;
    }
    return number;
}

static void wire_flag(struct wire *wire, bool *flag)
{
    *flag = wire_number(wire, *flag, 1) == 1;
}

static void wire_time(struct wire *wire, utc_t *time)
{
    wire_fixed(wire, time, sizeof *time);
    if (!wire->out && *time != UTC_NEVER && (*time < first_time || *time > last_time))
        wire->bad = true;
}

static void wire_blob(struct wire *wire, struct blob *blob, size_t most)
{
    size_t len = wire_number(wire, blob->len, most);

    if (wire->out) {
        buf_add(wire->out, blob->data, blob->len);
    } else if (wire->bad || wire->in.len < len) {
        wire->bad = true;
    } else if (len > 0) {
        *blob = blob_copy(span_of(wire->in.data, len));
        wire->in = span_of(wire->in.data + len, wire->in.len - len);
    }
}

/* Room for a list that is about to be read; what was announced must be able to follow. */
static void *make_room(struct wire *wire, size_t *count, size_t size)
{
    if (wire->bad || *count > wire->in.len) {
        wire->bad = true;
        *count = 0;
    }
    return *count > 0 ? mem_alloc(*count, size) : NULL;
}

void wire_blobs(struct wire *wire, struct blobs *blobs, size_t most, size_t most_bytes)
{
    size_t count = wire_number(wire, blobs->count, most);

    if (!wire->out) {
        blobs->items = make_room(wire, &count, sizeof *blobs->items);
        blobs->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        wire_blob(wire, &blobs->items[i], most_bytes);
        wire->bad = wire->bad || blobs->items[i].len == 0;
    }
}

/* A text of the caller's, at most `most` bytes and no NUL among them. */
static void wire_owned_text(struct wire *wire, char **text, size_t most)
{
    struct blob blob = {0};

    if (wire->out) {
        blob = (struct blob){(uint8_t *)*text, strlen(*text)};
        wire_blob(wire, &blob, most);
        return;
    }
    wire_blob(wire, &blob, most);
    *text = mem_alloc(blob.len + 1, 1);
    if (blob.len > 0)
        memcpy(*text, blob.data, blob.len);
    wire->bad = wire->bad || strlen(*text) != blob.len;
    blob_wipe(&blob);
}

/* A text for people: read, it is made harmless once more, whatever its writer promised. */
static void wire_text(struct wire *wire, char *text, size_t size)
{
    AUTO_FREE char *read = wire->out ? mem_strdup(text) : NULL;

    wire_owned_text(wire, &read, size - 1);
    if (!wire->out)
        text_escape(wire->bad ? "" : read, text, size);
}

/* Printable ASCII without blanks, as names_add_found leaves them. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7F)
            return false;
    return true;
}

static void wire_names(struct wire *wire, struct names *names, size_t most)
{
    size_t count = wire_number(wire, names->count, most);

    if (!wire->out) {
        names->items = make_room(wire, &count, sizeof *names->items);
        names->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        struct name *name = &names->items[i];

        name->type = (enum name_type)wire_number(wire, name->type, NAME_URI);
        wire_owned_text(wire, &name->text, NAME_BYTES_MAX);
        wire->bad = wire->bad || !is_plain(name->text);
    }
}

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
        objects->items = make_room(wire, &count, sizeof *objects->items);
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

void wire_error(struct wire *wire, struct error *error)
{
    wire_fixed(wire, &error->code, sizeof error->code);
    wire_text(wire, error->text, sizeof error->text);
    if (error->code != 0 && strcmp(code_name(error->code), code_name(1)) == 0)
        wire->bad = true;
}

static void wire_texts(struct wire *wire, struct wire_texts *texts, size_t most, size_t most_bytes)
{
    size_t count = wire_number(wire, texts->count, most);

    if (!wire->out) {
        texts->items = make_room(wire, &count, sizeof *texts->items);
        texts->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++)
        wire_owned_text(wire, &texts->items[i], most_bytes);
}

void wire_setup(struct wire *wire, struct wire_setup *setup)
{
    setup->duty = (enum wire_duty)wire_number(wire, setup->duty, WIRE_DUTIES - 1);
    wire_flag(wire, &setup->faults);
    wire_flag(wire, &setup->keep_keys);
    wire_texts(wire, &setup->passwords, DELIVERY_PASSWORDS_MAX, PASSWORD_BYTES_MAX);
    size_t count = wire_number(wire, setup->anchor_count, WIRE_ANCHOR_SETS_MAX);
    if (!wire->out) {
        setup->anchors = make_room(wire, &count, sizeof *setup->anchors);
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

bool wire_is_whole(const struct wire *wire)
{
    return !wire->bad && wire->in.len == 0;
}

static void texts_done(struct wire_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->items[i])
            mem_wipe(texts->items[i], strlen(texts->items[i]));
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (struct wire_texts){0};
}

void wire_setup_done(struct wire_setup *setup)
{
    texts_done(&setup->passwords);
    for (size_t i = 0; i < setup->anchor_count; i++) {
        free(setup->anchors[i].name);
        texts_done(&setup->anchors[i].files);
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
