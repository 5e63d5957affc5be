#include "pki/delivery/delivery.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/delivery/pem.h"
#include "pki/delivery/reading.h"
#include "pki/delivery/zip.h"

static bool has_prefix(struct span file, const char *prefix, size_t len)
{
    return file.len >= len && memcmp(file.data, prefix, len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The file without a UTF-8 byte order mark and leading blanks. */
static struct span trimmed(struct span file)
{
    if (has_prefix(file, "\xEF\xBB\xBF", 3))
        file = span_of(file.data + 3, file.len - 3);
    while (file.len > 0 && is_blank(file.data[0]))
        file = span_of(file.data + 1, file.len - 1);
    return file;
}

/* No control characters but blanks; of any character set with ASCII in it. */
static bool is_text(struct span file)
{
    for (size_t i = 0; i < file.len; i++)
        if ((file.data[i] < 0x20 && !is_blank(file.data[i])) || file.data[i] == 0x7F)
            return false;
    return true;
}

static int read_empty(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    return trimmed(file).len == 0 ? reading_say(reading, "an empty file") : 0;
}

/* A text may begin with "0" as well. */
static int read_der(struct span file, struct reading *reading, struct error *err)
{
    if (file.data[0] != 0x30 || is_text(file))
        return 0;
    size_t since = reading->list.count;
    int rc = object_add_der(&reading->list, file, false, "", err);
    if (rc < 0)
        return rc;
    reading_summarise(reading, "DER", since);
    return 1;
}

static int read_utf16(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    if (!has_prefix(file, "\xFF\xFE", 2) && !has_prefix(file, "\xFE\xFF", 2) &&
        !has_prefix(file, "-\0-\0-\0", 6) && !has_prefix(file, "\0-\0-\0-", 6))
        return 0;
    return reading_say(reading,
                       "text in UTF-16, which is not read yet: please save it as UTF-8 or ANSI");
}

/* What a label promises: anything, as long as the bytes under it are what is looked for. */
static bool is_read_label(const char *label)
{
    static const char *const labels[] = {
        "CERTIFICATE",
        "X509 CERTIFICATE",
        "TRUSTED CERTIFICATE",
        "PKCS7",
        "PKCS #7 SIGNED DATA",
        "CMS",
        "CERTIFICATE CHAIN",
        "CERTIFICATE REQUEST",
        "X509 CRL",
        "NEW CERTIFICATE REQUEST",
    };

    for (size_t i = 0; i < COUNT_OF(labels); i++)
        if (strcmp(label, labels[i]) == 0)
            return true;
    return false;
}

static const char *pem_fault(enum pem_state state)
{
    switch (state) {
    case PEM_WHOLE:
        return NULL;
    case PEM_NO_END:
        return "truncated: the END line is missing";
    case PEM_NO_BEGIN:
        return "truncated: the BEGIN line is missing";
    case PEM_OTHER_END:
        return "damaged: BEGIN and END lines do not belong together";
    case PEM_BAD_BASE64:
        return "damaged: what stands between BEGIN and END is not whole base64";
    }
    return NULL;
}

static int add_block(struct object_list *list, const struct pem_block *block, size_t number,
                     struct error *err)
{
    char where[64];
    const char *fault = pem_fault(block->state);

    snprintf(where, sizeof where, "block %zu (line %zu): ", number, block->line);
    /* Even a part of a key was shown to everybody who can read the folder. */
    if (pem_label_is_key(block->label))
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "a private key, which is not kept");
    if (fault)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, fault);
    return object_add_der(list, blob_span(&block->der),
                          strcmp(block->label, "TRUSTED CERTIFICATE") == 0, where, err);
}

static int read_pem(struct span file, struct reading *reading, struct error *err)
{
    struct pem_reader reader;
    size_t number = 0, since = reading->list.count;

    pem_reader_init(&reader, file);
    for (;;) {
        AUTO_PEM_BLOCK struct pem_block block = {0};
        int rc = 0;

        if (!pem_next(&reader, &block))
            break;
        number++;
        if (is_read_label(block.label) || pem_label_is_key(block.label))
            rc = add_block(&reading->list, &block, number, err);
        if (rc < 0)
            return rc;
    }
    if (number == 0)
        return 0;
    reading_summarise(reading, "PEM", since);
    return 1;
}

static bool begins_with_word(struct span text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && strncasecmp((const char *)text.data, word, len) == 0;
}

