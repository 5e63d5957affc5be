#include "pki/delivery/passwords.h"

#include <string.h>

#include "base/text.h"

static int add(const char *file, size_t number, struct span line, struct passwords *passwords,
               struct error *err)
{
    const char *text = (const char *)line.data;

    if (line.len == 0)
        return error_set(err, E_FORMAT, "file %s: line %zu: wanted a password, got a blank line",
                         file, number);
    if (line.len > PASSWORD_MAX)
        return error_set(err, E_TOO_LARGE,
                         "file %s: line %zu: wanted a password of at most %d bytes, got %zu", file,
                         number, PASSWORD_MAX, line.len);
    if (!text_is_utf8(text, line.len))
        return error_set(err, E_FORMAT, "file %s: line %zu: wanted UTF-8", file, number);
    if (passwords->count == DELIVERY_PASSWORDS_MAX)
        return error_set(err, E_TOO_LARGE, "file %s: wanted at most %d passwords, got more", file,
                         DELIVERY_PASSWORDS_MAX);
    char *copy = mem_alloc(line.len + 1, 1);
    memcpy(copy, text, line.len);
    passwords->items[passwords->count++] = copy;
    return 0;
}

int passwords_parse(const char *file, struct span text, struct passwords *ret, struct error *err)
{
    AUTO_PASSWORDS struct passwords passwords = {0};
    int rc = 0;

    for (size_t number = 1; rc == 0 && text.len > 0; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct span line = span_of(text.data, len);

        text = span_of(text.data + len + (end ? 1 : 0), text.len - len - (end ? 1 : 0));
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        rc = add(file, number, line, &passwords, err);
    }
    if (rc < 0)
        return rc;
    *ret = passwords;
    passwords.count = 0;
    return 0;
}

void passwords_wipe(struct passwords *passwords)
{
    for (size_t i = 0; i < passwords->count; i++) {
        mem_wipe(passwords->items[i], strlen(passwords->items[i]));
        free(passwords->items[i]);
    }
    *passwords = (struct passwords){0};
}
