#include "policies/facts.h"

#include <string.h>

const char *state_text(enum state state)
{
    static const char *const texts[] = {
#define X(name, text, says) [name] = text,
        STATE_TABLE(X)
#undef X
    };

    return texts[state];
}

const char *state_says(enum state state)
{
    static const char *const texts[] = {
#define X(name, text, says) [name] = says,
        STATE_TABLE(X)
#undef X
    };

    return texts[state];
}

static const struct action_row {
    const char *text;
    const char *says;
    enum owner owner;
} actions[] = {
#define X(name, text, owner, says) [name] = {text, says, owner},
    ACTION_TABLE(X)
#undef X
};

const char *action_text(enum action action)
{
    return actions[action].text;
}

const char *action_says(enum action action)
{
    return actions[action].says;
}

enum owner action_owner(enum action action)
{
    return actions[action].owner;
}

bool action_parse(const char *text, enum action *ret)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (strcmp(actions[i].text, text) == 0) {
            *ret = (enum action)i;
            return true;
        }
    }
    return false;
}

static enum state open_state(const struct renewal_facts *open)
{
    if (open->received_at != UTC_NEVER)
        return STATE_WAITING_CHAIN;
    if (open->rejected_at != UTC_NEVER)
        return STATE_REJECTED;
    if (open->handed_over_at != UTC_NEVER)
        return STATE_HANDED_OVER;
    return open->requested_at != UTC_NEVER ? STATE_REQUESTED : STATE_DUE;
}

enum state policy_state(const struct certificate_facts *facts, const struct policy *policy,
                        utc_t now)
{
    bool deploying = false;

    if (facts->retired_at != UTC_NEVER)
        return STATE_RETIRED;
    if (facts->live_not_after != UTC_NEVER && now > facts->live_not_after)
        return STATE_EXPIRED;
    for (size_t i = 0; i < facts->deployment_count; i++) {
        if (facts->deployments[i].verified_at != UTC_NEVER)
            continue;
        if (facts->deployments[i].failures > 0)
            return STATE_ROLLED_BACK;
        deploying = true;
    }
    utc_t rechain = policy_rechain_due(facts, policy, now);
    /* Clients fail already. */
    if (rechain != UTC_NEVER && now > facts->chain_not_after && !deploying)
        return STATE_CHAIN_ENDS;
    if (facts->open.exists && open_state(&facts->open) >= STATE_REJECTED)
        return open_state(&facts->open);
    if (deploying)
        return STATE_DEPLOYING;
    if (facts->open.exists)
        return open_state(&facts->open);
    if (!facts->accepted)
        return STATE_UNKNOWN;
    if (now >= rechain)
        return STATE_CHAIN_ENDS;
    return now >= policy_renewal_due(facts, policy) ? STATE_DUE : STATE_OK;
}
