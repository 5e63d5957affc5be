#include "daemon/api/why.h"

#include <stdio.h>

#include "store/anchors.h"
#include "store/authorities.h"
#include "store/deployments.h"
#include "store/disclosed.h"
#include "store/quarantine.h"

#include "daemon/api/json.h"

static void add_error(json_t *errors, utc_t at, const char *what, const char *text)
{
    json_t *item = json_object();

    json_put_time(item, "at", at);
    json_put_text(item, "what", what);
    json_put_text(item, "text", text ? text : "the reason is not known");
    json_append(errors, item);
}

static void about_live(const struct view *view, utc_t now, json_t *why)
{
    const struct certificate_facts *facts = &view->facts;
    char at[UTC_TEXT_MAX];

    if (facts->retired_at != UTC_NEVER)
        json_append_text(why, "It was retired at %s.", utc_format_plain(facts->retired_at, at));
    if (facts->live_not_after != UTC_NEVER)
        json_append_text(why, "The certificate in service %s at %s.",
                         facts->live_not_after < now ? "ended" : "ends",
                         utc_format_plain(facts->live_not_after, at));
    else
        json_append_text(
            why, facts->accepted ? "A certificate was accepted, but none is known to be in service."
                                 : "No certificate has been accepted for it yet.");
}

static void about_due(const struct view *view, utc_t now, json_t *why)
{
    const struct certificate_facts *facts = &view->facts;
    utc_t due = policy_renewal_due(facts, view->policy);
    char at[UTC_TEXT_MAX], lead[SECONDS_TEXT_MAX];

    if (!facts->accepted || facts->open.exists || due == UTC_NEVER)
        return;
    json_append_text(why, "Its renewal %s at %s: policy \"%s\" begins %s before the end.",
                     due <= now ? "was due" : "is due", utc_format_plain(due, at),
                     view->policy->name, seconds_format(facts->not_after - due, lead));
}

/* The intermediate that ends before the certificate, whatever is planned because of it. */
static void about_chain(const struct api_call *call, const struct view *view, json_t *why)
{
    AUTO_RENEWAL struct renewal_row accepted = {0};
    struct life *life = call->context->life;
    struct chain_end end = {0};
    char ends[UTC_TEXT_MAX], leaf_ends[UTC_TEXT_MAX];

    if (!view->facts.accepted || view->facts.retired_at != UTC_NEVER ||
        view->facts.chain_not_after >= view->facts.not_after ||
        renewals_accepted(life->inventory, view->row->id, &accepted, NULL) < 0 ||
        life_chain_end(life, &accepted, &end, NULL) < 0)
        return;
    json_append_text(
        why, "The intermediate %s in the chain %s at %s, before the certificate itself (%s).",
        end.subject, end.not_after < call->now ? "ended" : "ends",
        utc_format_plain(end.not_after, ends), utc_format_plain(view->facts.not_after, leaf_ends));
    if (accepted.rechain_at != UTC_NEVER)
        json_append_text(why, "No chain that lives longer is known: bring the authority's current "
                              "intermediate certificates.");
    chain_end_done(&end);
}

/* The issuer of the last certificate of its chain, "" when that cannot be told; *ret_proved: an
 * anchor vouches for that certificate today. */
static void chain_top(struct inventory *inventory, const struct renewal_row *accepted,
                      char ret_issuer[CERT_DN_MAX], bool *ret_proved)
{
    AUTO_BLOBS struct blobs chain = {0};
    AUTO_CERT struct cert top = {0};
    AUTO_AUTHORITY struct authority_row row = {0};

    ret_issuer[0] = '\0';
    *ret_proved = false;
    if (renewals_chain(inventory, accepted->id, &chain, NULL) < 0)
        return;
    const struct blob *last = chain.count > 0 ? &chain.items[chain.count - 1] : &accepted->leaf;
    if (cert_parse(blob_span(last), &top, NULL) < 0)
        return;
    snprintf(ret_issuer, CERT_DN_MAX, "%s", top.issuer);
    *ret_proved =
        authorities_get(inventory, top.sha256, &row, NULL) == 0 && row.anchored_at != UTC_NEVER;
}

