/* Shared by the verbs of life/ and by nobody else. */
#ifndef UL_DAEMON_LIFE_INTERNAL_H
#define UL_DAEMON_LIFE_INTERNAL_H

#include "base/fields.h"
#include "daemon/life/life.h"
#include "notify/mail.h"
#include "store/deliveries.h"
#include "store/deployments.h"
#include "store/events.h"
#include "store/keys.h"

/* What was made for a verb beforehand, outside of the transaction that its certificate shares with
 * others. */
struct prepared {
    bool made; /* key and CSR, or the reason why not */
    int code;
    struct error why;
    struct sealed_key key;
    struct blob csr;
    bool written; /* the CSR's files */
};

/* One certificate in hand while a verb works on it. */
struct hand {
    struct certificate_row row;
    struct certificate_facts facts;
    const struct policy *policy;
    utc_t now;
    struct prepared *prepared; /* borrowed; NULL: the verb does it all */
};
int hand_take(struct life *life, int64_t certificate_id, struct hand *ret, struct error *err);
void hand_done(struct hand *hand);
#define AUTO_HAND __attribute__((cleanup(hand_done)))

/*
 * Transactions: `int rc = life_begin(...)`, work, `return life_end(life, rc, err)`: commits when rc
 * is 0, else rolls back and returns rc. life_end_planned writes the certificate's next plan before
 * it commits.
 */
int life_begin(struct life *life, struct error *err);
int life_end(struct life *life, int rc, struct error *err);
/* life_begin, then reads a renewal anew into *renewal: another lane may have written it while a
 * verb was outside. */
int life_begin_renewal(struct life *life, int64_t id, struct renewal_row *renewal,
                       struct error *err);
int life_end_planned(struct life *life, int64_t certificate_id, int rc, struct error *err);
/*
 * One thing among many in the open transaction: life_part_begin, work, life_part_end with what
 * became of it. What fails of itself is undone alone, and life_part_end returns 0; negative: the
 * environment failed, which would strike the next one too, and nothing of the transaction can stay.
 */
int life_part_begin(struct life *life, struct error *err);
int life_part_end(struct life *life, int rc, struct error *err);

/* Writes the next plan of a certificate from its facts and logs it. Part of the open transaction.
 */
int life_plan(struct life *life, int64_t certificate_id, struct error *err);

/* Writes this plan, and the state, of the certificate in hand. Part of the open transaction. */
int plan_write(struct life *life, const struct hand *hand, struct next next, struct error *err);

/*
 * A record that cannot be read any more: its certificate is told, once, and left alone until
 * somebody repairs it. The others do not wait for it. Part of the open transaction.
 */
int plan_set_aside(struct life *life, int64_t id, const char *name, const char *why,
                   struct error *err);

/* An event, now, of a certificate and a renewal (0: none), by life->actor. Part of the open
 * transaction. */
