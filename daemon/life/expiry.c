/* What people are told when nothing moves: the ladder before expiry, expiry itself, a chain that
 * does not come. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

/* What is told about the end of the certificate in service. */
struct telling {
    enum notice_kind kind;
    const char *stage;
    size_t ladder_told;
    utc_t expired_told_at;
    const char *event;
    char text[96];
};

/* In place of older notices about the same end that nobody has got yet. */
static int tell(struct life *life, struct hand *hand, const struct telling *telling,
                struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    int rc = notice_begin(life, &hand->row, hand->policy, &fields, err);

    if (rc == 0)
        rc = notices_drop(life->inventory, hand->row.id, notice_kind_text(NOTICE_EXPIRES),
                          hand->now, err);
    if (rc == 0)
        rc = notices_drop(life->inventory, hand->row.id, notice_kind_text(NOTICE_EXPIRED),
                          hand->now, err);
    if (rc == 0)
        rc = certificates_set_told(life->inventory, hand->row.id, telling->ladder_told,
                                   telling->expired_told_at, err);
    if (rc == 0)
        rc = notice_queue(life, &hand->row, hand->policy, 0, telling->kind, telling->stage, &fields,
                          err);
    return rc < 0 ? rc : life_event(life, hand->row.id, 0, telling->event, "%s", telling->text);
}

/* Unless another lane has put a newer certificate into service since the plan was read. */
static int tell_if_still_so(struct life *life, struct hand *hand, const struct telling *telling,
                            struct error *err)
{
    struct certificate_facts facts;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = life_facts(life->inventory, &hand->row, &facts, err);
    if (rc == 0 && facts.live_not_after == hand->facts.live_not_after)
        rc = tell(life, hand, telling, err);
    return life_end_planned(life, hand->row.id, rc, err);
}

int verb_tell_expiry(struct life *life, struct hand *hand, const struct next *next,
                     struct error *err)
{
    char stage[64], left[SECONDS_TEXT_MAX];
    struct telling telling = {NOTICE_EXPIRES, stage, next->stage + 1, hand->row.expired_told_at,
                              "told-expiry",  ""};

    snprintf(stage, sizeof stage, "expires-%" PRId64 "-%zu", hand->facts.live_not_after,
             next->stage);
    snprintf(telling.text, sizeof telling.text, "expires in %s: people are told",
             seconds_format(hand->facts.live_not_after - hand->now, left));
    return tell_if_still_so(life, hand, &telling, err);
}

int verb_tell_expired(struct life *life, struct hand *hand, const struct next *next,
                      struct error *err)
{
    (void)next;
    char stage[48], since[SECONDS_TEXT_MAX];
    struct telling telling = {NOTICE_EXPIRED, stage,     hand->row.ladder_told,
                              hand->now,      "expired", ""};

    snprintf(stage, sizeof stage, "expired-%" PRId64, hand->now);
    snprintf(telling.text, sizeof telling.text, "has been expired for %s: people are told",
             seconds_format(hand->now - hand->facts.live_not_after, since));
    return tell_if_still_so(life, hand, &telling, err);
}

int chain_tell(struct life *life, const struct certificate_row *certificate,
               const struct renewal_row *renewal, const struct cert *leaf, const char *missing,
               struct error *err)
{
    const struct policy *policy = life_policy(life, certificate);
    AUTO_FIELDS struct fields fields = {0};
    AUTO_FREE char *stage = NULL;
    uint8_t hash[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    int rc = notice_begin(life, certificate, policy, &fields, err);

    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, leaf);
    fields_set(&fields, "missing", missing);
    /* Another leaf, or another reason, is something new. */
    AUTO_FREE char *what = mem_printf("%s %s", leaf->serial, missing);
    sha256_of(span_text(what), hash);
    stage = mem_printf("waiting-chain-%.16s", text_hex(hash, SHA256_LEN, hex));
    rc = notice_queue_bounded(life, certificate, policy, renewal->id, NOTICE_WAITING_CHAIN, stage,
                              "missing", &fields, err);
    return rc < 0 ? rc
                  : life_event(life, certificate->id, renewal->id, "chain-missing", "%s", missing);
}

int verb_tell_chain(struct life *life, struct hand *hand, const struct next *next,
                    struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_CERT struct cert leaf = {0};
    AUTO_CHAIN struct chain chain = {0};
    AUTO_BUF struct buf unused;
    struct error why = {0};
    int rc = renewals_get(life->inventory, hand->facts.open.id, &renewal, err);

    buf_init(&unused, BUF_MAX_RECEIPT);

    if (rc == 0)
        rc = life->world->parse_cert(life->world->self, blob_span(&renewal.leaf), &leaf, err);
    if (rc < 0)
        return rc;
    /* Asked once more, for the sentence that says which certificate is missing; an intermediate
     * that has begun to be valid since may have made it complete. */
    rc = chain_for(life, hand->policy, &leaf, blob_span(&renewal.leaf), hand->now, &chain, &why);
    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    bool complete = rc == 0;
    rc = life_begin_renewal(life, renewal.id, &renewal, err);
    /* It may have been completed meanwhile. */
    bool waits = rc == 0 && renewal.accepted_at == UTC_NEVER;
    if (waits && complete) {
        rc = chains_complete(life, "what was here already", &unused, err);
        return life_end_planned(life, hand->row.id, rc, err);
    }
    renewal.chain_told_at = hand->now;
    if (waits)
        rc = renewals_update(life->inventory, &renewal, err);
    if (waits && rc == 0)
        rc = chain_tell(life, &hand->row, &renewal, &leaf, why.code ? why.text : leaf.issuer, err);
    return life_end_planned(life, hand->row.id, rc, err);
}