/* Its anchor was taken away after it was accepted, and nothing else vouches for its chain. */
static void about_anchor(const struct api_call *call, const struct view *view, json_t *why)
{
    struct inventory *inventory = call->context->life->inventory;
    AUTO_RENEWAL struct renewal_row accepted = {0};
    AUTO_ANCHOR struct anchor_row gone = {0};
    char issuer[CERT_DN_MAX], at[UTC_TEXT_MAX];
    bool proved;

    if (view->facts.retired_at != UTC_NEVER ||
        renewals_accepted(inventory, view->row->id, &accepted, NULL) < 0)
        return;
    chain_top(inventory, &accepted, issuer, &proved);
    if (proved || anchors_find_removed(inventory, issuer, accepted.accepted_at, &gone, NULL) < 0)
        return;
    json_append_text(why,
                     "The trust anchor %s, to which its chain leads, was removed at %s by %s: what "
                     "is installed stays, but the next certificate is only accepted when it leads "
                     "to another one.",
                     gone.subject, utc_format_plain(gone.removed_at, at), gone.removed_by);
}

static bool is_disclosed(const struct api_call *call, const struct renewal_row *row, utc_t *ret_at)
{
    return disclosed_find(call->context->life->inventory, row->key.spki_sha256, ret_at, NULL) ==
               0 &&
           *ret_at != UTC_NEVER;
}

/* The key of what was accepted last, or of the open request, lay in the drop folder. */
static void about_disclosed(const struct api_call *call, const struct view *view, json_t *why)
{
    struct inventory *inventory = call->context->life->inventory;
    AUTO_RENEWAL struct renewal_row accepted = {0};
    AUTO_RENEWAL struct renewal_row open = {0};
    char at[UTC_TEXT_MAX];
    utc_t then = UTC_NEVER, open_then = UTC_NEVER;
    bool has_open = renewals_open(inventory, view->row->id, &open, NULL) == 0;
    bool open_too = has_open && is_disclosed(call, &open, &open_then);
    bool in_use = renewals_accepted(inventory, view->row->id, &accepted, NULL) == 0 &&
                  is_disclosed(call, &accepted, &then);

    if (view->facts.retired_at != UTC_NEVER || (!open_too && !in_use))
        return;
    json_append_text(why,
                     "The key of %s lay in the drop folder at %s and must be considered disclosed.",
                     in_use ? "the newest accepted certificate" : "its open request",
                     utc_format_plain(in_use ? then : open_then, at));
    if (!has_open || open_too)
        json_append_text(why,
                         "Only another key helps: run \"unlapse renew %s%s\" and order with "
                         "the new CSR.",
                         view->row->name, has_open ? " --again" : "");
    else
        json_append_text(why,
                         "The open request has another key: order with its CSR (unlapse "
                         "request %s).",
                         view->row->name);
    if (view->policy->gates[GATE_DISCLOSED] == SEVERITY_REFUSE)
        json_append_text(why,
                         "Where nobody can have read that key, the gate disclosed-key of "
                         "policy \"%s\" may be set to warn; certificates for it are refused "
                         "until then.",
                         view->policy->name);
}

static void about_leaf(const struct renewal_row *open, json_t *why)
{
    AUTO_CERT struct cert cert = {0};
    char at[UTC_TEXT_MAX];

    if (open->received_at == UTC_NEVER)
        return;
    if (cert_parse(blob_span(&open->leaf), &cert, NULL) == 0)
        json_append_text(why,
                         "Its certificate came at %s, but no chain from its issuer, %s, to a trust "
                         "anchor could be built yet.",
                         utc_format_plain(open->received_at, at), cert.issuer);
}

static int count_kept(void *self, const struct quarantine_row *row, struct error *err)
{
    size_t *kept = self;

    (void)err;
    *kept += row->why == QUARANTINE_CHAIN;
    return 0;
}

/* A leaf for this request was refused for its chain alone: what may change that. */
static void about_kept(const struct api_call *call, const struct renewal_row *open, json_t *why)
{
    size_t kept = 0;

    if (open->requested_at == UTC_NEVER || open->received_at != UTC_NEVER ||
        quarantine_by_spki(call->context->life->inventory, open->key.spki_sha256, count_kept, &kept,
                           NULL) < 0 ||
        kept == 0)
        return;
    json_append_text(why,
                     "A certificate for this CSR was refused for its chain alone, and is kept: "
                     "it is taken by itself when an administrator trusts its authority "
                     "(unlapse trust add FILE) or another intermediate comes.");
}

