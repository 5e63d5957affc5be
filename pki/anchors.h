/*
 * The trust anchors from the inside: for pki/chain.c only.
 */
#ifndef UL_PKI_ANCHORS_H
#define UL_PKI_ANCHORS_H

#include "pki/chain.h"
#include "pki/link.h"

/* Anchors of certificates in DER; one that cannot be read is none. */
struct anchors *anchors_parse(const struct blobs *ders);

/* The anchors of a name, borrowed, one after another; NULL and 0 when there is none. */
const struct link *anchors_find(const struct anchors *anchors,
                                const uint8_t subject_sha256[SHA256_LEN], size_t *ret_count);

#endif
