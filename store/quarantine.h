/*
 * Leaves that came too early: nobody's today (no request here has their key), or ours with
 * something against them that may change. Kept, so that nothing must be dropped again when a key,
 * a request or a trust anchor appears. Bounded, since strangers fill it.
 */
#ifndef UL_STORE_QUARANTINE_H
#define UL_STORE_QUARANTINE_H

#include "pki/cert.h"
#include "store/inventory.h"

/* At most so many leaves of each kind below, and for one public key. */
enum { QUARANTINE_MAX = 1000, QUARANTINE_KEY_MAX = 64 };

/* clang-format off */
#define QUARANTINE_TABLE(X) \
    X(QUARANTINE_NO_REQUEST, "no-request") /* until a key appears */ \
    X(QUARANTINE_CHAIN,      "chain")      /* ours, refused for its chain: until an anchor appears */ \
    X(QUARANTINE_RETIRED,    "retired")    /* of a certificate that is retired */
/* clang-format on */

enum quarantine_why {
#define X(name, text) name,
    QUARANTINE_TABLE(X)
#undef X
        QUARANTINE_WHYS
};

struct quarantine_row {
    int64_t id;
    uint8_t sha256[SHA256_LEN];
    uint8_t spki_sha256[SHA256_LEN];
    enum quarantine_why why;
    struct blob der;
    utc_t not_after;
    utc_t seen_at;       /* when it first came */
    char *file;          /* in which file, escaped */
    int64_t delivery_id; /* 0: quarantine_bind has not been called yet */
};
void quarantine_row_done(struct quarantine_row *row);
#define AUTO_QUARANTINE __attribute__((cleanup(quarantine_row_done)))

/* Keeps a leaf; one that is here already keeps its place and time, only `why` is written. What has
 * ended by seen_at goes, and past the bounds above the oldest. */
int quarantine_add(struct inventory *inventory, const struct quarantine_row *row,
                   struct error *err);
/* What was added since the last call came with this delivery. */
int quarantine_bind(struct inventory *inventory, int64_t delivery_id, struct error *err);
/* E_NOT_FOUND. */
int quarantine_find(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct quarantine_row *ret, struct error *err);
/* E_NOT_FOUND when it is not there. */
int quarantine_remove(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                      struct error *err);

typedef int (*quarantine_fn)(void *self, const struct quarantine_row *row, struct error *err);
/* Those of one public key, and those refused for their chain; oldest first. */
int quarantine_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                       quarantine_fn fn, void *self, struct error *err);
int quarantine_by_chain(struct inventory *inventory, quarantine_fn fn, void *self,
                        struct error *err);

#endif
