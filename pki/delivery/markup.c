#include "pki/delivery/text.h"

#include <string.h>
#include <strings.h>

int text_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static struct span behind(struct span in, size_t len)
{
    return span_of(in.data + len, in.len - len);
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads up to max hexadecimal digits; returns how many there are. */
static size_t read_hex(struct span in, size_t max, uint32_t *ret)
{
    size_t len = 0;

    *ret = 0;
    while (len < max && len < in.len && text_hex_digit(in.data[len]) >= 0)
        *ret = *ret << 4 | (uint32_t)text_hex_digit(in.data[len++]);
    return len;
}

static bool has_word(struct span in, const char *word)
{
    size_t len = strlen(word);

    return in.len >= len && strncasecmp((const char *)in.data, word, len) == 0;
}

/* "=" and what follows it: the length of "=3D" or of a soft line break, or 0. */
static size_t quoted_len(struct span in)
{
    size_t at = 1;
    uint32_t c;

    if (in.len == 0 || in.data[0] != '=')
        return 0;
    if (read_hex(behind(in, 1), 2, &c) == 2)
        return 3;
    while (at < in.len && at < 64 && (in.data[at] == ' ' || in.data[at] == '\t'))
        at++;
    if (at < in.len && in.data[at] == '\r')
        at++;
    if (at < in.len && in.data[at] == '\n')
        return at + 1;
    return at > 1 && in.data[at - 1] == '\r' ? at : 0;
}

bool text_is_quoted_printable(struct span text)
{
    for (size_t at = 0; at < text.len; at++) {
        const uint8_t *hit = memchr(text.data + at, '=', text.len - at);

        if (!hit)
            return false;
        at = (size_t)(hit - text.data);
        if (quoted_len(behind(text, at)) > 0)
            return true;
    }
    return false;
}

void text_unquote(struct span text, struct buf *ret)
{
    while (text.len > 0) {
        size_t len = quoted_len(text);
        uint32_t c;

        if (len == 3 && read_hex(behind(text, 1), 2, &c) == 2) {
            uint8_t byte = (uint8_t)c;

            buf_add(ret, &byte, 1);
        } else if (len == 0) {
            const uint8_t *next = memchr(text.data + 1, '=', text.len - 1);

            len = next ? (size_t)(next - text.data) : text.len;
            buf_add(ret, text.data, len);
        }
        text = behind(text, len);
    }
}

/* Between the tag's name and ">" stands no "<", so all tags of a text together are read once. */
static size_t tag_len(struct span in, size_t *ret_name)
{
    enum { NAME_MAX_ = 24, TAG_MAX = 400 };
    size_t at = 1;

    if (at < in.len && (in.data[at] == '/' || in.data[at] == '?' || in.data[at] == '!'))
        at++;
    *ret_name = at;
    while (at < in.len && at < NAME_MAX_ &&
           (is_letter(in.data[at]) || in.data[at] == ':' ||
            (in.data[at] >= '0' && in.data[at] <= '9')))
        at++;
    if (at == *ret_name || at == in.len || !strchr(" \t\r\n/>?", in.data[at]))
        return 0;
    for (; at < in.len && at < TAG_MAX && in.data[at] != '<'; at++) {
        if (in.data[at] == '>')
            return at + 1;
        if (at > 1 && in.data[at] == '-' && in.data[at - 1] == '-')
            return 0; /* rather a marker than a tag */
    }
    return 0;
}

/* A tag becomes nothing, or a line break where a browser makes one. */
static size_t put_tag(struct span in, struct buf *ret)
{
    static const char *const marks[] = {"<!--", "<![CDATA["};
    static const char *const breaks[] = {"br", "p", "div", "tr", "td", "th", "li", "pre", "h"};
    size_t name, len = tag_len(in, &name);

    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (has_word(in, marks[i]))
            return strlen(marks[i]);
    for (size_t i = 0; len > 0 && i < COUNT_OF(breaks); i++) {
        size_t end = name + strlen(breaks[i]);

        if (has_word(behind(in, name), breaks[i]) && (end >= len || !is_letter(in.data[end]))) {
            buf_add(ret, "\n", 1);
            break;
        }
    }
    return len;
}

/* "#43;", "#x2B;": the length, or 0. */
static size_t numeric_entity(struct span in, uint32_t *ret)
{
    size_t at = 1;

    if (in.len < 3 || in.data[0] != '#')
        return 0;
    if (in.data[1] == 'x' || in.data[1] == 'X') {
        at += 1 + read_hex(behind(in, 2), 6, ret);
        if (at == 2)
            return 0;
    } else {
        for (*ret = 0; at < in.len && at < 8 && in.data[at] >= '0' && in.data[at] <= '9'; at++)
            *ret = *ret * 10 + (uint32_t)(in.data[at] - '0');
        if (at == 1)
            return 0;
    }
    return at < in.len && in.data[at] == ';' ? at + 1 : 0;
}

static size_t named_entity(struct span in, uint32_t *ret)
{
    static const struct {
        const char *name;
        uint32_t c;
    } rows[] = {
        {"nbsp;", ' '},     {"lt;", '<'},        {"gt;", '>'},      {"quot;", '"'},
        {"apos;", '\''},    {"plus;", '+'},      {"sol;", '/'},     {"equals;", '='},
        {"NewLine;", '\n'}, {"Tab;", '\t'},      {"lowbar;", '_'},  {"comma;", ','},
        {"hyphen;", '-'},   {"dash;", '-'},      {"minus;", '-'},   {"ndash;", 0x2013},
        {"mdash;", 0x2014}, {"horbar;", 0x2015}, {"shy;", 0xAD},    {"ensp;", ' '},
        {"emsp;", ' '},     {"thinsp;", ' '},    {"zwnj;", 0x200C}, {"zwj;", 0x200D},
        {"bsol;", '\\'},    {"colon;", ':'},
    };

    for (size_t i = 0; in.len > 0 && is_letter(in.data[0]) && i < COUNT_OF(rows); i++)
        if ((rows[i].name[0] | 0x20) == (in.data[0] | 0x20) && has_word(in, rows[i].name)) {
            *ret = rows[i].c;
            return strlen(rows[i].name);
        }
    return 0;
}

/* Also escaped more than once: "&amp;amp;#43;". */
static size_t put_entity(struct span in, struct buf *ret)
{
    size_t at = 1, len;
    uint32_t c = 0;

    while (has_word(behind(in, at), "amp;"))
        at += 4;
    len = numeric_entity(behind(in, at), &c);
    if (len == 0)
        len = named_entity(behind(in, at), &c);
    if (len == 0 && at == 1)
        return 0;
    text_put(ret, len == 0 ? '&' : c);
    return at + len;
}

/* "\n", "\/", "+", "\x2b" in strings, a backslash at the end of a line; also escaped more than
 * once. */
static size_t put_backslash(struct span in, struct buf *ret)
{
    size_t at = 1;
    uint32_t c;

    while (at < in.len && in.data[at] == '\\')
        at++;
    if (at == in.len)
        return at;
    switch (in.data[at]) {
    case 'n':
    case 'r':
    case 't':
        buf_add(ret, "\n", 1);
        return at + 1;
    case 'u':
        if (read_hex(behind(in, at + 1), 4, &c) != 4)
            break;
        text_put(ret, c);
        return at + 5;
    case 'x':
        if (read_hex(behind(in, at + 1), 2, &c) != 2)
            break;
        text_put(ret, c);
        return at + 3;
    case '0':
        if (!has_word(behind(in, at), "012") && !has_word(behind(in, at), "015"))
            break;
        buf_add(ret, "\n", 1);
        return at + 3;
    default:
        break;
    }
    return at; /* the backslashes alone */
}

static size_t put_percent(struct span in, struct buf *ret)
{
    uint32_t c;

    if (read_hex(behind(in, 1), 2, &c) != 2)
        return 0;
    uint8_t byte = (uint8_t)c;
    buf_add(ret, &byte, 1);
    return 3;
}

/* One control of RTF: "\par", "\'97", "\u8212?", "\f0 ". */
static size_t put_rtf(struct span in, struct buf *ret)
{
    size_t at = 1, digits = 0;
    uint32_t c = 0;

    if (in.len < 2)
        return in.len;
    if (in.data[1] == '\'' && read_hex(behind(in, 2), 2, &c) == 2) {
        uint8_t byte = (uint8_t)c;

        buf_add(ret, &byte, 1);
        return 4;
    }
    if (!is_letter(in.data[1])) {
        buf_add_text(ret, in.data[1] == '_' ? "-" : " ");
        return 2;
    }
    while (at < in.len && at < 32 && is_letter(in.data[at]))
        at++;
    struct span word = span_of(in.data + 1, at - 1);
    if (at < in.len && in.data[at] == '-')
        at++;
    for (; at < in.len && digits < 8 && in.data[at] >= '0' && in.data[at] <= '9'; digits++)
        c = c * 10 + (uint32_t)(in.data[at++] - '0');
    if ((has_word(word, "par") && word.len == 3) || has_word(word, "line"))
        buf_add(ret, "\n", 1);
    else if (has_word(word, "endash") || has_word(word, "emdash"))
        buf_add(ret, "--", 2);
    else if (word.len == 1 && has_word(word, "u"))
        text_put(ret, c);
    return at + (at < in.len && (in.data[at] == ' ' || (word.len == 1 && in.data[at] == '?')));
}

/* How much of the front is an escape, with what it stands for appended; 0 for none. */
static size_t put_escape(struct span in, bool rtf, struct buf *ret)
{
    switch (in.data[0]) {
    case '<':
        return put_tag(in, ret);
    case '&':
        return put_entity(in, ret);
    case '\\':
        return rtf ? put_rtf(in, ret) : put_backslash(in, ret);
    case '%':
        return put_percent(in, ret);
    default: /* the braces of RTF */
        return rtf && (in.data[0] == '{' || in.data[0] == '}');
    }
}

static void unmark_once(struct span text, struct buf *ret)
{
    bool rtf = has_word(text, "{\\rtf");

    while (text.len > 0) {
        size_t run = 0, len;

        while (run < text.len && !memchr("<&\\%{}", text.data[run], 6))
            run++;
        buf_add(ret, text.data, run);
        text = behind(text, run);
        if (text.len == 0)
            return;
        len = put_escape(text, rtf, ret);
        if (len == 0)
            buf_add(ret, text.data, len = 1);
        text = behind(text, len);
    }
}

void text_unmark(struct span text, struct buf *ret)
{
    AUTO_SECRET_BUF struct buf once;

    buf_init(&once, ret->max);
    unmark_once(text, &once);
    if (once.len == text.len) {
        buf_add(ret, once.data, once.len);
        return;
    }
    unmark_once(span_of(once.data, once.len), ret);
}
