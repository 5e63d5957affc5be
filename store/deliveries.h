/* Deliveries: every file taken from the drop folder, what became of it, and the receipt that stands
 * beside it. */
#ifndef UL_STORE_DELIVERIES_H
#define UL_STORE_DELIVERIES_H

#include "pki/cert.h"
#include "store/inventory.h"

struct delivery_row {
    int64_t id;
    uint8_t sha256[SHA256_LEN]; /* of the bytes that were parsed, or what stands for them */
    char *name;                 /* as it was called in the drop folder; any bytes */
    utc_t taken_at;
    bool accepted;
    char *receipt;    /* plain text */
    char *filed_name; /* its name in accepted/ or rejected/; NULL until filed_at */
    utc_t filed_at;
    int64_t renewal_id; /* that it brought the leaf of; 0: none */
    bool secret;        /* a private key is in it */
};
void delivery_row_done(struct delivery_row *row);
#define AUTO_DELIVERY __attribute__((cleanup(delivery_row_done)))

/* Inserts; not yet filed, whatever the row says. */
int deliveries_add(struct inventory *inventory, const struct delivery_row *row, int64_t *ret_id,
                   struct error *err);
int deliveries_get(struct inventory *inventory, int64_t id, struct delivery_row *ret,
                   struct error *err);
/* The newest row with this hash; E_NOT_FOUND. */
int deliveries_find(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                    struct delivery_row *ret, struct error *err);
/* The oldest row of a file of this name and hash that is not filed yet; E_NOT_FOUND. */
int deliveries_find_unfiled(struct inventory *inventory, const uint8_t sha256[SHA256_LEN],
                            const char *name, struct delivery_row *ret, struct error *err);
/* The file is in its folder and the receipt, as it is now, beside it. */
int deliveries_set_filed(struct inventory *inventory, int64_t id, const char *filed_name, utc_t at,
                         struct error *err);
/* A receipt that says more than before, to be written again beside the filed file (see
 * deliveries_unfiled); filed_name and filed_at stay. */
int deliveries_set_receipt(struct inventory *inventory, int64_t id, const char *receipt,
                           struct error *err);
/* What it brought was taken later, for this renewal. */
int deliveries_set_renewal(struct inventory *inventory, int64_t id, int64_t renewal_id,
                           struct error *err);
typedef int (*delivery_fn)(void *self, const struct delivery_row *row, struct error *err);
/* Deliveries of a renewal. */
int deliveries_by_renewal(struct inventory *inventory, int64_t renewal_id, delivery_fn fn,
                          void *self, struct error *err);
/* Rows whose receipt has changed since it was last written, or never was. Oldest first. */
int deliveries_unfiled(struct inventory *inventory, delivery_fn fn, void *self, struct error *err);

#endif
