#include "pki/delivery/base64.h"

#include <string.h>

#include "base/buf.h"
#include "pki/der.h"

enum way { WAY_PLAIN, WAY_URL, WAY_NUMBERED, WAY_PATCH, WAY_COUNT };

enum { NO_DIGIT = -1, PAD = -2 };

/* Lines are not longer than LINE_LONG, but for those that nobody broke before LINE_WHOLE. */
enum { TOKEN_MIN = 16, LINE_LONG = 100, LINE_WHOLE = 500, PERIOD_MAX = 4 };

static int digit_value(uint8_t c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || (url && c == '-'))
        return 62;
    if (c == '/' || (url && c == '_'))
        return 63;
    return c == '=' ? PAD : NO_DIGIT;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static bool is_quote(uint8_t c)
{
    return c == '"' || c == '\'' || c == '`';
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* What programs write between the strings of two lines; no quotation marks among it. */
static bool is_glue(uint8_t c)
{
    return is_blank(c) || (c != '\0' && strchr("+,;.&_\\()[]{}", c));
}

/* "vbCrLf" and its like, of which only the letters at the front are looked at. */
static bool is_line_constant(struct span in, size_t at)
{
    size_t from = at;

    while (from > 0 && at - from < 8 && digit_value(in.data[from - 1], false) >= 0)
        from--;
    return in.len - from > 2 && memcmp(in.data + from, "vb", 2) == 0 &&
           digit_value(in.data[at], false) >= 0;
}

/* Where the line ends when nothing but the rest of a string follows its quotation mark, else at. */
static size_t skip_glue(struct span in, size_t at)
{
    size_t end = at;

    while (end < in.len && (is_glue(in.data[end]) || is_line_constant(in, end)))
        end++;
    return end == in.len || is_line_end(in.data[end]) ? end : at;
}

/* "+ " or ". " in front of a string that goes on: its length, or 0. */
static size_t joiner_len(struct span in, size_t at)
{
    size_t end = at + 1;

    if (in.data[at] != '+' && in.data[at] != '.' && in.data[at] != '&')
        return 0;
    while (end < in.len && is_blank(in.data[end]))
        end++;
    return end < in.len && is_quote(in.data[end]) ? end - at : 0;
}

/* The quotation of mail, the comment of a program, in front of a line. */
static size_t skip_prefix(struct span in, size_t at)
{
    for (; at < in.len; at++) {
        uint8_t c = in.data[at];
        size_t glue = is_quote(c) ? skip_glue(in, at + 1) : at;

        if (glue > at + 1 || (is_quote(c) && glue == in.len))
            return glue;
        if (c == '/' && in.len - at > 2 && in.data[at + 1] == '/' && is_blank(in.data[at + 2]))
            at++;
        else if (joiner_len(in, at) > 0)
            at += joiner_len(in, at) - 1;
        else if (!is_blank(c) && !is_quote(c) && (c == '\0' || !strchr(">|#*;:!,", c)))
            break;
    }
    return at;
}

/* "  12: " or "12\t" of a numbered line. */
static size_t skip_number(struct span in, size_t at)
{
    size_t from, to;

    for (from = at; from < in.len && is_blank(in.data[from]);)
        from++;
    for (to = from; to < in.len && to - from < 8 && in.data[to] >= '0' && in.data[to] <= '9';)
        to++;
    if (to == from || to == in.len || !(is_blank(in.data[to]) || strchr(":|).", in.data[to])))
        return at;
    return to + 1;
}

static size_t skip_line_start(struct span in, size_t at, enum way way)
{
    if (way == WAY_NUMBERED)
        at = skip_number(in, at);
    if (way == WAY_PATCH && at < in.len && in.data[at] == '+')
        at++;
    return skip_prefix(in, at);
}

/*
 * How long the tokens of one piece are: all the same, or the same few again and again where long
 * lines were broken, and only the last one shorter. Without markers, a word that follows what was
 * cut off does not pass for the rest of it.
 */
struct pattern {
    size_t lens[PERIOD_MAX];
    size_t count, period;
    size_t last;
};

static bool pattern_fits(struct pattern *pattern, size_t len)
{
    size_t before = pattern->count - 1;

    if (pattern->count > 1 && pattern->period == 0 && pattern->last != pattern->lens[0]) {
        if (before >= PERIOD_MAX)
            return false;
        pattern->period = pattern->count;
    }
    if (pattern->period > 0 && pattern->last != pattern->lens[before % pattern->period])
        return false;
    if (pattern->count < PERIOD_MAX)
        pattern->lens[pattern->count] = len;
    pattern->count++;
    pattern->last = len;
    return len <= pattern->lens[0];
}

/* The digits and padding alone; false when anything else is there that is no filler. */
static bool pick(struct span body, enum way way, struct pattern *pattern, struct buf *ret)
{
    size_t at = skip_line_start(body, 0, way);

    while (at < body.len) {
        uint8_t c = body.data[at++];

        if (digit_value(c, way == WAY_URL) != NO_DIGIT) {
            size_t run = at;

            while (run < body.len && digit_value(body.data[run], way == WAY_URL) != NO_DIGIT)
                run++;
            if (pattern && !pattern_fits(pattern, run - at + 1))
                return false;
            buf_add(ret, body.data + at - 1, run - at + 1);
            at = run;
        } else if (is_line_end(c)) {
            at = skip_line_start(body, at, way);
        } else if (is_quote(c)) {
            at = skip_glue(body, at);
        } else if (!is_blank(c) && c != ',' && c != ';') {
            return false;
        }
    }
    return ret->len > 0 && !ret->full;
}

/* The bytes of all digits, also an incomplete last group's; the padding is left out. */
static struct blob join(struct span digits, bool url)
{
    struct blob out = {mem_alloc(digits.len / 4 * 3 + 3, 1), 0};
    uint32_t bits = 0;
    unsigned int have = 0;

    for (size_t i = 0; i < digits.len; i++) {
        int value = digit_value(digits.data[i], url);

        if (value == PAD)
            have = 0; /* the bits in front of it carry nothing */
        if (value < 0)
            continue;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out.data[out.len++] = (uint8_t)(bits >> have);
        }
    }
    return out;
}

