/* Renewals: one turn of a certificate's life. Columns are facts; UTC_NEVER (NULL in SQL) is what
 * has not happened. */
#ifndef UL_STORE_RENEWALS_H
#define UL_STORE_RENEWALS_H

#include "pki/cert.h"
#include "pki/keeper.h"
#include "store/inventory.h"

struct renewal_row {
    int64_t id;
    int64_t certificate_id;
    char *reason;   /* "expiring", "asked by root", "adopted from /etc/...", "reissued by the
                       authority" */
    char *asked_by; /* who asked for it on purpose: "uid 0"; NULL: it was due */
    utc_t created_at;
    struct names names;    /* what the CSR asks for: frozen when the renewal is created */
    struct sealed_key key; /* sealed.len 0: none (adopted without its key) */
    struct blob csr;       /* DER */
    utc_t requested_at;
    utc_t handed_over_at;
    /* the leaf: a candidate until accepted_at */
    struct blob leaf;                /* DER */
    uint8_t leaf_sha256[SHA256_LEN]; /* all zero when there is no leaf */
    utc_t not_before, not_after;
    utc_t received_at;
    utc_t accepted_at;
    utc_t rejected_at;     /* last refused delivery */
    char *rejected_reason; /* NULL */
    utc_t chain_told_at;
    utc_t reminded_at;
    utc_t superseded_at; /* a newer renewal took its place before it was accepted */
    utc_t withdrawn_at;  /* somebody called it off */
    utc_t failed_at;     /* last failure of request or hand-over */
    int failures;
    char *failed_reason;   /* NULL */
    utc_t chain_not_after; /* of an accepted one: the first end among leaf and chain */
    int64_t rechain_of;    /* it is this renewal's leaf and key, in service then everywhere, under
                              another chain; 0: it is not */
    utc_t rechain_at;      /* last time that a chain which lives longer was looked for in vain; 0:
                              it was, and something new has come since */
    utc_t fetched_at;      /* last time that what is missing was asked for at the URL it names */
    int fetches;           /* how often */
    utc_t key_erased_at;   /* written by keys_erase alone (store/keys.h) */
};
void renewal_row_done(struct renewal_row *row);
#define AUTO_RENEWAL __attribute__((cleanup(renewal_row_done)))

/* Inserts certificate_id, reason, asked_by, created_at and names; everything else starts as "not
 * happened".
 */
int renewals_add(struct inventory *inventory, const struct renewal_row *row, int64_t *ret_id,
                 struct error *err);
int renewals_get(struct inventory *inventory, int64_t id, struct renewal_row *ret,
                 struct error *err);
/* Writes everything but id, certificate_id, created_at, names and key_erased_at. The caller read
 * the row in the same transaction. */
int renewals_update(struct inventory *inventory, const struct renewal_row *row, struct error *err);

/* The newest renewal that is not accepted, superseded or withdrawn; E_NOT_FOUND. */
int renewals_open(struct inventory *inventory, int64_t certificate_id, struct renewal_row *ret,
                  struct error *err);
/* The renewal accepted last (of those accepted in one second, the one that ends last); E_NOT_FOUND.
 */
int renewals_accepted(struct inventory *inventory, int64_t certificate_id, struct renewal_row *ret,
                      struct error *err);

/* Of that one what its state follows from, without key, leaf, request and names. E_NOT_FOUND. */
struct accepted_times {
    int64_t id;
    utc_t not_before, not_after;
    utc_t accepted_at;
    utc_t chain_not_after;
    utc_t rechain_at;
    uint8_t spki_sha256[SHA256_LEN];
};
int renewals_accepted_times(struct inventory *inventory, int64_t certificate_id,
                            struct accepted_times *ret, struct error *err);

typedef int (*renewal_fn)(void *self, const struct renewal_row *row, struct error *err);
/* All renewals whose key has this public half, newest first. By index. */
int renewals_by_spki(struct inventory *inventory, const uint8_t spki_sha256[SHA256_LEN],
                     renewal_fn fn, void *self, struct error *err);
/* The oldest renewal of a certificate that has this key: reissues are newer rows, but no newer
 * requests. E_NOT_FOUND. */
int renewals_first_by_spki(struct inventory *inventory, int64_t certificate_id,
                           const uint8_t spki_sha256[SHA256_LEN], int64_t *ret, struct error *err);
/* Those with an id above `after`, in its order; *ret_last is the last one's (0: there is none). */
int renewals_after(struct inventory *inventory, int64_t after, size_t limit, renewal_fn fn,
                   void *self, int64_t *ret_last, struct error *err);
/* Newest first. */
int renewals_by_certificate(struct inventory *inventory, int64_t certificate_id, renewal_fn fn,
                            void *self, struct error *err);
/* Renewals with a received leaf that is not accepted, withdrawn, or superseded and then rejected:
 * they wait for their chain. */
int renewals_waiting_chain(struct inventory *inventory, renewal_fn fn, void *self,
                           struct error *err);

/* Renewals for which a chain that lives longer was looked for in vain, and nothing new has come
 * since; the one that waits longest first. */
int renewals_rechain(struct inventory *inventory, size_t limit, renewal_fn fn, void *self,
                     struct error *err);

/* The chain we built for an accepted renewal: replaces what was there; leaf's issuer first, no
 * root. */
int renewals_set_chain(struct inventory *inventory, int64_t id, const struct blobs *chain,
                       struct error *err);
int renewals_chain(struct inventory *inventory, int64_t id, struct blobs *ret, struct error *err);

#endif
