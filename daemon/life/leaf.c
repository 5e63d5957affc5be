/* One leaf of a delivery: whether it passes its gates, and what follows. */
#include "daemon/life/leaf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "policies/gates.h"
#include "store/disclosed.h"

void leaf_outcome_done(struct leaf_outcome *outcome)
{
    buf_done(&outcome->text);
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
    int rc = renewal_create(life, certificate, reason, renewal->asked_by, &id, err);
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

static bool has_finding(const struct gate_report *report, enum gate gate)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].gate == gate)
            return true;
    return false;
}

/*
 * What was accepted last is the measure even before it is in service, so that the order in which
 * files arrive decides nothing: the answer to the newer request wins, and of two answers to one
 * request the one that ends later, then the one that was issued later.
 */
static void check_order(const struct match *match, const struct cert *leaf, bool delivered,
                        struct buf *ret)
{
    const struct renewal_row *accepted = &match->accepted;
    char then[UTC_TEXT_MAX], wanted[UTC_TEXT_MAX], got[UTC_TEXT_MAX];

    if (!delivered && match->order < match->accepted_order) {
        AUTO_FREE char *request = match_request_name(&match->renewal);
        buf_printf(ret,
                   "no-downgrade: wanted the answer to a request that is not older than that of "
                   "the certificate accepted on %s, got one for %s",
                   utc_format_plain(accepted->accepted_at, then), request);
    } else if (!delivered && match->order > match->accepted_order) {
        return;
    } else if (leaf->not_after < accepted->not_after) {
        buf_printf(ret,
                   "no-downgrade: wanted an end not before that of the certificate accepted on %s "
                   "(%s), got %s",
                   utc_format_plain(accepted->accepted_at, then),
                   utc_format_plain(accepted->not_after, wanted),
                   utc_format_plain(leaf->not_after, got));
    } else if (leaf->not_after == accepted->not_after && leaf->not_before < accepted->not_before) {
        buf_printf(ret,
                   "no-downgrade: wanted a beginning not before that of the certificate accepted "
                   "on %s (%s), got %s",
                   utc_format_plain(accepted->accepted_at, then),
                   utc_format_plain(accepted->not_before, wanted),
                   utc_format_plain(leaf->not_before, got));
    }
}

static void add_order(const struct match *match, const struct policy *policy,
                      const struct cert *leaf, bool delivered, struct buf *refusals,
                      struct buf *warnings)
{
    enum severity severity = policy->gates[GATE_NO_DOWNGRADE];
    struct buf *to = severity == SEVERITY_REFUSE ? refusals : warnings;
    AUTO_BUF struct buf found;

    buf_init(&found, BUF_MAX_RECEIPT);
    if (severity != SEVERITY_IGNORE)
        check_order(match, leaf, delivered, &found);
    if (found.len > 0)
        buf_printf(to, "%s%s", to->len > 0 ? "; " : "", buf_text(&found));
}

int leaf_gates(struct life *life, const struct match *match, const struct cert *leaf,
               bool delivered, struct buf *refusals, struct buf *warnings, struct error *err)
{
    const struct policy *policy = life_policy(life, &match->certificate);
    utc_t now = life->world->now(life->world->self);
    struct certificate_facts facts;
    struct gate_report report;
    utc_t disclosed_at = UTC_NEVER;
    int rc = life_facts(life->inventory, &match->certificate, &facts, err);

    if (rc == 0)
        rc = disclosed_find(life->inventory, leaf->spki_sha256, &disclosed_at, err);
    if (rc < 0)
        return rc;
    /* What is here answered late the request that somebody replaced by this one. */
    bool meant = !delivered && match->order > match->accepted_order && match->accepted.id != 0 &&
                 match->accepted.superseded_at != UTC_NEVER;
    gates_check(&(struct gate_input){policy, leaf, &match->certificate.names, facts.live_not_after,
                                     now, disclosed_at == UTC_NEVER ? 0 : disclosed_at,
                                     meant ? match->renewal.asked_by : NULL},
                &report);
    list_findings(&report, SEVERITY_REFUSE, refusals);
    list_findings(&report, SEVERITY_WARN, warnings);
    /* What has ended is no measure any more. */
    if (match->accepted.id != 0 && match->accepted.not_after >= now &&
        !has_finding(&report, GATE_NO_DOWNGRADE))
        add_order(match, policy, leaf, delivered, refusals, warnings);
    return 0;
}

