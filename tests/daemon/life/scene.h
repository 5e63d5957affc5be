/*
 * One certificate on one target in a world with a clock of its own: real inventory, keeper, reader,
 * chain builder and deployer's files; only the service (its test, its reload, what it serves), the
 * mail server and the clock are acted. What the service serves is a file, so that it survives the
 * death of the process as a real service would.
 */
#ifndef UL_TESTS_DAEMON_LIFE_SCENE_H
#define UL_TESTS_DAEMON_LIFE_SCENE_H

#include "daemon/life/life.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

enum { SCENE_PAGES = 8 };

struct scene {
    struct life life;
    struct world world;
    struct keeper *keeper;
    struct anchors *anchors;
    struct policies *policies;
    struct services *services;
    struct text_list recipients;
    const char *dir; /* of everything, also in a child */
    const struct authority *root, *issuing, *old_leaf, *old_key;
    char *key_file, *crt_file, *served_file, *mail_file, *inventory_file;
    utc_t now;
    /* how the world behaves */
    bool config_broken;   /* the service's own test fails */
    bool ignores_reload;  /* keeps serving what it serves */
    bool restore_fails;   /* as on a file system that turned read-only */
    bool reader_lies;     /* a year more than the certificate says */
    bool mail_is_dead;    /* no server answers */
    bool mail_is_refused; /* 550 */
    struct {
        const char *url;
        struct span body;
    } pages[SCENE_PAGES]; /* what the web has */
    int fetches;          /* how often it was asked */
    int die_at; /* SIGKILL before (even) or after (odd) this call to the world, counted from 2; 0:
                   never */
    int calls;
};

/* Makes the authority, the installed old pair (ends in `left` seconds), the policy "test" (with
 * `more` YAML lines) and the inventory. */
void scene_open(struct scene *scene, seconds_t left, const char *more);
/* Forgets everything in memory; opens the inventory again, looks that it is whole, and plans, as
 * the daemon does. */
void scene_stop(struct scene *scene);
void scene_start(struct scene *scene);
void scene_reopen(struct scene *scene); /* without looking and planning */
void scene_restart(struct scene *scene);
/* Runs every check of the doctor, and fails unless all are well. scene_done does it, too: no
 * scenario leaves an inventory behind that breaks a promise. */
void scene_examine(struct scene *scene);
void scene_done(struct scene *scene);

/* What the daemon does after a start with another configuration, to its end. */
void scene_plan_all(struct scene *scene);

/* life_add of "www" with names and the target. */
void scene_add(struct scene *scene);
int scene_try_add(struct scene *scene, struct error *err);
/* All that is due, in all lanes, until nothing is. */
void scene_run(struct scene *scene);
/* scene_run at a later time. */
void scene_later(struct scene *scene, seconds_t length);

/* The CSR of the open renewal (DER), owned by the caller. */
struct blob scene_csr(struct scene *scene);
/* A leaf for that CSR by the issuing CA. plan may be NULL. */
const struct authority *scene_sign(struct scene *scene, const struct authority_plan *plan);
/* Takes a file; returns whether it was accepted. The receipt is kept until the next delivery. */
bool scene_deliver(struct scene *scene, const char *name, struct span data);
const char *scene_receipt(const struct scene *scene);
/* Delivers leaf and issuing CA. */
bool scene_deliver_all(struct scene *scene, const struct authority *leaf);

/* The receipt of the newest delivery of these bytes, as it is now; owned by the caller. */
char *scene_receipt_of(struct scene *scene, struct span data);

int64_t scene_certificate(struct scene *scene);
/* id 0: none. Owned by the caller. */
struct renewal_row scene_open_request(struct scene *scene);
void scene_retire(struct scene *scene);

/* "ok", "handed over", ... */
const char *scene_state(struct scene *scene);
/* Certificates in the inventory. */
int64_t scene_count(struct scene *scene);
/* True when the installed key is that of the installed leaf. */
bool scene_pair_fits(const struct scene *scene);
/* Files that a deployment forgot beside the live ones. */
int scene_leftovers(const struct scene *scene);
/* True when the service serves this leaf and the installed pair is this leaf with its key. */
bool scene_serves(struct scene *scene, const struct authority *leaf);
/* And the chain, on the disk and served, is this certificate alone. */
bool scene_serves_chain(struct scene *scene, const struct authority *leaf,
                        const struct authority *intermediate);
/* How many mails of this kind the server took. */
int scene_mails(const struct scene *scene, const char *kind);
/* The audit trail is whole; returns how many events it has. scene_done looks, too. */
int64_t scene_trail(struct scene *scene);
/* How many events of this kind the trail has. */
int scene_events(struct scene *scene, const char *kind);

#endif
