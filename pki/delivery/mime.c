#include "pki/delivery/mime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "pki/delivery/base64.h"
#include "pki/delivery/field.h"
#include "pki/delivery/text.h"

/* The line at `at` without its end; *ret_next is where the next one begins. */
static struct span line_at(struct span text, size_t at, size_t *ret_next)
{
    const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
    size_t to = end ? (size_t)(end - text.data) : text.len;

    *ret_next = end ? to + 1 : text.len;
    if (to > at && text.data[to - 1] == '\r')
        to--;
    return span_of(text.data + at, to - at);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* RFC 5322 2.2: printable ASCII but the colon; its length, or 0 when the line is no field. */
static size_t field_name_len(struct span line)
{
    enum { LONGEST = 76 };
    size_t len = 0, colon;

    while (len < line.len && len < LONGEST && line.data[len] > ' ' && line.data[len] < 0x7F &&
           line.data[len] != ':')
        len++;
    colon = len;
    while (colon < line.len && colon < LONGEST && is_blank(line.data[colon]))
        colon++;
    return colon < line.len && line.data[colon] == ':' ? len : 0;
}

static bool is_name(struct span line, const char *name)
{
    size_t len = field_name_len(line);

    return len == strlen(name) && strncasecmp((const char *)line.data, name, len) == 0;
}

static bool is_known_field(struct span line)
{
    static const char *const names[] = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Received",
        "Return-Path",
        "Delivered-To",
        "Cc",
        "Reply-To",
        "Sender",
        "DKIM-Signature",
        "Content-Type",
        "Content-Transfer-Encoding",
        "X-Mailer",
        "In-Reply-To",
        "Content-Disposition",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (is_name(line, names[i]))
            return true;
    return false;
}

bool mime_is_mail(struct span text)
{
    enum { LINES_MAX = 200, WANTED = 2 };
    size_t at = 0, known = 0;

    for (int i = 0; i < LINES_MAX && at < text.len; i++) {
        size_t next;
        struct span line = line_at(text, at, &next);

        if (line.len == 0 || (field_name_len(line) == 0 && (i == 0 || !is_blank(line.data[0]))))
            break;
        known += is_known_field(line);
        at = next;
    }
    return known >= WANTED;
}

static void set_encoding(const char *value, struct mime_entity *ret)
{
    if (strncasecmp(value, "base64", 6) == 0)
        ret->encoding = MIME_BASE64;
    else if (strncasecmp(value, "quoted-printable", 16) == 0)
        ret->encoding = MIME_QUOTED_PRINTABLE;
}

static void set_type(const char *value, struct mime_entity *ret)
{
    size_t len = strcspn(value, "; \t(");

    if (len >= sizeof ret->type)
        len = sizeof ret->type - 1;
    for (size_t i = 0; i < len; i++)
        ret->type[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] - 'A' + 'a' : value[i]);
    ret->type[len] = '\0';
    field_parameter(value, "boundary", ret->boundary, sizeof ret->boundary);
    if (ret->name[0] == '\0')
        field_file_name(value, "name", ret->name, sizeof ret->name);
}

/* One header field, unfolded. */
static void read_field(struct span line, const char *value, struct mime_entity *ret)
{
    char name[MIME_NAME_MAX] = "";

    if (is_name(line, "Content-Type") && ret->type[0] == '\0')
        set_type(value, ret);
    else if (is_name(line, "Content-Transfer-Encoding"))
        set_encoding(value, ret);
    else if (is_name(line, "Content-Disposition") &&
             field_file_name(value, "filename", name, sizeof name))
        memcpy(ret->name, name, sizeof name);
}

/* Unfolds the field that begins at `at` (RFC 5322 2.2.3); returns where the next one begins. */
static size_t unfold(struct span text, size_t at, struct buf *ret)
{
    size_t next;
    struct span line = line_at(text, at, &next);
    size_t skip = field_name_len(line);

    while (skip < line.len && (is_blank(line.data[skip]) || line.data[skip] == ':'))
        skip++;
    buf_add(ret, line.data + skip, line.len - skip);
    while (next < text.len && is_blank(text.data[next])) {
        line = line_at(text, next, &next);
        for (skip = 0; skip < line.len && is_blank(line.data[skip]);)
            skip++;
        if (skip == line.len)
            continue;
        if (ret->len > 0)
            buf_add_text(ret, " ");
        buf_add(ret, line.data + skip, line.len - skip);
    }
    return next;
}

