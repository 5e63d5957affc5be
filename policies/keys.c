/* When private keys go out of use. */
#include "policies/facts.h"

static utc_t later(utc_t a, utc_t b)
{
    return a > b ? a : b;
}

/* A late delivery for an earlier CSR is still a valid certificate, and the answer to a newer
 * request wins: a request without an answer counts until one that is newer has its own in service.
 */
static bool may_be_answered(const struct key_facts *key, const struct key_use *use)
{
    return !key->matched && key->order >= use->order;
}

utc_t policy_key_retired_at(const struct key_facts *key, const struct key_use *use)
{
    if (use->retired_at != UTC_NEVER)
        return use->accepted ? later(use->retired_at, use->not_after) : use->retired_at;
    if (key->in_use)
        return UTC_NEVER;
    if (key->withdrawn)
        return key->withdrawn_at;
    if (!use->accepted || may_be_answered(key, use))
        return UTC_NEVER;
    return key->superseded_at == UTC_NEVER ? use->in_service_at
                                           : later(use->in_service_at, key->superseded_at);
}

utc_t policy_key_erase_at(const struct policy *policy, utc_t key_retired_at)
{
    return utc_add(key_retired_at, policy->keep_retired_keys);
}
