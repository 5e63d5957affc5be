/*
 * What is known of one certificate, as plain values, and the two pure functions that drive it: what
 * is so, and the single next action with its time. States are derived, never stored, so they cannot
 * disagree with the facts. Every time that did not happen is UTC_NEVER.
 */
#ifndef UL_POLICIES_FACTS_H
#define UL_POLICIES_FACTS_H

#include <stdbool.h>

#include "base/clock.h"
#include "policies/policy.h"

/* The renewal in the making: the newest one that is neither accepted nor withdrawn nor superseded.
 */
struct renewal_facts {
    bool exists;
    int64_t id;
    utc_t created_at;     /* somebody or the lead time asked for it */
    utc_t requested_at;   /* key and CSR exist */
    utc_t handed_over_at; /* CSR written to the requests folder, notices queued */
    utc_t received_at;    /* a leaf that passed its gates but for the chain */
    utc_t rejected_at;    /* last refused delivery */
    utc_t chain_told_at;  /* people were told that the chain is missing */
    utc_t reminded_at;    /* last reminder that no delivery came */
    utc_t failed_at;      /* last failure to make key or CSR, or to hand over */
    int failures;
    utc_t fetched_at; /* what its chain lacks was last asked for at the URL that names it */
    int fetches;
};

/* One target of the newest accepted renewal. */
struct deployment_facts {
    int64_t target_id;
    utc_t scheduled_at;
    utc_t staged_at;     /* files written beside the live ones, previous ones kept */
    utc_t swap_begun_at; /* from here on live files may be the new ones */
    utc_t swapped_at;
    utc_t reloaded_at;
    utc_t verified_at;
    utc_t cleaned_at;    /* what was kept for a roll-back is removed */
    utc_t undo_begun_at; /* the attempt failed after swap_begun_at; not yet restored */
    utc_t failed_at;     /* the last attempt's end, live files are the previous ones again */
    int failures;
};

enum { DEPLOYMENTS_MAX = 32 };

struct certificate_facts {
    utc_t added_at;
    utc_t retired_at;
    /* newest accepted renewal */
    bool accepted;
    utc_t accepted_at;
    utc_t not_before, not_after;
    utc_t chain_not_after; /* the first end among it and its intermediates */
    utc_t rechain_at;      /* a chain that lives longer was last looked for in vain */
    /* what is in service: the oldest end among the targets' verified renewals, the accepted one
     * when there is no target */
    utc_t live_not_before, live_not_after; /* UTC_NEVER: nothing known to be in service */
    struct renewal_facts open;
    struct deployment_facts deployments[DEPLOYMENTS_MAX];
    size_t deployment_count;
    /* expiry ladder: how many stages of the live certificate were told (counting skipped ones) */
    size_t ladder_told;
    utc_t expired_told_at; /* the last "expired" notice for the live certificate */
    utc_t in_service_at; /* when the last target was verified to serve the accepted one; UTC_NEVER:
                            one is not */
    /* private keys that are kept and out of use: when the first of them went */
    bool old_keys;
    utc_t old_key_at;
};

/* One private key that is kept. Several renewals may have it: reissues, the same leaf under another
 * chain. */
struct key_facts {
    int64_t order; /* of its request: newer ones are greater */
    bool in_use;   /* by an open request, or by the newest accepted certificate */
    bool matched;  /* a certificate for it was accepted */
    bool withdrawn;
    utc_t superseded_at, withdrawn_at; /* the latest */
};

/* What a key is measured by. */
struct key_use {
    utc_t retired_at;    /* of the certificate */
    utc_t not_after;     /* of the newest accepted certificate; UTC_NEVER without one */
    bool accepted;       /* there is one */
    int64_t order;       /* of its request */
    utc_t in_service_at; /* when the last target was verified to serve it; UTC_NEVER: one is not */
};

/*
 * When a key went out of use; UTC_NEVER while it is in use or may be needed yet: as long as a
 * certificate for it may come and be taken, and until what took its place is in service everywhere.
 * Those of a retired certificate go when its last certificate has ended, too.
 */
utc_t policy_key_retired_at(const struct key_facts *key, const struct key_use *use);
/* When it may be erased: unlike other times it never comes early because a clock was set back. */
utc_t policy_key_erase_at(const struct policy *policy, utc_t key_retired_at);

