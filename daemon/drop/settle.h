/*
 * When a file has settled: nobody tells us that a writer is done (a copy over a network share ends
 * without an event), so a file must look the same for a while. What was seen is forgotten with the
 * process; files that were already old at the first look count as settled, so that a restart does
 * not wait.
 */
#ifndef UL_DAEMON_DROP_SETTLE_H
#define UL_DAEMON_DROP_SETTLE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/clock.h"

/* What must stay the same. */
struct seen {
    uint64_t device, inode;
    int64_t size;
    struct timespec modified, changed;
    int64_t since_ms; /* monotonic: first seen so */
    int64_t hold_ms;  /* monotonic: not before */
    int failures;     /* how often it was put off */
};

struct seen_list {
    struct seen *items; /* of the last look sorted by device and inode, of this one as they came */
    size_t count, room;
};

struct settle {
    seconds_t time;
    bool first_look; /* only then is the wall clock believed: the clock of a network share may lag
                        behind ours for good, and each of its fresh files would look old */
    struct seen_list last, now;
    int64_t now_ms;
    utc_t now_utc;
    size_t put_off;  /* files that were, and still stand there unchanged */
    int64_t next_ms; /* monotonic: when the next file will have settled; INT64_MAX: none */
};

void settle_init(struct settle *settle, seconds_t time);
void settle_done(struct settle *settle);

/* Around one look at the folder. */
void settle_begin(struct settle *settle);
void settle_end(struct settle *settle);
/* Forgets everything: another folder stands there now. */
void settle_forget(struct settle *settle);

/* Remembers the file; true when it has settled. Past SEEN_MAX files a new one waits until others
 * are gone. */
enum { SEEN_MAX = 1 << 17 };
bool settle_has(struct settle *settle, const struct stat *st);

/* Between two looks, of a file that the last one saw. It changed after all, while it was read:
 * starts over. */
void settle_restart(struct settle *settle, uint64_t device, uint64_t inode);
/* It may not be finished although it stands still (empty, or ending in zeros): true while it is so
 * fresh that it gets more time. */
bool settle_hold_fresh(struct settle *settle, uint64_t device, uint64_t inode);
/* It could not be taken: later, each time after twice as long, until it changes. True the first
 * time. */
bool settle_put_off(struct settle *settle, uint64_t device, uint64_t inode);

#endif
