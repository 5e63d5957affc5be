/*
 * A saved mail (RFC 5322, mbox, MIME): its texts and attachments, decoded, become parts of the
 * delivery.
 */
#ifndef UL_PKI_DELIVERY_MAIL_H
#define UL_PKI_DELIVERY_MAIL_H

#include "pki/delivery/reading.h"

/* Recogniser. */
int mail_read(struct span file, struct reading *reading, struct error *err);

#endif
