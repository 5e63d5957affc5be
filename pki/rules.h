/*
 * The rules of a path that OpenSSL does not keep, or keeps less strictly than RFC 5280 section 6:
 * dates to the second, what makes an authority, uses of the keys all the way up, keys nobody may
 * trust, extensions that stand there twice, name constraints against wildcards. For pki/path.c
 * only.
 */
#ifndef UL_PKI_RULES_H
#define UL_PKI_RULES_H

#include "pki/path.h"

/* purpose is resolved: CHAIN_AS_IT_SAYS means that nothing is asked of the uses. */
void rules_examine(const struct path *path, utc_t at, enum chain_purpose purpose,
                   const struct path_teller *teller);

/* The name constraints of the link at `place` against their form and against the wildcards of all
 * links below it. */
void constraints_examine(const struct path *path, size_t place, const struct path_teller *teller);

#endif