static void about_open(const struct api_call *call, const struct view *view,
                       const struct renewal_row *open, json_t *why, json_t *errors)
{
    char at[UTC_TEXT_MAX], requested[UTC_TEXT_MAX];

    json_append_text(why, "Renewal %lld was begun at %s: %s.", (long long)open->id,
                     utc_format_plain(open->created_at, at),
                     open->reason ? open->reason : "the reason is not known");
    if (open->requested_at == UTC_NEVER)
        json_append_text(why, "It has no key and CSR yet.");
    else if (open->handed_over_at == UTC_NEVER)
        json_append_text(why, "Its key and CSR were made at %s and are not handed over yet.",
                         utc_format_plain(open->requested_at, requested));
    else
        json_append_text(why, "Its CSR was handed over at %s.",
                         utc_format_plain(open->handed_over_at, requested));
    about_leaf(open, why);
    about_kept(call, open, why);
    if (view->state == STATE_HANDED_OVER || view->state == STATE_REJECTED ||
        view->state == STATE_WAITING_CHAIN || view->state == STATE_EXPIRED)
        if (open->handed_over_at != UTC_NEVER && call->context->life->drop_shown)
            json_append_text(why, "What the authority sends belongs into %s.",
                             call->context->life->drop_shown);
    if (open->rejected_at != UTC_NEVER)
        add_error(errors, open->rejected_at, "a delivery was refused", open->rejected_reason);
    if (open->failures > 0 && open->failed_at != UTC_NEVER)
        add_error(errors, open->failed_at, "the request could not be made or handed over",
                  open->failed_reason);
}

struct target_walk {
    struct inventory *inventory;
    int64_t renewal_id;
    json_t *why, *errors;
    size_t seen, verified;
};

static const char *step_of(const struct deployment_row *row, utc_t *ret_at)
{
    const struct {
        utc_t at;
        const char *text;
    } steps[] = {
        {row->undo_begun_at, "is being put back to the previous certificate since"},
        {row->reloaded_at, "was reloaded, and is not verified yet, at"},
        {row->swapped_at, "got its new files at"},
        {row->swap_begun_at, "is getting its new files since"},
        {row->staged_at, "has its new files staged since"},
        {row->scheduled_at, "is scheduled since"},
    };

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        if (steps[i].at != UTC_NEVER) {
            *ret_at = steps[i].at;
            return steps[i].text;
        }
    }
    *ret_at = UTC_NEVER;
    return "is not begun:";
}

static int about_target(void *self, const struct target_row *target, struct error *err)
{
    struct target_walk *walk = self;
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    AUTO_FREE char *shown = target_shown(target);
    char at[UTC_TEXT_MAX];
    utc_t step_at;
    int rc = deployments_find(walk->inventory, walk->renewal_id, target->id, &row, err);

    walk->seen++;
    if (rc == E_NOT_FOUND) {
        json_append_text(walk->why, "Target %lld, %s, waits for the next renewal.",
                         (long long)target->id, shown);
        return 0;
    }
    if (rc != 0)
        return rc;
    if (row.verified_at != UTC_NEVER) {
        walk->verified++;
        json_append_text(walk->why, "Target %lld, %s, is verified since %s.", (long long)target->id,
                         shown, utc_format_plain(row.verified_at, at));
        return 0;
    }
    if (row.failures > 0) {
        AUTO_FREE char *what =
            mem_printf("target %lld, %s, failed (%d %s)", (long long)target->id, shown,
                       row.failures, row.failures == 1 ? "time" : "times");
        add_error(walk->errors, row.failed_at, what, row.reason);
    }
    const char *step = step_of(&row, &step_at);
    json_append_text(walk->why, "Target %lld, %s, %s %s.", (long long)target->id, shown, step,
                     utc_format_plain(step_at, at));
    return 0;
}

static int about_targets(const struct api_call *call, const struct view *view, json_t *why,
                         json_t *errors, struct error *err)
{
    AUTO_RENEWAL struct renewal_row accepted = {0};
    struct inventory *inventory = call->context->life->inventory;
    char at[UTC_TEXT_MAX];
    int rc = renewals_accepted(inventory, view->row->id, &accepted, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    json_append_text(why, "The newest accepted certificate is that of renewal %lld; it ends at %s.",
                     (long long)accepted.id, utc_format_plain(accepted.not_after, at));
    struct target_walk walk = {
        .inventory = inventory, .renewal_id = accepted.id, .why = why, .errors = errors};
    rc = targets_each(inventory, view->row->id, about_target, &walk, err);
    if (rc == 0 && walk.seen == 0)
        json_append_text(why, "It has no target: nothing is installed.");
    return rc;
}

int why_append(const struct api_call *call, const struct view *view, json_t *why, json_t *errors,
               struct error *err)
{
    AUTO_RENEWAL struct renewal_row open = {0};
    int rc;

    about_live(view, call->now, why);
    rc = about_targets(call, view, why, errors, err);
    about_due(view, call->now, why);
    about_chain(call, view, why);
    about_anchor(call, view, why);
    about_disclosed(call, view, why);
    if (rc != 0)
        return rc;
    rc = renewals_open(call->context->life->inventory, view->row->id, &open, err);
    if (rc == 0)
        about_open(call, view, &open, why, errors);
    return rc == E_NOT_FOUND ? 0 : rc;
}
