/* The inside of struct drop, shared by the files of this folder alone. */
#ifndef UL_DAEMON_DROP_FOLDER_H
#define UL_DAEMON_DROP_FOLDER_H

#include "daemon/drop/drop.h"
#include "daemon/drop/settle.h"

/* Names kept of one look: about half a megabyte. */
enum { QUEUE_MAX = 4096 };

struct queued {
    char *name;
    struct drop_stamp stamp;
};

struct drop {
    char *path;
    int dir;    /* -1 while the folder is gone or let go of */
    bool known; /* the next two are of the folder that was looked at last */
    uint64_t device, inode;
    int inotify; /* -1: none; the same descriptor for the whole life of the struct */
    int watch;   /* -1: none */
    bool is_mount, was_mount;
    bool swept; /* of what a crash left in the two folders below */
    struct settle settle;
    /* While a look runs a heap, the newest on top; then sorted, the oldest last. */
    struct queued *queue;
    size_t count;
    bool more;      /* than the queue holds */
    int read_error; /* see drop_read_error */
    size_t folders;
    char *folder; /* name of one; NULL */
};

/* Adds a settled file to the queue of the look that runs. */
void queue_add(struct drop *drop, const char *name, const struct stat *st);
void queue_sort(struct drop *drop);
void queue_clear(struct drop *drop);

void drop_stamp_of(const struct stat *st, struct drop_stamp *ret);
bool drop_stamp_is(const struct drop_stamp *a, const struct drop_stamp *b);

/* The folder that stands at the path, opened; see drop_look for the failures. */
int folder_refresh(struct drop *drop, struct error *err);
void folder_close(struct drop *drop);

/* Why a thing cannot be a delivery whatever is in it; NULL when it can. */
const char *drop_problem_of(const struct stat *st);

/* accepted/ or rejected/, made when it is missing. E_REFUSED when it is a link or no folder. */
int drop_open_sub(const struct drop *drop, bool accepted, int *ret_dir, struct error *err);

/* Receipts are written under names that begin so, and then renamed. */
#define RECEIPT_TEMPORARY ".unlapsed-receipt"

/* What stands for the hash of a thing that is not read: its name and what the file system says of
 * it, which a move within the folder does not change. */
void drop_identify(const char *name, const struct stat *st, uint8_t ret[SHA256_LEN]);

#endif
