#include "pki/delivery/wrapped.h"

#include <string.h>

#include "pki/delivery/base64.h"

static const char mark[] = "LS0tLS1CRUdJTi"; /* "-----BEGIN" */
enum { MARK_LEN = sizeof mark - 1 };

static bool is_digit(struct span text, size_t at)
{
    uint8_t c = text.data[at];

    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=' || (c == '\\' && at + 1 < text.len && text.data[at + 1] == '/');
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Where the digits from at on end. */
static size_t digits_end(struct span text, size_t at)
{
    while (at < text.len && is_digit(text, at))
        at++;
    return at;
}

/* The next line when all of it is digits and no mark begins there; else at. */
static size_t next_line(struct span text, size_t at)
{
    size_t from = at, to;

    while (from < text.len && is_blank(text.data[from]))
        from++;
    if (from == text.len || text.data[from] != '\n')
        return at;
    for (from++; from < text.len && is_blank(text.data[from]);)
        from++;
    to = digits_end(text, from);
    if (to == from || (to - from >= MARK_LEN && memcmp(text.data + from, mark, MARK_LEN) == 0))
        return at;
    for (from = to; from < text.len && is_blank(text.data[from]);)
        from++;
    return from == text.len || text.data[from] == '\n' ? to : at;
}

bool wrapped_undo(struct span text, struct buf *ret)
{
    bool found = false;

    for (size_t at = 0; at < text.len;) {
        const uint8_t *hit = memmem(text.data + at, text.len - at, mark, MARK_LEN);

        if (!hit)
            break;
        size_t from = (size_t)(hit - text.data), to = digits_end(text, from);

        for (size_t next = next_line(text, to); next > to; next = next_line(text, to))
            to = next;
        at = to;
        if (from > 0 && is_digit(text, from - 1) && text.data[from - 1] != '=')
            continue;
        AUTO_SECRET struct blob plain = base64_loose(span_of(text.data + from, to - from));
        buf_add(ret, plain.data, plain.len);
        buf_add(ret, "\n", 1);
        found = true;
    }
    return found;
}
