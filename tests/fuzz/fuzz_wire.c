/* Any bytes as a message of a reader, or of its agent: what is taken keeps its bounds, and is
 * written again as the same bytes. The first byte chooses the message. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "daemon/read/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union message {
    struct delivery_objects objects;
    struct cert cert;
    struct chain chain;
    struct error error;
    struct blobs blobs;
    struct wire_setup setup;
    struct wire_chain_order order;
};

enum { OBJECTS, OBJECTS_WITH_KEYS, CERT, CHAIN, ERROR, BLOBS, SETUP, ORDER, MESSAGES };

static void carry(struct wire *wire, int number, union message *message)
{
    if (number == OBJECTS || number == OBJECTS_WITH_KEYS)
        wire_objects(wire, &message->objects, number == OBJECTS_WITH_KEYS);
    else if (number == CERT)
        wire_cert(wire, &message->cert);
    else if (number == CHAIN)
        wire_chain(wire, &message->chain);
    else if (number == ERROR)
        wire_error(wire, &message->error);
    else if (number == BLOBS)
        wire_blobs(wire, &message->blobs, WIRE_FOUND_MAX, CERT_DER_MAX);
    else if (number == SETUP)
        wire_setup(wire, &message->setup);
    else
        wire_chain_order(wire, &message->order);
}

static void drop(int number, union message *message)
{
    if (number == OBJECTS || number == OBJECTS_WITH_KEYS)
        delivery_objects_done(&message->objects);
    else if (number == CERT)
        cert_done(&message->cert);
    else if (number == CHAIN)
        chain_done(&message->chain);
    else if (number == BLOBS)
        blobs_done(&message->blobs);
    else if (number == SETUP)
        wire_setup_done(&message->setup);
    else if (number == ORDER)
        wire_chain_order_done(&message->order);
}

static void check_objects(const struct delivery_objects *objects, bool keep_keys)
{
    assert(objects->count <= DELIVERY_OBJECTS_MAX);
    assert(text_is_header_safe(objects->summary, strlen(objects->summary)));
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *item = &objects->items[i];
        bool has_der = item->kind < OBJECT_PRIVATE_KEY;
        char again[DELIVERY_NOTE_MAX];

        assert(has_der == (item->der.len > 0));
        assert(item->key.len == 0 || (keep_keys && item->kind == OBJECT_PRIVATE_KEY));
        assert(strcmp(text_escape(item->note, again, sizeof again), item->note) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union message read = {0}, second = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX}, again = {.max = WIRE_MAX};

    if (size == 0)
        return 0;
    int number = data[0] % MESSAGES;
    struct wire wire = {.in = span_of(data + 1, size - 1)};
    carry(&wire, number, &read);
    if (wire_is_whole(&wire)) {
        if (number <= OBJECTS_WITH_KEYS)
            check_objects(&read.objects, number == OBJECTS_WITH_KEYS);
        carry(&(struct wire){.out = &body}, number, &read);
        wire = (struct wire){.in = span_of(body.data, body.len)};
        carry(&wire, number, &second);
        assert(wire_is_whole(&wire));
        carry(&(struct wire){.out = &again}, number, &second);
        assert(span_equal(span_of(body.data, body.len), span_of(again.data, again.len)));
        drop(number, &second);
    }
    drop(number, &read);
    return 0;
}
