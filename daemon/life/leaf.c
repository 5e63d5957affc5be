/* One leaf of a delivery: whose it is, whether it passes its gates, and what follows. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "policies/gates.h"

void leaf_outcome_done(struct leaf_outcome *outcome)
{
    buf_done(&outcome->text);
}

/* The best answer among all renewals that have this public key. */
struct match {
    const struct cert *leaf;
    int64_t same_leaf_id; /* has this very leaf already */
    bool same_accepted;
    int64_t open_id;   /* the newest one still without an accepted leaf */
    int64_t filled_id; /* the newest one that has another leaf accepted */
    size_t waiting;    /* how many have another leaf that waits for its chain */
};

static int look_at_renewal(void *self, const struct renewal_row *row, struct error *err)
{
    struct match *match = self;

    (void)err;
    if (row->received_at != UTC_NEVER &&
        memcmp(row->leaf_sha256, match->leaf->sha256, SHA256_LEN) == 0 &&
        match->same_leaf_id == 0) {
        match->same_leaf_id = row->id;
        match->same_accepted = row->accepted_at != UTC_NEVER;
    }
    if (row->accepted_at == UTC_NEVER && match->open_id == 0)
        match->open_id = row->id;
    if (row->accepted_at == UTC_NEVER && row->received_at != UTC_NEVER &&
        row->superseded_at == UTC_NEVER)
        match->waiting++;
    if (row->accepted_at != UTC_NEVER && match->filled_id == 0)
        match->filled_id = row->id;
    return 0;
}

/* A second certificate for a key that has one already: a turn of life of its own, with the same key
 * sealed for it. */
static int reissue(struct life *life, const struct certificate_row *certificate,
                   struct renewal_row *renewal, const char *reason, struct error *err)
{
    AUTO_RENEWAL struct renewal_row made = {0};
    int64_t id = 0;

    if (renewal->key.sealed.len == 0)
        return error_set(err, E_REFUSED, "the key of this certificate is not in the inventory");
    int rc = renewal_create(life, certificate, reason, &id, err);
    if (rc == 0)
        rc = renewals_get(life->inventory, id, &made, err);
    if (rc == 0)
        rc = life->world->reseal(life->world->self, renewal->id, &renewal->key, id,
                                 &made.key.sealed, err);
    if (rc < 0)
        return rc;
    memcpy(made.key.spki_sha256, renewal->key.spki_sha256, SHA256_LEN);
    made.csr = blob_copy(blob_span(&renewal->csr));
    made.requested_at = made.created_at;
    made.handed_over_at = made.created_at;
    renewal_row_done(renewal);
    *renewal = made;
    made = (struct renewal_row){0};
    return 0;
}

/* The findings of one kind in one line: "names: wanted ..., got ...; validity: ...". */
static void list_findings(const struct gate_report *report, enum severity severity, struct buf *ret)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].severity == severity)
            buf_printf(ret, "%s%s", ret->len > 0 ? "; " : "", report->findings[i].text);
}

/* What a leaf is judged with; everything borrowed. */
struct judgement {
    struct life *life;
    const struct certificate_row *certificate;
    const struct policy *policy;
    struct renewal_row *renewal;
    const struct cert *leaf;
    struct span der;
    const char *file;
    utc_t now;
    size_t waiting; /* other leaves for this key that wait for their chain */
};

/* How many certificates may wait for their chain side by side for one CSR. */
enum { WAITING_MAX = 8 };

static int refuse(const struct judgement *on, const char *reasons, struct leaf_outcome *ret,
                  struct error *err)
{
    struct life *life = on->life;
    AUTO_FIELDS struct fields fields = {0};
    char stage[2 * SHA256_LEN + 16], hex[2 * SHA256_LEN + 1];

