#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 character at text (RFC 3629), its value in ret; 0 when the bytes are not
 * one. */
static size_t decode(const unsigned char *text, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need;
    uint32_t value;

    if (text[0] < 0x80) {
        *ret = text[0];
        return 1;
    }
    if (text[0] >= 0xC2 && text[0] < 0xE0) {
        need = 2;
        value = text[0] & 0x1Fu;
    } else if (text[0] >= 0xE0 && text[0] < 0xF0) {
        need = 3;
        value = text[0] & 0x0Fu;
    } else if (text[0] >= 0xF0 && text[0] < 0xF5) {
        need = 4;
        value = text[0] & 0x07u;
    } else {
        return 0;
    }
    if (len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xC0u) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3Fu);
    }
    if (value < least[need] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 0;
    *ret = value;
    return need;
}

static bool is_printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7F && c < 0xA0))
        return false;
    if ((c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
        (c >= 0x2060 && c <= 0x206F) || (c >= 0xFFF9 && c <= 0xFFFB) ||
        (c >= 0xE0000 && c <= 0xE007F))
        return false;
    return c != 0x061C && c != 0x180E && c != 0xFEFF && (c & 0xFFFE) != 0xFFFE && c != 0x00AD;
}

char *text_escape(const char *text, char *ret, size_t size)
{
    const unsigned char *in = (const unsigned char *)text;
    size_t left = strlen(text);
    size_t used = 0;
    size_t cut = 0; /* the last boundary that leaves room for "..." */

    while (left > 0) {
        char piece[16];
        uint32_t value = 0;
        size_t len = decode(in, left, &value);

        if (len == 0) {
            snprintf(piece, sizeof piece, "\\x%02x", in[0]);
            len = 1;
        } else if (is_printable(value)) {
            memcpy(piece, in, len);
            piece[len] = '\0';
        } else {
            snprintf(piece, sizeof piece, value < 0x80 ? "\\x%02x" : "\\u{%04x}", value);
        }
        size_t add = strlen(piece);
        if (used + 4 <= size)
            cut = used;
        if (used + add + 1 > size) {
            used = cut;
            if (used + 4 <= size) {
                memcpy(ret + used, "...", 3);
                used += 3;
            }
            break;
        }
        memcpy(ret + used, piece, add);
        used += add;
        in += len;
        left -= len;
    }
    if (size > 0)
        ret[used] = '\0';
    return ret;
}

bool text_is_utf8(const char *text, size_t len)
{
    const unsigned char *in = (const unsigned char *)text;

    while (len > 0) {
        uint32_t value;
        size_t step = decode(in, len, &value);

        if (step == 0 || value == 0)
            return false;
        in += step;
        len -= step;
    }
    return true;
}

bool text_is_header_safe(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] == 0x7F)
            return false;
    return true;
}

char *text_hex(const uint8_t *data, size_t len, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[data[i] >> 4];
        ret[2 * i + 1] = digits[data[i] & 15];
    }
    ret[2 * len] = '\0';
    return ret;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_unhex(const char *text, uint8_t *ret, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < 2 * len; i++)
        if (digit_value(text[i]) < 0)
            return false;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)(digit_value(text[2 * i]) << 4 | digit_value(text[2 * i + 1]));
    return true;
}

bool text_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;

    if (!((text[0] >= '0' && text[0] <= '9') ||
          (text[0] == '-' && text[1] >= '0' && text[1] <= '9')))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return false;
    *ret = value;
    return true;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), tail = strlen(suffix);

    return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

bool text_is_absolute(const char *path)
{
    return path[0] == '/';
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Runs of alphanumerics and `others` joined by single dots; `inner` stands only within a run. */
static bool is_dotted(const char *text, size_t len, const char *others, char inner)
{
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i + 1 == len || text[i - 1] == '.' || text[i + 1] == '.';
        bool fine = is_alnum(text[i]) || (text[i] && strchr(others, text[i]));

        if (text[i] == '.' || text[i] == inner)
            fine = !edge;
        if (!fine)
            return false;
    }
    return len > 0;
}

bool text_is_mail_address(const char *text)
{
    const char *at = strchr(text, '@');

    /* RFC 5321 4.5.3.1: 64 for the local part; a path of 256 with its brackets. */
    if (!at || at - text > 64 || strlen(text) > 254)
        return false;
    return is_dotted(text, (size_t)(at - text), "!#$%&'*+-/=?^_`{|}~", '.') &&
           is_dotted(at + 1, strlen(at + 1), "", '-');
}

/* Digits at *text with at most nine of them, moved past; false when there is none. */
static bool take_digits(const char **text, double *ret, double *ret_scale)
{
    const char *at = *text;

    *ret = 0;
    *ret_scale = 1;
    while (*at >= '0' && *at <= '9' && at - *text < 9) {
        *ret = *ret * 10 + (*at++ - '0');
        *ret_scale *= 10;
    }
    bool some = at > *text;
    *text = at;
    return some;
}

bool text_fraction(const char *text, double *ret)
{
    double whole, part = 0, scale = 1, unused;

    if (!take_digits(&text, &whole, &unused))
        return false;
    if (*text == '/') {
        text++;
        if (!take_digits(&text, &part, &unused) || *text != '\0' || part < 1)
            return false;
        *ret = whole / part;
        return true;
    }
    if (*text == '.') {
        text++;
        if (!take_digits(&text, &part, &scale))
            return false;
    }
    if (strcmp(text, "%") != 0)
        return false;
    *ret = (whole + part / scale) / 100;
    return true;
}

enum { NEAREST_WORD_MAX = 63 };

/* Slips between two words: a letter more, less, other, or two neighbours swapped (optimal string
 * alignment). */
static size_t slips(const char *a, const char *b)
{
    size_t rows[3][NEAREST_WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > NEAREST_WORD_MAX || lb > NEAREST_WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *now = rows[i % 3], *last = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[la % 3][lb];
}

const char *text_nearest(const char *text, const char *const words[], size_t count)
{
    size_t len = strlen(text);
    size_t best = len < 3 ? 1 : len < 5 ? 2 : 3; /* fewer slips than this */
    const char *found = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t now = slips(text, words[i]);

        if (now < best) {
            best = now;
            found = words[i];
        }
    }
    return found;
}
