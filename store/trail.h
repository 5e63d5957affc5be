/*
 * The chain that makes the audit trail whole: each event's hash is over all of its fields and the
 * hash before, so that none can be changed, taken out or put in without changing all that follow.
 * The newest id and hash, and those of the last event that was pruned, stand beside (table trail).
 *
 *     hash = SHA-256("unlapsed event 1" | hash before | id | at | certificate id | renewal id
 *                    | length of actor | actor | length of kind | kind | length of text | text
 *                    | old SHA-256 | new SHA-256)
 *
 * Before the first stand 32 zeros. Numbers are 8 bytes, big-endian; what is missing is 0, or 32
 * zeros. Ids have no gap.
 */
#ifndef UL_STORE_TRAIL_H
#define UL_STORE_TRAIL_H

#include "store/events.h"

/* An event, which stands for itself and everything before it. id 0: before the first. */
struct trail_mark {
    int64_t id;
    uint8_t hash[SHA256_LEN];
};

struct trail_ends {
    struct trail_mark head;
    struct trail_mark pruned; /* it and all before are gone; id 0: nothing is */
    utc_t pruned_at;          /* UTC_NEVER: nothing is */
    char *pruned_by;          /* NULL: nothing is */
    uint8_t pruned_mac[SHA256_LEN];
};
int trail_ends(struct inventory *inventory, struct trail_ends *ret, struct error *err);
void trail_ends_done(struct trail_ends *ends);
#define AUTO_TRAIL_ENDS __attribute__((cleanup(trail_ends_done)))

void trail_hash(const uint8_t before[SHA256_LEN], const struct event_row *row,
                uint8_t ret[SHA256_LEN]);

/* What was proven by one look. */
struct trail_proof {
    struct trail_mark from; /* where it began: `after`, or the last event that was pruned */
    struct trail_mark to;   /* everything between is whole */
    bool more;              /* the trail goes on after `to` */
    int64_t broken_id;      /* the first event that is not as it was recorded; 0: none */
    char wrong[ERROR_TEXT_MAX];
};
/*
 * Proves the next `limit` events after a mark that the caller takes as given ({0}: from the
 * beginning, or from what was pruned, whose signature is the caller's to check). At the end of the
 * trail also that it is the end. What is broken is no failure: broken_id and wrong tell it.
 */
int trail_prove(struct inventory *inventory, const struct trail_mark *after, int64_t limit,
                struct trail_proof *ret, struct error *err);

/* What signs off that everything up to a mark was pruned: these bytes, owned by the caller. */
struct blob trail_pruned_text(const struct trail_mark *mark, utc_t at, const char *by);

/*
 * The last of the oldest events, of at most `limit`, that are all from before a time; proven, since
 * nobody can look at them later. E_NOT_FOUND: the oldest is younger; E_CORRUPT: one is not as it
 * was recorded.
 */
int trail_oldest(struct inventory *inventory, utc_t before, int64_t limit, struct trail_mark *ret,
                 struct error *err);
/* Another signature under the last pruning. E_NOT_FOUND when the mark is not that of it. */
int trail_sign_again(struct inventory *inventory, const struct trail_mark *mark,
                     const uint8_t mac[SHA256_LEN], struct error *err);
/* Removes the events up to the mark, and writes who did so, signed off. E_CORRUPT when the mark is
 * none of the trail. */
int trail_prune(struct inventory *inventory, const struct trail_mark *mark, utc_t at,
                const char *by, const uint8_t mac[SHA256_LEN], struct error *err);

#endif
