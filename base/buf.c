#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_wipe(struct buf *buf)
{
    mem_wipe(buf->data, buf->room);
    buf_done(buf);
}

/* Makes room for len more bytes and a NUL; false (and full) past the ceiling. */
static bool grow(struct buf *buf, size_t len)
{
    if (buf->full || len > buf->max || buf->len > buf->max - len) {
        buf->full = true;
        return false;
    }
    size_t need = buf->len + len + 1;
    if (need <= buf->room)
        return true;
    size_t room = buf->room * 2 > need ? buf->room * 2 : need + 64;
    /* Not realloc: it may leave a copy of a secret behind. */
    char *data = mem_alloc(room, 1);
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    mem_wipe(buf->data, buf->room);
    free(buf->data);
    buf->data = data;
    buf->room = room;
    return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0 || !grow(buf, len))
        return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0 && grow(buf, (size_t)len)) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

struct blob buf_take(struct buf *buf)
{
    struct blob out = {(uint8_t *)buf->data, buf->len};

    buf_init(buf, buf->max);
    return out;
}
