/* The change of the sealing key while it goes on (sealing.c, reseal.c), and for nobody else. */
#ifndef UL_DAEMON_LIFE_SEALING_H
#define UL_DAEMON_LIFE_SEALING_H

#include "daemon/life/internal.h"

/*
 * How far it has come: one named value of the inventory, there from the beginning to the end. Keys
 * are walked over by the sealing key that they are under, then by their renewal, again and again
 * until a whole pass has found none that could be sealed anew.
 */
struct rotation {
    char *by; /* who asked for it */
    utc_t began_at;
    uint8_t under[SEALING_ID_LEN]; /* where this pass stands: what comes after these two */
    int64_t renewal_id;
    int64_t pass;   /* keys sealed anew in it */
    int64_t done;   /* in all */
    int64_t failed; /* in this pass: do not open */
};
void rotation_done(struct rotation *rotation);
#define AUTO_ROTATION __attribute__((cleanup(rotation_done)))

/* E_NOT_FOUND: none goes on. */
int rotation_load(struct inventory *inventory, struct rotation *ret, struct error *err);
/* Part of the open transaction. */
int rotation_save(struct inventory *inventory, const struct rotation *rotation, struct error *err);
int rotation_remove(struct inventory *inventory, struct error *err);

/* How many keys the last one left under older sealing keys, for they do not open: a start need not
 * try those again. set is part of the open transaction. */
int rotation_failures(struct inventory *inventory, int64_t *ret, struct error *err);
int rotation_set_failures(struct inventory *inventory, int64_t count, struct error *err);

#endif
