/*
 * A chain of which an intermediate ends before the certificate itself: a chain that lives longer is
 * built, accepted for the same leaf and key, and deployed as any other certificate is. While none
 * is known people are told, once for each intermediate, what to bring.
 */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* How many chains one piece of news has looked at again; each that gets better calls up more. */
enum { AGAIN_MAX = 256 };

/* The newest accepted certificate while its chain is looked at. */
struct rechain {
    struct life *life;
    struct hand *hand;
    struct renewal_row renewal;
    struct cert leaf;
    struct chain_end end;
    struct chain chain; /* what was found */
    struct buf said;    /* why nothing better is known */
    char *from;         /* the URL that brought something new; NULL: none did */
};

static void rechain_done(struct rechain *on)
{
    renewal_row_done(&on->renewal);
    cert_done(&on->leaf);
    chain_end_done(&on->end);
    chain_done(&on->chain);
    buf_done(&on->said);
    free(on->from);
}

void chain_end_done(struct chain_end *end)
{
    blob_done(&end->below);
}

/* What is looked for in the chains that a leaf was accepted with. */
struct end_search {
    struct life *life;
    const struct renewal_row *renewal;
    struct chain_end *end;
    bool found;
};

static int look_for_end(void *self, const struct renewal_row *row, struct error *err)
{
    struct end_search *search = self;
    const struct renewal_row *of = search->renewal;
    const struct world *world = search->life->world;
    struct chain_end *end = search->end;
    AUTO_BLOBS struct blobs chain = {0};

    if (search->found || row->accepted_at == UTC_NEVER ||
        memcmp(row->leaf_sha256, of->leaf_sha256, SHA256_LEN) != 0)
        return 0;
    int rc = renewals_chain(search->life->inventory, row->id, &chain, err);
    for (size_t i = 0; rc == 0 && !search->found && i < chain.count; i++) {
        AUTO_CERT struct cert cert = {0};
        int parsed = world->parse_cert(world->self, blob_span(&chain.items[i]), &cert, err);

        if (parsed < 0 && code_retry(parsed) == RETRY_TRANSIENT)
            return parsed;
        /* What was adopted may hold anything that is not in the path, too. */
        if (parsed < 0 || cert.self_signed || cert.not_after != of->chain_not_after)
            continue;
        end->not_after = cert.not_after;
        memcpy(end->sha256, cert.sha256, SHA256_LEN);
        snprintf(end->subject, sizeof end->subject, "%s", cert.subject);
        end->below = i > 0 ? blob_take(&chain.items[i - 1]) : (struct blob){0};
        search->found = true;
    }
    return rc;
}

int life_chain_end(struct life *life, const struct renewal_row *renewal, struct chain_end *ret,
                   struct error *err)
{
    struct end_search search = {.life = life, .renewal = renewal, .end = ret};
    int rc = look_for_end(&search, renewal, err);

    /* Targets that were adopted with one leaf may each have a chain of their own. */
    if (rc == 0 && !search.found)
        rc = renewals_by_certificate(life->inventory, renewal->certificate_id, look_for_end,
                                     &search, err);
    if (rc < 0 || search.found)
        return rc;
    return error_set(err, E_NOT_FOUND, "renewal %" PRId64 ": no intermediate ends first",
                     renewal->id);
}

/* Every link of it has begun to be valid. */
static bool has_begun(const struct rechain *on, const struct chain *chain)
{
    for (size_t i = 0; i < chain->certs.count; i++) {
        AUTO_CERT struct cert cert = {0};
        const struct world *world = on->life->world;

        if (world->parse_cert(world->self, blob_span(&chain->certs.items[i]), &cert, NULL) < 0 ||
            cert.not_before > on->hand->now)
            return false;
    }
    return true;
}

/* A time at which the present chain is of no use any more. */
static utc_t after_end(const struct rechain *on)
{
    utc_t after = utc_add(on->renewal.chain_not_after, 1);

    return after > on->hand->now ? after : on->hand->now;
}

