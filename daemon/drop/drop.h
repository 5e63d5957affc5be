/*
 * The drop folder: hostile ground. A look (at start, on inotify's hint, on a slow timer) lists it
 * through the directory's handle, and what has settled is handed over oldest first: regular files
 * with one link, no symbolic link, not larger than DELIVERY_FILE_MAX, unchanged for the settle
 * time. What was read is what is hashed; the file then moves to accepted/ or rejected/ below the
 * folder with a receipt NAME.txt beside it. Names are bytes, never trusted, never a path. However
 * many files lie there, memory is bounded: one look keeps the oldest few thousand, and the next
 * goes on.
 */
#ifndef UL_DAEMON_DROP_DROP_H
#define UL_DAEMON_DROP_DROP_H

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"

struct drop;

/*
 * Opens (makes, with accepted/ and rejected/ below it) the folder. settle in seconds. E_INPUT when
 * the path is not absolute. A folder that cannot be used now is no failure: the first look tells
 * what ails it.
 */
int drop_open(const char *path, seconds_t settle, struct drop **ret, struct error *err);
void drop_close(struct drop *drop);
/* Another settle time, between two looks. */
void drop_set_settle(struct drop *drop, seconds_t settle);

/* What tells that a file is still the one that was read, and unchanged. */
struct drop_stamp {
    uint64_t device, inode;
    int64_t size;
    struct timespec modified, changed;
};

struct drop_file {
    char *name;
    struct blob data;           /* empty with `problem` */
    uint8_t sha256[SHA256_LEN]; /* of data; with `problem` of what tells this file from others,
                                   since nothing of it was read */
    char *problem;              /* why it cannot be a delivery (a link, a FIFO, too large,
                                   unreadable): reject it with this; else NULL */
    struct drop_stamp stamp;    /* what is filed must be what was read */
};
void drop_file_done(struct drop_file *file);
#define AUTO_DROP_FILE __attribute__((cleanup(drop_file_done)))

/*
 * One look at the folder: lists it and queues the oldest files that have settled, in place of what
 * was queued before. Ignored: dot files, "*.part", "*.partial", "*.crdownload", "*.download",
 * "*.filepart", "*.tmp", "*.swp", "*~", "~*", "Thumbs.db", "desktop.ini"; folders, see
 * drop_folders. E_NOT_FOUND when the folder is gone (it is opened again when it comes back) or is
 * the empty mount point of a share, E_REFUSED when a link or a file stands at its place or at one
 * of the two below it, E_DENIED, E_FULL, E_IO.
 */
int drop_look(struct drop *drop, struct error *err);
/* Reads the next file of the queue; E_NOT_FOUND after the last. One that changed since the look is
 * left for a later one. */
int drop_next(struct drop *drop, struct drop_file *ret, struct error *err);
/* The folder holds more settled files than one look keeps. */
bool drop_has_more(const struct drop *drop);
/* Forgets the queue: the files stay for the next look. */
void drop_forget(struct drop *drop);
/* Lets go of the folder until the next look, so that a share can be unmounted. */
void drop_release(struct drop *drop);
/* It could not be taken or filed: it comes back after a while, each time after twice as long, until
 * it is another file. True the first time. */
bool drop_put_off(struct drop *drop, const struct drop_file *file);
/* The last look saw files that are put off. */
bool drop_has_put_off(const struct drop *drop);
/* The errno of a file that could not be read since the last look and is put off; 0: none. */
int drop_read_error(const struct drop *drop);
/* Seconds after which another look is wanted because files were still settling, were put off, or
 * were more than one look keeps; 0 when none was. */
seconds_t drop_again(const struct drop *drop);
/* Folders that the last look saw: nobody looks into them. *ret_name is one of them, NULL when there
 * is none; borrowed until the next look. */
size_t drop_folders(const struct drop *drop, const char **ret_name);
/* True when the folder is where a file system is mounted. One that was and is not any more, and has
 * neither accepted/ nor rejected/ in it, is an empty mount point, and nothing is made in it;
 * drop_expect_mount remembers across a restart. */
bool drop_is_mount(const struct drop *drop);
void drop_expect_mount(struct drop *drop);

/*
 * Files deliveries: moves each (never over another file: "name-2.pem" when the name is taken) and
 * writes its receipt. The receipts are on the disk before anything moves, everything is on the disk
 * on return. A failure is one of all of them, and nothing has moved; what ails one alone is in its
 * `result`: E_NOT_FOUND when it is gone or is no longer the one that was read. A receipt that could
 * not be renamed beside its moved file is no failure of the file; `receipt_missing` tells.
 */
struct drop_filing {
    const struct drop_file *file;
    bool accepted;
    const char *receipt;
    int result;           /* 0: moved */
    char *name;           /* owned: in accepted/ or rejected/, when it was moved */
    char *reason;         /* owned: the sentence of a failure */
    bool receipt_missing; /* see drop_receipt */
};
void drop_filing_done(struct drop_filing *filing);
int drop_file_away(struct drop *drop, struct drop_filing *filings, size_t count, struct error *err);
/* Keeps a filed delivery from everybody but its owner, since a private key is in it; with `erase`
 * its content is overwritten and cut off, too. The file of somebody else is replaced by one of our
 * own. */
int drop_protect(struct drop *drop, bool accepted, const char *filed_name, bool erase,
                 struct error *err);
/* Writes a receipt alone, again. */
int drop_receipt(struct drop *drop, bool accepted, const char *filed_name, const char *receipt,
                 struct error *err);
/*
 * Where a delivery called `name` in the drop folder lies now, when a crash came between its move
 * and the note of it: *ret_name (owned) is its name in accepted/ or rejected/, the one without a
 * receipt when there are several. E_NOT_FOUND when there is none.
 */
int drop_find_filed(struct drop *drop, bool accepted, const char *name,
                    const uint8_t sha256[SHA256_LEN], char **ret_name, struct error *err);

/* An inotify descriptor that becomes readable when something happened in the folder, for the event
 * loop; -1 when there is none. */
int drop_watch_fd(const struct drop *drop);
/* Reads and forgets the events: they are only hints. */
void drop_watch_drain(struct drop *drop);

#endif
