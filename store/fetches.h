/* URLs that certificates name as the place of their issuer's certificate, and how often each was
 * asked: what a stranger writes into a certificate must not make this machine ask for ever. */
#ifndef UL_STORE_FETCHES_H
#define UL_STORE_FETCHES_H

#include <stdbool.h>

#include "store/inventory.h"

enum { FETCHES_A_DAY = 6 };

/*
 * Counts one try of a URL. *ret_allowed is false, and nothing is counted, when it was tried
 * FETCHES_A_DAY times within a day, or within `pause` seconds. What is older than a day is
 * forgotten.
 */
int fetches_count(struct inventory *inventory, const char *url, utc_t now, seconds_t pause,
                  bool *ret_allowed, struct error *err);

#endif
