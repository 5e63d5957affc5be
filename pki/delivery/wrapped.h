/*
 * PEM that was encoded in base64 once more, as the secrets of Kubernetes and the answers of many
 * interfaces hold it.
 */
#ifndef UL_PKI_DELIVERY_WRAPPED_H
#define UL_PKI_DELIVERY_WRAPPED_H

#include "base/buf.h"

/* Appends what was in all such places of text, one behind the other, and nothing else of it; false
 * when there is none. What comes out is any bytes that begin with a BEGIN marker. */
bool wrapped_undo(struct span text, struct buf *ret);

#endif
