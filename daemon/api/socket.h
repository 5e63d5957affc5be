/* The listening socket in the file system. */
#ifndef UL_DAEMON_API_SOCKET_H
#define UL_DAEMON_API_SOCKET_H

#include <sys/types.h>

#include "base/error.h"

struct listener {
    int fd; /* non-blocking, close-on-exec */
    char *path;
    dev_t device; /* of the file we made: another daemon's is not ours to remove */
    ino_t inode;
};

/* As api_open says. */
int listener_open(const char *path, struct listener *ret, struct error *err);
void listener_close(struct listener *listener);

#endif
