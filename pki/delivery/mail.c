#include "pki/delivery/mail.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pki/delivery/blocks.h"
#include "pki/delivery/mime.h"
#include "pki/delivery/text.h"

enum { MAIL_DEPTH_MAX = 8, MAIL_PARTS_MAX = 64 };

struct mail {
    struct reading *reading;
    size_t parts;                     /* leaves of the tree of parts that were read */
    size_t attachments;               /* of which are no text of the mail itself */
    size_t useful;                    /* of which something of use came */
    bool skipped;                     /* more parts or a deeper nesting than is read */
    char found[DELIVERY_SUMMARY_MAX]; /* what the last useful part was */
    char last[DELIVERY_SUMMARY_MAX];  /* what the last attachment was */
};

static void name_part(const struct mail *mail, const struct mime_entity *entity, bool attached,
                      char *ret, size_t size)
{
    if (!attached)
        snprintf(ret, size, "mail text");
    else if (entity->name[0] != '\0')
        snprintf(ret, size, "attachment %s", entity->name);
    else
        snprintf(ret, size, "attachment %zu (%s)", mail->attachments, entity->type);
}

static int read_leaf(struct mail *mail, const struct mime_entity *entity, struct error *err)
{
    AUTO_SECRET struct blob data = mime_decode(entity);
    bool attached =
        entity->name[0] != '\0' || (entity->type[0] != '\0' && !text_starts(entity->type, "text/"));
    size_t since = mail->reading->list.count;
    char origin[MIME_NAME_MAX + MIME_TYPE_MAX + 32];
    int rc;

    mail->parts++;
    mail->attachments += attached;
    name_part(mail, entity, attached, origin, sizeof origin);
    rc = reading_add_part(mail->reading, blob_span(&data), origin, err);
    if (rc < 0)
        return rc;
    if (attached)
        memcpy(mail->last, mail->reading->part, sizeof mail->last);
    if (reading_useful(mail->reading, since) > 0) {
        mail->useful++;
        memcpy(mail->found, mail->reading->part, sizeof mail->found);
    }
    return 0;
}

/* In front of the parts and behind them, where a careless program or hand puts what it adds. */
static int read_around(struct mail *mail, struct span text, struct error *err)
{
    struct mime_entity entity = {.body = text};

    if (text.len == 0 || !memmem(text.data, text.len, "-----BEGIN ", 11))
        return 0;
    mail->skipped = mail->skipped || mail->parts >= MAIL_PARTS_MAX;
    return mail->skipped ? 0 : read_leaf(mail, &entity, err);
}

static int read_entity(struct mail *mail, struct span text, int depth, struct error *err)
{
    struct mime_entity entity;
    struct mime_parts parts;
    struct span part;
    int rc = 0;

    if (depth > MAIL_DEPTH_MAX || mail->parts >= MAIL_PARTS_MAX) {
        mail->skipped = true;
        return 0;
    }
    mime_read_entity(text, &entity);
    if (strcmp(entity.type, "message/rfc822") == 0) {
        AUTO_SECRET struct blob inner = mime_decode(&entity);

        return read_entity(mail, blob_span(&inner), depth + 1, err);
    }
    if (!text_starts(entity.type, "multipart/"))
        return read_leaf(mail, &entity, err);
    mime_parts_init(&parts, &entity);
    rc = read_around(mail, parts.preamble, err);
    while (rc == 0 && !mail->skipped && mime_next_part(&parts, &part))
        rc = read_entity(mail, part, depth + 1, err);
    return rc < 0 ? rc : read_around(mail, parts.epilogue, err);
}

/* Where the next message of an mbox begins: a line "From " behind an empty one (RFC 4155). */
static size_t message_end(struct span text)
{
    for (size_t at = 0; at < text.len;) {
        const uint8_t *hit = memmem(text.data + at, text.len - at, "\nFrom ", 6);

        if (!hit)
            break;
        at = (size_t)(hit - text.data) + 1;
        if (at > 1 && (text.data[at - 2] == '\n' || text.data[at - 2] == '\r'))
            return at;
    }
    return text.len;
}

static struct span behind_line(struct span text)
{
    const uint8_t *end = memchr(text.data, '\n', text.len);
    size_t at = end ? (size_t)(end - text.data) + 1 : text.len;

