/*
 * The sealing keys that a keeper has: the one in force, which seals, and older ones, which go on
 * opening what was sealed under them. The one place where their files are opened and made. For
 * pki/keeper.c only.
 */
#ifndef UL_PKI_RING_H
#define UL_PKI_RING_H

#include "pki/seal.h"

struct ring {
    struct seal_key keys[SEALING_KEYS_MAX]; /* the first one seals */
    size_t count;
};
void ring_wipe(struct ring *ring);

/* The key in `path` and all of PATH.old-*; codes as keeper_open. On failure ret is empty. */
int ring_load(const char *path, bool create, struct ring *ret, struct error *err);
/* One more that only opens; success when it is there already. */
int ring_add_file(struct ring *ring, const char *path, struct error *err);
/* keeper_rotate. On failure the ring is as it was. */
int ring_rotate(struct ring *ring, const char *path, struct error *err);
/* E_CORRUPT, naming what is wanted and what is here. */
int ring_find(const struct ring *ring, const uint8_t id[SEALING_ID_LEN], struct seal_key *ret,
              struct error *err);

#endif
