/* Any text as a file of policies: refused with a place in the file, or taken, and then every policy
 * answers what it is asked. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "policies/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct policy *policy)
{
    static const seconds_t lifetimes[] = {0, 1, 3600, 47 * 86400LL, 200 * 86400LL, UTC_NEVER};

    for (size_t i = 0; i < sizeof lifetimes / sizeof lifetimes[0]; i++) {
        seconds_t before = policy_lead(policy, lifetimes[i]);

        assert(before >= 0 && before <= lifetimes[i]);
        for (size_t stage = 0; stage < policy->ladder_count; stage++) {
            seconds_t told = policy_ladder(policy, stage, lifetimes[i]);

            assert(told >= 0 && told <= before);
            before = told;
        }
    }
    for (int failures = 1; failures < 40; failures++)
        assert(policy_retry(policy, failures) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policies *policies = policies_open();
    struct error err = {0};
    AUTO_BUF struct buf complaints;

    buf_init(&complaints, BUF_MAX_CONFIG);
    int rc = policies_load(policies, "fuzz.yaml", (const char *)data, size, &complaints, &err);
    assert(rc == 0 || rc == E_CONFIG);
    assert((rc == 0) == (complaints.len == 0));
    int finished = policies_finish(policies, &complaints, &err);
    assert(finished == 0 || complaints.len > 0);
    for (size_t i = 0; rc == 0 && finished == 0 && i < policies_count(policies); i++)
        ask(policies_at(policies, i));
    policies_free(policies);
    return 0;
}
