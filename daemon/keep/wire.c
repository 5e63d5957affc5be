#include "daemon/keep/wire.h"

enum {
    PATH_BYTES_MAX = 4096,
    SUBJECT_BYTES_MAX = 4096,
    NAMES_MAX = 1 << 16,
    NAME_BYTES_MAX = CERT_DER_MAX,
    SEALED_MAX = 128 << 10,
    DER_MAX = 1 << 20,
    CHAIN_MAX = 1 << 10,
};

/* A field that is added to one of these must be added to its message below. */
#ifdef __LP64__
_Static_assert(sizeof(struct subject) == KEEP_SUBJECT_FIELDS * sizeof(char *),
               "struct subject has changed: look at struct keep_order");
_Static_assert(sizeof(struct key_request) == 56,
               "struct key_request has changed: look at wire_request");
_Static_assert(sizeof(struct sealed_key) == 48,
               "struct sealed_key has changed: look at wire_sealed");
#endif

void wire_keep_setup(struct wire *wire, struct keep_setup *setup)
{
    wire_owned_text(wire, &setup->path, PATH_BYTES_MAX);
    wire_owned_text(wire, &setup->previous, PATH_BYTES_MAX);
    wire_flag(wire, &setup->create);
    wire_flag(wire, &setup->rotate);
    wire_flag(wire, &setup->faults);
}

void wire_keep_ids(struct wire *wire, struct sealing_ids *ids)
{
    ids->count = wire_number(wire, ids->count, SEALING_KEYS_MAX);
    for (size_t i = 0; i < ids->count; i++)
        wire_fixed(wire, ids->items[i], SEALING_ID_LEN);
    wire->bad = wire->bad || ids->count == 0;
}

static void wire_id(struct wire *wire, int64_t *id)
{
    wire_fixed(wire, id, sizeof *id);
}

static void wire_request(struct wire *wire, struct keep_order *order)
{
    order->type = (enum key_type)wire_number(wire, order->type, KEY_ED25519);
    for (size_t i = 0; i < KEEP_SUBJECT_FIELDS; i++)
        wire_owned_text(wire, &order->subject[i], SUBJECT_BYTES_MAX);
    size_t count = wire_number(wire, order->names.count, NAMES_MAX);
    if (!wire->out) {
        order->names.items = wire_room(wire, &count, sizeof *order->names.items);
        order->names.count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        struct name *name = &order->names.items[i];

        name->type = (enum name_type)wire_number(wire, name->type, NAME_URI);
        wire_owned_text(wire, &name->text, NAME_BYTES_MAX);
    }
}

static void wire_sealed(struct wire *wire, struct sealed_key *key)
{
    wire_blob(wire, &key->sealed, SEALED_MAX);
    wire_fixed(wire, key->spki_sha256, sizeof key->spki_sha256);
}

void wire_keep_order(struct wire *wire, enum keep_kind kind, struct keep_order *order)
{
    wire_id(wire, &order->id);
    switch (kind) {
    case KEEP_MAKE:
        wire_request(wire, order);
        break;
    case KEEP_SEAL:
        wire_blob(wire, &order->key, KEEP_KEY_MAX);
        break;
    case KEEP_RESEAL:
        wire_sealed(wire, &order->sealed);
        wire_id(wire, &order->to_id);
        break;
    case KEEP_CHECK:
        wire_sealed(wire, &order->sealed);
        wire_blob(wire, &order->csr, DER_MAX);
        wire_blob(wire, &order->cert, DER_MAX);
        break;
    case KEEP_BUNDLE:
        wire_sealed(wire, &order->sealed);
        wire_blob(wire, &order->cert, DER_MAX);
        wire_blobs(wire, &order->chain, CHAIN_MAX, DER_MAX);
        break;
    case KEEP_SIGN_OFF:
        wire_blob(wire, &order->message, KEEP_MESSAGE_MAX);
        break;
    case KEEP_SIGNED_OFF:
        wire_blob(wire, &order->message, KEEP_MESSAGE_MAX);
        wire_fixed(wire, order->mac, sizeof order->mac);
        break;
    case KEEP_KINDS:
        wire->bad = true;
        break;
    }
}

void wire_keep_answer(struct wire *wire, enum keep_kind kind, struct keep_answer *answer)
{
    switch (kind) {
    case KEEP_MAKE:
        wire_sealed(wire, &answer->sealed);
        wire_blob(wire, &answer->csr, DER_MAX);
        wire->bad = wire->bad || answer->sealed.sealed.len == 0 || answer->csr.len == 0;
        break;
    case KEEP_SEAL:
    case KEEP_RESEAL:
        wire_sealed(wire, &answer->sealed);
        wire->bad = wire->bad || answer->sealed.sealed.len == 0;
        break;
    case KEEP_CHECK:
        break;
    case KEEP_BUNDLE:
        for (size_t i = 0; i < BUNDLE_PARTS; i++) {
            wire_blob(wire, &answer->bundle.parts[i], BUF_MAX_PEM);
            wire->bad = wire->bad || (i != BUNDLE_CHAIN && answer->bundle.parts[i].len == 0);
        }
        break;
    case KEEP_SIGN_OFF:
        wire_fixed(wire, answer->mac, sizeof answer->mac);
        break;
    case KEEP_SIGNED_OFF:
        wire_flag(wire, &answer->fits);
        break;
    case KEEP_KINDS:
        wire->bad = true;
        break;
    }
}

void keep_setup_done(struct keep_setup *setup)
{
    free(setup->path);
    free(setup->previous);
    *setup = (struct keep_setup){0};
}

void keep_order_done(struct keep_order *order)
{
    for (size_t i = 0; i < KEEP_SUBJECT_FIELDS; i++)
        free(order->subject[i]);
    names_done(&order->names);
    blob_wipe(&order->key);
    sealed_key_done(&order->sealed);
    blob_done(&order->csr);
    blob_done(&order->cert);
    blobs_done(&order->chain);
    blob_done(&order->message);
    *order = (struct keep_order){0};
}

void keep_answer_done(struct keep_answer *answer)
{
    sealed_key_done(&answer->sealed);
    blob_done(&answer->csr);
    bundle_done(&answer->bundle);
    *answer = (struct keep_answer){0};
}