    return span_of(text.data + at, text.len - at);
}

static bool is_from_line(struct span text)
{
    return span_starts(text, "From ", 5);
}

static void summarise(const struct mail *mail, size_t since)
{
    struct reading *reading = mail->reading;
    char coat[96], whole[2 * DELIVERY_SUMMARY_MAX];
    size_t used;

    used = (size_t)snprintf(coat, sizeof coat, "mail");
    if (mail->attachments > 0)
        used += (size_t)snprintf(coat + used, sizeof coat - used, " with %zu attachment%s",
                                 mail->attachments, mail->attachments > 1 ? "s" : "");
    if (mail->skipped)
        snprintf(coat + used, sizeof coat - used, " (not all of it was read)");
    if (mail->useful == 1)
        snprintf(whole, sizeof whole, "%s: %s", coat, mail->found);
    else if (reading->list.count > since) {
        reading_summarise(reading, coat, since);
        return;
    } else if (mail->attachments == 1)
        snprintf(whole, sizeof whole, "%s, without a certificate: %s", coat, mail->last);
    else
        snprintf(whole, sizeof whole, "%s, without a certificate", coat);
    text_escape(whole, reading->summary, sizeof reading->summary);
}

/* When its structure gave nothing: the whole of it as one text. */
static int read_as_text(struct mail *mail, struct span text, size_t since, struct error *err)
{
    struct reading *reading = mail->reading;
    size_t count = reading->list.count;
    int rc;

    if (text.len > BUF_MAX_DELIVERY || reading_useful(reading, since) > 0)
        return 0;
    rc = blocks_read(text, reading, err);
    if (rc < 0)
        return rc;
    if (reading_useful(reading, count) == 0) {
        reading_cut(reading, count);
        return 0;
    }
    mail->useful = 1;
    memcpy(mail->found, reading->summary, sizeof mail->found);
    return 0;
}

static int read_messages(struct span text, struct reading *reading, struct error *err)
{
    struct mail mail = {.reading = reading};
    size_t since = reading->list.count;
    struct span rest = text;
    int rc = 0;

    while (rc == 0 && rest.len > 0 && !mail.skipped) {
        size_t end = message_end(rest);
        struct span one = span_of(rest.data, end);

        rc = read_entity(&mail, is_from_line(one) ? behind_line(one) : one, 0, err);
        rest = span_of(rest.data + end, rest.len - end);
    }
    if (rc == 0)
        rc = read_as_text(&mail, text, since, err);
    if (rc < 0)
        return rc;
    summarise(&mail, since);
    return 1;
}

/* Behind byte order mark, blank lines and the line that an mbox has in front. */
static bool is_mail(struct span *text)
{
    while (text->len > 0 && (text->data[0] == '\n' || text->data[0] == '\r'))
        *text = span_of(text->data + 1, text->len - 1);
    return mime_is_mail(is_from_line(*text) ? behind_line(*text) : *text);
}

/* In UTF-16, or with the line ends of an old Macintosh. */
static void put_plain(struct span file, enum text_charset charset, struct buf *ret)
{
    text_to_utf8(file, charset, ret);
    if (ret->len > 0 && !memchr(ret->data, '\n', ret->len))
        for (size_t i = 0; i < ret->len; i++)
            if (ret->data[i] == '\r')
                ret->data[i] = '\n';
}

int mail_read(struct span file, struct reading *reading, struct error *err)
{
    enum { LOOK_AT = 4096 };
    enum text_charset charset = text_charset_of(file);
    struct span text = file;

    if (!reading_may_open(reading, false))
        return 0;
    if (charset == TEXT_UTF8)
        text = span_of(file.data + 3, file.len - 3);
    if ((charset == TEXT_BYTES || charset == TEXT_UTF8) &&
        (memchr(text.data, '\n', text.len) ||
         !memchr(text.data, '\r', text.len < LOOK_AT ? text.len : LOOK_AT)))
        return is_mail(&text) ? read_messages(text, reading, err) : 0;
    AUTO_SECRET_BUF struct buf plain;
    buf_init(&plain, TEXT_GROWTH * DELIVERY_FILE_MAX);
    put_plain(file, charset, &plain);
    text = span_of(plain.data, plain.len);
    return is_mail(&text) ? read_messages(text, reading, err) : 0;
}
