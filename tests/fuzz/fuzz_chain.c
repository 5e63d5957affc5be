/*
 * Any certificates as leaf, pool and anchors: the search ends, whatever they say of each other, and
 * what it finds is a chain. Input: one byte of choices, then pieces of a role (anchor, added anchor
 * or pool), two bytes of length, and a certificate in DER; the first piece is the leaf.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "pki/anchors.h"

enum { PIECES_MAX = 64, NOW = 1795348800 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
    struct blobs anchors, added, pool;
    struct span leaf;
};

static void read_pieces(struct span data, struct pieces *ret)
{
    size_t count = 0;

    while (data.len >= 3 && count < PIECES_MAX) {
        size_t len = (size_t)data.data[1] << 8 | data.data[2];
        uint8_t role = data.data[0];
        struct span der = {data.data + 3, len < data.len - 3 ? len : data.len - 3};

        if (count++ == 0)
            ret->leaf = der;
        else
            blobs_add(role % 3 == 0   ? &ret->anchors
                      : role % 3 == 1 ? &ret->added
                                      : &ret->pool,
                      der);
        data = span_of(der.data + der.len, data.len - 3 - der.len);
    }
}

/* All of them, whatever the name: the search must bear that too. */
static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *err)
{
    const struct blobs *pool = self;

    (void)subject_sha256;
    (void)err;
    for (size_t i = 0; i < pool->count; i++)
        blobs_add(ret, blob_span(&pool->items[i]));
    return 0;
}

static void check(const struct chain *chain, const struct pieces *pieces)
{
    assert(chain->anchor[0] != '\0' && text_is_header_safe(chain->anchor, strlen(chain->anchor)));
    for (size_t i = 0; i < chain->certs.count; i++) {
        AUTO_CERT struct cert cert = {0};
        struct span der = blob_span(&chain->certs.items[i]);
        struct error err = {0};

        assert(!span_equal(der, pieces->leaf));
        if (cert_parse(der, &cert, &err) == 0)
            assert(!cert.self_signed);
        for (size_t j = 0; j < i; j++)
            assert(!span_equal(der, blob_span(&chain->certs.items[j])));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces pieces = {0};
    AUTO_CHAIN struct chain chain = {0};
    struct error err = {0};

    if (size == 0)
        return 0;
    read_pieces(span_of(data + 1, size - 1), &pieces);
    struct anchors *anchors = anchors_parse(&pieces.anchors);
    const struct chain_pool pool = {&pieces.pool, find};
    const struct chain_request request = {
        .leaf = pieces.leaf,
        .pool = data[0] & 4 ? NULL : &pool,
        .anchors = anchors,
        .added_anchors = &pieces.added,
        .at = NOW,
        .purpose = (enum chain_purpose)(data[0] & 3),
        .preferred_root = data[0] & 8 ? "Root" : NULL,
    };
    int rc = chain_build(&request, &chain, &err);
    if (rc == 0)
        check(&chain, &pieces);
    else
        assert(err.code == rc && err.text[0] != '\0');
    anchors_free(anchors);
    blobs_done(&pieces.anchors);
    blobs_done(&pieces.added);
    blobs_done(&pieces.pool);
    return 0;
}