/* clang-format off */
#define STATE_TABLE(X) \
    X(STATE_RETIRED,        "retired",        "is no longer looked after") \
    X(STATE_OK,             "ok",             "is in service everywhere") \
    X(STATE_UNKNOWN,        "new",            "has no certificate yet") \
    X(STATE_DUE,            "due",            "needs a new key and CSR") \
    X(STATE_REQUESTED,      "requested",      "has a key and CSR that are about to be handed over") \
    X(STATE_HANDED_OVER,    "handed over",    "waits for the authority's certificate") \
    X(STATE_REJECTED,       "rejected",       "got a delivery that was refused and waits for a better one") \
    X(STATE_WAITING_CHAIN,  "waiting chain",  "has its certificate and waits for the intermediates") \
    X(STATE_DEPLOYING,      "deploying",      "has its new certificate and is being installed") \
    X(STATE_ROLLED_BACK,    "rolled back",    "could not be installed; the previous certificate is in service") \
    X(STATE_CHAIN_ENDS,     "chain ends",     "is in service with an intermediate that ends before it does") \
    X(STATE_EXPIRED,        "expired",        "has expired in service")
/* clang-format on */

enum state {
#define X(name, text, says) name,
    STATE_TABLE(X)
#undef X
};

const char *state_text(enum state state);
const char *state_says(enum state state);

/* When the renewal of a certificate with these dates is to begin; UTC_NEVER when it never ends. */
utc_t policy_due(const struct policy *policy, utc_t not_before, utc_t not_after);
/*
 * When the next renewal is to begin: by the accepted certificate, or by the one in service when
 * that ends earlier and no deployment is under way to replace it.
 */
utc_t policy_renewal_due(const struct certificate_facts *facts, const struct policy *policy);

/*
 * When a longer-living chain is to be looked for, since an intermediate ends before the certificate
 * itself; UTC_NEVER when none does. The same lead as for a certificate that ends then, three weeks
 * at least, though not as soon as the chain was accepted.
 */
utc_t policy_rechain_due(const struct certificate_facts *facts, const struct policy *policy,
                         utc_t now);

/* What is so. When several hold, the one that needs attention most: expired before all others. */
enum state policy_state(const struct certificate_facts *facts, const struct policy *policy,
                        utc_t now);

/* clang-format off */
#define ACTION_TABLE(X) \
    X(ACTION_NONE,         "none",         OWNER_NOBODY, "nothing") \
    X(ACTION_START,        "start",        OWNER_DAEMON, "start a renewal") \
    X(ACTION_REQUEST,      "request",      OWNER_DAEMON, "make a new key and CSR") \
    X(ACTION_HAND_OVER,    "hand over",    OWNER_DAEMON, "write the CSR and tell people") \
    X(ACTION_REMIND,       "remind",       OWNER_PERSON, "remind people that the authority's certificate has not come") \
    X(ACTION_TELL_CHAIN,   "tell chain",   OWNER_PERSON, "tell people that the chain is missing") \
    X(ACTION_FETCH,        "fetch",        OWNER_DAEMON, "ask the authority's web server for the missing intermediate") \
    X(ACTION_RECHAIN,      "rechain",      OWNER_DAEMON, "look for a chain that does not end before the certificate") \
    X(ACTION_RECHAIN_AGAIN, "rechain again", OWNER_PERSON, "look again for a chain that does not end before the certificate") \
    X(ACTION_DEPLOY,       "deploy",       OWNER_DAEMON, "install on a target") \
    X(ACTION_TELL_EXPIRY,  "tell expiry",  OWNER_DAEMON, "tell people that it expires") \
    X(ACTION_TELL_EXPIRED, "tell expired", OWNER_PERSON, "tell people that it has expired") \
    X(ACTION_ERASE_KEYS,   "erase keys",   OWNER_DAEMON, "erase private keys that are out of use")
/* clang-format on */

/* Who must move for the certificate to get on. */
enum owner { OWNER_NOBODY, OWNER_DAEMON, OWNER_PERSON };

enum action {
#define X(name, text, owner, says) name,
    ACTION_TABLE(X)
#undef X
};

const char *action_text(enum action action);
const char *action_says(enum action action);
enum owner action_owner(enum action action);
bool action_parse(const char *text, enum action *ret);

struct next {
    enum action action;
    utc_t at;          /* UTC_NEVER with ACTION_NONE only */
    int64_t target_id; /* of ACTION_DEPLOY */
    size_t stage; /* of ACTION_TELL_EXPIRY: the newest stage that is due (missed ones collapse into
                     it) */
};

/*
 * The earliest next action. A time in the past means now. A fact that claims to lie in the future
 * was written by a clock that has been set back since: what depends on it is due now, and sets it
 * right.
 */
struct next policy_next(const struct certificate_facts *facts, const struct policy *policy,
                        utc_t now);

/*
 * By when an action should be done: of all that is due the nearest comes first. The end of what is
 * in service or of its chain, though not before the action itself is due; a week after it was asked
 * for where nothing is in service. UTC_NEVER: whenever there is time.
 */
utc_t policy_deadline(const struct certificate_facts *facts, const struct next *next);

/* What is to be told of the end of the certificate in service, whatever else is due: a failure of
 * something that is more urgent must not keep people from hearing of it. */
struct next policy_next_telling(const struct certificate_facts *facts, const struct policy *policy,
                                utc_t now);

#endif
