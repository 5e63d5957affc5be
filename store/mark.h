/* A file beside the inventory that says it is damaged: what was found outlasts the daemon that
 * found it, and cannot be written into the inventory. */
#ifndef UL_STORE_MARK_H
#define UL_STORE_MARK_H

#include "base/clock.h"
#include "base/error.h"

#define MARK_SUFFIX ".damaged"

struct mark {
    char text[ERROR_TEXT_MAX]; /* what was found */
    utc_t since;
    bool told; /* by mail */
};

/* E_NOT_FOUND when there is none. One that cannot be read counts as one. */
int mark_read(const char *path, struct mark *ret, struct error *err);
int mark_write(const char *path, const struct mark *mark, struct error *err);
/* Success when there was none. */
int mark_remove(const char *path, struct error *err);

#endif