/*
 * The chain that is best now, or else one that is still good after the old one's end: a preference
 * for a root may hide the latter. E_NO_CHAIN when there is no better one, with the reason in `why`.
 */
static int find_better(struct rechain *on, struct error *why)
{
    const utc_t times[] = {on->hand->now, after_end(on)};
    int rc = 0;

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        AUTO_CHAIN struct chain chain = {0};

        rc = chain_for(on->life, on->hand->policy, &on->leaf, blob_span(&on->renewal.leaf),
                       times[i], &chain, why);
        if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
            return rc;
        if (rc == 0 && chain.earliest_not_after > on->renewal.chain_not_after &&
            has_begun(on, &chain)) {
            on->chain = chain;
            chain = (struct chain){0};
            return 0;
        }
    }
    return error_set(why, E_NO_CHAIN, "%s",
                     rc < 0 ? why->text : "the one that is known begins to be valid later");
}

/* Asks at the URLs that the certificate below the ending one names. */
static int ask_outside(struct rechain *on, struct error *err)
{
    const struct fetch_ask ask = {
        .life = on->life,
        .certificate = &on->hand->row,
        .policy = on->hand->policy,
        .renewal_id = on->renewal.id,
        .leaf = blob_span(&on->renewal.leaf),
        .link = on->end.below.len > 0 ? blob_span(&on->end.below) : blob_span(&on->renewal.leaf),
        .at = after_end(on),
    };

    return fetch_issuers(&ask, &on->from, &on->said, err);
}

static int load(struct rechain *on, struct error *err)
{
    const struct world *world = on->life->world;
    int rc = renewals_accepted(on->life->inventory, on->hand->row.id, &on->renewal, err);

    if (rc == 0)
        rc = world->parse_cert(world->self, blob_span(&on->renewal.leaf), &on->leaf, err);
    return rc == 0 ? life_chain_end(on->life, &on->renewal, &on->end, err) : rc;
}

/* What the plan was made for is still so. Part of the open transaction. */
static int is_still_so(struct rechain *on, bool *ret, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_RENEWAL struct renewal_row fresh = {0};
    int rc = certificates_get(on->life->inventory, on->hand->row.id, &row, err);

    if (rc == 0)
        rc = renewals_accepted(on->life->inventory, row.id, &fresh, err);
    if (rc < 0)
        return rc;
    *ret = row.retired_at == UTC_NEVER && fresh.id == on->renewal.id;
    renewal_row_done(&on->renewal);
    on->renewal = fresh;
    fresh = (struct renewal_row){0};
    return 0;
}

/* What is walked over while the targets get the new chain. */
struct rechain_walk {
    struct rechain *on;
    int64_t id;      /* of the new renewal */
    bool everywhere; /* each target is known to serve the leaf already */
};

static int schedule(void *self, const struct target_row *target, struct error *err)
{
    struct rechain_walk *walk = self;
    struct inventory *inventory = walk->on->life->inventory;
    AUTO_RENEWAL struct renewal_row live = {0};
    int64_t live_id = 0;
    int rc = deployments_last_verified(inventory, target->id, &live_id, err);

    if (rc == 0)
        rc = renewals_get(inventory, live_id, &live, err);
    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    walk->everywhere &=
        rc == 0 && memcmp(live.leaf_sha256, walk->on->renewal.leaf_sha256, SHA256_LEN) == 0;
    return deployments_add(inventory, walk->id, target->id, walk->on->hand->now, err);
}

/* The same leaf and key in a turn of life of their own. A clock that was set back must not make it
 * older than the one it follows. */
static int fill(struct rechain *on, struct renewal_row *made, struct error *err)
{
    const struct world *world = on->life->world;
    const struct renewal_row *from = &on->renewal;
    utc_t now = on->hand->now;

    memcpy(made->key.spki_sha256, from->key.spki_sha256, SHA256_LEN);
    made->csr = blob_copy(blob_span(&from->csr));
    made->leaf = blob_copy(blob_span(&from->leaf));
    memcpy(made->leaf_sha256, from->leaf_sha256, SHA256_LEN);
    made->not_before = from->not_before;
    made->not_after = from->not_after;
    made->requested_at = made->handed_over_at = made->received_at = now;
    made->accepted_at = from->accepted_at > now ? from->accepted_at : now;
    made->chain_not_after = on->chain.earliest_not_after;
    return world->reseal(world->self, from->id, &from->key, made->id, &made->key.sealed, err);
}

