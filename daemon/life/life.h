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

/* The intermediate that the end of an accepted renewal's chain is that of; E_NOT_FOUND when there
 * is none, for no intermediate ends before the leaf. */
struct chain_end {
    char subject[CERT_DN_MAX];
    uint8_t sha256[SHA256_LEN];
    utc_t not_after;
    struct blob below; /* the intermediate that it issued, in DER; empty: the leaf */
};
int life_chain_end(struct life *life, const struct renewal_row *renewal, struct chain_end *ret,
                   struct error *err);
void chain_end_done(struct chain_end *end);

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
