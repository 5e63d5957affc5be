/*
 * Takes the certificates out of a text of any kind and in any state: PEM blocks, and base64 without
 * markers.
 */
#ifndef UL_PKI_DELIVERY_BLOCKS_H
#define UL_PKI_DELIVERY_BLOCKS_H

#include "pki/delivery/reading.h"

/* Recogniser: 0 when the file is no text and nothing was found in it. */
int blocks_read(struct span file, struct reading *reading, struct error *err);

#endif
