#include "pki/delivery/delivery.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/delivery/glued.h"
#include "pki/delivery/kinds.h"
#include "pki/delivery/mail.h"
#include "pki/delivery/reading.h"
#include "pki/delivery/zip.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The file without a UTF-8 byte order mark and leading blanks. */
static struct span trimmed(struct span file)
{
    if (span_starts(file, "\xEF\xBB\xBF", 3))
        file = span_of(file.data + 3, file.len - 3);
    while (file.len > 0 && is_blank(file.data[0]))
        file = span_of(file.data + 1, file.len - 1);
    return file;
}

static int read_empty(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    return trimmed(file).len == 0 ? reading_say(reading, "an empty file") : 0;
}

/* In this order: the first that knows the file has it. */
static const struct {
    recogniser_fn read;
    bool takes_large; /* DELIVERY_FILE_MAX bytes instead of BUF_MAX_DELIVERY */
} recognisers[] = {
    {read_empty, false},        {glued_read_der, false}, {zip_read, true},
    {kinds_read_closed, true},  {mail_read, true},       {glued_read_text, false},
    {kinds_read_binary, false},
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

    int rc = 0;

    reading.list.options = reading.options;
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