/* What a leaf is judged with; everything borrowed. */
struct judgement {
    struct life *life;
    const struct leaf_input *input;
    const struct policy *policy;
    struct match *match;
    bool delivered; /* its renewal is made for the key that came with it */
    utc_t now;
};

/* How many certificates may wait for their chain side by side for one CSR. */
enum { WAITING_MAX = 8 };

/* What is still asked for, after a leaf that was not taken. */
static void say_what_stays(const struct match *match, struct buf *ret)
{
    if (match->open.id == 0) {
        buf_add_text(ret, match->accepted.id != 0
                              ? "   Nothing changes: the certificate that is here stays.\n"
                              : "");
        return;
    }
    AUTO_FREE char *request = match_request_name(&match->open);
    buf_printf(ret,
               match->open.csr.len > 0
                   ? "   The request stays open: a better certificate for %s is welcome.\n"
                   : "   The request stays open: %s.\n",
               request);
}

/* Facts, notice and event of a refusal. */
static int record_refusal(const struct judgement *on, const char *reasons, struct error *err)
{
    struct life *life = on->life;
    struct renewal_row *renewal = &on->match->renewal;
    const struct certificate_row *certificate = &on->match->certificate;
    AUTO_FIELDS struct fields fields = {0};
    char stage[2 * SHA256_LEN + 16], hex[2 * SHA256_LEN + 1];
    int rc = 0;

    /* A request that is answered or called off keeps its facts, and so does one that has a leaf:
     * that one waits there and may still be completed, also when the request is superseded. */
    if (!on->delivered && on->match->state == KEY_OPEN && renewal->received_at == UTC_NEVER) {
        renewal->rejected_at = on->now;
        free(renewal->rejected_reason);
        renewal->rejected_reason = mem_strdup(reasons);
        rc = renewals_update(life->inventory, renewal, err);
    }
    if (rc == 0)
        rc = notice_begin(life, certificate, on->policy, &fields, err);
    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, on->input->cert);
    fields_set(&fields, "file", on->input->file);
    fields_set(&fields, "reason", reasons);
    snprintf(stage, sizeof stage, "rejected-%s",
             text_hex(on->input->cert->sha256, SHA256_LEN, hex));
    rc = notice_queue_bounded(life, certificate, on->policy, on->delivered ? 0 : renewal->id,
                              NOTICE_REJECTED, stage, "reason", &fields, err);
    if (rc == 0)
        rc = life_event_change(life,
                               &(struct life_change){certificate->id,
                                                     on->delivered ? 0 : renewal->id, "rejected",
                                                     NULL, on->input->cert->sha256},
                               "%s: %s", on->input->file, reasons);
    return rc == 0 ? life_plan(life, certificate->id, err) : rc;
}

/* No certificate for a disclosed key is any better. */
static int say_what_helps(const struct judgement *on, struct buf *ret, struct error *err)
{
    AUTO_FREE char *anew = NULL;
    utc_t disclosed_at = UTC_NEVER;
    int rc = disclosed_find(on->life->inventory, on->input->cert->spki_sha256, &disclosed_at, err);

    if (rc < 0)
        return rc;
    if (disclosed_at == UTC_NEVER || on->policy->gates[GATE_DISCLOSED] != SEVERITY_REFUSE) {
        say_what_stays(on->match, ret);
        return 0;
    }
    rc = keys_begin_anew(on->life, on->match, &anew, err);
    if (rc == 0)
        buf_printf(ret, "   Only another key helps. %s.\n", anew);
    return rc;
}

static int refuse(const struct judgement *on, const char *reasons, struct leaf_outcome *ret,
                  struct error *err)
{
    ret->result = LEAF_REFUSED;
    buf_printf(&ret->text, "   Refused for the certificate %s: %s.\n", on->match->certificate.name,
               reasons);
    int rc = say_what_helps(on, &ret->text, err);
    return rc < 0 ? rc : record_refusal(on, reasons, err);
}

