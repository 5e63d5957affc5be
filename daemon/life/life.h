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
#include "store/trail.h"

struct life {
    struct inventory *inventory;
    const struct world *world;
    const struct policies *policies;
    const struct services *services;
    const struct text_list *recipients; /* where a policy names none */
    const char *drop_shown;             /* the drop folder as people see it */
    const char *requests;               /* the folder of CSRs */
    const char *host;
    const char *backups;     /* the folder of backups */
    seconds_t backups_every; /* 0: only when somebody asks */
    int64_t backups_keep;
    bool erase_keys; /* the content of files with private keys goes after it was read */
    const seconds_t *mail_retry;
    size_t mail_retry_count;
    seconds_t mail_give_up;
    seconds_t keep_events; /* so long the audit trail goes back; 0: for ever */
    const char *actor;     /* whose act it is, in the audit trail; NULL: the daemon's own */
    /* private */
    bool in_group;  /* several certificates share the open transaction */
    size_t singles; /* after a group failed: so many go alone */
    struct {
        int64_t certificate_id; /* 0: none since it was forgotten */
        struct next next;
    } planned; /* last */
};

/* Who does what the daemon does by itself, and what files in the drop folder bring about. */
#define ACTOR_DAEMON "unlapsed"
#define ACTOR_DROP "drop folder"

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

/* The state of a certificate whose record cannot be read. */
#define LIFE_UNREADABLE "unreadable"

/* One due action (deploy actions when `deploy`, all others when not), or several of different
 * certificates together, those with the nearest deadlines. *ret_at: when to call again
 * (UTC_NEVER: nothing planned). Returns 0, E_NOT_FOUND when nothing was due, or what made the
 * inventory unusable. */
int life_step(struct life *life, bool deploy, utc_t *ret_at, struct error *err);

/* One due notice; returns as life_step. */
int life_send(struct life *life, utc_t *ret_at, struct error *err);

/* Takes the oldest events out of the audit trail, a piece at a time, once they are older than
 * keep_events; returns as life_step. */
int life_prune(struct life *life, utc_t *ret_at, struct error *err);
/* Whether what was pruned was signed off by who holds our sealing key. */
int life_trail_signed(struct life *life, const struct trail_ends *ends, bool *ret,
                      struct error *err);
/* After a start, and when the sealing key has changed: signs it off with the one in force, before
 * the older one is thrown away. What nobody signed off stays so. Failures are logged. */
void life_trail_sign_again(struct life *life);
/* An event of the daemon itself; a failure is logged. */
void life_happened(struct life *life, const char *kind, const char *text);

/* After a start or with another configuration: looks again at what waits for its chain, since the
 * anchors may be others. What that fails for is logged; the next news looks again. */
void life_look_at_anchors(struct life *life);

/*
 * Plans follow from facts and rules. life_plan_begin, after a start or with another configuration:
 * when the rules are others than the plans were made by, or `anew`, all plans are to be made again;
 * this only notes it. life_plan_more makes some of them and remembers how far it has come, across a
 * crash, too; E_NOT_FOUND when all are made.
 */
int life_plan_begin(struct life *life, bool anew, struct error *err);
int life_plan_more(struct life *life, struct error *err);

/*
 * After a trust anchor was added: everything whose chain did not build, or ended in a root that was
 * not trusted, is judged again, whether it waits in a renewal or in quarantine. Its people are told
 * and its receipts go on; `why` is what they say of it ("the authority ... is trusted"). Part of
 * the open transaction; a chain is built with the anchors that are there by then.
 */
int life_look_again(struct life *life, const char *why, struct error *err);

/* What is asked of `add`. */
struct life_add {
    const char *name;
    const char *policy;        /* NULL: "default" */
    const struct names *names; /* may be empty when the first target has a certificate to adopt */
    const struct target_row *targets;
    size_t target_count;
    const char *actor; /* "uid 0 (root)" */
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
    const char *actor;   /* "uid 0 (root)" */
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
    int failed;   /* 0, or why this file was not taken: it stays where it is, nothing is recorded */
    char *reason; /* the sentence for it; owned */
    int64_t delivery_id;
    bool accepted;
    bool secret;   /* a private key is in the file: nobody else may read it where it is filed */
    char *receipt; /* owned */
};
void life_verdict_done(struct life_verdict *verdict);

/*
 * Files of the drop folder, taken together in one transaction. The verdict is recorded before
 * anything is moved: a file that a crash left in the folder gets the same verdict again. A batch is
 * full at so many files, or when what was read of them takes so much memory.
 */
enum { LIFE_BATCH_FILES = 64, LIFE_BATCH_BYTES = 16 << 20 };
struct life_batch;
struct life_batch *life_batch_new(struct life *life);
void life_batch_free(struct life_batch *batch);
void life_batch_clear(struct life_batch *batch);
bool life_batch_is_full(const struct life_batch *batch);
size_t life_batch_count(const struct life_batch *batch);
/* Reads one file, which may take its time; no transaction is open. `problem` as in struct
 * drop_file. Not of a full batch. */