static int make_renewal(struct rechain *on, struct rechain_walk *walk, struct error *err)
{
    struct inventory *inventory = on->life->inventory;
    AUTO_RENEWAL struct renewal_row made = {0};
    char at[UTC_TEXT_MAX];
    AUTO_FREE char *reason = mem_printf("chain rebuilt: intermediate \"%s\" ends on %s",
                                        on->end.subject, utc_format_plain(on->end.not_after, at));
    int rc = renewal_create(on->life, &on->hand->row, reason, NULL, &walk->id, err);

    if (rc == 0)
        rc = renewals_get(inventory, walk->id, &made, err);
    if (rc == 0)
        rc = fill(on, &made, err);
    if (rc == 0)
        rc = targets_each(inventory, on->hand->row.id, schedule, walk, err);
    if (rc == 0 && walk->everywhere)
        made.rechain_of = on->renewal.id;
    if (rc == 0)
        rc = renewals_update(inventory, &made, err);
    return rc == 0 ? renewals_set_chain(inventory, walk->id, &on->chain.certs, err) : rc;
}

/* Part of the open transaction. */
static int accept_chain(struct rechain *on, struct error *err)
{
    struct life *life = on->life;
    struct rechain_walk walk = {.on = on, .everywhere = true};
    char ends[UTC_TEXT_MAX], lives[UTC_TEXT_MAX];
    size_t again = 0;
    int rc = make_renewal(on, &walk, err);

    if (rc == 0 && on->renewal.rechain_at != UTC_NEVER) {
        on->renewal.rechain_at = UTC_NEVER;
        rc = renewals_update(life->inventory, &on->renewal, err);
    }
    if (rc == 0)
        rc = notices_drop(life->inventory, on->hand->row.id, notice_kind_text(NOTICE_CHAIN_ENDS),
                          on->hand->now, err);
    if (rc == 0)
        rc = life_event(life, on->hand->row.id, walk.id, "rechained",
                        "intermediate \"%s\" ends on %s: the new chain of %zu to %s ends on %s",
                        on->end.subject, utc_format(on->end.not_after, ends), on->chain.certs.count,
                        on->chain.anchor, utc_format(on->chain.earliest_not_after, lives));
    /* What helped here may help others. */
    return rc == 0 ? chains_look_again(life, &again, err) : rc;
}

static int queue_notice(struct rechain *on, struct error *err)
{
    struct life *life = on->life;
    AUTO_FIELDS struct fields fields = {0};
    char stage[32 + 2 * SHA256_LEN], hex[2 * SHA256_LEN + 1];
    char ends[UTC_TEXT_MAX], leaf_ends[UTC_TEXT_MAX];
    bool ended = on->hand->now > on->end.not_after;
    int rc = notice_begin(life, &on->hand->row, on->hand->policy, &fields, err);

    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, &on->leaf);
    fields_printf(
        &fields, "reason",
        "the intermediate \"%s\" in the chain %s on %s, before the certificate itself (%s)",
        on->end.subject, ended ? "ended" : "ends", utc_format_plain(on->end.not_after, ends),
        utc_format_plain(on->renewal.not_after, leaf_ends));
    fields_printf(&fields, "missing", "a certificate of \"%s\" that ends later", on->end.subject);
    fields_set(&fields, "report", buf_text(&on->said));
    if (on->renewal.key.sealed.len == 0)
        fields_printf(&fields, "next",
                      "Its key was never readable here, so its chain cannot be changed either: run "
                      "\"unlapse renew %s\" and order with the new CSR.",
                      on->hand->row.name);
    else
        fields_set(&fields, "next",
                   "It is looked for again every day, and at once when an authority's certificate "
                   "arrives.");
    snprintf(stage, sizeof stage, "chain-ends-%s", text_hex(on->end.sha256, SHA256_LEN, hex));
    return notice_queue(life, &on->hand->row, on->hand->policy, on->renewal.id, NOTICE_CHAIN_ENDS,
                        stage, &fields, err);
}

