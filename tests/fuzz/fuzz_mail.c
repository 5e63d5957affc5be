/* Any bytes behind the header of a mail, and any bytes as a mail: what its parts hold comes out as
 * delivery.h promises, with a printable origin. */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/delivery/delivery.h"
#include "pki/delivery/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_mail(struct span file)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    struct error err = {0};

    if (delivery_read(file, NULL, &objects, &err) < 0) {
        assert(err.code == E_TOO_LARGE && objects.count == 0);
        return;
    }
    assert(objects.summary[0] != '\0' && objects.count <= DELIVERY_OBJECTS_MAX);
    assert(text_is_header_safe(objects.summary, strlen(objects.summary)));
    for (size_t i = 0; i < objects.count; i++) {
        const struct object *item = &objects.items[i];

        assert(text_is_header_safe(item->origin, strlen(item->origin)));
        assert(text_is_utf8(item->origin, strlen(item->origin)));
        assert(text_is_header_safe(item->note, strlen(item->note)) && item->note[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "From: a\nSubject: b\nMIME-Version: 1.0\n";
    AUTO_BUF struct buf mail;
    AUTO_FREE char *value = mem_alloc(size + 1, 1);
    char name[64];

    if (size > 0)
        memcpy(value, data, size);
    field_file_name(value, "filename", name, sizeof name);
    assert(memchr(name, '\0', sizeof name));
    buf_init(&mail, size + sizeof head);
    buf_add_text(&mail, head);
    buf_add(&mail, data, size);
    read_mail(span_of(mail.data, mail.len));
    read_mail(span_of(data, size));
    return 0;
}
