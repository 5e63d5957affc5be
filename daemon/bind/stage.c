/* The files of the transaction: each step leaves every name beside a live file either absent or
 * complete, so that the step after a crash needs to look at nothing but which names are there. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "daemon/bind/place.h"

typedef int (*place_fn)(const struct deploy_order *order, enum bundle_part part,
                        const struct place *place, void *context, struct error *err);

/* The key comes first everywhere: enum bundle_part begins with it. */
static int each_place(const struct deploy_order *order, place_fn fn, void *context,
                      struct error *err)
{
    for (int i = 0; i < BUNDLE_PARTS; i++) {
        AUTO_PLACE struct place place = {.dir = -1};

        if (!order->files[i])
            continue;
        int rc = place_open(order->files[i], &place, err);
        if (rc == 0)
            rc = fn(order, (enum bundle_part)i, &place, context, err);
        if (rc < 0)
            return error_wrap(err, rc, "%s", bundle_part_text((enum bundle_part)i));
    }
    return 0;
}

static int is_kept(const struct place *place, bool *ret, struct error *err)
{
    bool previous = false;
    bool absent = false;
    int rc = place_has(place, place->previous, &previous, err);

    if (rc == 0)
        rc = place_has(place, place->absent, &absent, err);
    if (rc == 0)
        *ret = previous || absent;
    return rc;
}

static int find_unkept(const struct deploy_order *order, enum bundle_part part,
                       const struct place *place, void *context, struct error *err)
{
    bool *all_kept = context;
    bool kept = false;
    int rc = is_kept(place, &kept, err);

    (void)order, (void)part;
    *all_kept = *all_kept && kept;
    return rc;
}

static int forget(const struct deploy_order *order, enum bundle_part part,
                  const struct place *place, void *context, struct error *err)
{
    int rc = file_remove_at(place->dir, place->previous, err);

    (void)order, (void)part, (void)context;
    return rc < 0 ? rc : file_remove_at(place->dir, place->absent, err);
}

static int keep(const struct deploy_order *order, enum bundle_part part, const struct place *place,
                void *context, struct error *err)
{
    AUTO_SECRET struct blob data = {0};
    struct stat st;
    bool there = false;
    int rc = place_look(place, &there, &st, err);

    (void)order, (void)part, (void)context;
    if (rc < 0)
        return rc;
    if (!there)
        return place_write(place, place->absent, (struct span){0}, FILE_PRIVATE, err);
    rc = file_read_at(place->dir, place->name, BUF_MAX_PEM, &data, err);
    if (rc < 0)
        return rc;
    return place_write(place, place->previous, blob_span(&data), place_access(&st), err);
}

/* All or none: with only some kept, keeping or cleaning was cut short; in both cases no swap is
 * under way and the live files are the truth. */
static int keep_all(const struct deploy_order *order, struct error *err)
{
    bool all_kept = true;
    int rc = each_place(order, find_unkept, &all_kept, err);

    if (rc < 0 || all_kept)
        return rc;
    rc = each_place(order, forget, NULL, err);
    return rc < 0 ? rc : each_place(order, keep, NULL, err);
}

/* As declared, else as what was live, else the creator's. */
static int choose_access(const struct deploy_order *order, enum bundle_part part,
                         const struct place *place, struct file_access *ret, struct error *err)
{
    struct file_access access = bundle_part_is_secret(part) ? FILE_PRIVATE : FILE_PUBLIC;
    struct stat st;
    bool there = false;
    int rc = place_look(place, &there, &st, err);

    if (rc < 0)
        return rc;
    if (there)
        access = place_access(&st);
    rc = place_declared(&order->service->parts[part], &access, err);
    if (rc == 0)
        *ret = access;
    return rc;
}

static int write_staged(const struct deploy_order *order, enum bundle_part part,
                        const struct place *place, void *context, struct error *err)
{
    const struct bundle *const *bundle = context;
    struct file_access access = FILE_PRIVATE;
    int rc = choose_access(order, part, place, &access, err);

    if (rc < 0)
        return rc;
    return place_write(place, place->staged, blob_span(&(*bundle)->parts[part]), access, err);
}

/* The first leaf among the previous files. */
static int find_previous(const struct deploy_order *order, enum bundle_part part,
                         const struct place *place, void *context, struct error *err)
{
    struct blob *leaf = context;
    AUTO_SECRET struct blob data = {0};
    AUTO_BLOBS struct blobs certs = {0};
    bool there = false;
    int rc = place_has(place, place->previous, &there, err);

    (void)order;
    if (rc < 0 || !there || !part_has_leaf(part) || leaf->len > 0)
        return rc;
    rc = file_read_at(place->dir, place->previous, BUF_MAX_PEM, &data, err);
    if (rc < 0)
        return rc;
    /* What was there need not be anything we can read. */
    if (place_certs(blob_span(&data), &certs, NULL) == 0 && certs.count > 0)
        *leaf = blob_take(&certs.items[0]);
    return 0;
}