/* What came for this chain may be what other leaves wait for. Part of the open transaction. */
static int share(const struct rechain *on, struct error *err)
{
    AUTO_BUF struct buf unused;

    buf_init(&unused, BUF_MAX_RECEIPT);
    return on->from ? chains_complete(on->life, on->from, &unused, err) : 0;
}

/* Part of the open transaction. */
static int keep_waiting(struct rechain *on, struct error *err)
{
    struct life *life = on->life;
    char ends[UTC_TEXT_MAX], leaf_ends[UTC_TEXT_MAX];
    bool first = on->renewal.rechain_at == UTC_NEVER;

    on->renewal.rechain_at = on->hand->now;
    int rc = renewals_update(life->inventory, &on->renewal, err);
    if (rc == 0)
        rc = queue_notice(on, err);
    if (rc == 0 && first)
        rc = life_event(life, on->hand->row.id, on->renewal.id, "chain-ends",
                        "intermediate \"%s\" ends on %s, before the certificate itself (%s); no "
                        "better chain: %s",
                        on->end.subject, utc_format(on->end.not_after, ends),
                        utc_format(on->renewal.not_after, leaf_ends), buf_text(&on->said));
    return rc;
}

static int look(struct rechain *on, bool *ret_found, struct error *err)
{
    struct error why = {0};
    int rc = find_better(on, &why);

    if (rc < 0 && code_retry(rc) != RETRY_TRANSIENT && on->hand->policy->aia) {
        rc = ask_outside(on, err);
        if (rc < 0)
            return rc;
        rc = find_better(on, &why);
    }
    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    *ret_found = rc == 0;
    if (rc < 0)
        buf_printf(&on->said, "%s%s", on->said.len > 0 ? "\n" : "", why.text);
    return 0;
}

int verb_rechain(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    __attribute__((cleanup(rechain_done))) struct rechain on = {.life = life, .hand = hand};
    bool found = false, so = false;

    buf_init(&on.said, BUF_MAX_RECEIPT);
    int rc = load(&on, err);
    if (rc < 0)
        return rc;
    LOG_CONTEXT("renewal=%" PRId64, on.renewal.id);
    if (on.renewal.key.sealed.len == 0)
        buf_add_text(&on.said, "its key is not in the inventory");
    else
        rc = look(&on, &found, err);
    if (rc < 0)
        return rc;
    rc = life_begin(life, err);
    if (rc == 0)
        rc = share(&on, err);
    if (rc == 0)
        rc = is_still_so(&on, &so, err);
    if (rc == 0 && so)
        rc = found ? accept_chain(&on, err) : keep_waiting(&on, err);
    return life_end_planned(life, hand->row.id, rc, err);
}

struct again_walk {
    struct life *life;
    size_t count;
};

static int look_again(void *self, const struct renewal_row *row, struct error *err)
{
    struct again_walk *walk = self;
    AUTO_RENEWAL struct renewal_row renewal = {0}, newest = {0};
    int rc = renewals_get(walk->life->inventory, row->id, &renewal, err);

    if (rc == 0)
        rc = renewals_accepted(walk->life->inventory, renewal.certificate_id, &newest, err);
    if (rc < 0)
        return rc;
    bool counts = newest.id == renewal.id;
    renewal.rechain_at = counts ? 0 : UTC_NEVER;
    walk->count += counts;
    rc = renewals_update(walk->life->inventory, &renewal, err);
    return rc == 0 && counts ? life_plan(walk->life, renewal.certificate_id, err) : rc;
}

int chains_look_again(struct life *life, size_t *ret_count, struct error *err)
{
    struct again_walk walk = {.life = life};
    int rc = renewals_rechain(life->inventory, AGAIN_MAX, look_again, &walk, err);

    if (rc == 0)
        *ret_count = walk.count;
    return rc;
}
