/* A policy as its file gives it, before inheritance: which fields are set, and where. Between
 * load.c and set.c. */
#ifndef UL_POLICIES_DRAFT_H
#define UL_POLICIES_DRAFT_H

#include "policies/heirs.h"
#include "policies/policy.h"

enum {
    HAS_KEY,
    HAS_ORGANIZATION,
    HAS_COUNTRY,
    HAS_STATE,
    HAS_LOCALITY,
    HAS_LEAD_ABSOLUTE,
    HAS_LEAD_FRACTION,
    HAS_LEAD_MOST_FRACTION,
    HAS_LEAD_LEAST,
    HAS_LEAD_MOST,
    HAS_RETRY,
    HAS_CHAIN_WAIT,
    HAS_REMIND_EVERY,
    HAS_LADDER,
    HAS_ISSUERS,
    HAS_ANCHORS,
    HAS_SYSTEM_ANCHORS,
    HAS_KEEP_RETIRED_KEYS,
    HAS_TAKE_KEYS,
    HAS_PREFERRED_ROOT,
    HAS_AIA,
    HAS_RECIPIENTS,
    HAS_HANDSHAKES,
    HAS_PATIENCE,
    HAS_GATES, /* one for each gate */
    HAS_COUNT = HAS_GATES + GATE_COUNT
};

struct policy_draft {
    struct heir heir;
    bool has[HAS_COUNT];
    struct policy raw;    /* what the file says; other fields are zero */
    struct policy policy; /* with what is inherited */
    char *lead_place;     /* NULL without `lead` */
};

/* Reads one policy; wrong fields are complaints and stay unset. */
struct heir *policy_draft_read(struct yaml *yaml, const struct yaml_node *map);
void policy_draft_free(struct policy_draft *draft);

/* Fills in draft->policy anew from what is set here and from base (NULL: nothing to inherit). */
void policy_draft_inherit(struct policy_draft *draft, const struct policy *base);

#endif
