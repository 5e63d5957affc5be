/* A leaf becomes the certificate: its chain is built, and everything that follows from that is one
 * transaction. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/anchors.h"
#include "store/authorities.h"

/* One of ret and ret_gap is NULL. */
static int search(struct life *life, const struct policy *policy, const struct cert *leaf,
                  struct span der, utc_t now, struct chain *ret, struct blob *ret_gap,
                  struct error *err)
{
    const struct chain_pool pool = {.self = life->inventory, .find = authorities_find};
    AUTO_BLOBS struct blobs added = {0};
    int rc = policy->system_anchors ? anchors_ders(life->inventory, &added, err) : 0;
    const struct chain_order order = {
        .policy = policy,
        .pool = &pool,
        .added_anchors = &added,
        .leaf = der,
        .at = leaf->not_before > now ? leaf->not_before : now,
    };

    if (rc < 0)
        return rc;
    return ret_gap ? life->world->find_gap(life->world->self, &order, ret_gap, err)
                   : life->world->build_chain(life->world->self, &order, ret, err);
}

static bool same_hash(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN])
{
    return memcmp(a, b, SHA256_LEN) == 0;
}

/* In everything that a gate or a match looks at. */
static bool says_the_same(const struct cert *a, const struct cert *b)
{
    AUTO_FREE char *names_a = names_join(&a->names);
    AUTO_FREE char *names_b = names_join(&b->names);

    return same_hash(a->sha256, b->sha256) && same_hash(a->spki_sha256, b->spki_sha256) &&
           same_hash(a->issuer_sha256, b->issuer_sha256) && a->not_before == b->not_before &&
           a->not_after == b->not_after && a->key_bits == b->key_bits &&
           strcmp(a->key_text, b->key_text) == 0 &&
           a->signature_security == b->signature_security && a->is_ca == b->is_ca &&
           a->self_signed == b->self_signed && a->usable_as_server == b->usable_as_server &&
           a->usable_as_client == b->usable_as_client && strcmp(a->issuer, b->issuer) == 0 &&
           strcmp(names_a, names_b) == 0;
}

/*
 * What is known of a leaf was told by a reader that has met strangers' files, and one of them may
 * have taken it over (daemon/read). Before anything follows from it, it is heard again from one
 * that has not.
 */
static int hear_again(struct life *life, const struct cert *leaf, struct span der,
                      struct error *err)
{
    AUTO_CERT struct cert again = {0};
    int rc = life->world->parse_cert(life->world->self, der, &again, err);

    if (rc < 0 || says_the_same(leaf, &again))
        return rc;
    return error_set(err, E_REFUSED,
                     "certificate %s: reading it twice told two different things: wanted %s, got "
                     "%s",
                     again.serial, again.subject, leaf->subject);
}

int chain_for(struct life *life, const struct policy *policy, const struct cert *leaf,
              struct span der, utc_t now, struct chain *ret, struct error *err)
{
    int rc = hear_again(life, leaf, der, err);

    return rc < 0 ? rc : search(life, policy, leaf, der, now, ret, NULL, err);
}

int gap_for(struct life *life, const struct policy *policy, const struct cert *leaf,
            struct span der, utc_t now, struct blob *ret, struct error *err)
{
    return search(life, policy, leaf, der, now, NULL, ret, err);
}

/* What is walked over while a renewal is accepted. */
struct accept_walk {
    struct life *life;
    const struct renewal_row *renewal;
    int64_t order; /* of its request: newer ones are greater */
    utc_t now;
    size_t targets;
    struct renewal_row closed;      /* the newest other request that it answers; id 0: none */
    struct renewal_row left;        /* one that stays open; id 0: none */
    uint8_t old_sha256[SHA256_LEN]; /* what was accepted before; zero: nothing */
};

static void walk_done(struct accept_walk *walk)
{
    renewal_row_done(&walk->closed);
    renewal_row_done(&walk->left);
}

static int schedule(void *self, const struct target_row *target, struct error *err)
{
    struct accept_walk *walk = self;

    walk->targets++;
    return deployments_add(walk->life->inventory, walk->renewal->id, target->id, walk->now, err);
}

static bool same_key(const struct renewal_row *a, const struct renewal_row *b)
{
    return memcmp(a->key.spki_sha256, b->key.spki_sha256, SHA256_LEN) == 0;
}

/* Requests that are answered by this certificate; their keys are kept. One that somebody asked for
 * after the request of this one was meant, whatever comes late for the older one. */
static int supersede(void *self, const struct renewal_row *row, struct error *err)
{
    struct accept_walk *walk = self;
    AUTO_RENEWAL struct renewal_row other = {0};

    if (row->id == walk->renewal->id || row->accepted_at != UTC_NEVER ||
        row->superseded_at != UTC_NEVER || row->withdrawn_at != UTC_NEVER)
        return 0;
    int rc = renewals_get(walk->life->inventory, row->id, &other, err);
    if (rc < 0)
        return rc;
    bool meant = other.id > walk->order && other.asked_by && !same_key(&other, walk->renewal);
    struct renewal_row *said = meant ? &walk->left : &walk->closed;
    if (!meant) {
        other.superseded_at = walk->now;
        rc = renewals_update(walk->life->inventory, &other, err);
    }
    if (said->id == 0 && !same_key(&other, walk->renewal)) {
        *said = other;
        other = (struct renewal_row){0};
    }
    return rc;
}

