/*
 * ZIP archives, in memory and bounded: what is unpacked goes through the recognisers again, names
 * are only ever shown. For pki/delivery/delivery.c only.
 */
#ifndef UL_PKI_DELIVERY_ZIP_H
#define UL_PKI_DELIVERY_ZIP_H

#include "pki/delivery/reading.h"

/* An archive past the first three is not unpacked at all; an entry past the others is named. */
enum {
    ZIP_LISTED_MAX = 1024,   /* in its directory, with folders and what desktops add */
    ZIP_ENTRIES_MAX = 64,    /* files that are looked at */
    ZIP_TOTAL_MAX = 8 << 20, /* bytes of them, unpacked */
    ZIP_ENTRY_MAX = 1 << 20, /* bytes of one, unpacked */
    ZIP_RATIO_MAX = 100      /* unpacked to packed */
};

/* Recogniser (reading.h). */
int zip_read(struct span data, struct reading *reading, struct error *err);

#endif
