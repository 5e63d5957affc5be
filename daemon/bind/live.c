#include "daemon/bind/live.h"

#include <stdio.h>
#include <string.h>

#include "daemon/bind/place.h"

void live_pair_done(struct live_pair *pair)
{
    blob_done(&pair->leaf);
    blobs_done(&pair->chain);
    blob_wipe(&pair->key);
    *pair = (struct live_pair){0};
}
#define AUTO_LIVE __attribute__((cleanup(live_pair_done)))

/* E_NOT_FOUND when nothing is there; a link is refused here already, since deploying would. */
static int read_part(const struct deploy_order *order, enum bundle_part part, struct blob *ret,
                     struct error *err)
{
    AUTO_PLACE struct place place = {.dir = -1};
    struct stat st;
    bool there = false;
    int rc = place_open(order->files[part], &place, err);

    if (rc == 0)
        rc = place_look(&place, &there, &st, err);
    if (rc < 0)
        return rc;
    if (!there)
        return error_set(err, E_NOT_FOUND, "file %s: there is none", place.path);
    rc = file_read_at(place.dir, place.name, BUF_MAX_PEM, ret, err);
    return rc < 0 ? error_wrap(err, rc, "folder of %s", place.path) : 0;
}

/* The leaf, and what follows it in the same file. */
static int read_leaf(const struct deploy_order *order, enum bundle_part part,
                     struct live_pair *pair, struct error *err)
{
    AUTO_SECRET struct blob data = {0};
    AUTO_BLOBS struct blobs certs = {0};
    int rc = read_part(order, part, &data, err);

    if (rc == 0)
        rc = place_certs(blob_span(&data), &certs, err);
    if (rc < 0)
        return rc;
    if (certs.count == 0)
        return data.len == 0
                   ? error_set(err, E_NOT_FOUND, "file %s: is empty", order->files[part])
                   : error_set(
                         err, E_REFUSED,
                         "file %s: wanted a certificate or no file, got %zu bytes of something "
                         "else, which would be overwritten",
                         order->files[part], data.len);
    pair->leaf = blob_take(&certs.items[0]);
    for (size_t i = 1; i < certs.count; i++)
        blobs_add(&pair->chain, blob_span(&certs.items[i]));
    return 0;
}

/* A chain file of its own; none, or one that cannot be read, is no chain. */
static void read_chain(const struct deploy_order *order, struct live_pair *pair)
{
    AUTO_SECRET struct blob data = {0}; /* it may be one with more in it */

    if (pair->chain.count == 0 && order->files[BUNDLE_CHAIN] &&
        read_part(order, BUNDLE_CHAIN, &data, NULL) == 0)
        place_certs(blob_span(&data), &pair->chain, NULL);
}

static void read_key(const struct deploy_order *order, struct live_pair *pair)
{
    AUTO_SECRET struct blob data = {0};
    struct error why = {0};
    enum bundle_part part = order->files[BUNDLE_KEY] ? BUNDLE_KEY : BUNDLE_COMBINED;

    if (!order->files[part])
        snprintf(pair->key_reason, sizeof pair->key_reason, "the target has no key file");
    else if (read_part(order, part, &data, &why) < 0)
        snprintf(pair->key_reason, sizeof pair->key_reason, "%.200s", why.text);
    else if (!key_fits_cert(blob_span(&data), blob_span(&pair->leaf)))
        snprintf(pair->key_reason, sizeof pair->key_reason,
                 "%.160s holds no unencrypted key that belongs to the certificate",
                 order->files[part]);
    else
        pair->key = blob_take(&data);
}

int live_read(const struct deploy_order *order, struct live_pair *ret, struct error *err)
{
    static const enum bundle_part with_leaf[] = {BUNDLE_FULLCHAIN, BUNDLE_LEAF, BUNDLE_COMBINED};
    AUTO_LIVE struct live_pair pair = {0};
    int rc = error_set(err, E_NOT_FOUND, "target: no file of it holds a leaf");

    for (size_t i = 0; i < COUNT_OF(with_leaf); i++) {
        if (!order->files[with_leaf[i]])
            continue;
        rc = read_leaf(order, with_leaf[i], &pair, err);
        if (rc != E_NOT_FOUND)
            break;
    }
    if (rc < 0)
        return rc;
    read_chain(order, &pair);
    read_key(order, &pair);
    *ret = pair;
    pair = (struct live_pair){0};
    return 0;
}
