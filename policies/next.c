#include "policies/facts.h"

#include <limits.h>

enum { MINUTE = 60, DAY = 86400, EXPIRED_DAILY_DAYS = 7, CHAIN_LEAD_DAYS = 21, NEW_DAYS = 7 };

/* The time that stands n seconds before `at`, for an `at` that may be "never". */
static utc_t before(utc_t at, seconds_t n)
{
    return utc_add(at, -n);
}

/* A length of time after something that happened; now when the fact lies in the future. */
static utc_t after(utc_t fact, seconds_t length, utc_t now)
{
    return fact > now ? now : utc_add(fact, length);
}

utc_t policy_due(const struct policy *policy, utc_t not_before, utc_t not_after)
{
    if (not_after == UTC_NEVER)
        return UTC_NEVER;
    return before(not_after, policy_lead(policy, not_after - not_before));
}

static bool is_deploying(const struct certificate_facts *facts)
{
    for (size_t i = 0; i < facts->deployment_count; i++)
        if (facts->deployments[i].verified_at == UTC_NEVER)
            return true;
    return false;
}

utc_t policy_renewal_due(const struct certificate_facts *facts, const struct policy *policy)
{
    utc_t due = policy_due(policy, facts->not_before, facts->not_after);

    if (facts->live_not_after < facts->not_after && !is_deploying(facts))
        due = utc_min(due, policy_due(policy, facts->live_not_before, facts->live_not_after));
    return due;
}

/* A part of what the chain had left when it was accepted, a day at most. */
static seconds_t chain_pause(seconds_t left)
{
    return left <= 0 ? 0 : left / 8 < DAY ? left / 8 : DAY;
}

/* What the chain had left when it was accepted, which is not later than now. */
static seconds_t chain_left(const struct certificate_facts *facts, utc_t now)
{
    return facts->chain_not_after - utc_min(facts->accepted_at, now);
}

utc_t policy_rechain_due(const struct certificate_facts *facts, const struct policy *policy,
                         utc_t now)
{
    if (!facts->accepted || facts->chain_not_after >= facts->not_after)
        return UTC_NEVER;
    seconds_t left = chain_left(facts, now);
    seconds_t lead = policy_lead(policy, left);
    if (lead < CHAIN_LEAD_DAYS * DAY)
        lead = CHAIN_LEAD_DAYS * DAY;
    utc_t due = before(facts->chain_not_after, lead);
    utc_t earliest = after(facts->accepted_at, chain_pause(left), now);
    return due > earliest ? due : earliest;
}

/* Keeps the earlier of two plans; the first one offered wins among equals. */
static void offer(struct next *best, enum action action, utc_t at)
{
    if (at < best->at)
        *best = (struct next){.action = action, .at = at};
}

static utc_t after_failure(const struct policy *policy, utc_t ready_at, utc_t failed_at,
                           int failures, utc_t now)
{
    return failures == 0 ? utc_min(ready_at, now)
                         : after(failed_at, policy_retry(policy, failures), now);
}

static void offer_reminder(struct next *best, const struct renewal_facts *open,
                           const struct policy *policy, utc_t now)
{
    utc_t last = open->reminded_at != UTC_NEVER ? open->reminded_at : open->handed_over_at;

    if (policy->remind_every > 0)
        offer(best, ACTION_REMIND, after(last, policy->remind_every, now));
}

static bool waits_for_chain(const struct renewal_facts *open)
{
    return open->exists && open->received_at != UTC_NEVER && open->handed_over_at != UTC_NEVER;
}

static void offer_fetch(struct next *best, const struct certificate_facts *facts,
                        const struct policy *policy, utc_t now)
{
    const struct renewal_facts *open = &facts->open;

    if (policy->aia && waits_for_chain(open))
        offer(best, ACTION_FETCH,
              after_failure(policy, open->received_at, open->fetched_at, open->fetches, now));
}

/*
 * Looked for daily while nothing better is known; a chain that lives for hours only more often,
 * until it has ended. For a certificate that has ended itself no chain helps.
 */
static void offer_rechain(struct next *best, const struct certificate_facts *facts,
                          const struct policy *policy, utc_t now)
{
    utc_t due = policy_rechain_due(facts, policy, now);

    if (due == UTC_NEVER || now > facts->not_after)
        return;
    if (facts->rechain_at == UTC_NEVER) {
        offer(best, ACTION_RECHAIN, due);
        return;
    }
    seconds_t wait = chain_pause(chain_left(facts, now));
    if (now > facts->chain_not_after)
        wait = DAY;
    else if (wait < MINUTE)
        wait = MINUTE;
    utc_t again = after(facts->rechain_at, wait, now);
    offer(best, ACTION_RECHAIN_AGAIN, again > due ? again : due);
}

