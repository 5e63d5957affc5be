/*
 * A complete path from a leaf to a trust anchor, and whether it keeps the rules (RFC 5280 section
 * 6). For pki/chain.c only.
 */
#ifndef UL_PKI_PATH_H
#define UL_PKI_PATH_H

#include "pki/link.h"

enum { PATH_DEPTH_MAX = 8 /* certificates above the leaf, the anchor included */ };

struct path {
    const struct link *links[1 + PATH_DEPTH_MAX]; /* leaf first, anchor last; borrowed */
    size_t count;
};

/* When the first link of it ends, the anchor included. */
utc_t path_ends(const struct path *path);

/*
 * Which of two complete paths serves clients better: one whose anchor's subject has `preferred` in
 * it (NULL: no such wish), then one that goes on to a self-signed root (an intermediate among the
 * anchors is known here, not to every client), then the one whose first link ends later, then the
 * shorter.
 */
bool path_is_better(const struct path *path, const struct path *than, const char *preferred);

/* Dates by us, everything else by OpenSSL, which sees this path and nothing more. E_REFUSED names
 * certificate and rule. */
int path_check(const struct path *path, utc_t at, bool as_server, struct error *err);

#endif
