/*
 * A byte buffer that grows up to a ceiling given at creation. Text or data from outside is never
 * collected in anything else. Past the ceiling nothing is added and `full` stays set: check once,
 * at the end.
 */
#ifndef UL_BASE_BUF_H
#define UL_BASE_BUF_H

#include "base/mem.h"

/* All ceilings of the project, in bytes, in one list. */
enum {
    BUF_MAX_DELIVERY = 1 << 20,       /* one file of the drop folder */
    BUF_MAX_CONFIG = 1 << 20,         /* one YAML file */
    BUF_MAX_PEM = 1 << 20,            /* one written PEM file */
    BUF_MAX_MAIL = 4 << 20,           /* one rendered mail */
    BUF_MAX_RECEIPT = 64 << 10,       /* one receipt beside a delivery */
    BUF_MAX_REQUEST_BODY = 1 << 20,   /* one API request */
    BUF_MAX_REPLY = 64 << 20,         /* one API reply, as the command line reads it */
    BUF_MAX_COMMAND_OUTPUT = 16 << 10 /* what is kept of a program's output */
};

struct buf {
    char *data; /* NUL after len; NULL while nothing was added */
    size_t len;
    size_t room;
    size_t max;
    bool full;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);
/* As buf_done, overwriting first: for buffers that held a secret. Growing wipes what it leaves
 * behind. */
void buf_wipe(struct buf *buf);
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text so far, never NULL. */
const char *buf_text(const struct buf *buf);
/* Moves the bytes out as an owned blob and leaves the buffer empty. */
struct blob buf_take(struct buf *buf);

#define AUTO_BUF __attribute__((cleanup(buf_done)))
#define AUTO_SECRET_BUF __attribute__((cleanup(buf_wipe)))

#endif
