#include "pki/delivery/field.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "pki/delivery/base64.h"
#include "pki/delivery/text.h"

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* Copies a token or a quoted string; returns what stands behind it. */
static const char *take_value(const char *at, struct buf *ret)
{
    if (*at != '"') {
        size_t len = strcspn(at, "; \t");

        buf_add(ret, at, len);
        return at + len;
    }
    for (at++; *at != '\0' && *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        buf_add(ret, at, 1);
    }
    return *at == '"' ? at + 1 : at;
}

/* "%e2%82%ac"; the first piece has its character set and language in front. */
static void add_percent(struct buf *ret, const char *text, bool first)
{
    const char *quote = first ? strchr(text, '\'') : NULL;

    quote = quote ? strchr(quote + 1, '\'') : NULL;
    for (text = quote ? quote + 1 : text; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;

        if (byte == '%' && text_hex_digit((uint8_t)text[1]) >= 0 &&
            text_hex_digit((uint8_t)text[2]) >= 0) {
            byte =
                (uint8_t)(text_hex_digit((uint8_t)text[1]) << 4 | text_hex_digit((uint8_t)text[2]));
            text += 2;
        }
        buf_add(ret, &byte, 1);
    }
}

static void copy_out(const struct buf *from, char *ret, size_t size)
{
    size_t len = 0;

    for (const char *at = buf_text(from); *at != '\0' && len + 1 < size;)
        ret[len++] = *at++;
    ret[len] = '\0';
}

/* "filename*0*": whether it is one of the pieces of name, and whether its value has "%". */
static bool is_piece_of(const char *attribute, size_t len, const char *name, bool *ret_percent)
{
    size_t base = 0;

    while (base < len && attribute[base] != '*')
        base++;
    *ret_percent = base < len && attribute[len - 1] == '*';
    return base == strlen(name) && strncasecmp(attribute, name, base) == 0;
}

bool field_parameter(const char *value, const char *name, char *ret, size_t size)
{
    enum { LONGEST = 1024 };
    AUTO_BUF struct buf whole;
    bool found = false;

    buf_init(&whole, LONGEST);
    for (const char *at = strchr(value, ';'); at; at = strchr(at, ';')) {
        AUTO_BUF struct buf piece = {0};
        const char *attribute = skip_blanks(at + 1);
        size_t len = strcspn(attribute, "=; \t");
        bool percent = false;
        bool mine = len > 0 && is_piece_of(attribute, len, name, &percent);

        at = skip_blanks(attribute + len);
        if (*at != '=')
            continue;
        buf_init(&piece, LONGEST);
        at = take_value(skip_blanks(at + 1), &piece);
        if (mine && percent)
            add_percent(&whole, buf_text(&piece), !found);
        else if (mine)
            buf_add(&whole, buf_text(&piece), piece.len);
        found = found || mine;
    }
    copy_out(&whole, ret, size);
    return found;
}

/* "=?utf-8?B?...?=" (RFC 2047 2): its length, or 0. */
static size_t add_encoded_word(const char *text, struct buf *ret)
{
    const char *coding = strchr(text + 2, '?');
    const char *data = coding && coding[1] != '\0' && coding[2] == '?' ? coding + 3 : NULL;
    const char *end = data ? strstr(data, "?=") : NULL;

    if (!end)
        return 0;
    if (coding[1] == 'B' || coding[1] == 'b') {
        AUTO_BLOB struct blob bytes = base64_loose(span_of(data, (size_t)(end - data)));

        buf_add(ret, bytes.data, bytes.len);
    } else {
        AUTO_BUF struct buf spaced;

        buf_init(&spaced, (size_t)(end - data));
        for (const char *at = data; at < end; at++)
            buf_add(&spaced, *at == '_' ? " " : at, 1);
        text_unquote(span_of(spaced.data, spaced.len), ret);
    }
    return (size_t)(end - text) + 2;
}

bool field_file_name(const char *value, const char *name, char *ret, size_t size)
{
    enum { LONGEST = 1024 };
    char raw[LONGEST];
    AUTO_BUF struct buf out;
    bool found = field_parameter(value, name, raw, sizeof raw);

    buf_init(&out, LONGEST);
    for (const char *at = raw; *at != '\0';) {
        size_t len = strncmp(at, "=?", 2) == 0 ? add_encoded_word(at, &out) : 0;

        if (len == 0)
            buf_add(&out, at, len = 1);
        at += len;
        if (at[-1] == '=' && len > 1 && strncmp(skip_blanks(at), "=?", 2) == 0)
            at = skip_blanks(at); /* between two encoded words (RFC 2047 6.2) */
    }
    copy_out(&out, ret, size);
    return found;
}
