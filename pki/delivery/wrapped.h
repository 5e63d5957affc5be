/*
 * A text that was encoded in base64 once more, as the secrets of Kubernetes and the answers of many
 * interfaces hold PEM. The text may begin with anything that people write.
 */
#ifndef UL_PKI_DELIVERY_WRAPPED_H
#define UL_PKI_DELIVERY_WRAPPED_H

#include "base/buf.h"

/* Appends what was in all such places of text, in UTF-8, one behind the other, and nothing else of
 * it; false when there is none. Behind a front of text any bytes may come. */
bool wrapped_undo(struct span text, struct buf *ret);

#endif
