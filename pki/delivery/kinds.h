/*
 * Names what is in a file that holds nothing of use, by its first bytes or its shape: nothing is
 * unpacked here.
 */
#ifndef UL_PKI_DELIVERY_KINDS_H
#define UL_PKI_DELIVERY_KINDS_H

#include "pki/delivery/reading.h"

/* Recognisers: coats that are not opened though certificates may be in them; all else that is no
 * text. */
int kinds_read_closed(struct span file, struct reading *reading, struct error *err);
int kinds_read_binary(struct span file, struct reading *reading, struct error *err);

/* The form of a text ("an HTML page", "JSON"), and what is known by its first words ("an SSH public
 * key"); NULL for plain text. */
const char *kinds_of_text(struct span raw);
const char *kinds_of_other_text(struct span raw);

/* No control characters but blanks; of any character set with ASCII in it. */
bool kinds_is_text(struct span file);

#endif
