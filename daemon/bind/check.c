#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/bind/deployer.h"
#include "daemon/bind/place.h"

enum { ROOM_TO_SPARE = 64 << 10 };

static int check_part(const struct deploy_order *order, const struct bundle *bundle,
                      enum bundle_part part, struct error *err)
{
    const char *text = bundle_part_text(part);

    if (!order->service->parts[part].allowed)
        return error_set(err, E_INPUT, "%s: service %s has no use for this part", text,
                         order->service->name);
    /* No intermediates is an empty chain file. */
    if (bundle->parts[part].len == 0 && part != BUNDLE_CHAIN)
        return error_set(err, E_INPUT, "%s: wanted content, got none", text);
    if (bundle->parts[part].len > BUF_MAX_PEM)
        return error_set(err, E_TOO_LARGE, "%s: wanted at most %d bytes, got %zu", text,
                         BUF_MAX_PEM, bundle->parts[part].len);
    for (int other = 0; other < (int)part; other++)
        if (order->files[other] && strcmp(order->files[other], order->files[part]) == 0)
            return error_set(err, E_INPUT, "file %s: wanted for one part, got it for %s and %s",
                             order->files[part], bundle_part_text((enum bundle_part)other), text);
    return 0;
}

/* Staged, kept and written back: three copies of everything at most. */
static int check_room(const struct place *place, const struct bundle *bundle, struct error *err)
{
    struct statvfs disk;
    uint64_t need = ROOM_TO_SPARE;

    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        need += 3 * (uint64_t)bundle->parts[i].len;
    if (fstatvfs(place->dir, &disk) < 0)
        return error_set_errno(err, errno, "file %s: cannot look at its file system", place->path);
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room < need)
        return error_set(err, E_FULL, "file %s: wanted %llu bytes of room, got %llu", place->path,
                         (unsigned long long)need, (unsigned long long)room);
    /* Zero inodes in all means that the file system does not count them. */
    if (disk.f_files > 0 && disk.f_favail < 2 * BUNDLE_PARTS)
        return error_set(err, E_FULL, "file %s: its file system has no inodes left", place->path);
    return 0;
}

static int check_place(const struct deploy_order *order, const struct bundle *bundle,
                       enum bundle_part part, struct error *err)
{
    AUTO_PLACE struct place place = {.dir = -1};
    struct file_access access = FILE_PRIVATE;
    struct stat st;
    bool there;
    int rc = place_open(order->files[part], &place, err);

    if (rc == 0)
        rc = place_look(&place, &there, &st, err);
    if (rc == 0)
        rc = place_declared(&order->service->parts[part], &access, err);
    if (rc < 0)
        return rc;
    if (faccessat(place.dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return error_set_errno(err, errno, "file %s: cannot write to its folder", place.path);
    return check_room(&place, bundle, err);
}

/*
 * Of what this order writes, every leaf must be the first certificate of its file and belong to the
 * key that is written with it.
 */
static int check_pair(const struct deploy_order *order, const struct bundle *bundle,
                      struct error *err)
{
    enum bundle_part with_key = bundle->parts[BUNDLE_KEY].len > 0 ? BUNDLE_KEY : BUNDLE_COMBINED;

    for (int i = 0; i < BUNDLE_PARTS; i++) {
        AUTO_BLOBS struct blobs certs = {0};
        enum bundle_part part = (enum bundle_part)i;

        if (!order->files[part] || !part_has_leaf(part))
            continue;
        /* A combined file brings its own. */
        enum bundle_part key = part == BUNDLE_COMBINED ? BUNDLE_COMBINED : with_key;
        int rc = place_certs(blob_span(&bundle->parts[part]), &certs, err);
        if (rc < 0)
            return error_wrap(err, rc, "%s", bundle_part_text(part));
        if (certs.count == 0)
            return error_set(err, E_FORMAT, "%s: wanted a certificate, found none",
                             bundle_part_text(part));
        if (!key_fits_cert(blob_span(&bundle->parts[key]), blob_span(&certs.items[0])))
            return error_set(err, E_REFUSED,
                             "%s: wanted the certificate of the key beside it, got another one",
                             bundle_part_text(part));
    }
    return 0;
}

int deployer_check(const struct deploy_order *order, const struct bundle *bundle, struct error *err)
{
    bool any = false;
    int rc = 0;

    for (int i = 0; i < BUNDLE_PARTS && rc == 0; i++) {
        if (!order->files[i])
            continue;
        any = true;
        rc = check_part(order, bundle, (enum bundle_part)i, err);
        if (rc == 0)
            rc = check_place(order, bundle, (enum bundle_part)i, err);
    }
    if (rc == 0 && !any)
        rc = error_set(err, E_INPUT, "target: wanted at least one file, got none");
    if (rc == 0)
        rc = check_pair(order, bundle, err);
    return rc < 0 ? error_wrap(err, rc, "check") : 0;
}
