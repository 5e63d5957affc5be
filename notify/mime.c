#include "notify/mime.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

enum {
    FOLD_AT = 76,     /* RFC 2047 2: lines with encoded words; RFC 5322 2.1.1 recommends 78 */
    UNFOLDABLE = 900, /* below the 998 octets of RFC 5322 2.1.1, with room for the name */
    PLAIN_LINE_MAX = 200,
    WORD_OVERHEAD = 12, /* =?UTF-8?B??= */
};

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool folds(const char *value)
{
    for (; *value != '\0'; value += strspn(value, " "), value += strcspn(value, " "))
        if (strcspn(value, " ") > UNFOLDABLE || strspn(value, " ") > UNFOLDABLE)
            return false;
    return true;
}

/* A fold goes before spaces that stay: unfolding gives the value back byte by byte. */
static void add_folded(struct buf *out, const char *name, const char *value)
{
    size_t len = strlen(value);
    size_t column = strlen(name) + 1;

    while (len > 0 && value[len - 1] == ' ')
        len--;
    buf_printf(out, "%s:", name);
    for (size_t at = 0; at < len;) {
        size_t spaces = strspn(value + at, " ");
        size_t piece = spaces + strcspn(value + at + spaces, " ");
        size_t lead = at == 0 ? 1 : 0;

        if (at > 0 && spaces > 0 && column + piece > FOLD_AT) {
            buf_add_text(out, "\r\n");
            column = 0;
        }
        buf_add(out, " ", lead);
        buf_add(out, value + at, piece);
        column += lead + piece;
        at += piece;
    }
    buf_add_text(out, "\r\n");
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add_base64(struct buf *out, const uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len; at += 3) {
        size_t left = len - at;
        unsigned bits = (unsigned)data[at] << 16;

        bits |= left > 1 ? (unsigned)data[at + 1] << 8 : 0;
        bits |= left > 2 ? data[at + 2] : 0;
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                        left > 1 ? alphabet[bits >> 6 & 63] : '=',
                        left > 2 ? alphabet[bits & 63] : '='};
        buf_add(out, four, sizeof four);
    }
}

/* RFC 2047: words of at most 75 characters, each of whole UTF-8 characters, one a line. */
static void add_encoded(struct buf *out, const char *name, const char *value)
{
    size_t column = strlen(name) + 2;
    size_t left = strlen(value);

    buf_printf(out, "%s: ", name);
    while (left > 0) {
        size_t room = (FOLD_AT - column - WORD_OVERHEAD) / 4 * 3;
        size_t piece = left < room ? left : room;

        while (piece < left && ((unsigned char)value[piece] & 0xC0) == 0x80)
            piece--;
        buf_add_text(out, "=?UTF-8?B?");
        add_base64(out, (const uint8_t *)value, piece);
        buf_add_text(out, piece < left ? "?=\r\n " : "?=");
        column = 1;
        value += piece;
        left -= piece;
    }
    buf_add_text(out, "\r\n");
}

static int check_value(const char *name, const char *value, struct error *err)
{
    size_t len = strlen(value);

    if (!text_is_header_safe(value, len))
        return error_set(err, E_INPUT, "header %s: wanted no control characters, got %s", name,
                         value);
    if (!text_is_utf8(value, len))
        return error_set(err, E_INPUT, "header %s: wanted UTF-8, got %s", name, value);
    return 0;
}

int mime_header_text(struct buf *out, const char *name, const char *value, struct error *err)
{
    int rc = check_value(name, value, err);

    if (rc < 0)
        return rc;
    if (is_ascii(value) && folds(value) && !strstr(value, "=?"))
        add_folded(out, name, value);
    else
        add_encoded(out, name, value);
    return 0;
}

int mime_header(struct buf *out, const char *name, const char *value, struct error *err)
{
    int rc = check_value(name, value, err);

    if (rc < 0)
        return rc;
    if (!is_ascii(value) || !folds(value))
        return error_set(err, E_INPUT, "header %s: wanted ASCII that can be folded, got %s", name,
                         value);
    add_folded(out, name, value);
    return 0;
}

int mime_date(utc_t at, char ret[MIME_DATE_MAX], struct error *err)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t time = at;
    struct tm tm;

    if (!gmtime_r(&time, &tm) || tm.tm_year < -900 || tm.tm_year > 9999 - 1900)
        return error_set(err, E_INPUT, "header Date: wanted a year of four digits, got %" PRId64,
                         at);
    snprintf(ret, MIME_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return 0;
}

static bool is_file_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("._-", c);
}

char *mime_file_name(const char *name, char ret[MIME_FILE_NAME_MAX])
{
    size_t len = 0;

    for (; name[len] != '\0' && len < MIME_FILE_NAME_MAX - 1; len++)
        ret[len] = is_file_char(name[len]) && (len > 0 || name[len] != '.') ? name[len] : '_';
    if (len == 0)
        ret[len++] = '_';
    ret[len] = '\0';
    return ret;
}

bool mime_is_plain(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        if (len > PLAIN_LINE_MAX)
            return false;
        for (size_t i = 0; i < len; i++)
            if (text[i] < 0x20 || text[i] == 0x7F)
                return false;
        text += text[len] == '\n' ? len + 1 : len;
    }
    return true;
}

void mime_add_plain(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        buf_add(out, text, len);
        buf_add_text(out, "\r\n");
        text += text[len] == '\n' ? len + 1 : len;
    }
}

void mime_add_quoted_printable(struct buf *out, const char *text)
{
    size_t column = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool blank_at_end = c == ' ' && (text[1] == '\n' || text[1] == '\0');
        bool as_is = c >= 0x20 && c < 0x7F && c != '=' && !blank_at_end;
        size_t width = as_is ? 1 : 3;

        if (c == '\n') {
            buf_add_text(out, "\r\n");
            column = 0;
            continue;
        }
        /* RFC 2045 6.7: 76 with the "=" of a soft break. */
        if (column + width > FOLD_AT - 1) {
            buf_add_text(out, "=\r\n");
            column = 0;
        }
        if (as_is)
            buf_add(out, text, 1);
        else
            buf_printf(out, "=%02X", c);
        column += width;
    }
    if (column > 0)
        buf_add_text(out, "\r\n");
}

void mime_add_base64(struct buf *out, struct span data)
{
    enum { LINE_BYTES = FOLD_AT / 4 * 3 };

    while (data.len > 0) {
        size_t line = data.len < LINE_BYTES ? data.len : LINE_BYTES;

        add_base64(out, data.data, line);
        buf_add_text(out, "\r\n");
        data.data += line;
        data.len -= line;
    }
}
