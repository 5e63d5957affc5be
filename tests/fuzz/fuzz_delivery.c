/* Any bytes: a delivery is read without harm, and what comes out keeps what the header promises. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "pki/cert.h"
#include "pki/delivery/delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    struct error err = {0};

    if (delivery_read(span_of(data, size), NULL, &objects, &err) < 0) {
        assert(err.code == E_TOO_LARGE && objects.count == 0);
        return 0;
    }
    assert(objects.summary[0] != '\0' && objects.count <= DELIVERY_OBJECTS_MAX);
    assert(text_is_header_safe(objects.summary, strlen(objects.summary)));
    for (size_t i = 0; i < objects.count; i++) {
        const struct object *item = &objects.items[i];
        bool kept = item->kind < OBJECT_PRIVATE_KEY;
        AUTO_CERT struct cert cert = {0};

        assert(item->note[0] != '\0' && text_is_header_safe(item->note, strlen(item->note)));
        assert(text_is_utf8(item->note, strlen(item->note)));
        assert(kept == (item->der.len > 0));
        if (item->kind == OBJECT_CERTIFICATE)
            assert(cert_parse(blob_span(&item->der), &cert, NULL) == 0);
    }
    return 0;
}
