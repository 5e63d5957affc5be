/* Any bytes: the steps that undo what was done to a text end, stay within their limit and leave
 * ASCII; the PEM and base64 readers keep what their headers promise on whatever comes out. */
#include <assert.h>

#include "pki/delivery/base64.h"
#include "pki/delivery/hex.h"
#include "pki/delivery/pem.h"
#include "pki/delivery/text.h"
#include "pki/delivery/wrapped.h"
#include "pki/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_blocks(struct span text)
{
    struct pem_reader reader;
    size_t at = 0;

    pem_reader_init(&reader, text);
    for (;;) {
        AUTO_PEM_BLOCK struct pem_block block = {0};

        if (!pem_next(&reader, &block))
            break;
        assert(reader.at > at && block.line > 0);
        assert(block.gap.data + block.gap.len <= text.data + text.len);
        assert(block.der.len == 0 || block.state == PEM_WHOLE);
        at = reader.at;
    }
    assert(pem_rest(&reader).len <= text.len);
}

static void read_bare(struct span text)
{
    struct base64_finder finder;
    size_t at = 0;

    base64_finder_init(&finder, text);
    for (;;) {
        struct base64_find find = {0};
        size_t len = 0;

        if (!base64_next(&finder, &find))
            break;
        assert(find.from >= at && find.to > find.from && find.to <= text.len);
        if (find.der.len > 0)
            der_form_of(blob_span(&find.der), &len);
        assert(len == find.der.len);
        at = find.to;
        blob_wipe(&find.der);
    }
}

static void read_hex(struct span text)
{
    AUTO_BLOB struct blob der = {0};
    size_t len = 0;

    if (hex_find(text, &der))
        der_form_of(blob_span(&der), &len);
    assert(len == der.len);
}

static void read_wrapped(struct span text)
{
    AUTO_BUF struct buf inner;

    buf_init(&inner, TEXT_GROWTH * text.len + 1);
    bool found = wrapped_undo(text, &inner);
    assert(found == (inner.len > 0) && !inner.full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = span_of(data, size);
    AUTO_BUF struct buf utf8, plain, marks, clean;

    buf_init(&utf8, TEXT_GROWTH * size + 1);
    buf_init(&plain, TEXT_GROWTH * size + 1);
    buf_init(&marks, TEXT_GROWTH * size + 1);
    buf_init(&clean, TEXT_GROWTH * size + 1);
    text_to_utf8(file, text_charset_of(file), &utf8);
    text_unquote(span_of(utf8.data, utf8.len), &plain);
    text_unmark(span_of(plain.data, plain.len), &marks);
    text_clean(span_of(marks.data, marks.len), &clean);
    assert(!utf8.full && !plain.full && !marks.full && !clean.full);
    for (size_t i = 0; i < clean.len; i++)
        assert((unsigned char)clean.data[i] < 0x7F && clean.data[i] != '\r');
    read_blocks(span_of(clean.data, clean.len));
    read_bare(span_of(clean.data, clean.len));
    read_blocks(file);
    read_bare(file);
    read_hex(file);
    read_wrapped(file);
    return 0;
}