int life_event(struct life *life, int64_t certificate_id, int64_t renewal_id, const char *kind,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* One that is about one certificate, and perhaps about another whose place it takes. */
struct life_change {
    int64_t certificate_id, renewal_id;
    const char *kind;
    const uint8_t *old_sha256, *new_sha256; /* NULL or all zero: none */
};
int life_event_change(struct life *life, const struct life_change *change, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* To the end of the block everything that happens is the act of `who`, which is borrowed. */
struct life *act_begin(struct life *life, const char *who);
void act_done(struct life **life);
#define ACT_OF(of, who) \
    __attribute__((cleanup(act_done), unused)) struct life *act_ = act_begin(of, who)

/*
 * Every field of a notice (notify/README.md): of the certificate, what is in service now (the
 * old_... fields), the open request, what is missing and what comes next; "-" where there is
 * nothing to say. The verb sets what it knows better.
 */
int notice_begin(struct life *life, const struct certificate_row *certificate,
                 const struct policy *policy, struct fields *ret, struct error *err);
/* The fields of the new certificate, and of the one it takes over from. */
void notice_old_leaf(struct fields *fields, const struct cert *leaf);
void notice_new_leaf(struct fields *fields, const struct cert *leaf);
/* Puts one row for each recipient into the outbox. Part of the open transaction. */
int notice_queue(struct life *life, const struct certificate_row *certificate,
                 const struct policy *policy, int64_t renewal_id, enum notice_kind kind,
                 const char *stage, struct fields *fields, struct error *err);
/* notice_queue of what strangers can bring about as often as they like, each time with another
 * stage: past a number an hour one notice stands for the rest, and its field with the reason says
 * so. */
int notice_queue_bounded(struct life *life, const struct certificate_row *certificate,
                         const struct policy *policy, int64_t renewal_id, enum notice_kind kind,
                         const char *stage, const char *reason_field, struct fields *fields,
                         struct error *err);
/* A file that is for no certificate of ours, told once per content to those who hear of everything.
 */
int notice_queue_unusable(struct life *life, const char *file, const char *hash,
                          const char *receipt, struct error *err);
/* About no certificate: to those who hear of everything. */
int notice_queue_general(struct life *life, enum notice_kind kind, const char *stage,
                         struct fields *fields, struct error *err);
/* A newer certificate is in service everywhere: what was told about the end of the old one no
 * longer counts. */
int notice_in_service(struct life *life, int64_t certificate_id, struct error *err);
/* What the last accepted and installed leaf says; E_NOT_FOUND when there is none. */
int life_live_leaf(struct life *life, const struct certificate_row *certificate, struct cert *ret,
                   struct error *err);

/* The keys of a certificate that are kept and out of use, and since when; facts need no more than
 * what is known of the accepted renewal, which may be none (id 0). The callback may not write. */
typedef int (*old_key_fn)(void *self, const struct key_row *row, utc_t retired_at,
                          struct error *err);
int old_keys_each(struct inventory *inventory, const struct certificate_facts *facts,
                  const struct accepted_times *accepted, int64_t certificate_id, old_key_fn fn,
                  void *self, struct error *err);
/* Why a certificate for this key cannot be taken; NULL when its key is here, or not expected to be.
 * Owned by the caller. */
char *erased_key_says(const struct renewal_row *renewal);

/* The verbs behind ACTION_TABLE. Each performs one action and commits its fact and the next plan.
 */
typedef int (*verb_fn)(struct life *life, struct hand *hand, const struct next *next,
                       struct error *err);
int verb_perform(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_start(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_request(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_hand_over(struct life *life, struct hand *hand, const struct next *next,
                   struct error *err);
int verb_remind(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_tell_chain(struct life *life, struct hand *hand, const struct next *next,
                    struct error *err);
int verb_fetch(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_rechain(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_deploy(struct life *life, struct hand *hand, const struct next *next, struct error *err);
int verb_tell_expiry(struct life *life, struct hand *hand, const struct next *next,
                     struct error *err);
int verb_tell_expired(struct life *life, struct hand *hand, const struct next *next,
                      struct error *err);
int verb_erase_keys(struct life *life, struct hand *hand, const struct next *next,
                    struct error *err);

/* Key and CSR of a renewal: any thread, no inventory. */
int request_make(const struct life *life, const struct hand *hand,
                 const struct renewal_row *renewal, struct sealed_key *ret_key,
                 struct blob *ret_csr, struct error *err);

/*
 * Several certificates whose next actions are due: keys are made on all cores and files written
 * together, and their facts share one transaction, each in a part of it that is undone alone. Those
 * whose verbs wait for others (readers, the network, services) are left for later; E_NOT_YET when
 * the first one is such. A failure of the inventory is returned: nothing has happened.
 */
int group_perform(struct life *life, const int64_t *ids, size_t count, struct error *err);
/* The verb of the certificate in hand has failed: it waits, so that others get a turn. */
int hand_put_off(struct life *life, struct hand *hand, const struct next *failed, int code,
                 struct error *err);
/* After a verb: the plan must have moved. Forget the plan before it. */
int hand_look_for_loop(struct life *life, int64_t certificate_id, const struct next *done,
                       struct error *err);

/*
 * The CA pool (store/authorities.h). authority_keep keeps one certificate of a CA as a hint,
 * E_REFUSED when it is none on a second look; authority_take also looks whether it, and what it
 * issued, leads to an anchor; authority_tell adds its lines to a receipt, once all of the delivery
 * are taken. authorities_accepted: these are part of an accepted chain. authorities_trusted,
 * authorities_distrusted: an administrator added or removed an anchor. Each is part of the open
 * transaction.
 */
int authority_keep(struct life *life, struct span der, const struct cert *cert, bool *ret_new,
                   struct error *err);
int authority_take(struct life *life, struct span der, const struct cert *cert, bool *ret_new,
                   struct error *err);
int authority_tell(struct life *life, const struct object *object, bool is_new, struct buf *receipt,
                   struct error *err);
int authorities_accepted(struct life *life, const struct chain *chain, struct error *err);
int authorities_trusted(struct life *life, const uint8_t subject_sha256[SHA256_LEN],
                        struct error *err);
int authorities_distrusted(struct life *life, const uint8_t anchor_sha256[SHA256_LEN],
                           struct error *err);

/* Adds the renewal row of a certificate; asked_by NULL: it was due. Part of the open transaction.
 */
int renewal_create(struct life *life, const struct certificate_row *certificate, const char *reason,
                   const char *asked_by, int64_t *ret_id, struct error *err);

/*
 * One delivery on its way through. intake_read reads it, outside of any transaction, since the
 * reader may take its time; a verdict that stands already is recalled instead. intake_take judges
 * and records it as part of the open transaction. What waits for its chain is not looked at: the
 * batch does that once, when any of its files brought an authority (chains_complete_when_new).
 */
struct intake {
    struct life *life;
    char *file;     /* its name, as it is */
    char name[300]; /* escaped */
    uint8_t sha256[SHA256_LEN];
    char *problem; /* why nothing of it was read; NULL: it was */
    struct delivery_objects objects;
    struct buf receipt;
    size_t leaves, good, told, authorities, keys, broken;
    bool taken[DELIVERY_OBJECTS_MAX];  /* private keys that became a renewal's */
    bool keys_told;                    /* of a private key people hear by a notice of its own */
    bool is_new[DELIVERY_OBJECTS_MAX]; /* of an authority: it was not in the pool */
    int64_t renewal_id;
    /* the verdict */
    bool recalled, accepted;
    int64_t delivery_id;
};
int intake_read(struct life *life, const char *file, struct span data,
                const uint8_t sha256[SHA256_LEN], const char *problem, struct intake *ret,
                struct error *err);
int intake_take(struct intake *in, struct error *err);
void intake_done(struct intake *in);
#define AUTO_INTAKE __attribute__((cleanup(intake_done)))

/*
 * Private keys of a delivery, in this order: keys_note before its leaves are judged, since a leaf
 * for a key that was disclosed is refused; keys_for finds the one that came with a leaf (*ret_at:
 * which object), empty when there is none; keys_describe writes them into the receipt; keys_tell
 * queues the notices, with the whole receipt. Part of the open transaction.
 */
int keys_note(struct intake *in, struct error *err);
struct span keys_for(const struct intake *in, const struct cert *leaf, size_t *ret_at);
int keys_describe(struct intake *in, struct error *err);
int keys_tell(struct intake *in, struct error *err);

/* What became of one leaf of a delivery. */
enum leaf_result {
    LEAF_ACCEPTED,
    LEAF_WAITING, /* for its chain */
    LEAF_KNOWN,
    LEAF_REFUSED,   /* its people were told */
    LEAF_KEPT,      /* refused today, and kept to be looked at again */
    LEAF_WITHDRAWN, /* for a request that was called off */
    LEAF_FOREIGN,   /* nobody's; kept likewise */
};
struct leaf_outcome {
    enum leaf_result result;
    int64_t certificate_id; /* 0 when it is nobody's */
    int64_t renewal_id;
    bool told;       /* the certificate's people hear of the refusal by a mail of their own */
    bool took_key;   /* the private key that came with it was taken */
    struct buf text; /* for the receipt: what and why, and what to do */
};
void leaf_outcome_done(struct leaf_outcome *outcome);
#define AUTO_OUTCOME __attribute__((cleanup(leaf_outcome_done)))

/* The chain is built: accepts a renewal's leaf, supersedes other requests, schedules deployments,
 * tells people. says (NULL: nobody asks) gets a sentence on what becomes of other open requests.
 * Part of the open transaction. */
int renewal_accept(struct life *life, struct renewal_row *renewal, const struct cert *leaf,
                   const struct chain *chain, const char *file, struct buf *says,
                   struct error *err);

/* Leaves in quarantine that have this public key are judged as if they came now: a key or a request
 * has appeared. Their receipts go on. `why` is what brought the news. Part of the open transaction.
 */
int look_again_for_key(struct life *life, const uint8_t spki_sha256[SHA256_LEN], const char *why,
                       struct error *err);
/* Likewise those of ours that were refused for their chain; appends a line for each one that is now
 * accepted. */
int look_again_for_chain(struct life *life, const char *why, struct buf *receipt,
                         struct error *err);

/* Looks again at every renewal that waits for its chain, and at leaves that were refused for
 * theirs; appends a line for each one that is now accepted, or refused for good reason, and has
 * chains looked at again that end too early. `file` is what brought the news. Part of the open
 * transaction. */
int chains_complete(struct life *life, const char *file, struct buf *receipt, struct error *err);

/* The same when an authority has joined the pool since the last look, or that was ten minutes ago.
 */
int chains_complete_when_new(struct life *life, const char *file, struct buf *receipt,
                             struct error *err);

/* Looks again at one of them; nothing happens when it does not wait any more. Part of the open
 * transaction. */
int chain_complete(struct life *life, int64_t renewal_id, const char *file, struct buf *receipt,
                   struct error *err);

/* Adds a line to the receipts of the deliveries that brought a renewal's leaf. Part of the open
 * transaction. */
int receipts_add(struct life *life, int64_t renewal_id, const char *text, struct error *err);

/*
 * A way up for want of an issuer: asks at the URLs that `link` (in DER; empty: the certificate
 * whose issuer the search for a chain at `at` lacks) names for it, and goes on from what came.
 * Every CA certificate that comes joins the pool as a hint. *ret_from is the last URL that brought
 * something new, NULL when none did; `said` gets a line for each URL that was asked. Not within a
 * transaction.
 */
struct fetch_ask {
    struct life *life;
    const struct certificate_row *certificate;
    const struct policy *policy;
    int64_t renewal_id;
    struct span leaf;
    struct span link;
    utc_t at;
};
int fetch_issuers(const struct fetch_ask *ask, char **ret_from, struct buf *said,
                  struct error *err);

/* Something new has come: looks again, soon, at what has a chain that ends too early. *ret_count is
 * how many those are. Part of the open transaction. */
int chains_look_again(struct life *life, size_t *ret_count, struct error *err);

/* Tells people, once for each leaf and reason, why a leaf that is here is not accepted yet. Part of
 * the open transaction. */
int chain_tell(struct life *life, const struct certificate_row *certificate,
               const struct renewal_row *renewal, const struct cert *leaf, const char *missing,
               struct error *err);

/* Chain of a leaf from the pool, judged at `now` or at its notBefore when that lies ahead; or the
 * certificate at which the search for it ends (chain_find_gap). */
int chain_for(struct life *life, const struct policy *policy, const struct cert *leaf,
              struct span der, utc_t now, struct chain *ret, struct error *err);

int gap_for(struct life *life, const struct policy *policy, const struct cert *leaf,
            struct span der, utc_t now, struct blob *ret, struct error *err);

/* The borrowed view of a target that the deployer takes; endpoints is owned by the caller. */
int order_make(const struct life *life, const struct target_row *target,
               const struct certificate_row *certificate, const struct policy *policy,
               struct deploy_order *ret, struct bind_endpoint **ret_endpoints, struct error *err);

#endif