/* Full groups, padding at the very end only, no bits under it. */
static bool is_strict(struct span digits)
{
    size_t len = digits.len;

    if (len == 0 || len % 4 != 0)
        return false;
    while (len > 0 && digits.data[len - 1] == '=')
        len--;
    size_t pads = digits.len - len;
    if (pads > 2 || memchr(digits.data, '=', len))
        return false;
    return pads == 0 || (digit_value(digits.data[len - 1], false) & (pads == 2 ? 15 : 3)) == 0;
}

struct span base64_take_head(struct span *body)
{
    struct span in = *body;
    size_t at = 0;

    for (;;) {
        size_t name = skip_prefix(in, at), end;

        while (name < in.len && is_line_end(in.data[name]))
            name = skip_prefix(in, name + 1);
        for (end = name; end < in.len && end - name < 64; end++)
            if (digit_value(in.data[end], false) < 0 && in.data[end] != '-')
                break;
        if (end == name || end == in.len || in.data[end] != ':' || in.data[name] <= '9')
            break;
        while (end < in.len && !is_line_end(in.data[end]))
            end++;
        at = end;
    }
    *body = span_of(in.data + at, in.len - at);
    return span_of(in.data, at);
}

bool base64_strict(struct span body, struct blob *ret)
{
    AUTO_SECRET_BUF struct buf digits;

    buf_init(&digits, body.len);
    if (!pick(body, WAY_PLAIN, NULL, &digits) || !is_strict(span_of(digits.data, digits.len)))
        return false;
    *ret = join(span_of(digits.data, digits.len), false);
    return true;
}

static bool is_whole(struct span der)
{
    size_t len;
    enum der_form form = der_form_of(der, &len);

    return form != DER_UNKNOWN && form != DER_TRUNCATED && len == der.len;
}

bool base64_is_der(const struct blob *der)
{
    return is_whole(blob_span(der));
}

bool base64_whole(struct span body, bool alone, struct blob *ret)
{
    for (enum way way = 0; way < WAY_COUNT; way++) {
        AUTO_SECRET_BUF struct buf digits;
        AUTO_SECRET struct blob der = {0};
        struct pattern pattern = {0};

        buf_init(&digits, body.len);
        if (!pick(body, way, alone ? &pattern : NULL, &digits) ||
            (pattern.count > 1 && pattern.lens[0] > LINE_LONG))
            continue;
        der = join(span_of(digits.data, digits.len), way == WAY_URL);
        if (is_whole(blob_span(&der))) {
            *ret = blob_take(&der);
            return true;
        }
    }
    return false;
}

struct blob base64_loose(struct span body)
{
    return join(body, false);
}

/* ---- without markers ---- */

enum { DER_MIN = 64 };
#define NO_TOKEN SIZE_MAX

void base64_finder_init(struct base64_finder *finder, struct span text)
{
    *finder = (struct base64_finder){.text = text, .budget = 16 * text.len};
}

