/* What people are told when nothing moves: the ladder before expiry, expiry itself, a chain that
 * does not come. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>

int verb_tell_expiry(struct life *life, struct hand *hand, const struct next *next,
                     struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    char stage[64];
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = notice_begin(life, &hand->row, hand->policy, &fields, err);
    snprintf(stage, sizeof stage, "expires-%" PRId64 "-%zu", hand->facts.live_not_after,
             next->stage);
    if (rc == 0)
        rc = notices_drop(life->inventory, hand->row.id, notice_kind_text(NOTICE_EXPIRES),
                          hand->now, err);
    if (rc == 0)
        rc = certificates_set_told(life->inventory, hand->row.id, next->stage + 1,
                                   hand->row.expired_told_at, err);
    if (rc == 0)
        rc = notice_queue(life, &hand->row, hand->policy, 0, NOTICE_EXPIRES, stage, &fields, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, 0, "told-expiry", "expires in %s: people are told",
                        fields_get(&fields, "left"));
    return life_end_planned(life, hand->row.id, rc, err);
}

int verb_tell_expired(struct life *life, struct hand *hand, const struct next *next,
                      struct error *err)
{
    (void)next;
    AUTO_FIELDS struct fields fields = {0};
    char stage[48], since[SECONDS_TEXT_MAX];
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = notice_begin(life, &hand->row, hand->policy, &fields, err);
    snprintf(stage, sizeof stage, "expired-%" PRId64, hand->now);
    if (rc == 0)
        rc = notices_drop(life->inventory, hand->row.id, notice_kind_text(NOTICE_EXPIRES),
                          hand->now, err);
    if (rc == 0)
        rc = notices_drop(life->inventory, hand->row.id, notice_kind_text(NOTICE_EXPIRED),
                          hand->now, err);
    if (rc == 0)
        rc = certificates_set_told(life->inventory, hand->row.id, hand->row.ladder_told, hand->now,
                                   err);
    if (rc == 0)
        rc = notice_queue(life, &hand->row, hand->policy, 0, NOTICE_EXPIRED, stage, &fields, err);
    if (rc == 0)
        rc =
            life_event(life, hand->row.id, 0, "expired", "has been expired for %s: people are told",
                       seconds_format(hand->now - hand->facts.live_not_after, since));
    return life_end_planned(life, hand->row.id, rc, err);
}

int verb_tell_chain(struct life *life, struct hand *hand, const struct next *next,
                    struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_CERT struct cert leaf = {0};
    AUTO_CHAIN struct chain chain = {0};
    AUTO_FIELDS struct fields fields = {0};
    struct error why = {0};
    int rc = renewals_get(life->inventory, hand->facts.open.id, &renewal, err);

    if (rc == 0)
        rc = cert_parse(blob_span(&renewal.leaf), &leaf, err);
    if (rc < 0)
        return rc;
    /* Asked once more only for the sentence that says which certificate is missing. */
    chain_for(life, hand->policy, &leaf, blob_span(&renewal.leaf), hand->now, &chain, &why);
    rc = notice_begin(life, &hand->row, hand->policy, &fields, err);
    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, &leaf);
    fields_set(&fields, "missing", why.code ? why.text : leaf.issuer);
    renewal.chain_told_at = hand->now;
    rc = life_begin(life, err);
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0)
        rc = notice_queue(life, &hand->row, hand->policy, renewal.id, NOTICE_WAITING_CHAIN,
                          "waiting-chain", &fields, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, renewal.id, "chain-missing", "%s",
                        fields_get(&fields, "missing"));
    return life_end_planned(life, hand->row.id, rc, err);
}