void mime_read_entity(struct span text, struct mime_entity *ret)
{
    enum { FIELD_MAX = 4096, HEADER_MAX = 256 << 10 };
    size_t at = 0;

    *ret = (struct mime_entity){0};
    while (at < text.len && at < HEADER_MAX) {
        size_t next;
        struct span line = line_at(text, at, &next);
        AUTO_BUF struct buf value = {0};

        if (line.len == 0 || field_name_len(line) == 0) {
            at = line.len == 0 ? next : at; /* else a blank line is missing */
            break;
        }
        buf_init(&value, FIELD_MAX);
        at = unfold(text, at, &value);
        read_field(line, buf_text(&value), ret);
    }
    ret->body = span_of(text.data + at, text.len - at);
}

struct blob mime_decode(const struct mime_entity *entity)
{
    struct buf out;

    switch (entity->encoding) {
    case MIME_BASE64:
        return base64_loose(entity->body);
    case MIME_QUOTED_PRINTABLE:
        buf_init(&out, entity->body.len);
        text_unquote(entity->body, &out);
        return buf_take(&out);
    case MIME_IDENTITY:
        break;
    }
    return blob_copy(entity->body);
}

/* The boundary in a line of its own: 1 between parts, 2 at the end, else 0 (RFC 2046 5.1.1). */
static int boundary_kind(const struct mime_parts *parts, struct span line)
{
    size_t len = strlen(parts->boundary), at = 2 + len;
    int kind = 1;

    if (line.len < at || memcmp(line.data, "--", 2) != 0 ||
        memcmp(line.data + 2, parts->boundary, len) != 0)
        return 0;
    if (line.len >= at + 2 && memcmp(line.data + at, "--", 2) == 0) {
        kind = 2;
        at += 2;
    }
    while (at < line.len && is_blank(line.data[at]))
        at++;
    return at == line.len ? kind : 0;
}

/* Where the next line that may be a boundary begins, or the end of the body. */
static size_t next_dashes(struct span body, size_t at)
{
    if (at < body.len && body.data[at] == '-' && (at == 0 || body.data[at - 1] == '\n'))
        return at;
    while (at < body.len) {
        const uint8_t *end = memchr(body.data + at, '\n', body.len - at);

        if (!end)
            break;
        at = (size_t)(end - body.data) + 1;
        if (at < body.len && body.data[at] == '-')
            return at;
    }
    return body.len;
}

static void guess_boundary(struct mime_parts *parts)
{
    struct span body = parts->body;
    size_t next;

    for (size_t at = next_dashes(body, 0); at < body.len; at = next_dashes(body, at + 1)) {
        struct span line = line_at(body, at, &next);

        while (line.len > 0 && is_blank(line.data[line.len - 1]))
            line.len--;
        if (line.len < 4 || line.len - 2 >= sizeof parts->boundary || line.data[1] != '-' ||
            line.data[2] == ' ')
            continue;
        memcpy(parts->boundary, line.data + 2, line.len - 2);
        return;
    }
}

void mime_parts_init(struct mime_parts *parts, const struct mime_entity *entity)
{
    *parts = (struct mime_parts){.body = entity->body};
    memcpy(parts->boundary, entity->boundary, sizeof parts->boundary);
    if (parts->boundary[0] == '\0')
        guess_boundary(parts);
    if (!mime_next_part(parts, &parts->preamble))
        parts->ended = true;
}

bool mime_next_part(struct mime_parts *parts, struct span *ret)
{
    struct span body = parts->body;
    size_t from = parts->at, next;

    if (parts->ended || from > body.len)
        return false;
    for (size_t at = next_dashes(body, from); at < body.len; at = next_dashes(body, next)) {
        struct span line = line_at(body, at, &next);
        int kind = boundary_kind(parts, line);

        if (kind == 0) {
            next = at + 1;
            continue;
        }
        parts->ended = kind == 2;
        parts->at = next;
        if (parts->ended)
            parts->epilogue = span_of(body.data + next, body.len - next);
        *ret = span_of(body.data + from, at - from);
        return true;
    }
    parts->ended = true;
    *ret = span_of(body.data + from, body.len - from);
    return true;
}
