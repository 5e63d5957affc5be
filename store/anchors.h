/* Trust anchors that an administrator added ("unlapse trust"); those removed stay for the record.
 */
#ifndef UL_STORE_ANCHORS_H
#define UL_STORE_ANCHORS_H

#include "pki/cert.h"
#include "store/inventory.h"

struct anchor_row {
    int64_t id;
    uint8_t sha256[SHA256_LEN];
    struct blob der;
    char *subject;
    utc_t not_after;
    utc_t added_at;
    char *added_by; /* "uid 0" */
    char *comment;  /* may be NULL */
    utc_t removed_at;
    char *removed_by; /* NULL: it is in force */
};
void anchor_row_done(struct anchor_row *row);
#define AUTO_ANCHOR __attribute__((cleanup(anchor_row_done)))

/* E_EXISTS when it is in force already. */
int anchors_add(struct inventory *inventory, const struct anchor_row *row, int64_t *ret_id,
                struct error *err);
/* E_NOT_FOUND when there is none in force with that id. */
int anchors_remove(struct inventory *inventory, int64_t id, utc_t at, const char *by,
                   struct error *err);
typedef int (*anchor_fn)(void *self, const struct anchor_row *row, struct error *err);
/* Those in force, oldest first. */
int anchors_each(struct inventory *inventory, anchor_fn fn, void *self, struct error *err);
/* The DER of those in force, for chain_order.added_anchors. */
int anchors_ders(struct inventory *inventory, struct blobs *ret, struct error *err);
/* The one of that subject that was removed last, at `since` or later, and did not come back;
 * E_NOT_FOUND. */
int anchors_find_removed(struct inventory *inventory, const char *subject, utc_t since,
                         struct anchor_row *ret, struct error *err);
int anchors_count(struct inventory *inventory, int64_t *ret, struct error *err);

#endif
