/* Deployments: one renewal on one target. Columns are facts; UTC_NEVER (NULL in SQL) is what has
 * not happened. */
#ifndef UL_STORE_DEPLOYMENTS_H
#define UL_STORE_DEPLOYMENTS_H

#include "pki/cert.h"
#include "store/inventory.h"

struct deployment_row {
    int64_t id;
    int64_t renewal_id;
    int64_t target_id;
    utc_t scheduled_at;
    utc_t staged_at;
    utc_t swap_begun_at;
    utc_t swapped_at;
    utc_t reloaded_at;
    utc_t verified_at;
    utc_t cleaned_at; /* the kept previous files are removed */
    utc_t undo_begun_at;
    utc_t failed_at;
    int failures;
    char *reason;                        /* of the last failure, NULL */
    char *report;                        /* what the last verification saw, NULL */
    uint8_t previous_sha256[SHA256_LEN]; /* leaf that was installed before; all zero: none */
};
void deployment_row_done(struct deployment_row *row);
#define AUTO_DEPLOYMENT __attribute__((cleanup(deployment_row_done)))

/* Inserts with scheduled_at; success (and nothing changed) when that pair exists. */
int deployments_add(struct inventory *inventory, int64_t renewal_id, int64_t target_id,
                    utc_t scheduled_at, struct error *err);
int deployments_find(struct inventory *inventory, int64_t renewal_id, int64_t target_id,
                     struct deployment_row *ret, struct error *err);
/* Writes every column but id, renewal_id, target_id and scheduled_at. */
int deployments_update(struct inventory *inventory, const struct deployment_row *row,
                       struct error *err);
/* The renewal scheduled last of those verified on a target (not by time: a clock may be set back);
 * E_NOT_FOUND. */
int deployments_last_verified(struct inventory *inventory, int64_t target_id,
                              int64_t *ret_renewal_id, struct error *err);
/* Another renewal's deployment on a target that was broken off between swap and proof: the live
 * files may be of either side. E_NOT_FOUND. */
int deployments_broken_off(struct inventory *inventory, int64_t target_id,
                           int64_t except_renewal_id, struct deployment_row *ret,
                           struct error *err);

#endif
