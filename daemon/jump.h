/*
 * The wall clock was set, or the machine has slept: timers count the time that passes, plans name a
 * time of day. Whoever is told of it may sleep until the next due time, however far that is.
 */
#ifndef UL_DAEMON_JUMP_H
#define UL_DAEMON_JUMP_H

#include <uv.h>

struct jump {
    void (*fn)(void *self);
    void *self;
    /* private */
    uv_poll_t poll;
    int fd;
};

/* fn and self are set; fn is called on the loop's thread. Becomes part of the loop. When the clock
 * cannot be watched the log says so, and that is all. */
void jump_init(struct jump *jump, uv_loop_t *loop);
/* After the loop has ended; fd is -1 when there was no jump_init. */
void jump_done(struct jump *jump);

#endif
