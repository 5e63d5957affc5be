#include "pki/delivery/pem.h"

#include <string.h>

#include "base/text.h"

enum { DASHES = 5 };

/* "-----BEGIN LABEL-----" or "-----END LABEL-----" */
struct marker {
    bool is_end;
    size_t from; /* first dash */
    size_t to;   /* behind the last one */
    char label[PEM_LABEL_MAX];
};

void pem_reader_init(struct pem_reader *reader, struct span text)
{
    *reader = (struct pem_reader){.text = text, .line = 1};
}

void pem_block_done(struct pem_block *block)
{
    blob_wipe(&block->der);
}

bool pem_label_is_key(const char *label)
{
    return text_ends(label, "PRIVATE KEY");
}

static bool has_at(struct span text, size_t at, const char *word)
{
    size_t len = strlen(word);

    return at <= text.len && text.len - at >= len && memcmp(text.data + at, word, len) == 0;
}

static bool is_label_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '#';
}

/* The marker whose dashes begin at from; false when there is none. */
static bool read_marker(struct span text, size_t from, struct marker *ret)
{
    size_t at = from + DASHES, len = 0;
    bool is_end = has_at(text, at, "END ");

    if (!is_end && !has_at(text, at, "BEGIN "))
        return false;
    at += is_end ? 4 : 6;
    while (len < PEM_LABEL_MAX - 1 && at + len < text.len && is_label_char(text.data[at + len]))
        len++;
    if (len == 0 || !has_at(text, at + len, "-----"))
        return false;
    *ret = (struct marker){.is_end = is_end, .from = from, .to = at + len + DASHES};
    while (len > 0 && text.data[at + len - 1] == ' ')
        len--;
    memcpy(ret->label, text.data + at, len);
    return true;
}

static bool find_marker(struct span text, size_t at, struct marker *ret)
{
    while (at < text.len) {
        const uint8_t *dashes = memmem(text.data + at, text.len - at, "-----", DASHES);

        if (!dashes)
            return false;
        at = (size_t)(dashes - text.data);
        if (read_marker(text, at, ret))
            return true;
        at++;
    }
    return false;
}

static int digit_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Blanks anywhere, and the ">" of quoted mail in front of a line. */
static bool is_filler(uint8_t c, bool *line_start)
{
    if (c == '\n' || c == '\r') {
        *line_start = true;
        return true;
    }
    if (c == ' ' || c == '\t' || c == '\f' || c == '\v')
        return true;
    if (c == '>' && *line_start)
        return true;
    *line_start = false;
    return false;
}

/*
 * RFC 4648 section 4 with nothing left over: full groups of four, padding only at the very end, no
 * stray bits under it.
 */
static bool decode(struct span body, struct blob *ret)
{
    AUTO_SECRET struct blob out = {mem_alloc(body.len / 4 * 3 + 3, 1), 0};
    size_t digits = 0, pads = 0;
    bool line_start = true;
    uint32_t group = 0;

    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.data[i];

        if (is_filler(c, &line_start))
            continue;
        int value = digit_value(c);
        if (c == '=')
            pads++;
        else if (value < 0 || pads > 0)
            return false;
        group = group << 6 | (c == '=' ? 0 : (uint32_t)value);
        if (++digits % 4 != 0)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out.data[out.len++] = (uint8_t)(group >> shift);
        group = 0;
    }
    if (digits == 0 || digits % 4 != 0 || pads > 2)
        return false;
    for (; pads > 0; pads--)
        if (out.data[--out.len] != 0)
            return false;
    *ret = blob_take(&out);
    return true;
}

static size_t line_of(struct pem_reader *reader, size_t at)
{
    for (; reader->line_at < at; reader->line_at++)
        if (reader->text.data[reader->line_at] == '\n')
            reader->line++;
    return reader->line;
}

static void copy_label(struct pem_block *block, const struct marker *marker)
{
    memcpy(block->label, marker->label, sizeof block->label);
}

bool pem_next(struct pem_reader *reader, struct pem_block *ret)
{
    struct pem_block block = {.state = PEM_WHOLE};
    struct marker begin, end;

    if (!find_marker(reader->text, reader->at, &begin)) {
        reader->at = reader->text.len;
        return false;
    }
    copy_label(&block, &begin);
    block.line = line_of(reader, begin.from);
    reader->at = begin.to;
    if (begin.is_end) {
        block.state = PEM_NO_BEGIN;
    } else if (!find_marker(reader->text, begin.to, &end)) {
        block.state = PEM_NO_END;
        reader->at = reader->text.len;
    } else if (!end.is_end) {
        block.state = PEM_NO_END;
        reader->at = end.from;
    } else {
        reader->at = end.to;
        if (strcmp(begin.label, end.label) != 0)
            block.state = PEM_OTHER_END;
        else if (!pem_label_is_key(block.label) &&
                 !decode(span_of(reader->text.data + begin.to, end.from - begin.to), &block.der))
            block.state = PEM_BAD_BASE64;
    }
    *ret = block;
    return true;
}
