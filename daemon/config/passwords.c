#include "daemon/config/passwords.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { PASSWORD_MAX = 128 };

static int add(struct config *config, const char *file, size_t number, struct span line,
               struct error *err)
{
    const char *text = (const char *)line.data;

    if (line.len == 0)
        return error_set(err, E_CONFIG, "file %s: line %zu: wanted a password, got a blank line",
                         file, number);
    if (line.len > PASSWORD_MAX)
        return error_set(err, E_CONFIG,
                         "file %s: line %zu: wanted a password of at most %d bytes, got %zu", file,
                         number, PASSWORD_MAX, line.len);
    if (!text_is_utf8(text, line.len))
        return error_set(err, E_CONFIG, "file %s: line %zu: wanted UTF-8", file, number);
    if (config->drop_password_count == DELIVERY_PASSWORDS_MAX)
        return error_set(err, E_CONFIG, "file %s: wanted at most %d passwords, got more", file,
                         DELIVERY_PASSWORDS_MAX);
    char *copy = mem_alloc(line.len + 1, 1);
    memcpy(copy, text, line.len);
    config->drop_passwords[config->drop_password_count++] = copy;
    return 0;
}

static int add_lines(struct config *config, const char *file, struct span text, struct error *err)
{
    int rc = 0;

    for (size_t number = 1; rc == 0 && text.len > 0; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        struct span line = span_of(text.data, len);

        text = span_of(text.data + len + (end ? 1 : 0), text.len - len - (end ? 1 : 0));
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        rc = add(config, file, number, line, err);
    }
    return rc;
}

int passwords_read(const char *file, struct config *config, struct error *err)
{
    enum { FILE_MAX = 16 << 10 };
    AUTO_SECRET struct blob text = {0};
    int rc = file_check_trusted(file, 0077, err);

    if (rc == 0)
        rc = file_read_trusted(file, FILE_MAX, &text, err);
    return rc < 0 ? rc : add_lines(config, file, blob_span(&text), err);
}

void passwords_wipe(struct config *config)
{
    for (size_t i = 0; i < config->drop_password_count; i++) {
        mem_wipe(config->drop_passwords[i], strlen(config->drop_passwords[i]));
        free(config->drop_passwords[i]);
    }
    config->drop_password_count = 0;
}