int deployer_stage(const struct deploy_order *order, const struct bundle *bundle,
                   uint8_t ret_previous[SHA256_LEN], struct error *err)
{
    AUTO_BLOB struct blob leaf = {0};
    int rc = keep_all(order, err);

    if (rc == 0)
        rc = each_place(order, write_staged, &bundle, err);
    if (rc == 0)
        rc = each_place(order, find_previous, &leaf, err);
    if (rc < 0)
        return error_wrap(err, rc, "stage");
    memset(ret_previous, 0, SHA256_LEN);
    if (leaf.len > 0)
        sha256_of(blob_span(&leaf), ret_previous);
    return 0;
}

static int is_swappable(const struct deploy_order *order, enum bundle_part part,
                        const struct place *place, void *context, struct error *err)
{
    struct stat st;
    bool staged = false;
    bool live = false;
    int rc = place_has(place, place->staged, &staged, err);

    (void)order, (void)part, (void)context;
    if (rc == 0)
        rc = place_look(place, &live, &st, err);
    if (rc < 0)
        return rc;
    if (!staged && !live)
        return error_set(err, E_CORRUPT, "file %s: neither it nor %s is there", place->path,
                         place->staged);
    return 0;
}

static int swap_one(const struct deploy_order *order, enum bundle_part part,
                    const struct place *place, void *context, struct error *err)
{
    bool staged = false;
    int rc = place_has(place, place->staged, &staged, err);

    (void)order, (void)part, (void)context;
    if (rc < 0 || !staged)
        return rc;
    return file_rename_at(place->dir, place->staged, place->name, err);
}

int deployer_swap(const struct deploy_order *order, struct error *err)
{
    int rc = each_place(order, is_swappable, NULL, err);

    if (rc == 0)
        rc = each_place(order, swap_one, NULL, err);
    return rc < 0 ? error_wrap(err, rc, "swap") : 0;
}

static int drop_staged(const struct deploy_order *order, enum bundle_part part,
                       const struct place *place, void *context, struct error *err)
{
    int rc = file_remove_at(place->dir, place->writing, err);

    (void)order, (void)part, (void)context;
    return rc < 0 ? rc : file_remove_at(place->dir, place->staged, err);
}

/* The live file has this content and access already: leave it, times and all. */
static bool is_live(const struct place *place, struct span data, struct file_access access)
{
    AUTO_SECRET struct blob live = {0};
    struct stat st;
    bool there = false;

    if (place_look(place, &there, &st, NULL) < 0 || !there)
        return false;
    struct file_access found = place_access(&st);
    return found.owner == access.owner && found.group == access.group &&
           found.mode == access.mode &&
           file_read_at(place->dir, place->name, BUF_MAX_PEM, &live, NULL) == 0 &&
           span_equal(blob_span(&live), data);
}

static int restore_one(const struct deploy_order *order, enum bundle_part part,
                       const struct place *place, void *context, struct error *err)
{
    AUTO_SECRET struct blob data = {0};
    struct stat st;
    bool previous = false;
    bool absent = false;
    int rc = place_has(place, place->previous, &previous, err);

    (void)order, (void)part, (void)context;
    if (rc == 0)
        rc = place_has(place, place->absent, &absent, err);
    if (rc < 0)
        return rc;
    if (!previous)
        return absent ? file_remove_at(place->dir, place->name, err) : 0;
    if (fstatat(place->dir, place->previous, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set_errno(err, errno, "file %s: cannot look at", place->previous);
    rc = file_read_at(place->dir, place->previous, BUF_MAX_PEM, &data, err);
    if (rc < 0 || is_live(place, blob_span(&data), place_access(&st)))
        return rc;
    return place_write(place, place->name, blob_span(&data), place_access(&st), err);
}

int deployer_restore(const struct deploy_order *order, struct error *err)
{
    /* First: a full disk needs the room. */
    int rc = each_place(order, drop_staged, NULL, err);

    if (rc == 0)
        rc = each_place(order, restore_one, NULL, err);
    return rc < 0 ? error_wrap(err, rc, "restore") : 0;
}

int deployer_clean(const struct deploy_order *order, struct error *err)
{
    int rc = each_place(order, drop_staged, NULL, err);

    if (rc == 0)
        rc = each_place(order, forget, NULL, err);
    return rc < 0 ? error_wrap(err, rc, "clean") : 0;
}
