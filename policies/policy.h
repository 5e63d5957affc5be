/*
 * A policy: the rules a certificate follows. Read from YAML text by policies/load.c; pure values
 * from then on.
 */
#ifndef UL_POLICIES_POLICY_H
#define UL_POLICIES_POLICY_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "pki/keeper.h"

enum {
    POLICY_LIST_MAX = 16, /* entries of a ladder, a retry list, recipients, anchors, issuers */
};

struct text_list {
    char *items[POLICY_LIST_MAX];
    size_t count;
};

/* What a failed gate does: refuse the delivery, or take it and say so. */
enum severity { SEVERITY_REFUSE, SEVERITY_WARN, SEVERITY_IGNORE };

/* clang-format off */
#define GATE_TABLE(X) \
    X(GATE_NAMES,        "names",        "every requested name is covered") \
    X(GATE_VALIDITY,     "validity",     "it is valid now") \
    X(GATE_NO_DOWNGRADE, "no-downgrade", "it does not end earlier than the one in service") \
    X(GATE_NOT_SELF_SIGNED, "not-self-signed", "an authority signed it") \
    X(GATE_ISSUER,       "issuer",       "the issuer is allowed") \
    X(GATE_USAGE,        "usage",        "it may be used by a server") \
    X(GATE_STRENGTH,     "strength",     "key and signature are strong enough") \
    X(GATE_DISCLOSED,    "disclosed-key", "its key was never seen in the drop folder")
/* clang-format on */

enum gate {
#define X(name, text, says) name,
    GATE_TABLE(X)
#undef X
        GATE_COUNT
};

/* The lead time: fraction of the lifetime, kept between the clamps; an absolute time instead when
 * absolute > 0. */
struct lead {
    seconds_t absolute;    /* 0: by fraction */
    double fraction;       /* of the lifetime: 0.333 */
    double most_fraction;  /* never more than this part of the lifetime: 0.5 */
    seconds_t least, most; /* clamps */
};

struct policy {
    char *name;
    char *source; /* file it came from, or "built in" */
    enum key_type key_type;
    /* subject of the CSR; common name is the first DNS name when it fits 64 characters */
    char *organization, *country, *state, *locality; /* NULL: left out */
    struct lead lead;
    seconds_t retry[POLICY_LIST_MAX]; /* back-off of a failing deployment; the last one repeats */
    size_t retry_count;
    seconds_t chain_wait;   /* how long a leaf without its chain waits before people are told */
    seconds_t remind_every; /* a request without delivery is repeated to people after this long; 0
                               never */
    /* Expiry ladder: a stage is told when so much of life is left. Fractions of the lead time or
     * absolute times. */
    double ladder_fraction[POLICY_LIST_MAX]; /* of the lead, 1.0 first; 0 when the absolute value
                                                counts */
    seconds_t ladder_absolute[POLICY_LIST_MAX];
    size_t ladder_count;
    enum severity gates[GATE_COUNT];
    struct text_list
        issuers; /* allowed issuers, matched as text within the issuer's name; empty: any */
    struct text_list anchors; /* PEM files */
    bool system_anchors;
    seconds_t keep_retired_keys; /* how long a private key is kept after it went out of use */
    bool take_keys;              /* private keys in the drop folder become renewals, with the
                                    certificate that comes with them */
    char *preferred_root; /* a part of the subject of the anchor that chains should end in, if they
                             can; NULL: none */
    bool aia; /* missing intermediates are asked for at the URLs that certificates name */
    struct text_list recipients; /* mail addresses */
    int verify_handshakes;       /* consecutive fresh handshakes an endpoint must pass: 3 */
    seconds_t verify_patience; /* how long a reloaded service may take to serve the new certificate:
                                  15 s */
};

const char *gate_text(enum gate gate); /* "no-downgrade" */
const char *gate_says(enum gate gate); /* "it does not end earlier than ..." */

/* A set of policies by name. "default" always exists. */
struct policies;

/* The shipped policies/defaults files, compiled into the program, ready for policies_get. Asserts
 * that they are right. */
struct policies *policies_open(void);
void policies_free(struct policies *policies);

/*
 * Adds the policy documents of one YAML text: a mapping policies: {NAME: {...}}, each with optional
 * `extends: NAME` (default: "default"). What a policy does not set comes from the one it extends.
 * An own policy replaces a shipped one of its name; when it extends its own name it extends the
 * shipped one, and so does "default" without saying so: an own "default" changes single fields,
 * also for the shipped policies. Nothing of text is kept. E_CONFIG, and complaints holds all lines;
 * the other files can still be loaded, so that all mistakes come out together.
 */
int policies_load(struct policies *policies, const char *file, const char *text, size_t len,
                  struct buf *complaints, struct error *err);

/* After all files are loaded: resolves `extends` (a loop or an unknown name is a complaint).
 * Structs handed out before are filled anew. */
int policies_finish(struct policies *policies, struct buf *complaints, struct error *err);

/* NULL when unknown. Borrowed. */
const struct policy *policies_get(const struct policies *policies, const char *name);
size_t policies_count(const struct policies *policies);
const struct policy *policies_at(const struct policies *policies, size_t index);

/* Raised with any change of the code that plans (next.c, policy.c): plans are then made anew. */
enum { POLICY_PLAN_RULES = 1 };

/* Everything of all policies that plans depend on, as text: while it stays the same the plans in
 * the inventory are right. */
void policies_describe_plans(const struct policies *policies, struct buf *ret);

/* Any policy takes delivered keys: then the reader must hand them out. */
bool policies_take_keys(const struct policies *policies);

/* Seconds before not_after at which the renewal begins, from 0 to lead.most_fraction of the
 * lifetime (0: half of it), an absolute lead too. Any lifetime is fine, also that of "never". */
seconds_t policy_lead(const struct policy *policy, seconds_t lifetime);

/* Seconds before not_after at which ladder stage (0 the earliest) is told; stage < ladder_count.
 * Falls from stage to stage: what is not less than the stage before (the lead, at first) counts as
 * half of that. */
seconds_t policy_ladder(const struct policy *policy, size_t stage, seconds_t lifetime);

/* Both trust the same roots: a proof for one is a proof for the other. */
bool policy_has_same_anchors(const struct policy *a, const struct policy *b);

/* The back-off after the given number of failures (1 the first). */
seconds_t policy_retry(const struct policy *policy, int failures);

#endif