/* What becomes of other requests, for the receipt. */
static void say_requests(const struct accept_walk *walk, struct buf *says)
{
    char at[UTC_TEXT_MAX];

    if (walk->closed.id != 0)
        buf_printf(says,
                   "   The open request of %s is answered by it, too: nothing more needs to be "
                   "ordered.\n",
                   utc_format_plain(walk->closed.created_at, at));
    if (walk->left.id != 0)
        buf_printf(says,
                   "   The newer request of %s stays open, since %s asked for it on purpose: its "
                   "certificate takes over when it comes.\n",
                   utc_format_plain(walk->left.created_at, at), walk->left.asked_by);
}

static int tell_accepted(struct life *life, const struct certificate_row *certificate,
                         const struct policy *policy, const struct renewal_row *renewal,
                         const struct cert *leaf, const char *file, const struct accept_walk *walk,
                         struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    char at[UTC_TEXT_MAX];
    int rc = notice_begin(life, certificate, policy, &fields, err);

    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, leaf);
    fields_set(&fields, "file", file);
    if (walk->targets == 0)
        fields_set(&fields, "next",
                   "Nothing is left to do: this certificate has no target to be installed on.");
    else if (leaf->not_before > walk->now)
        fields_printf(&fields, "next", "It begins to be valid on %s and is installed then.",
                      utc_format_plain(leaf->not_before, at));
    else
        fields_set(&fields, "next", "It is being installed now.");
    return notice_queue(life, certificate, policy, renewal->id, NOTICE_ACCEPTED, "accepted",
                        &fields, err);
}

/* Mails that ask for what has now arrived; those for a request that stays open are still meant. */
static int drop_requests(struct life *life, int64_t certificate_id, bool still_open, utc_t now,
                         struct error *err)
{
    static const enum notice_kind kinds[] = {NOTICE_WAITING_CHAIN, NOTICE_CSR_READY,
                                             NOTICE_REMINDER};

    for (size_t i = 0; i < (still_open ? 1 : COUNT_OF(kinds)); i++) {
        int rc =
            notices_drop(life->inventory, certificate_id, notice_kind_text(kinds[i]), now, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What is accepted later is the newer one, also within one second and after the clock was set back.
 */
static int acceptance_time(struct accept_walk *walk, utc_t *ret, struct error *err)
{
    AUTO_RENEWAL struct renewal_row last = {0};
    int rc = renewals_accepted(walk->life->inventory, walk->renewal->certificate_id, &last, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    memcpy(walk->old_sha256, last.leaf_sha256, SHA256_LEN);
    *ret = rc == 0 && last.accepted_at >= walk->now ? utc_add(last.accepted_at, 1) : walk->now;
    return 0;
}

static int accept_facts(struct life *life, struct renewal_row *renewal, const struct chain *chain,
                        const struct certificate_row *certificate, const struct policy *policy,
                        struct accept_walk *walk, struct error *err)
{
    int rc = acceptance_time(walk, &renewal->accepted_at, err);

    renewal->chain_not_after = chain->earliest_not_after;

    if (rc == 0)
        rc = renewals_update(life->inventory, renewal, err);
    if (rc == 0)
        rc = renewals_set_chain(life->inventory, renewal->id, &chain->certs, err);
    if (rc == 0)
        rc = authorities_accepted(life, chain, err);
    /* One that is itself due again soon leaves the open request open. */
    if (rc == 0 && policy_due(policy, renewal->not_before, renewal->not_after) > walk->now)
        rc = renewals_by_certificate(life->inventory, certificate->id, supersede, walk, err);
    if (rc == 0)
        rc = targets_each(life->inventory, certificate->id, schedule, walk, err);
    return rc;
}

int renewal_accept(struct life *life, struct renewal_row *renewal, const struct cert *leaf,
                   const struct chain *chain, const char *file, struct buf *says, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row certificate = {0};
    char text[UTC_TEXT_MAX];
    utc_t now = life->world->now(life->world->self);
    __attribute__((cleanup(walk_done))) struct accept_walk walk = {
        .life = life, .renewal = renewal, .now = now};
    int rc = certificates_get(life->inventory, renewal->certificate_id, &certificate, err);

    if (rc == 0)
        rc = renewals_first_by_spki(life->inventory, renewal->certificate_id,
                                    renewal->key.spki_sha256, &walk.order, err);

    if (rc < 0)
        return rc;
    const struct policy *policy = life_policy(life, &certificate);
    rc = accept_facts(life, renewal, chain, &certificate, policy, &walk, err);
    /* Without a target it is in service as soon as it is here. */
    if (rc == 0 && walk.targets == 0)
        rc = notice_in_service(life, certificate.id, err);
    if (rc == 0)
        rc = drop_requests(life, certificate.id, walk.left.id != 0, now, err);
    if (rc == 0 && says)
        say_requests(&walk, says);
    if (rc == 0)
        rc = tell_accepted(life, &certificate, policy, renewal, leaf, file, &walk, err);
    if (rc == 0)
        rc = life_event_change(life,
                               &(struct life_change){certificate.id, renewal->id, "accepted",
                                                     walk.old_sha256, leaf->sha256},
                               "serial %s from %s, valid until %s, chain of %zu to %s",
                               leaf->serial, leaf->issuer, utc_format(leaf->not_after, text),
                               chain->certs.count, chain->anchor);
    return rc == 0 ? life_plan(life, certificate.id, err) : rc;
}
