/*
 * The life of certificates: performs one action that policies/ decided on, records its fact in one
 * transaction, asks again and writes the next plan. Nothing else drives a certificate, so a crash
 * at any instant resumes by asking again. A struct life belongs to one thread at a time; several
 * may work on one inventory file.
 */
#ifndef UL_DAEMON_LIFE_LIFE_H
#define UL_DAEMON_LIFE_LIFE_H

#include "daemon/life/world.h"
#include "policies/facts.h"
#include "policies/service.h"
#include "store/certificates.h"
#include "store/inventory.h"
#include "store/renewals.h"
#include "store/targets.h"

struct life {
    struct inventory *inventory;
    const struct world *world;
    const struct policies *policies;
    const struct services *services;
    const struct text_list *recipients; /* where a policy names none */
    const char *drop_shown;             /* the drop folder as people see it */
    const char *requests;               /* the folder of CSRs */
    const char *host;
    const seconds_t *mail_retry;
    size_t mail_retry_count;
    seconds_t mail_give_up;
};

/* Gathers the facts of a certificate from the inventory. Part of whatever transaction is open. */
int life_facts(struct inventory *inventory, const struct certificate_row *certificate,
               struct certificate_facts *ret, struct error *err);

/* The policy of a certificate: "default" when its own is gone (a warning is logged). Never NULL. */
const struct policy *life_policy(const struct life *life,
                                 const struct certificate_row *certificate);

/* One due action (deploy actions when `deploy`, all others when not). *ret_at: when to call again
 * (UTC_NEVER: nothing planned). Returns 0, E_NOT_FOUND when nothing was due, or what made the
 * inventory unusable. */
int life_step(struct life *life, bool deploy, utc_t *ret_at, struct error *err);

/* One due notice; returns as life_step. */
int life_send(struct life *life, utc_t *ret_at, struct error *err);

/* After a start with other policies: looks again at what waits for its chain, since the anchors may
 * be others, and writes the next plan of every certificate. */
int life_plan_all(struct life *life, struct error *err);

/* What is asked of `add`. */
struct life_add {
    const char *name;
    const char *policy;        /* NULL: "default" */
    const struct names *names; /* may be empty when the first target has a certificate to adopt */
    const struct target_row *targets;
    size_t target_count;
    const char *actor; /* "uid 0" */
};

/* Adds a certificate with its targets and adopts the pair that is installed there now. *ret_id.
 * E_INPUT, E_EXISTS, E_NOT_FOUND (policy, service). */
int life_add(struct life *life, const struct life_add *add, int64_t *ret_id, struct error *err);

/*
 * Starts a renewal now. With an open one: E_EXISTS, unless `again`, which supersedes it with a new
 * key and CSR. *ret_renewal_id is the open renewal in both cases.
 */
int life_renew(struct life *life, const char *name, bool again, const char *actor,
               int64_t *ret_renewal_id, struct error *err);

/* What is asked of `trust add`: a file with one certificate or more. */
struct life_trust {
    struct span file;
    const char *comment; /* may be NULL */
    bool all;            /* every certificate in it, when it holds several */
    const char *actor;   /* "uid 0" */
};

/* One trust anchor, as it is told. */
struct life_anchor {
    uint8_t sha256[SHA256_LEN];
    char subject[CERT_DN_MAX];
    utc_t not_before, not_after;
    bool existing; /* it was one before */
    struct text_list notes;
};
struct life_anchors {
    struct life_anchor *items;
    size_t count;
};
void life_anchors_done(struct life_anchors *anchors);
#define AUTO_LIFE_ANCHORS __attribute__((cleanup(life_anchors_done)))

/*
 * Makes authorities of a file trust anchors, wherever a policy uses the system's store, and looks
 * again at what waits for its chain. E_FORMAT: no certificate; E_REFUSED: one that is no
 * authority's, several without `all`, a private key, more anchors than CHAIN_ADDED_MAX.
 */
int life_trust_add(struct life *life, const struct life_trust *asked, struct life_anchors *ret,
                   struct error *err);
/*
 * Takes one away that was added so. fingerprint: 8 hexadecimal digits of the SHA-256 or more, with
 * or without colons. What is installed stays; what comes next is judged without it. E_INPUT,
 * E_NOT_FOUND; ret is filled with what it was.
 */
int life_trust_remove(struct life *life, const char *fingerprint, const char *actor,
                      struct life_anchor *ret, struct error *err);

/* A delivery's outcome: what to file it as, and what the receipt says. */
struct life_verdict {
    int64_t delivery_id;
    bool accepted;
    char *receipt; /* owned */
};
void life_verdict_done(struct life_verdict *verdict);

/* Takes one file of the drop folder: reads, matches, judges and records it. `problem` as in struct
 * drop_file. */
int life_intake(struct life *life, const char *name, struct span data,
                const uint8_t sha256[SHA256_LEN], const char *problem, struct life_verdict *ret,
                struct error *err);
/* The file and its receipt are where they belong. */
int life_filed(struct life *life, int64_t delivery_id, const char *filed_name, struct error *err);

#endif
