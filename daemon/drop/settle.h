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
    int64_t left_ms; /* until the next file settles; -1: none is settling */
};

void settle_init(struct settle *settle, seconds_t time);
void settle_done(struct settle *settle);

/* Around one look at the folder. */
void settle_begin(struct settle *settle);
void settle_end(struct settle *settle);
/* Forgets everything: another folder stands there now. */
void settle_forget(struct settle *settle);

/* Remembers the file; true when it has settled. */
bool settle_has(struct settle *settle, const struct stat *st);
/* It changed after all, while it was read: starts over. */
void settle_restart(struct settle *settle, const struct stat *st);

/* The same file with the same content, as far as that can be told without reading. */
bool settle_is_same(const struct stat *a, const struct stat *b);

#endif
