#include "pki/delivery/wrapped.h"

#include <string.h>

#include "pki/delivery/base64.h"
#include "pki/delivery/kinds.h"
#include "pki/delivery/text.h"

static const char mark[] = "LS0tLS1CRUdJTi"; /* "-----BEGIN" */
enum {
    MARK_LEN = sizeof mark - 1,
    TOKEN_MIN = 32, /* digits of a first line: more than a word has */
    FRONT = 48,     /* bytes that must be text: DER has others by then */
};

static bool is_digit(struct span text, size_t at)
{
    uint8_t c = text.data[at];

    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || (c == '\\' && at + 1 < text.len && text.data[at + 1] == '/');
}

/* Beside the digits of a line, the quotation of mail among it. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '>';
}

/* Where the digits from at on end, and their padding. */
static size_t token_end(struct span text, size_t at)
{
    while (at < text.len && is_digit(text, at))
        at++;
    while (at < text.len && text.data[at] == '=')
        at++;
    return at;
}

/* The end of the next line when all of it is digits, none were padded before, and no mark begins
 * there; else at. */
static size_t next_line(struct span text, size_t at)
{
    size_t from = at, to;

    while (from < text.len && is_blank(text.data[from]))
        from++;
    if (from == text.len || text.data[from] != '\n' || text.data[at - 1] == '=')
        return at;
    for (from++; from < text.len && is_blank(text.data[from]);)
        from++;
    to = token_end(text, from);
    if (to == from || (to - from >= MARK_LEN && memcmp(text.data + from, mark, MARK_LEN) == 0))
        return at;
    for (from = to; from < text.len && is_blank(text.data[from]);)
        from++;
    return from == text.len || text.data[from] == '\n' ? to : at;
}

/* Only the front must be a text: a word behind the base64 may have been read as more of it. */
static bool put_text(struct span digits, struct buf *ret)
{
    AUTO_SECRET struct blob plain = base64_loose(digits);
    AUTO_SECRET_BUF struct buf text;
    struct span bytes = blob_span(&plain);

    buf_init(&text, TEXT_GROWTH * (plain.len + 1));
    text_to_utf8(bytes, text_charset_of(bytes), &text);
    if (text.len < FRONT || !kinds_is_text(span_of(text.data, FRONT)))
        return false;
    buf_add(ret, text.data, text.len);
    buf_add(ret, "\n", 1);
    return true;
}

bool wrapped_undo(struct span text, struct buf *ret)
{
    bool found = false;

    for (size_t at = 0; at < text.len;) {
        size_t from = at, to = token_end(text, at);

        at = to > from ? to : at + 1;
        if (to - from < TOKEN_MIN)
            continue;
        for (size_t next = next_line(text, to); next > to; next = next_line(text, to))
            to = next;
        at = to;
        found |= put_text(span_of(text.data + from, to - from), ret);
    }
    return found;
}
