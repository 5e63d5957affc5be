/*
 * The drop folder: hostile ground. A scan (at start, on inotify's hint, on a slow timer) looks at
 * every file through the directory's handle, and hands over those that have settled: regular, one
 * link, not a symbolic link, not larger than BUF_MAX_DELIVERY, unchanged for the settle time. What
 * was read is what is hashed; the file then moves to accepted/ or rejected/ below the folder with a
 * receipt NAME.txt beside it. Names are bytes, never trusted, never a path.
 */
#ifndef UL_DAEMON_DROP_DROP_H
#define UL_DAEMON_DROP_DROP_H

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "pki/cert.h"

struct drop;

/* Opens (makes, with accepted/ and rejected/ below it) the folder. settle in seconds. */
int drop_open(const char *path, seconds_t settle, struct drop **ret, struct error *err);
void drop_close(struct drop *drop);
/* Another settle time, between two scans. */
void drop_set_settle(struct drop *drop, seconds_t settle);

struct drop_file {
    const char *name;
    struct blob data;           /* owned by the scan; empty with `problem` */
    uint8_t sha256[SHA256_LEN]; /* of data; with `problem` of what tells this file from others,
                                   since nothing of it was read */
    const char *problem;    /* why it cannot be a delivery (a link, a FIFO, too large, unreadable):
                               reject it with this; else NULL */
    uint64_t device, inode; /* what is filed must be what was read */
};

/* Called for each settled file. A negative return leaves the file where it is for the next scan and
 * goes on with the next file. */
typedef int (*drop_fn)(void *self, const struct drop_file *file, struct error *err);

/*
 * One look at the folder. *ret_again is the number of seconds after which another look is wanted
 * because files were still settling, 0 when none was. Ignored: dot files, "*.part", "*.crdownload",
 * "*.tmp", "~$*", "Thumbs.db", "desktop.ini", directories. The folder being gone is E_NOT_FOUND; it
 * is opened again when it comes back.
 */
int drop_scan(struct drop *drop, drop_fn fn, void *self, seconds_t *ret_again, struct error *err);

/*
 * Files a delivery: moves it (never over another file: "name-2.pem" when the name is taken) and
 * writes its receipt. *ret_name (owned) is its name in accepted/ or rejected/. E_NOT_FOUND when the
 * file is gone or is no longer the one that was read. A receipt alone is written again by
 * drop_receipt.
 */
int drop_file_away(struct drop *drop, const struct drop_file *file, bool accepted,
                   const char *receipt, char **ret_name, struct error *err);
int drop_receipt(struct drop *drop, bool accepted, const char *filed_name, const char *receipt,
                 struct error *err);
/*
 * Where a delivery called `name` in the drop folder lies now, when a crash came between its move
 * and the note of it: *ret_name (owned) is its name in accepted/ or rejected/, the one without a
 * receipt when there are several. sha256 is all zero for what was never read (a link, a pipe): of
 * those only one without a receipt is found. E_NOT_FOUND when there is none.
 */
int drop_find_filed(struct drop *drop, bool accepted, const char *name,
                    const uint8_t sha256[SHA256_LEN], char **ret_name, struct error *err);

/* An inotify descriptor that becomes readable when something happened in the folder, for the event
 * loop; -1 when there is none. */
int drop_watch_fd(const struct drop *drop);
/* Reads and forgets the events: they are only hints. */
void drop_watch_drain(struct drop *drop);

#endif
