/*
 * DER written out in hexadecimal: "30 82 03 0a", "30:82:...", 0x30, "3082...", also as xxd and
 * hexdump -C show it.
 */
#ifndef UL_PKI_DELIVERY_HEX_H
#define UL_PKI_DELIVERY_HEX_H

#include "base/mem.h"

/* The first whole piece of DER in clean text; false when there is none. Steps are bounded by the
 * text's length. */
bool hex_find(struct span text, struct blob *ret);

#endif
