#include "daemon/role/wire.h"

#include <string.h>

#include "base/text.h"
#include "pki/cert.h"

enum { NAME_BYTES_MAX = 4 * CERT_DER_MAX }; /* each byte may have become \xHH */

/* What ASN.1 and RFC 3339 can write: the years 0 to 9999. */
static const utc_t first_time = -62167219200, last_time = 253402300799;

static void take_bytes(struct wire *wire, void *ret, size_t len)
{
    if (wire->bad || wire->in.len < len) {
        wire->bad = true;
        memset(ret, 0, len);
        return;
    }
    memcpy(ret, wire->in.data, len);
    wire->in = span_of(wire->in.data + len, wire->in.len - len);
}

void wire_fixed(struct wire *wire, void *data, size_t len)
{
    if (wire->out)
        buf_add(wire->out, data, len);
    else
        take_bytes(wire, data, len);
}

/* A number from 0 to most; 0 when what came is another. */
uint32_t wire_number(struct wire *wire, size_t value, size_t most)
{
    uint32_t number = (uint32_t)value;

    wire_fixed(wire, &number, sizeof number);
    if (!wire->out && number > most) {
        wire->bad = true;
        number = 0;
    }
    return number;
}

void wire_flag(struct wire *wire, bool *flag)
{
    *flag = wire_number(wire, *flag, 1) == 1;
}

void wire_time(struct wire *wire, utc_t *time)
{
    wire_fixed(wire, time, sizeof *time);
    if (!wire->out && *time != UTC_NEVER && (*time < first_time || *time > last_time))
        wire->bad = true;
}

void wire_blob(struct wire *wire, struct blob *blob, size_t most)
{
    size_t len = wire_number(wire, blob->len, most);

    if (wire->out) {
        buf_add(wire->out, blob->data, blob->len);
    } else if (wire->bad || wire->in.len < len) {
        wire->bad = true;
    } else if (len > 0) {
        *blob = blob_copy(span_of(wire->in.data, len));
        wire->in = span_of(wire->in.data + len, wire->in.len - len);
    }
}

/* Room for a list that is about to be read; what was announced must be able to follow. */
void *wire_room(struct wire *wire, size_t *count, size_t size)
{
    if (wire->bad || *count > wire->in.len) {
        wire->bad = true;
        *count = 0;
    }
    return *count > 0 ? mem_alloc(*count, size) : NULL;
}

void wire_blobs(struct wire *wire, struct blobs *blobs, size_t most, size_t most_bytes)
{
    size_t count = wire_number(wire, blobs->count, most);

    if (!wire->out) {
        blobs->items = wire_room(wire, &count, sizeof *blobs->items);
        blobs->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        wire_blob(wire, &blobs->items[i], most_bytes);
        wire->bad = wire->bad || blobs->items[i].len == 0;
    }
}

/* A text of the caller's, at most `most` bytes and no NUL among them. */
void wire_owned_text(struct wire *wire, char **text, size_t most)
{
    struct blob blob = {0};

    if (wire->out) {
        blob = (struct blob){(uint8_t *)*text, strlen(*text)};
        wire_blob(wire, &blob, most);
        return;
    }
    wire_blob(wire, &blob, most);
    *text = mem_alloc(blob.len + 1, 1);
    if (blob.len > 0)
        memcpy(*text, blob.data, blob.len);
    wire->bad = wire->bad || strlen(*text) != blob.len;
    blob_wipe(&blob);
}

/* A text for people: read, it is made harmless once more, whatever its writer promised. */
void wire_text(struct wire *wire, char *text, size_t size)
{
    AUTO_FREE char *read = wire->out ? mem_strdup(text) : NULL;

    wire_owned_text(wire, &read, size - 1);
    if (!wire->out)
        text_escape(wire->bad ? "" : read, text, size);
}

/* Printable ASCII without blanks, as names_add_found leaves them. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7F)
            return false;
    return true;
}

void wire_names(struct wire *wire, struct names *names, size_t most)
{
    size_t count = wire_number(wire, names->count, most);

    if (!wire->out) {
        names->items = wire_room(wire, &count, sizeof *names->items);
        names->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++) {
        struct name *name = &names->items[i];

        name->type = (enum name_type)wire_number(wire, name->type, NAME_URI);
        wire_owned_text(wire, &name->text, NAME_BYTES_MAX);
        wire->bad = wire->bad || !is_plain(name->text);
    }
}

void wire_error(struct wire *wire, struct error *error)
{
    wire_fixed(wire, &error->code, sizeof error->code);
    wire_text(wire, error->text, sizeof error->text);
    if (error->code != 0 && strcmp(code_name(error->code), code_name(1)) == 0)
        wire->bad = true;
}

void wire_texts(struct wire *wire, struct wire_texts *texts, size_t most, size_t most_bytes)
{
    size_t count = wire_number(wire, texts->count, most);

    if (!wire->out) {
        texts->items = wire_room(wire, &count, sizeof *texts->items);
        texts->count = count;
    }
    for (size_t i = 0; i < count && !wire->bad; i++)
        wire_owned_text(wire, &texts->items[i], most_bytes);
}

bool wire_is_whole(const struct wire *wire)
{
    return !wire->bad && wire->in.len == 0;
}

void wire_texts_done(struct wire_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->items[i])
            mem_wipe(texts->items[i], strlen(texts->items[i]));
        free(texts->items[i]);
    }
    free(texts->items);
    *texts = (struct wire_texts){0};
}
