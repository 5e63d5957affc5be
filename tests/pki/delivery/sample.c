#include "tests/pki/delivery/sample.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/text.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

static const struct authority *leaf, *ca;
static char *both;

void sample_make(void)
{
    ca = authority_make(NULL, &(struct authority_plan){.subject = "CA", .ca = true});
    leaf = authority_make(
        ca, &(struct authority_plan){.subject = "www.example.com", .names = "DNS:www.example.com"});
    both = mem_printf("%s%s", authority_pem(leaf), authority_pem(ca));
}

void sample_done(void)
{
    free(both);
    authority_done();
}

struct span sample_leaf(void)
{
    return authority_der(leaf);
}

struct span sample_ca(void)
{
    return authority_der(ca);
}

const char *sample_leaf_pem(void)
{
    return authority_pem(leaf);
}

const char *sample_pem(void)
{
    return both;
}

char *sample_base64(struct span der)
{
    enum { LINE = 64 };
    AUTO_FREE char *digits = mem_alloc(der.len / 3 * 4 + 5, 1);
    struct buf out;

    EVP_EncodeBlock((unsigned char *)digits, der.data, (int)der.len);
    buf_init(&out, 2 * der.len + 16);
    for (const char *at = digits; *at != '\0'; at += strnlen(at, LINE))
        buf_printf(&out, "%.*s\n", LINE, at);
    return (char *)buf_take(&out).data;
}

char *sample_replaced(const char *text, const char *piece, const char *with)
{
    AUTO_BUF struct buf out;
    const char *hit;

    buf_init(&out, 4 << 20);
    for (; (hit = strstr(text, piece)) != NULL; text = hit + strlen(piece)) {
        buf_add(&out, text, (size_t)(hit - text));
        buf_add_text(&out, with);
    }
    buf_add_text(&out, text);
    return mem_strdup(buf_text(&out));
}

char *sample_lines(const char *text, const char *before, const char *behind)
{
    AUTO_BUF struct buf out;

    buf_init(&out, 4 << 20);
    for (const char *at = text; *at != '\0';) {
        int len = (int)strcspn(at, "\n");

        buf_printf(&out, "%s%.*s%s\n", before, len, at, behind);
        at += len + (at[len] == '\n');
    }
    return mem_strdup(buf_text(&out));
}

struct delivery_objects sample_read(struct span file)
{
    struct delivery_objects objects = {0};
    struct error err = {0};

    ck_ok(delivery_read(file, NULL, &objects, &err));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return objects;
}

static void ck_is(const struct object *object, struct span der, const char *what)
{
    ck_assert_msg(object->kind == OBJECT_CERTIFICATE, "%s: %s", what, object->note);
    ck_assert_msg(span_equal(blob_span(&object->der), der), "%s: another certificate", what);
}

void sample_holds(struct span file, size_t count, const char *what)
{
    AUTO_OBJECTS struct delivery_objects objects = sample_read(file);

    ck_assert_msg(objects.count == count, "%s: wanted %zu objects, got %zu: %s", what, count,
                  objects.count, objects.summary);
    ck_is(&objects.items[0], sample_leaf(), what);
    if (count > 1)
        ck_is(&objects.items[1], sample_ca(), what);
}

void sample_holds_pem(const char *text, const char *what)
{
    AUTO_OBJECTS struct delivery_objects objects = sample_read(span_text(text));

    sample_holds(span_text(text), 2, what);
    ck_assert_msg(text_starts(objects.summary, "PEM"), "%s: %s", what, objects.summary);
}

void sample_nothing(struct span file, const char *summary)
{
    AUTO_OBJECTS struct delivery_objects objects = sample_read(file);

    ck_assert_msg(objects.count == 0, "%s: got %s", summary, objects.summary);
    ck_assert_msg(strstr(objects.summary, summary), "wanted \"%s\" in: %s", summary,
                  objects.summary);
}

void sample_only(struct span file, enum object_kind kind, const char *note)
{
    AUTO_OBJECTS struct delivery_objects objects = sample_read(file);

    ck_assert_msg(objects.count == 1, "%s: wanted 1, got %zu", note, objects.count);
    ck_assert_msg(objects.items[0].kind == kind, "%s: %s", note, objects.items[0].note);
    ck_assert_msg(strstr(objects.items[0].note, note), "wanted \"%s\" in: %s", note,
                  objects.items[0].note);
}
