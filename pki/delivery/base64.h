/*
 * Base64 (RFC 4648) as it stands in texts of people: quoted, indented, as strings of a program, cut
 * into lines of any length, with or without padding. Only a piece of DER that is there whole, to
 * its last byte, is taken in such ways, so no way of reading makes one certificate of another.
 */
#ifndef UL_PKI_DELIVERY_BASE64_H
#define UL_PKI_DELIVERY_BASE64_H

#include "base/mem.h"

/* The headers in front of the base64 of a block (RFC 1421 4.6, RFC 4716 3.3); body is left without
 * them. */
struct span base64_take_head(struct span *body);

/*
 * What stands between two markers. Strictly: blanks and signs of quotation are left out, the rest
 * is full groups of four with padding only at the end and no stray bits under it. false when it is
 * not that, or empty.
 */
bool base64_strict(struct span body, struct blob *ret);

/* In every way known, also the alphabet of section 5, numbered lines, and lines of a patch; false
 * unless the bytes are one whole piece of DER that is met here. Alone, without markers around, its
 * lines must be of one length too. */
bool base64_whole(struct span body, bool alone, struct blob *ret);

/* Whether it is one whole piece of DER that is met here. */
bool base64_is_der(const struct blob *der);

/* As mail has it (RFC 2045 6.8): whatever is no digit is left out, and padding ends a group. */
struct blob base64_loose(struct span body);

/* Looks for base64 without markers, in steps bounded by the text's length. */
struct base64_finder {
    struct span text;
    size_t at;
    size_t budget; /* steps left */
};

struct base64_find {
    size_t from, to;
    struct blob der; /* one whole piece; empty when the end of it is missing. blob_wipe it. */
};

void base64_finder_init(struct base64_finder *finder, struct span text);
/* The next piece of DER that announces its length at its front; false when there is none. */
bool base64_next(struct base64_finder *finder, struct base64_find *ret);

#endif
