/* Reads the pair that is installed at a target now, for adopting it into the inventory. */
#ifndef UL_DAEMON_BIND_LIVE_H
#define UL_DAEMON_BIND_LIVE_H

#include "daemon/bind/deployer.h"

struct live_pair {
    struct blob leaf;   /* DER */
    struct blobs chain; /* what followed it in the files, DER */
    struct blob key; /* as it stands in the file; empty when it could not be read. Secret: wipe with
                        live_pair_done */
    char key_reason[256]; /* why key is empty */
};
void live_pair_done(struct live_pair *pair);

/* From the files of an order (leaf, fullchain or combined for the leaf; key or combined for the
 * key). E_NOT_FOUND when no leaf is there. */
int live_read(const struct deploy_order *order, struct live_pair *ret, struct error *err);

#endif