    ret->result = LEAF_REFUSED;
    buf_printf(&ret->text,
               "   Refused for the certificate %s: %s.\n   The request stays open: a better "
               "certificate for the same CSR is welcome.\n",
               on->certificate->name, reasons);
    /* A request that is answered already keeps its facts. */
    if (on->renewal->accepted_at == UTC_NEVER) {
        on->renewal->rejected_at = on->now;
        free(on->renewal->rejected_reason);
        on->renewal->rejected_reason = mem_strdup(reasons);
        int rc = renewals_update(life->inventory, on->renewal, err);
        if (rc < 0)
            return rc;
    }
    int rc = notice_begin(life, on->certificate, on->policy, &fields, err);
    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, on->leaf);
    fields_set(&fields, "file", on->file);
    fields_set(&fields, "reason", reasons);
    snprintf(stage, sizeof stage, "rejected-%s", text_hex(on->leaf->sha256, SHA256_LEN, hex));
    rc = notice_queue(life, on->certificate, on->policy, on->renewal->id, NOTICE_REJECTED, stage,
                      &fields, err);
    if (rc == 0)
        rc = life_event(life, on->certificate->id, on->renewal->id, "rejected", "%s: %s", on->file,
                        reasons);
    return rc == 0 ? life_plan(life, on->certificate->id, err) : rc;
}

/* Makes the leaf the renewal's own. */
static int keep_leaf(const struct judgement *on, bool complete, struct leaf_outcome *ret,
                     struct error *err)
{
    struct renewal_row *renewal = on->renewal;
    bool other_waits = renewal->received_at != UTC_NEVER && !complete;
    int rc = 0;

    /* Nothing that waits gives way to what waits too: whoever can write to the folder could drop
     * any authority's certificate for our CSR. */
    if (renewal->accepted_at != UTC_NEVER)
        rc = reissue(on->life, on->certificate, renewal,
                     "reissued by the authority for the same key", err);
    else if (other_waits)
        rc = reissue(on->life, on->certificate, renewal,
                     "another certificate came for the same CSR", err);
    if (rc < 0)
        return rc;
    ret->renewal_id = renewal->id;
    blob_done(&renewal->leaf);
    renewal->leaf = blob_copy(on->der);
    memcpy(renewal->leaf_sha256, on->leaf->sha256, SHA256_LEN);
    renewal->not_before = on->leaf->not_before;
    renewal->not_after = on->leaf->not_after;
    renewal->received_at = on->now;
    renewal->chain_told_at = UTC_NEVER;
    return 0;
}

static int wait_for_chain(const struct judgement *on, const struct error *why,
                          struct leaf_outcome *ret, struct error *err)
{
    struct life *life = on->life;
    char wait[SECONDS_TEXT_MAX];

    ret->result = LEAF_WAITING;
    buf_printf(&ret->text,
               "   Taken for the certificate %s. Its chain is not complete yet: %s.\n"
               "   What to do: put the authority's intermediate certificates (often called "
               "\"chain\", \"bundle\" or \"CA\") into\n"
               "   this folder too, in any form and order. People are told when nothing comes "
               "within %s.\n",
               on->certificate->name, why->text, seconds_format(on->policy->chain_wait, wait));
    int rc = keep_leaf(on, false, ret, err);
    if (rc == 0)
        rc = renewals_update(life->inventory, on->renewal, err);
    if (rc == 0)
        rc = life_event(life, on->certificate->id, on->renewal->id, "received",
                        "%s: the leaf is here, %s", on->file, why->text);
    return rc == 0 ? life_plan(life, on->certificate->id, err) : rc;
}

/* It passed its gates and its chain is built. */
static int accept(const struct judgement *on, const struct chain *chain, const char *warnings,
                  struct leaf_outcome *ret, struct error *err)
{
    ret->result = LEAF_ACCEPTED;
    buf_printf(
        &ret->text,
        "   Accepted for the certificate %s. It goes on from here by itself; nothing is left "
        "for you to do.\n",
        on->certificate->name);
    if (warnings[0] != '\0')
        buf_printf(&ret->text, "   Warning: %s.\n", warnings);
    int rc = keep_leaf(on, true, ret, err);
    return rc < 0 ? rc : renewal_accept(on->life, on->renewal, on->leaf, chain, on->file, err);
}

/* The gates are passed: what now depends on the chain. */
static int judge_chain(const struct judgement *on, const char *warnings, struct leaf_outcome *ret,
                       struct error *err)
{
    AUTO_CHAIN struct chain chain = {0};
    struct error why = {0};
    int rc = chain_for(on->life, on->policy, on->leaf, on->der, on->now, &chain, &why);

