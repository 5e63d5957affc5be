/*
 * A complete path from a leaf to a trust anchor, and whether it keeps the rules (RFC 5280 section
 * 6). For the chain builder and the check only.
 */
#ifndef UL_PKI_PATH_H
#define UL_PKI_PATH_H

#include "pki/chain.h"
#include "pki/link.h"

enum { PATH_DEPTH_MAX = 8 /* certificates above the leaf, the anchor included */ };

struct path {
    const struct link *links[1 + PATH_DEPTH_MAX]; /* leaf first, anchor last; borrowed */
    size_t count;
};

/* When the first link of it ends, the anchor included. */
utc_t path_ends(const struct path *path);

/*
 * Which of two complete paths serves clients better: one whose anchor's subject has `preferred` in
 * it (NULL: no such wish), then one that goes on to a self-signed root (an intermediate among the
 * anchors is known here, not to every client), then the one whose first link ends later, then the
 * shorter.
 */
bool path_is_better(const struct path *path, const struct path *than, const char *preferred);

/*
 * Who hears of each broken rule: code is a word for scripts ("expired", "eku", ...; the table is in
 * pki/README.md), place the link's place in the path, text "rule: wanted X, got Y".
 */
struct path_teller {
    void *self;
    void (*tell)(void *self, const char *code, size_t place, const char *text);
};

/* Every rule that the path breaks: ours (pki/rules.h), then OpenSSL's, which sees this path and
 * nothing more. A path may also end in a link that is no anchor: OpenSSL is not asked then. */
void path_examine(const struct path *path, utc_t at, enum chain_purpose purpose,
                  const struct path_teller *teller);

/* The first of them as an error: E_REFUSED names certificate and rule. */
int path_check(const struct path *path, utc_t at, enum chain_purpose purpose, struct error *err);

#endif
