/*
 * What the parts of the check share: the certificates at hand and the path they make. For
 * pki/check*.c only.
 */
#ifndef UL_PKI_CHECK_PARTS_H
#define UL_PKI_CHECK_PARTS_H

#include "pki/anchors.h"
#include "pki/check.h"
#include "pki/path.h"

enum check_end {
    CHECK_END_ANCHOR,    /* the path is complete */
    CHECK_END_MISSING,   /* the issuer of its last link is not at hand */
    CHECK_END_UNTRUSTED, /* its last link is a root that is no anchor */
};

struct checking {
    const struct check_request *request;
    struct check_report *report;
    struct links known; /* what was sent, then hints; broken ones are left out */
    size_t *sent_at;    /* of each known one its place among what was sent; SIZE_MAX for hints */
    size_t leaf;        /* in known */
    struct links own;   /* the links of the path */
    struct path path;
    enum check_end end;
    struct error why; /* why the chain builder found no path; code 0 when it found one */
};

/* Finds the best path by pki/chain.h; without one the path that goes furthest, to be explained. */
void check_find_path(struct checking *checking);

/* Findings about what was sent: order, doubles, what is missing and what is too much. */
void check_examine_sent(struct checking *checking);

/* Findings about names, dates and lifetimes. */
void check_examine_names(struct checking *checking);
void check_examine_dates(struct checking *checking);

/* The place in known of the certificate, among what was sent; SIZE_MAX when it was not. */
size_t check_place_sent(const struct checking *checking, const struct link *link);

#endif
