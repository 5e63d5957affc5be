/* The inside of struct drop, shared by the files of this folder alone. */
#ifndef UL_DAEMON_DROP_FOLDER_H
#define UL_DAEMON_DROP_FOLDER_H

#include "daemon/drop/drop.h"
#include "daemon/drop/settle.h"

struct drop {
    char *path;
    int dir; /* -1 while the folder is gone */
    uint64_t device, inode;
    int inotify; /* -1: none; the same descriptor for the whole life of the struct */
    int watch;   /* -1: none */
    struct settle settle;
};

/* accepted/ or rejected/, made when it is missing. E_REFUSED when it is a link or no folder. */
int drop_open_sub(const struct drop *drop, bool accepted, int *ret_dir, struct error *err);

/* What stands for the hash of a thing that is not read: its name and what the file system says of
 * it, which a move within the folder does not change. */
void drop_identify(const char *name, const struct stat *st, uint8_t ret[SHA256_LEN]);

#endif
