#include "pki/delivery/text.h"

#include <string.h>

/* Text of any European language has a zero in most of its pairs, and always on the same side. */
static enum text_charset charset_by_zeros(struct span file)
{
    enum { LOOK_AT = 512 };
    size_t len = (file.len < LOOK_AT ? file.len : LOOK_AT) & ~(size_t)3;
    size_t zeros[4] = {0};
    size_t groups = len / 4;

    for (size_t i = 0; i < len; i++)
        zeros[i % 4] += file.data[i] == 0;
    if (groups == 0)
        return TEXT_BYTES;
    if (zeros[0] == 0 && zeros[2] == groups && zeros[3] == groups)
        return TEXT_UTF32_LE;
    if (zeros[3] == 0 && zeros[0] == groups && zeros[1] == groups)
        return TEXT_UTF32_BE;
    if (zeros[0] + zeros[2] == 0 && zeros[1] + zeros[3] > groups)
        return TEXT_UTF16_LE;
    if (zeros[1] + zeros[3] == 0 && zeros[0] + zeros[2] > groups)
        return TEXT_UTF16_BE;
    return TEXT_BYTES;
}

enum text_charset text_charset_of(struct span file)
{
    if (span_starts(file, "\xEF\xBB\xBF", 3))
        return TEXT_UTF8;
    if (span_starts(file, "\xFF\xFE\0\0", 4))
        return TEXT_UTF32_LE;
    if (span_starts(file, "\0\0\xFE\xFF", 4))
        return TEXT_UTF32_BE;
    if (span_starts(file, "\xFF\xFE", 2))
        return TEXT_UTF16_LE;
    if (span_starts(file, "\xFE\xFF", 2))
        return TEXT_UTF16_BE;
    return charset_by_zeros(file);
}

const char *text_charset_name(enum text_charset charset)
{
    switch (charset) {
    case TEXT_BYTES:
    case TEXT_UTF8:
        return NULL;
    case TEXT_UTF16_LE:
    case TEXT_UTF16_BE:
        return "UTF-16";
    case TEXT_UTF32_LE:
    case TEXT_UTF32_BE:
        return "UTF-32";
    }
    return NULL;
}

void text_put(struct buf *ret, uint32_t c)
{
    char bytes[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
        buf_add(ret, "?", 1);
        return;
    }
    if (len == 1) {
        bytes[0] = (char)c;
    } else {
        static const uint8_t heads[] = {0, 0, 0xC0, 0xE0, 0xF0};

        for (size_t i = len - 1; i > 0; i--, c >>= 6)
            bytes[i] = (char)(0x80 | (c & 0x3F));
        bytes[0] = (char)(heads[len] | c);
    }
    buf_add(ret, bytes, len);
}

/* Pairs of surrogates become "??": nothing that is looked for lies beyond the first plane. */
static void put_wide(struct span file, size_t width, bool big_endian, struct buf *ret)
{
    for (size_t i = 0; i + width <= file.len; i += width) {
        uint32_t c = 0;

        for (size_t k = 0; k < width; k++)
            c = c << 8 | file.data[i + (big_endian ? k : width - 1 - k)];
        if (c != 0xFEFF && c != 0)
            text_put(ret, c);
    }
}

void text_to_utf8(struct span file, enum text_charset charset, struct buf *ret)
{
    switch (charset) {
    case TEXT_BYTES:
        buf_add(ret, file.data, file.len);
        return;
    case TEXT_UTF8:
        buf_add(ret, file.data + 3, file.len - 3);
        return;
    case TEXT_UTF16_LE:
        put_wide(file, 2, false, ret);
        return;
    case TEXT_UTF16_BE:
        put_wide(file, 2, true, ret);
        return;
    case TEXT_UTF32_LE:
        put_wide(file, 4, false, ret);
        return;
    case TEXT_UTF32_BE:
        put_wide(file, 4, true, ret);
        return;
    }
}

/* The UTF-8 character at the beginning (RFC 3629), or its first byte and *ret_valid false. */
static size_t next_char(struct span in, uint32_t *ret, bool *ret_valid)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t head = in.data[0];
    size_t len = head < 0x80 ? 1 : head < 0xC0 ? 0 : head < 0xE0 ? 2 : head < 0xF0 ? 3 : 4;
    uint32_t c = len < 2 ? head : head & (0x7Fu >> len);

    *ret = head;
    *ret_valid = len == 1;
    if (len < 2 || in.len < len)
        return 1;
    for (size_t i = 1; i < len; i++) {
        if ((in.data[i] & 0xC0) != 0x80)
            return 1;
        c = c << 6 | (in.data[i] & 0x3F);
    }
    if (c < least[len] || c > 0x10FFFF)
        return 1;
    *ret = c;
    *ret_valid = true;
    return len;
}