int leaf_set_aside(struct life *life, const struct leaf_input *input, enum quarantine_why why,
                   struct error *err)
{
    struct quarantine_row row = {
        .why = why,
        .der = {(uint8_t *)(uintptr_t)input->der.data, input->der.len},
        .not_after = input->cert->not_after,
        .seen_at = life->world->now(life->world->self),
        .file = (char *)(uintptr_t)input->file,
    };

    /* The row only borrows: nothing of it is freed here. */
    memcpy(row.sha256, input->cert->sha256, SHA256_LEN);
    memcpy(row.spki_sha256, input->cert->spki_sha256, SHA256_LEN);
    return quarantine_add(life->inventory, &row, err);
}

/* It leads to no anchor of ours, a link of its chain breaks a rule, or it is one of too many that
 * wait: another anchor or another intermediate may mend that. */
static int refuse_chain(const struct judgement *on, const char *reason, struct leaf_outcome *ret,
                        struct error *err)
{
    ret->result = LEAF_KEPT;
    int rc = leaf_set_aside(on->life, on->input, QUARANTINE_CHAIN, err);
    if (rc < 0 || on->input->again)
        return rc;
    buf_printf(&ret->text,
               "   Refused for the certificate %s: %s.\n   It is kept and looked at again by "
               "itself when an administrator trusts that authority (unlapse trust add)\n   or "
               "another intermediate comes: it need not be brought again.\n",
               on->match->certificate.name, reason);
    say_what_stays(on->match, &ret->text);
    ret->told = true;
    return record_refusal(on, reason, err);
}

/* What waits beside an open request of the certificate does not stand in for it. */
static void step_aside(const struct judgement *on)
{
    struct renewal_row *renewal = &on->match->renewal;

    if (on->match->open.id != 0 && on->match->state != KEY_OPEN)
        renewal->superseded_at = on->now;
}

/* Makes the leaf the renewal's own. */
static int keep_leaf(const struct judgement *on, bool complete, struct leaf_outcome *ret,
                     struct error *err)
{
    struct renewal_row *renewal = &on->match->renewal;
    const struct certificate_row *certificate = &on->match->certificate;
    int rc = 0;

    /* Nothing that waits gives way to what comes after it: whoever can write to the folder could
     * drop any authority's certificate for our CSR. */
    if (on->delivered) {
        rc = delivered_renewal(on->life, certificate, on->input, renewal, err);
        ret->took_key = rc == 0;
        if (rc == 0 && !complete)
            step_aside(on);
    } else if (renewal->accepted_at != UTC_NEVER || renewal->received_at != UTC_NEVER) {
        rc =
            reissue(on->life, certificate, renewal,
                    renewal->accepted_at != UTC_NEVER ? "reissued by the authority for the same key"
                                                      : "another certificate came for the same CSR",
                    err);
        if (rc == 0 && !complete)
            step_aside(on);
    }
    if (rc < 0)
        return rc;
    ret->renewal_id = renewal->id;
    blob_done(&renewal->leaf);
    renewal->leaf = blob_copy(on->input->der);
    memcpy(renewal->leaf_sha256, on->input->cert->sha256, SHA256_LEN);
    renewal->not_before = on->input->cert->not_before;
    renewal->not_after = on->input->cert->not_after;
    renewal->received_at = on->now;
    renewal->chain_told_at = UTC_NEVER;
    /* What was refused before was another one. */
    renewal->rejected_at = UTC_NEVER;
    free(renewal->rejected_reason);
    renewal->rejected_reason = NULL;
    return 0;
}

static bool is_kept_for_chain(const struct judgement *on)
{
    AUTO_QUARANTINE struct quarantine_row row = {0};
    struct error none = {0};

    return quarantine_find(on->life->inventory, on->input->cert->sha256, &row, &none) == 0 &&
           row.why == QUARANTINE_CHAIN;
}

static int wait_for_chain(const struct judgement *on, const struct error *why,
                          struct leaf_outcome *ret, struct error *err)
{
    struct life *life = on->life;
    const struct certificate_row *certificate = &on->match->certificate;
    char wait[SECONDS_TEXT_MAX];

