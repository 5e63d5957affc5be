#include "policies/facts.h"

enum { DAY = 86400, EXPIRED_DAILY_DAYS = 7 };

/* The time that stands n seconds before `at`, for an `at` that may be "never". */
static utc_t before(utc_t at, seconds_t n)
{
    return utc_add(at, -n);
}

utc_t policy_renewal_due(const struct certificate_facts *facts, const struct policy *policy)
{
    if (facts->not_after == UTC_NEVER)
        return UTC_NEVER;
    return before(facts->not_after, policy_lead(policy, facts->not_after - facts->not_before));
}

/* Keeps the earlier of two plans; the first one offered wins among equals. */
static void offer(struct next *best, enum action action, utc_t at)
{
    if (at < best->at)
        *best = (struct next){.action = action, .at = at};
}

static utc_t after_failure(const struct policy *policy, utc_t ready_at, utc_t failed_at,
                           int failures)
{
    return failures == 0 ? ready_at : utc_add(failed_at, policy_retry(policy, failures));
}

static utc_t later(utc_t known, utc_t perhaps_never)
{
    return perhaps_never != UTC_NEVER && perhaps_never > known ? perhaps_never : known;
}

static void offer_reminder(struct next *best, const struct renewal_facts *open,
                           const struct policy *policy)
{
    if (policy->remind_every > 0)
        offer(best, ACTION_REMIND,
              utc_add(later(open->handed_over_at, open->reminded_at), policy->remind_every));
}

static void offer_renewal(struct next *best, const struct certificate_facts *facts,
                          const struct policy *policy)
{
    const struct renewal_facts *open = &facts->open;

    if (!open->exists)
        offer(best, ACTION_START,
              facts->accepted ? policy_renewal_due(facts, policy) : facts->added_at);
    else if (open->requested_at == UTC_NEVER)
        offer(best, ACTION_REQUEST,
              after_failure(policy, open->created_at, open->failed_at, open->failures));
    else if (open->handed_over_at == UTC_NEVER)
        offer(best, ACTION_HAND_OVER,
              after_failure(policy, open->requested_at, open->failed_at, open->failures));
    else if (open->received_at != UTC_NEVER && open->chain_told_at == UTC_NEVER)
        offer(best, ACTION_TELL_CHAIN, utc_add(open->received_at, policy->chain_wait));
    else
        offer_reminder(best, open, policy);
}

/*
 * A broken-off attempt goes on at once, be it that only the kept files are left to remove; an undo
 * that failed is tried again soon; a failed attempt waits its back-off.
 */
static utc_t deployment_due(const struct deployment_facts *on, const struct policy *policy)
{
    if (on->verified_at != UTC_NEVER)
        return on->cleaned_at == UTC_NEVER ? on->verified_at : UTC_NEVER;
    if (on->undo_begun_at != UTC_NEVER && on->failed_at != UTC_NEVER &&
        on->failed_at >= on->undo_begun_at)
        return utc_add(on->failed_at, policy_retry(policy, 1));
    if (on->undo_begun_at != UTC_NEVER || on->staged_at != UTC_NEVER)
        return on->scheduled_at;
    return after_failure(policy, on->scheduled_at, on->failed_at, on->failures);
}

static void offer_deployments(struct next *best, const struct certificate_facts *facts,
                              const struct policy *policy)
{
    for (size_t i = 0; i < facts->deployment_count; i++) {
        const struct deployment_facts *on = &facts->deployments[i];
        utc_t at = deployment_due(on, policy);

        if (at < best->at)
            *best = (struct next){.action = ACTION_DEPLOY, .at = at, .target_id = on->target_id};
    }
}

/* The time of a stage; UTC_NEVER when it is the end itself, which TELL_EXPIRED speaks of. */
static utc_t stage_time(const struct certificate_facts *facts, const struct policy *policy,
                        size_t stage)
{
    seconds_t left = policy_ladder(policy, stage, facts->live_not_after - facts->live_not_before);

    return left > 0 ? before(facts->live_not_after, left) : UTC_NEVER;
}

static void offer_ladder(struct next *best, const struct certificate_facts *facts,
                         const struct policy *policy, utc_t now)
{
    size_t stage = facts->ladder_told;

    if (stage >= policy->ladder_count || now > facts->live_not_after)
        return;
    /* Stages missed while nobody looked collapse into the newest. */
    while (stage + 1 < policy->ladder_count && stage_time(facts, policy, stage + 1) <= now)
        stage++;
    utc_t at = stage_time(facts, policy, stage);
    if (at < best->at)
        *best = (struct next){.action = ACTION_TELL_EXPIRY, .at = at, .stage = stage};
}

static void offer_expired(struct next *best, const struct certificate_facts *facts)
{
    utc_t end = facts->live_not_after;
    utc_t told = facts->expired_told_at;

    /* notAfter is inclusive (RFC 5280 4.1.2.5). */
    if (told == UTC_NEVER)
        offer(best, ACTION_TELL_EXPIRED, utc_add(end, 1));
    else
        offer(best, ACTION_TELL_EXPIRED,
              utc_add(told, told < utc_add(end, EXPIRED_DAILY_DAYS * DAY) ? DAY : 7 * DAY));
}

struct next policy_next(const struct certificate_facts *facts, const struct policy *policy,
                        utc_t now)
{
    struct next best = {.action = ACTION_NONE, .at = UTC_NEVER};

    if (facts->retired_at != UTC_NEVER)
        return best;
    offer_deployments(&best, facts, policy);
    offer_renewal(&best, facts, policy);
    if (facts->live_not_after != UTC_NEVER) {
        offer_ladder(&best, facts, policy, now);
        offer_expired(&best, facts);
    }
    return best;
}
