#include "pki/delivery/glued.h"

#include <string.h>

#include "pki/delivery/blocks.h"
#include "pki/delivery/kinds.h"
#include "pki/delivery/text.h"
#include "pki/der.h"

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";

/* Where mark is in text from at on, and its length behind that; 0 when it is not. */
static size_t behind(struct span text, size_t at, const char *mark)
{
    const uint8_t *hit = memmem(text.data + at, text.len - at, mark, strlen(mark));

    return hit ? (size_t)(hit - text.data) + strlen(mark) : 0;
}

static bool is_whole(enum der_form form)
{
    return form != DER_UNKNOWN && form != DER_TRUNCATED;
}

/* How long the DER in front is when PEM follows it; else all of file. */
static size_t der_front(struct span file)
{
    size_t at = 0, len;

    while (at < file.len) {
        struct span rest = span_of(file.data + at, file.len - at);

        if (!is_whole(der_form_of(rest, &len)))
            break;
        at += len;
    }
    return at > 0 && at < file.len && behind(file, at, begin_mark) > 0 ? at : file.len;
}

/* Where DER begins behind the last END marker; 0 when none does. */
static size_t behind_text(struct span file)
{
    size_t at = 0, len;

    for (size_t next = behind(file, 0, end_mark); next > 0; next = behind(file, at, end_mark))
        at = next;
    if (at == 0)
        return 0;
    at = behind(file, at, dashes);
    while (at > 0 && at < file.len && (file.data[at] == '\r' || file.data[at] == '\n'))
        at++;
    if (at == 0 || at >= file.len)
        return 0;
    struct span rest = span_of(file.data + at, file.len - at);
    return der_form_of(rest, &len) != DER_UNKNOWN && !kinds_is_text(rest) ? at : 0;
}

/* What stands behind DER that ended. */
static int add_rest(struct reading *reading, struct span rest, struct error *err)
{
    size_t since = reading->list.count;
    int rc = glued_read_text(rest, reading, err);

    if (rc < 0 || reading->list.count > since)
        return rc;
    return object_add(&reading->list, OBJECT_BROKEN, NULL, err,
                      "damaged: %zu bytes follow the end of it%s%s", rest.len, rc ? ": " : "",
                      rc ? reading->summary : "");
}

int glued_read_der(struct span file, struct reading *reading, struct error *err)
{
    /* A text may begin with "0" as well. */
    if (file.data[0] != 0x30 || kinds_is_text(file) || text_charset_of(file) != TEXT_BYTES)
        return 0;
    size_t since = reading->list.count, pkcs12 = reading->list.pkcs12, front = der_front(file);
    bool pem = front < file.len;
    int rc = object_add_der(&reading->list, span_of(file.data, front), false, "", err);

    if (rc == 0 && pem)
        rc = add_rest(reading, span_of(file.data + front, file.len - front), err);
    if (rc < 0)
        return rc;
    reading_summarise(reading,
                      pem                             ? "DER and PEM"
                      : reading->list.pkcs12 > pkcs12 ? "PKCS#12"
                                                      : "DER",
                      since);
    return 1;
}

int glued_read_text(struct span file, struct reading *reading, struct error *err)
{
    size_t since = reading->list.count, at = behind_text(file);
    int rc;

    if (at == 0)
        return blocks_read(file, reading, err);
    rc = blocks_read(span_of(file.data, at), reading, err);
    if (rc >= 0)
        rc = object_add_der(&reading->list, span_of(file.data + at, file.len - at), false, "", err);
    if (rc < 0)
        return rc;
    reading_summarise(reading, "PEM and DER", since);
    return 1;
}
