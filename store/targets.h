/* Targets: where a certificate is installed, which service reads it, and the endpoints where it can
 * be seen. */
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

/* Inserts with its endpoints; E_EXISTS when another target, not of a retired certificate, writes
 * one of the files. */
int targets_add(struct inventory *inventory, const struct target_row *row, int64_t *ret_id,
                struct error *err);
int targets_get(struct inventory *inventory, int64_t id, struct target_row *ret, struct error *err);
typedef int (*target_fn)(void *self, const struct target_row *row, struct error *err);
/* Those of one certificate, oldest first. */
int targets_each(struct inventory *inventory, int64_t certificate_id, target_fn fn, void *self,
                 struct error *err);

#endif