static size_t token_end(struct span text, size_t at, bool url)
{
    while (at < text.len && digit_value(text.data[at], url) >= 0)
        at++;
    return at;
}

/* "M" and what follows it may be the front of a SEQUENCE: its whole length, or 0. */
static size_t announced(struct span text, size_t at)
{
    AUTO_SECRET struct blob head = {0};
    struct span front = span_of(text.data, at + TOKEN_MIN);

    if (text.len < front.len || front.data[at + 1] != 'I' || token_end(front, at, true) < front.len)
        return 0;
    head = join(span_of(text.data + at, 8), true);
    if (head.len != 6 || head.data[0] != 0x30 || head.data[1] < 0x81 || head.data[1] > 0x83)
        return 0;
    size_t count = head.data[1] & 0x7F, len = 0;
    for (size_t i = 0; i < count; i++)
        len = len << 8 | head.data[2 + i];
    return len < DER_MIN ? 0 : 2 + count + len;
}

enum step { STEP_BLANK, STEP_LINE, STEP_EMPTY_LINE };

/* Where the base64 of one piece may go on behind a token, and what lies between; NO_TOKEN when it
 * does not. */
static size_t next_token(struct span text, size_t at, enum step *ret)
{
    size_t lines = 0;

    if (at < text.len && is_quote(text.data[at]))
        at = skip_glue(text, at + 1);
    while (at < text.len && is_blank(text.data[at]))
        at++;
    for (; at < text.len && is_line_end(text.data[at]); lines++)
        at = skip_prefix(text, at + 1);
    *ret = lines == 0 ? STEP_BLANK : lines == 1 ? STEP_LINE : STEP_EMPTY_LINE;
    if (at >= text.len || (lines == 0 && !is_blank(text.data[at - 1])))
        return NO_TOKEN;
    return at;
}

/* Blank lines stand between all lines or between none. */
static bool is_next(const struct pattern *pattern, enum step first, enum step step)
{
    if (pattern->lens[0] > LINE_LONG)
        return step == STEP_LINE && pattern->lens[0] >= LINE_WHOLE;
    return step == first || step == STEP_LINE;
}

static bool at_word_end(struct span text, size_t at)
{
    return at >= text.len || digit_value(text.data[at], false) < 0;
}

/* Collects as many digits as the announced length takes, which end with a token. */
static bool collect(struct base64_finder *finder, size_t from, size_t size, bool url,
                    struct base64_find *ret)
{
    AUTO_SECRET_BUF struct buf digits;
    struct span text = finder->text;
    size_t need = (size * 4 + 2) / 3, at = from;
    struct pattern pattern = {0};
    enum step first = STEP_LINE, step = STEP_LINE;

    buf_init(&digits, need);
    for (;;) {
        size_t end = token_end(text, at, url);
        size_t left = need - digits.len, len = end - at;

        if (len == 0 || len > finder->budget)
            return false;
        finder->budget -= len;
        len = len < left ? len : left;
        if (!pattern_fits(&pattern, len))
            return false;
        buf_add(&digits, text.data + at, len);
        if (digits.len == need)
            break;
        at = next_token(text, end, &step);
        first = pattern.count == 1 ? step : first;
        if (at == NO_TOKEN || !is_next(&pattern, first, step))
            return false;
    }
    ret->from = from;
    ret->to = at + pattern.last;
    if (!at_word_end(text, ret->to))
        return false;
    while (ret->to < text.len && text.data[ret->to] == '=')
        ret->to++;
    ret->der = join(span_of(digits.data, digits.len), url);
    return ret->der.len == size;
}

bool base64_next(struct base64_finder *finder, struct base64_find *ret)
{
    struct span text = finder->text;

    while (finder->at < text.len) {
        const uint8_t *hit = memchr(text.data + finder->at, 'M', text.len - finder->at);
        size_t at, size;

        if (!hit)
            break;
        at = (size_t)(hit - text.data);
        finder->at = at + 1;
        if (at > 0 && digit_value(text.data[at - 1], false) >= 0)
            continue;
        size = announced(text, at);
        if (size == 0)
            continue;
        *ret = (struct base64_find){.from = at, .to = token_end(text, at, true)};
        if (size <= text.len && !collect(finder, at, size, false, ret)) {
            blob_wipe(&ret->der);
            if (!collect(finder, at, size, true, ret))
                blob_wipe(&ret->der);
        }
        finder->at = ret->to;
        return true;
    }
    finder->at = text.len;
    return false;
}
