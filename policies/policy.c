#include "policies/policy.h"

#include <assert.h>
#include <string.h>

const char *gate_text(enum gate gate)
{
    static const char *const texts[] = {
#define X(name, text, says) text,
        GATE_TABLE(X)
#undef X
    };

    assert(gate < GATE_COUNT);
    return texts[gate];
}

const char *gate_says(enum gate gate)
{
    static const char *const says_what[] = {
#define X(name, text, says) says,
        GATE_TABLE(X)
#undef X
    };

    assert(gate < GATE_COUNT);
    return says_what[gate];
}

/* fraction of whole, rounded down, from 0 to whole: a double of INT64_MAX would not fit back. */
static seconds_t part_of(double fraction, seconds_t whole)
{
    double part = fraction * (double)whole;

    if (!(part > 0))
        return 0;
    return part >= (double)whole ? whole : (seconds_t)part;
}

seconds_t policy_lead(const struct policy *policy, seconds_t lifetime)
{
    const struct lead *rule = &policy->lead;

    if (lifetime <= 0)
        return 0;
    seconds_t lead = rule->absolute;
    if (lead <= 0) {
        lead = part_of(rule->fraction, lifetime);
        if (lead < rule->least)
            lead = rule->least;
        if (lead > rule->most)
            lead = rule->most;
    }
    /* Beyond all other rules: a new certificate must not be due at once. */
    seconds_t most = part_of(rule->most_fraction > 0 ? rule->most_fraction : 0.5, lifetime);
    if (lead > most)
        lead = most;
    return lead > 0 ? lead : 0;
}

seconds_t policy_ladder(const struct policy *policy, size_t stage, seconds_t lifetime)
{
    seconds_t lead = policy_lead(policy, lifetime);
    seconds_t value = lead;

    assert(stage < policy->ladder_count);
    for (size_t i = 0; i <= stage; i++) {
        double fraction = policy->ladder_fraction[i];
        seconds_t before = value;
        bool at_lead = i == 0 && fraction >= 1;

        value = fraction > 0 ? part_of(fraction, lead) : policy->ladder_absolute[i];
        /* "1d" means little to a certificate that lives for an hour: the ladder falls regardless.
         */
        if (value >= before && !at_lead)
            value = before / 2;
    }
    return value;
}

seconds_t policy_retry(const struct policy *policy, int failures)
{
    size_t index = failures > 1 ? (size_t)failures - 1 : 0;

    assert(policy->retry_count > 0);
    return policy->retry[index < policy->retry_count ? index : policy->retry_count - 1];
}

bool policy_has_same_anchors(const struct policy *a, const struct policy *b)
{
    if (a->system_anchors != b->system_anchors || a->anchors.count != b->anchors.count)
        return false;
    for (size_t i = 0; i < a->anchors.count; i++)
        if (strcmp(a->anchors.items[i], b->anchors.items[i]) != 0)
            return false;
    return true;
}
