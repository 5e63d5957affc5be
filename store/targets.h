/* Targets (where a certificate is installed), their endpoints, and deployments (one renewal on one
 * target). */
#ifndef UL_STORE_TARGETS_H
#define UL_STORE_TARGETS_H

#include "pki/keeper.h"
#include "store/inventory.h"

struct endpoint_row {
    int64_t id;
    char *host; /* where to connect: a name or an address */
    int port;
    char *server_name; /* sent as SNI; NULL: the certificate's first DNS name */
};

struct target_row {
    int64_t id;
    int64_t certificate_id;
    char *service; /* name of a service preset */
    char *
        files[BUNDLE_PARTS]; /* absolute path of each part, NULL when the target does not have it */
    struct endpoint_row *endpoints;
    size_t endpoint_count;
    utc_t added_at;
};
void target_row_done(struct target_row *row);
#define AUTO_TARGET __attribute__((cleanup(target_row_done)))

/* Inserts with its endpoints; E_EXISTS when another target writes one of the files. */
int targets_add(struct inventory *inventory, const struct target_row *row, int64_t *ret_id,
                struct error *err);
int targets_get(struct inventory *inventory, int64_t id, struct target_row *ret, struct error *err);
typedef int (*target_fn)(void *self, const struct target_row *row, struct error *err);
int targets_each(struct inventory *inventory, int64_t certificate_id, target_fn fn, void *self,
                 struct error *err);

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
/* The renewal last verified on a target: *ret_renewal_id; E_NOT_FOUND. */
int deployments_last_verified(struct inventory *inventory, int64_t target_id,
                              int64_t *ret_renewal_id, struct error *err);

#endif