/* Single bytes of Windows-1252 and Mac Roman that are no UTF-8. */
static const char *byte_stands_for(uint8_t c)
{
    switch (c) {
    case 0x96: /* Windows: dashes */
    case 0x97:
    case 0xD0: /* Mac: dashes */
    case 0xD1:
        return "--";
    case 0xA0: /* blanks that do not break */
    case 0xCA:
        return " ";
    case 0xAD: /* a hyphen that is not shown */
        return "";
    case 0x91: /* quotation marks */
    case 0x92:
        return "'";
    case 0x93:
    case 0x94:
        return "\"";
    default:
        return "?";
    }
}

/* Word makes one long dash of two or more; how many there were is not told. */
static const char *char_stands_for(uint32_t c)
{
    if ((c >= 0x2013 && c <= 0x2015) || c == 0x2500 || c == 0x2501 || c == 0x2E3A || c == 0x2E3B)
        return "--";
    if ((c >= 0x2010 && c <= 0x2012) || c == 0x2212 || c == 0x2043 || c == 0x207B || c == 0xFE58 ||
        c == 0xFE63)
        return "-";
    if (c == 0xA0 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000)
        return " ";
    if (c == 0xAD || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
        (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || c == 0x180E || c == 0x61C)
        return "";
    if (c == 0x2028 || c == 0x2029 || c == 0x85)
        return "\n";
    if (c == 0x2018 || c == 0x2019 || c == 0x201A)
        return "'";
    if (c >= 0x201C && c <= 0x201E)
        return "\"";
    return NULL;
}

/* "\x1b[32m", as terminals colour what is copied out of them; its length, or 0. */
static size_t colour_len(struct span in)
{
    enum { LONGEST = 16 };
    size_t len = 2;

    if (in.len < 3 || in.data[0] != 0x1B || in.data[1] != '[')
        return 0;
    while (len < in.len && len < LONGEST && in.data[len] >= 0x30 && in.data[len] < 0x40)
        len++;
    return len < in.len && in.data[len] >= 0x40 && in.data[len] < 0x7F ? len + 1 : 0;
}

/* UTF-8 that was taken for Windows-1252 once and written as UTF-8 again: its length and what it
 * was. */
static size_t twice_encoded(struct span in, const char **ret)
{
    static const struct {
        const char *text, *stands_for;
    } rows[] = {
        {"\xC3\xA2\xE2\x82\xAC\xE2\x80\x9C", "--"}, /* en dash */
        {"\xC3\xA2\xE2\x82\xAC\xE2\x80\x9D", "--"}, /* em dash */
        {"\xC3\x82\xC2\xA0", " "},
        {"\xC3\xAF\xC2\xBB\xC2\xBF", ""}, /* byte order mark */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].text);

        if (span_starts(in, rows[i].text, len)) {
            *ret = rows[i].stands_for;
            return len;
        }
    }
    return 0;
}

static void put_other(struct buf *ret, uint32_t c, bool valid)
{
    const char *text = valid ? char_stands_for(c) : byte_stands_for((uint8_t)c);

    if (text)
        buf_add_text(ret, text);
    else if (c >= 0xFF01 && c <= 0xFF5E) /* the same letters, set wide */
        text_put(ret, c - 0xFF01 + '!');
    else
        buf_add(ret, "?", 1);
}

static bool is_kept(uint8_t c)
{
    return (c >= 0x20 && c < 0x7F) || (c >= '\t' && c <= '\f');
}

/* Appends the ASCII that the front of in stands for; returns how long that front is. */
static size_t clean_one(struct span in, struct buf *ret)
{
    uint8_t first = in.data[0];
    const char *text = NULL;
    uint32_t c;
    bool valid;

    if (first == '\r') {
        buf_add(ret, "\n", 1);
        return in.len > 1 && in.data[1] == '\n' ? 2 : 1;
    }
    if (first < 0x80) {
        size_t len = colour_len(in);

        if (is_kept(first))
            buf_add(ret, in.data, 1);
        return len > 0 ? len : 1;
    }
    size_t len = twice_encoded(in, &text);
    if (len > 0) {
        buf_add_text(ret, text);
        return len;
    }
    len = next_char(in, &c, &valid);
    put_other(ret, c, valid);
    return len;
}

void text_clean(struct span text, struct buf *ret)
{
    size_t at = 0;

    while (at < text.len) {
        size_t run = at;

        while (run < text.len && is_kept(text.data[run]))
            run++;
        buf_add(ret, text.data + at, run - at);
        at = run;
        if (at < text.len)
            at += clean_one(span_of(text.data + at, text.len - at), ret);
    }
}
