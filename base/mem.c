#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void no_memory(void)
{
    static const char text[] = "<2>out of memory: ending; every step resumes after a restart\n";

    fwrite(text, 1, sizeof text - 1, stderr);
    abort();
}

void *mem_alloc(size_t count, size_t size)
{
    void *data = calloc(count ? count : 1, size ? size : 1);

    if (!data)
        no_memory();
    return data;
}

void *mem_resize(void *old, size_t count, size_t size)
{
    void *data = reallocarray(old, count ? count : 1, size);

    if (!data)
        no_memory();
    return data;
}

char *mem_strdup(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        no_memory();
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        no_memory();
    va_end(args);
    return text;
}

void mem_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}

struct span span_of(const void *data, size_t len)
{
    return (struct span){data, len};
}

struct span span_text(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

struct span blob_span(const struct blob *blob)
{
    return (struct span){blob->data, blob->len};
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_starts(struct span data, const void *prefix, size_t len)
{
    return data.len >= len && (len == 0 || memcmp(data.data, prefix, len) == 0);
}

struct blob blob_copy(struct span from)
{
    struct blob copy = {mem_alloc(from.len + 1, 1), from.len};

    if (from.len > 0)
        memcpy(copy.data, from.data, from.len);
    return copy;
}

void blob_done(struct blob *blob)
{
    free(blob->data);
    *blob = (struct blob){0};
}

void blob_wipe(struct blob *blob)
{
    mem_wipe(blob->data, blob->len);
    blob_done(blob);
}

void blobs_add(struct blobs *list, struct span item)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = blob_copy(item);
}

void blobs_done(struct blobs *list)
{
    for (size_t i = 0; i < list->count; i++)
        blob_done(&list->items[i]);
    free(list->items);
    *list = (struct blobs){0};
}