int life_batch_add(struct life_batch *batch, const char *file, struct span data,
                   const uint8_t sha256[SHA256_LEN], const char *problem, struct error *err);
/* Matches, judges and records all of them. A failure is the inventory's: nothing of the batch has
 * happened. What ails one file alone is in its verdict. */
int life_batch_take(struct life_batch *batch, struct error *err);
/* In the order in which they were added; borrowed. */
const struct life_verdict *life_batch_verdict(const struct life_batch *batch, size_t at);

/* A batch of one. */
int life_intake(struct life *life, const char *file, struct span data,
                const uint8_t sha256[SHA256_LEN], const char *problem, struct life_verdict *ret,
                struct error *err);

/* These files and their receipts are where they belong. */
struct life_filing {
    int64_t delivery_id;
    const char *name; /* in accepted/ or rejected/ */
};
int life_filed(struct life *life, const struct life_filing *filings, size_t count,
               struct error *err);

/*
 * The drop folder as people are told of it, kept in the inventory so that a restart tells nothing
 * twice. life_folder_trouble: what ails it now, NULL when nothing does; call it again while it
 * lasts, since people are mailed after ten minutes, and once more when it is over.
 */
int life_folder_trouble(struct life *life, const char *text, struct error *err);
/* Something about it that is no trouble (folders in it); NULL: nothing. */
int life_folder_note(struct life *life, const char *text, struct error *err);
/* Whether a file system is mounted there, remembered for the next start. */
int life_folder_mount(struct life *life, const char *path, bool is_mount, struct error *err);
bool life_folder_was_mount(struct inventory *inventory, const char *path);

/*
 * Makes the backup that is due, verified, and lets old ones go. stop is asked all the time; once
 * it says so the backup is broken off and stays due. A failure is recorded, logged, mailed when
 * it lasts, and tried again with growing pauses: it is no failure of this call. Returns as
 * life_step; E_CORRUPT when the inventory is damaged.
 */
int life_backup(struct life *life, inventory_stop_fn stop, void *self, utc_t *ret_at,
                struct error *err);
/* Asks for one now; *ret_number is that of the request. */
int life_backup_ask(struct life *life, const char *actor, int64_t *ret_number, struct error *err);

/* Facts about backups, kept in the inventory; which there are tells the folder. */
struct backup_state {
    int64_t asked, answered; /* numbers of the last request and of the last one that was tried */
    utc_t made_at;           /* the last one that succeeded; UTC_NEVER: none yet */
    char *name;              /* of that file; NULL: none yet */
    int64_t rows;            /* in it */
    utc_t tried_at;          /* the last one that failed; UTC_NEVER: the last one did not */
    utc_t since;             /* how long that has been so; UTC_NEVER */
    int64_t failures;        /* in a row */
    char *trouble;           /* NULL: none */
    bool told;               /* of it, by mail */
};
int life_backup_state(struct inventory *inventory, struct backup_state *ret, struct error *err);
void backup_state_done(struct backup_state *state);
/* When the next one is due; UTC_NEVER when only a request makes one. */
utc_t life_backup_due(const struct life *life, const struct backup_state *state);

struct folder_state {
    char *trouble; /* NULL: none; else what ails it and what to do */
    utc_t since;   /* UTC_NEVER: without trouble */
    bool told;     /* by mail */
    char *note;    /* NULL: none */
};
int life_folder_state(struct inventory *inventory, struct folder_state *ret, struct error *err);
void folder_state_done(struct folder_state *state);

/*
 * The sealing key. Before it is opened: *ret_none when the inventory holds nothing that was sealed,
 * so that a new one may be made, and else the id that is wanted, in hexadecimal (owned by the
 * caller; NULL when none).
 */
int life_seal_expected(struct inventory *inventory, bool *ret_none, char **ret_id,
                       struct error *err);
/*
 * After it was opened: it must be the one that the inventory was sealed with, or that one must be
 * among the older ones: then everything is sealed anew from now on. Goes on with what a crash broke
 * off. E_CORRUPT names both; nothing was changed then.
 */
int life_seal_start(struct life *life, const char *path, struct error *err);
/* A new sealing key, in force when this returns; *ret_existing: the last change goes on yet, and
 * nothing was done. What world->rotate returns. */
int life_seal_rotate(struct life *life, const char *actor, bool *ret_existing, struct error *err);
/* Seals a batch of keys anew while the key changes. E_NOT_FOUND: there is nothing to do. */
int life_seal_step(struct life *life, struct error *err);

/* For the lane of requests when nothing is due there: takes what was erased out of the log of the
 * inventory, and life_seal_step, whose codes it returns. */
int life_rest(struct life *life, struct error *err);

struct seal_state {
    struct sealing_ids ids;     /* those that are here, the one in force first */
    struct sealing_ids missing; /* those that are wanted and not here */
    bool rotating;
    char *by; /* of that; NULL */
    utc_t began_at;
    int64_t done, left; /* keys; left is counted to 100000 for each sealing key */
};
int life_seal_state(struct life *life, struct seal_state *ret, struct error *err);
void seal_state_done(struct seal_state *state);

#endif
