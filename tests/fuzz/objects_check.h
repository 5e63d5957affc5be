/* What holds of every list of objects, whatever was read. */
#ifndef UL_TESTS_FUZZ_OBJECTS_CHECK_H
#define UL_TESTS_FUZZ_OBJECTS_CHECK_H

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "pki/delivery/objects.h"
#include "pki/delivery/pbe.h"

static inline void objects_check(const struct object_list *list, int rc, const struct error *err)
{
    assert(rc >= 0 || err->code == E_TOO_LARGE);
    assert(list->count <= DELIVERY_OBJECTS_MAX && list->work <= PBE_WORK_MAX);
    for (size_t i = 0; i < list->count; i++) {
        const struct object *item = &list->items[i];
        bool kept = item->kind == OBJECT_CERTIFICATE || item->kind == OBJECT_CSR ||
                    item->kind == OBJECT_CRL;
        AUTO_CERT struct cert cert = {0};

        assert(item->note[0] != '\0' && text_is_header_safe(item->note, strlen(item->note)));
        assert(text_is_utf8(item->note, strlen(item->note)));
        assert(text_is_header_safe(item->origin, strlen(item->origin)));
        assert(kept == (item->der.len > 0));
        assert(item->key.len == 0 || (item->kind == OBJECT_PRIVATE_KEY && item->has_spki));
        if (item->kind == OBJECT_CERTIFICATE)
            assert(cert_parse(blob_span(&item->der), &cert, NULL) == 0);
    }
}

#endif