/* Usually the login or error page of a portal, saved under the certificate's name. */
static int read_html(struct span file, struct reading *reading, struct error *err)
{
    enum { LOOK_AT = 1024 };
    struct span text = trimmed(file);
    bool found = begins_with_word(text, "<!doctype html");

    (void)err;
    for (size_t i = 0; i < text.len && i < LOOK_AT && text.data[0] == '<' && !found; i++)
        found = begins_with_word(span_of(text.data + i, text.len - i), "<html");
    return found ? reading_say(reading, "an HTML page (a login or error page of a portal?), not a "
                                        "certificate")
                 : 0;
}

static int read_text(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    return is_text(file)
               ? reading_say(reading, "plain text without a \"-----BEGIN CERTIFICATE-----\" block")
               : 0;
}

static int read_anything(struct span file, struct reading *reading, struct error *err)
{
    (void)file;
    (void)err;
    return reading_say(reading, "data of an unknown kind");
}

/* In this order: the first that knows the file has it. */
static const struct {
    recogniser_fn read;
    bool takes_large; /* DELIVERY_FILE_MAX bytes instead of BUF_MAX_DELIVERY */
} recognisers[] = {
    {read_empty, false}, {read_der, false},    {read_utf16, false},
    {zip_read, true},    {archive_read, true}, {read_pem, false},
    {read_html, false},  {read_text, false},   {read_anything, false},
};

/* 0 when it is too large for all that could know it; else 1 or a failure. */
static int recognise(struct span data, struct reading *reading, struct error *err)
{
    int rc = 0;

    reading->summary[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(recognisers) && rc == 0; i++)
        if (data.len <= BUF_MAX_DELIVERY || recognisers[i].takes_large)
            rc = recognisers[i].read(data, reading, err);
    return rc;
}

/* Behind the origins around; " > " is of our making, the rest was escaped. */
static void enter(struct reading *reading, const struct reading *outer, const char *origin)
{
    char escaped[DELIVERY_ORIGIN_MAX];
    char joined[2 * DELIVERY_ORIGIN_MAX];

    text_escape(origin, escaped, sizeof escaped);
    snprintf(joined, sizeof joined, "%s%s%s", outer->origin, outer->depth > 0 ? " > " : "",
             escaped);
    text_escape(joined, reading->origin, sizeof reading->origin);
    reading->depth++;
}

int reading_add_part(struct reading *reading, struct span part, const char *origin,
                     struct error *err)
{
    struct reading inner = *reading;
    int rc = 1;

    if (reading->depth >= READING_DEPTH_MAX) {
        snprintf(reading->part, sizeof reading->part, "too deep inside of other things to be read");
        return 0;
    }
    enter(&inner, reading, origin);
    inner.list.pkcs7 = 0;
    rc = recognise(part, &inner, err);
    if (rc == 0)
        reading_say(&inner, "too large to be read");
    for (size_t i = reading->list.count; i < inner.list.count; i++)
        if (inner.list.items[i].origin[0] == '\0')
            memcpy(inner.list.items[i].origin, inner.origin, sizeof inner.origin);
    inner.list.pkcs7 = reading->list.pkcs7;
    reading->list = inner.list;
    memcpy(reading->part, inner.summary, sizeof reading->part);
    return rc < 0 ? rc : 0;
}

int delivery_read(struct span file, const struct delivery_options *options,
                  struct delivery_objects *ret, struct error *err)
{
    static const struct delivery_options none;
    struct reading reading = {.options = options ? options : &none};
    reading.list.options = reading.options;
    int rc = 0;

    if (file.len > DELIVERY_FILE_MAX)
        return error_set(err, E_TOO_LARGE, "delivery: size: wanted at most %d bytes, got %zu",
                         DELIVERY_FILE_MAX, file.len);
    rc = recognise(file, &reading, err);
    if (rc == 0)
        rc = error_set(err, E_TOO_LARGE,
                       "delivery: size: wanted at most %d bytes of anything but ZIP and mail, "
                       "got %zu",
                       BUF_MAX_DELIVERY, file.len);
    if (rc < 0) {
        object_list_done(&reading.list);
        return rc;
    }
    *ret = (struct delivery_objects){.items = reading.list.items, .count = reading.list.count};
    memcpy(ret->summary, reading.summary, sizeof ret->summary);
    return 0;
}

void delivery_objects_done(struct delivery_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        object_done(&objects->items[i]);
    free(objects->items);
    *objects = (struct delivery_objects){0};
}