static void offer_renewal(struct next *best, const struct certificate_facts *facts,
                          const struct policy *policy, utc_t now)
{
    const struct renewal_facts *open = &facts->open;

    if (!open->exists)
        offer(best, ACTION_START,
              facts->accepted ? policy_renewal_due(facts, policy) : utc_min(facts->added_at, now));
    else if (open->requested_at == UTC_NEVER)
        offer(best, ACTION_REQUEST,
              after_failure(policy, open->created_at, open->failed_at, open->failures, now));
    else if (open->handed_over_at == UTC_NEVER)
        offer(best, ACTION_HAND_OVER,
              after_failure(policy, open->requested_at, open->failed_at, open->failures, now));
    else if (waits_for_chain(open) && open->chain_told_at == UTC_NEVER)
        offer(best, ACTION_TELL_CHAIN, after(open->received_at, policy->chain_wait, now));
    else
        offer_reminder(best, open, policy, now);
}

/*
 * A broken-off attempt goes on at once; an undo that failed waits its back-off as a failed attempt
 * does; when only the kept files are left to remove and that fails, there is time. Nothing is
 * installed before it is valid.
 */
static utc_t deployment_due(const struct certificate_facts *facts,
                            const struct deployment_facts *on, const struct policy *policy,
                            utc_t now)
{
    bool undo_failed = on->undo_begun_at != UTC_NEVER && on->failed_at != UTC_NEVER &&
                       on->failed_at >= on->undo_begun_at;
    bool under_way = on->staged_at != UTC_NEVER || on->undo_begun_at != UTC_NEVER;

    if (on->verified_at != UTC_NEVER && on->cleaned_at != UTC_NEVER)
        return UTC_NEVER;
    if (on->verified_at != UTC_NEVER)
        return on->failed_at != UTC_NEVER && on->failed_at >= on->verified_at
                   ? after(on->failed_at, policy_retry(policy, INT_MAX), now)
                   : utc_min(on->verified_at, now);
    if (under_way && !undo_failed)
        return utc_min(on->scheduled_at, now);
    utc_t at = after_failure(policy, on->scheduled_at, on->failed_at, on->failures, now);
    return facts->not_before > at ? facts->not_before : at;
}

static void offer_deployments(struct next *best, const struct certificate_facts *facts,
                              const struct policy *policy, utc_t now)
{
    for (size_t i = 0; i < facts->deployment_count; i++) {
        const struct deployment_facts *on = &facts->deployments[i];
        utc_t at = deployment_due(facts, on, policy, now);

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

static void offer_expired(struct next *best, const struct certificate_facts *facts, utc_t now)
{
    utc_t end = facts->live_not_after;
    utc_t told = facts->expired_told_at;

    /* notAfter is inclusive (RFC 5280 4.1.2.5). */
    if (told == UTC_NEVER || told <= end)
        offer(best, ACTION_TELL_EXPIRED, utc_add(end, 1));
    else
        offer(best, ACTION_TELL_EXPIRED,
              after(told, told < utc_add(end, EXPIRED_DAILY_DAYS * DAY) ? DAY : 7 * DAY, now));
}

static void offer_telling(struct next *best, const struct certificate_facts *facts,
                          const struct policy *policy, utc_t now)
{
    if (facts->live_not_after == UTC_NEVER)
        return;
    offer_ladder(best, facts, policy, now);
    offer_expired(best, facts, now);
}

struct next policy_next(const struct certificate_facts *facts, const struct policy *policy,
                        utc_t now)
{
    struct next best = {.action = ACTION_NONE, .at = UTC_NEVER};

    if (facts->old_keys)
        offer(&best, ACTION_ERASE_KEYS, policy_key_erase_at(policy, facts->old_key_at));
    if (facts->retired_at != UTC_NEVER)
        return best;
    offer_deployments(&best, facts, policy, now);
    offer_renewal(&best, facts, policy, now);
    offer_fetch(&best, facts, policy, now);
    offer_rechain(&best, facts, policy, now);
    offer_telling(&best, facts, policy, now);
    return best;
}

struct next policy_next_telling(const struct certificate_facts *facts, const struct policy *policy,
                                utc_t now)
{
    struct next best = {.action = ACTION_NONE, .at = UTC_NEVER};

    if (facts->retired_at == UTC_NEVER)
        offer_telling(&best, facts, policy, now);
    return best;
}

utc_t policy_deadline(const struct certificate_facts *facts, const struct next *next)
{
    utc_t end = facts->live_not_after;

    if (next->action == ACTION_NONE || next->action == ACTION_ERASE_KEYS)
        return UTC_NEVER;
    if (facts->accepted)
        end = utc_min(end, utc_min(facts->not_after, facts->chain_not_after));
    else if (end == UTC_NEVER)
        end =
            utc_add(facts->open.exists ? facts->open.created_at : facts->added_at, NEW_DAYS * DAY);
    return end < next->at ? next->at : end;
}