    if (rc == E_NO_CHAIN && on->waiting >= WAITING_MAX)
        return refuse(on,
                      "too many certificates for this CSR wait for their chain already: bring it "
                      "together with its chain",
                      ret, err);
    if (rc == E_NO_CHAIN)
        return wait_for_chain(on, &why, ret, err);
    /* What may pass by itself leaves the file where it is, to be taken again. */
    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    if (rc < 0)
        return refuse(on, why.text, ret, err);
    if (on->renewal->accepted_at != UTC_NEVER && on->renewal->key.sealed.len == 0)
        return refuse(on,
                      "its key was never readable here, so it cannot be installed: run \"unlapse "
                      "renew\" and order with the new CSR",
                      ret, err);
    return accept(on, &chain, warnings, ret, err);
}

static int judge(const struct judgement *on, struct leaf_outcome *ret, struct error *err)
{
    AUTO_BUF struct buf reasons;
    AUTO_BUF struct buf warnings;
    struct certificate_facts facts;
    struct gate_report report;
    int rc = life_facts(on->life->inventory, on->certificate, &facts, err);

    buf_init(&reasons, BUF_MAX_RECEIPT);
    buf_init(&warnings, BUF_MAX_RECEIPT);
    if (rc < 0)
        return rc;
    gates_check(&(struct gate_input){on->policy, on->leaf, &on->certificate->names,
                                     facts.live_not_after, on->now},
                &report);
    list_findings(&report, SEVERITY_REFUSE, &reasons);
    list_findings(&report, SEVERITY_WARN, &warnings);
    return report.refused ? refuse(on, buf_text(&reasons), ret, err)
                          : judge_chain(on, buf_text(&warnings), ret, err);
}

static int already_known(struct life *life, const struct match *match, struct leaf_outcome *ret,
                         struct error *err)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    AUTO_CERTIFICATE struct certificate_row certificate = {0};
    int rc = renewals_get(life->inventory, match->same_leaf_id, &row, err);

    if (rc == 0)
        rc = certificates_get(life->inventory, row.certificate_id, &certificate, err);
    if (rc < 0)
        return rc;
    ret->result = LEAF_KNOWN;
    ret->certificate_id = certificate.id;
    ret->renewal_id = row.id;
    buf_printf(&ret->text, "   Already have it: this is the certificate %s, %s.\n",
               certificate.name,
               match->same_accepted ? "accepted before" : "which still waits for its chain");
    return 0;
}

int leaf_take(struct life *life, struct span der, const struct cert *leaf, const char *file,
              struct leaf_outcome *ret, struct error *err)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_CERTIFICATE struct certificate_row certificate = {0};
    struct match match = {.leaf = leaf};
    int rc = renewals_by_spki(life->inventory, leaf->spki_sha256, look_at_renewal, &match, err);

    if (rc < 0)
        return rc;
    if (match.same_leaf_id != 0)
        return already_known(life, &match, ret, err);
    if (match.open_id == 0 && match.filled_id == 0) {
        ret->result = LEAF_FOREIGN;
        buf_printf(&ret->text,
                   "   Not ours: %sits key belongs to no request made here. Was the CSR made on "
                   "another machine,\n   or by hand?\n",
                   leaf->self_signed ? "it is self-signed, no authority issued it, and " : "");
        return 0;
    }
    rc = renewals_get(life->inventory, match.open_id != 0 ? match.open_id : match.filled_id,
                      &renewal, err);
    if (rc == 0)
        rc = certificates_get(life->inventory, renewal.certificate_id, &certificate, err);
    if (rc < 0)
        return rc;
    LOG_CONTEXT("certificate=%s", certificate.name);
    ret->certificate_id = certificate.id;
    ret->renewal_id = renewal.id;
    const struct judgement on = {
        .life = life,
        .certificate = &certificate,
        .policy = life_policy(life, &certificate),
        .renewal = &renewal,
        .leaf = leaf,
        .der = der,
        .file = file,
        .now = life->world->now(life->world->self),
        .waiting = match.waiting,
    };
    return judge(&on, ret, err);
}