    /* Strangers can make certificates for a CSR, so the one that is wanted may come last. What is
     * kept for its chain already is looked at again as often as what waits. */
    if (on->match->waiting >= WAITING_MAX || (on->input->again && is_kept_for_chain(on)))
        return refuse_chain(on,
                            "more certificates for this CSR than can wait together wait for "
                            "their chain",
                            ret, err);
    ret->result = LEAF_WAITING;
    buf_printf(&ret->text,
               "   Taken for the certificate %s. Its chain is not complete yet: %s.\n"
               "   What to do: put the authority's intermediate certificates (often called "
               "\"chain\", \"bundle\" or \"CA\") into\n"
               "   this folder too, in any form and order.",
               certificate->name, why->text);
    int rc = keep_leaf(on, false, ret, err);
    if (on->match->renewal.superseded_at != UTC_NEVER)
        buf_add_text(&ret->text, " Until then the open request stays as it is.\n");
    else
        buf_printf(&ret->text, " People are told when nothing comes within %s.\n",
                   seconds_format(on->policy->chain_wait, wait));
    if (rc == 0)
        rc = renewals_update(life->inventory, &on->match->renewal, err);
    if (rc == 0)
        rc = life_event_change(life,
                               &(struct life_change){certificate->id, on->match->renewal.id,
                                                     "received", NULL, on->input->cert->sha256},
                               "%s: the leaf is here, %s", on->input->file, why->text);
    return rc == 0 ? life_plan(life, certificate->id, err) : rc;
}

/* It passed its gates and its chain is built. */
static int accept(const struct judgement *on, const struct chain *chain, const char *warnings,
                  struct leaf_outcome *ret, struct error *err)
{
    ret->result = LEAF_ACCEPTED;
    buf_printf(&ret->text,
               "   Accepted for the certificate %s, since it is valid and covers all names.\n",
               on->match->certificate.name);
    if (on->delivered)
        buf_add_text(&ret->text, "   The private key that came with it was taken, too: the "
                                 "policy allows that.\n");
    if (warnings[0] != '\0')
        buf_printf(&ret->text, "   Warning: %s.\n", warnings);
    int rc = keep_leaf(on, true, ret, err);
    if (rc == 0)
        rc = renewal_accept(on->life, &on->match->renewal, on->input->cert, chain, on->input->file,
                            &ret->text, err);
    buf_add_text(&ret->text, "   It goes on from here by itself; nothing is left for you to do.\n");
    return rc;
}

/* The gates are passed: what now depends on the chain. */
static int judge_chain(const struct judgement *on, const char *warnings, struct leaf_outcome *ret,
                       struct error *err)
{
    const struct renewal_row *renewal = &on->match->renewal;
    AUTO_CHAIN struct chain chain = {0};
    struct error why = {0};

    AUTO_FREE char *erased = on->delivered ? NULL : erased_key_says(renewal);
    if (erased)
        return refuse(on, erased, ret, err);
    int rc =
        chain_for(on->life, on->policy, on->input->cert, on->input->der, on->now, &chain, &why);
    if (rc == E_NO_CHAIN)
        return wait_for_chain(on, &why, ret, err);
    /* What may pass by itself leaves the file where it is, to be taken again. */
    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    if (rc == E_REFUSED)
        return refuse_chain(on, why.text, ret, err);
    return rc < 0 ? refuse(on, why.text, ret, err) : accept(on, &chain, warnings, ret, err);
}

int leaf_judge(struct life *life, const struct leaf_input *input, struct match *match,
               bool delivered, struct leaf_outcome *ret, struct error *err)
{
    const struct judgement on = {
        .life = life,
        .input = input,
        .policy = life_policy(life, &match->certificate),
        .match = match,
        .delivered = delivered,
        .now = life->world->now(life->world->self),
    };
    AUTO_BUF struct buf refusals;
    AUTO_BUF struct buf warnings;

    LOG_CONTEXT("certificate=%s", match->certificate.name);
    buf_init(&refusals, BUF_MAX_RECEIPT);
    buf_init(&warnings, BUF_MAX_RECEIPT);
    ret->certificate_id = match->certificate.id;
    ret->renewal_id = match->renewal.id;
    int rc = leaf_gates(life, match, input->cert, delivered, &refusals, &warnings, err);
    if (rc < 0)
        return rc;
    return refusals.len > 0 ? refuse(&on, buf_text(&refusals), ret, err)
                            : judge_chain(&on, buf_text(&warnings), ret, err);
}
