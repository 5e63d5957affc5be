/*
 * DER, and texts with PEM in them; also one behind the other, as "cat a.cer b.pem" makes them.
 */
#ifndef UL_PKI_DELIVERY_GLUED_H
#define UL_PKI_DELIVERY_GLUED_H

#include "pki/delivery/reading.h"

/* Recognisers: of what begins with DER, and of texts. */
int glued_read_der(struct span file, struct reading *reading, struct error *err);
int glued_read_text(struct span file, struct reading *reading, struct error *err);

#endif
