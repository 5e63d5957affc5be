#include "daemon/life/internal.h"

static void copy_open(const struct renewal_row *row, struct renewal_facts *ret)
{
    *ret = (struct renewal_facts){
        .exists = true,
        .id = row->id,
        .created_at = row->created_at,
        .requested_at = row->requested_at,
        .handed_over_at = row->handed_over_at,
        .received_at = row->received_at,
        .rejected_at = row->rejected_at,
        .chain_told_at = row->chain_told_at,
        .reminded_at = row->reminded_at,
        .failed_at = row->failed_at,
        .failures = row->failures,
        .fetched_at = row->fetched_at,
        .fetches = row->fetches,
    };
}

static int load_open(struct inventory *inventory, int64_t certificate_id, struct renewal_facts *ret,
                     struct error *err)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    int rc = renewals_open(inventory, certificate_id, &row, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        copy_open(&row, ret);
    return rc;
}

/* What is walked over while the targets of one certificate are looked at. */
struct target_walk {
    struct inventory *inventory;
    struct certificate_facts *facts;
    const struct accepted_times *accepted; /* NULL: none */
    utc_t in_service_at;                   /* the latest of the targets */
    size_t targets;
};

static void copy_deployment(const struct deployment_row *row, struct deployment_facts *ret)
{
    *ret = (struct deployment_facts){
        .target_id = row->target_id,
        .scheduled_at = row->scheduled_at,
        .staged_at = row->staged_at,
        .swap_begun_at = row->swap_begun_at,
        .swapped_at = row->swapped_at,
        .reloaded_at = row->reloaded_at,
        .verified_at = row->verified_at,
        .cleaned_at = row->cleaned_at,
        .undo_begun_at = row->undo_begun_at,
        .failed_at = row->failed_at,
        .failures = row->failures,
    };
}

static void look_at_dates(struct target_walk *walk, utc_t not_before, utc_t not_after)
{
    if (not_after >= walk->facts->live_not_after)
        return;
    walk->facts->live_not_before = not_before;
    walk->facts->live_not_after = not_after;
}

/* What is in service on a target is the renewal last verified there: the one that ends first speaks
 * for all. */
static int look_at_live(struct target_walk *walk, int64_t target_id, struct error *err)
{
    AUTO_RENEWAL struct renewal_row live = {0};
    int64_t renewal_id = 0;
    int rc = deployments_last_verified(walk->inventory, target_id, &renewal_id, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0 && walk->accepted && walk->accepted->id == renewal_id) {
        look_at_dates(walk, walk->accepted->not_before, walk->accepted->not_after);
        return 0;
    }
    if (rc == 0)
        rc = renewals_get(walk->inventory, renewal_id, &live, err);
    if (rc == 0)
        look_at_dates(walk, live.not_before, live.not_after);
    return rc;
}

static int look_at_target(void *self, const struct target_row *target, struct error *err)
{
    struct target_walk *walk = self;
    AUTO_DEPLOYMENT struct deployment_row row = {0};

    walk->targets++;
    if (walk->accepted) {
        int rc = deployments_find(walk->inventory, walk->accepted->id, target->id, &row, err);

        if (rc == 0 && walk->facts->deployment_count < DEPLOYMENTS_MAX)
            copy_deployment(&row, &walk->facts->deployments[walk->facts->deployment_count++]);
        else if (rc < 0 && rc != E_NOT_FOUND)
            return rc;
        utc_t at = rc == 0 ? row.verified_at : UTC_NEVER;
        if (at > walk->in_service_at)
            walk->in_service_at = at;
    }
    return look_at_live(walk, target->id, err);
}

static int look_at_old_key(void *self, const struct key_row *row, utc_t retired_at,
                           struct error *err)
{
    struct certificate_facts *facts = self;

    (void)row;
    (void)err;
    facts->old_key_at = facts->old_keys ? utc_min(facts->old_key_at, retired_at) : retired_at;
    facts->old_keys = true;
    return 0;
}

int life_facts(struct inventory *inventory, const struct certificate_row *certificate,
               struct certificate_facts *ret, struct error *err)
{
    struct accepted_times accepted = {0};
    struct certificate_facts facts = {
        .added_at = certificate->added_at,
        .retired_at = certificate->retired_at,
        .not_before = UTC_NEVER,
        .not_after = UTC_NEVER,
        .accepted_at = UTC_NEVER,
        .chain_not_after = UTC_NEVER,
        .rechain_at = UTC_NEVER,
        .in_service_at = UTC_NEVER,
        .old_key_at = UTC_NEVER,
        .live_not_before = UTC_NEVER,
        .live_not_after = UTC_NEVER,
        .ladder_told = certificate->ladder_told,
        .expired_told_at = certificate->expired_told_at,
    };
    struct target_walk walk = {.inventory = inventory, .facts = &facts};
    int rc = load_open(inventory, certificate->id, &facts.open, err);

    if (rc < 0)
        return rc;
    rc = renewals_accepted_times(inventory, certificate->id, &accepted, err);
    if (rc == 0) {
        facts.accepted = true;
        facts.not_before = accepted.not_before;
        facts.not_after = accepted.not_after;
        facts.accepted_at = accepted.accepted_at;
        facts.chain_not_after = accepted.chain_not_after;
        facts.rechain_at = accepted.rechain_at;
        walk.accepted = &accepted;
        walk.in_service_at = accepted.accepted_at;
    } else if (rc != E_NOT_FOUND) {
        return rc;
    }
    rc = targets_each(inventory, certificate->id, look_at_target, &walk, err);
    if (rc < 0)
        return rc;
    if (facts.accepted)
        facts.in_service_at = walk.in_service_at;
    rc = old_keys_each(inventory, &facts, &accepted, certificate->id, look_at_old_key, &facts, err);
    if (rc < 0)
        return rc;
    if (walk.targets == 0 && facts.accepted) {
        facts.live_not_before = facts.not_before;
        facts.live_not_after = facts.not_after;
    }
    *ret = facts;
    return 0;
}
