/* Rows that the tests of store/ share. */
#ifndef UL_TESTS_STORE_SAMPLE_H
#define UL_TESTS_STORE_SAMPLE_H

#include "store/inventory.h"
#include "tests/testing.h"

enum { SAMPLE_NOW = 1800000000 };

/* "inventory.db" in the test's folder. */
struct inventory *sample_open(void);
/* With the names dns:NAME.example and ip:192.0.2.1. */
int64_t sample_certificate(struct inventory *inventory, const char *name);
int64_t sample_renewal(struct inventory *inventory, int64_t certificate_id);
/* A renewal with a leaf of that end, accepted. */
int64_t sample_accepted(struct inventory *inventory, int64_t certificate_id, utc_t accepted_at,
                        utc_t not_after);
/* Writes /etc/ssl/NAME.pem. */
int64_t sample_target(struct inventory *inventory, int64_t certificate_id, const char *name);

/* A plan that waits for its time, of state "ok", without a deadline or an end. */
int sample_plan(struct inventory *inventory, int64_t id, utc_t at, const char *action,
                int64_t target, struct error *err);

/* Collects the ids of a walk. */
struct seen {
    struct inventory *inventory;
    int64_t ids[16];
    size_t count;
};

/* The row's id stands first in every kind of row. */
#define SAMPLE_SEE(function, row_type)                                                  \
    static int function(void *self, const struct row_type *row, struct error *walk_err) \
    {                                                                                   \
        struct seen *seen = self;                                                       \
                                                                                        \
        (void)walk_err;                                                                 \
        ck_assert_uint_lt(seen->count, COUNT_OF(seen->ids));                            \
        seen->ids[seen->count++] = row->id;                                             \
        return 0;                                                                       \
    }

/* Fails unless exactly these ids were seen, in this order. */
#define ck_seen(seen, ...)                                                                   \
    do {                                                                                     \
        const int64_t wanted_[] = {__VA_ARGS__};                                             \
        ck_assert_uint_eq((seen).count, COUNT_OF(wanted_));                                  \
        for (size_t i_ = 0; i_ < COUNT_OF(wanted_); i_++)                                    \
            ck_assert_msg((seen).ids[i_] == wanted_[i_], "row %zu: wanted %ld, got %ld", i_, \
                          (long)wanted_[i_], (long)(seen).ids[i_]);                          \
        (seen).count = 0;                                                                    \
    } while (0)

/* The audit trail is whole; returns how many events it has. */
int64_t sample_trail_is_whole(struct inventory *inventory);

/* A second connection, for what our own functions do not do. */
void sample_sql(const char *path, const char *sql);
/* Without triggers, checks and foreign keys: by a hand in the file. */
void sample_force(const char *path, const char *sql);
int64_t sample_sql_int(const char *path, const char *sql);

/* The stored file of a schema (files/), at "inventory.db" in the test's folder, not yet opened by
 * the program of now. */
void sample_stored(int schema);
/* All that is in a file, as text, whatever page it stands on; owned by the caller. */
char *sample_dump(const char *path);

#endif
