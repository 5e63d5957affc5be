/* When a private key goes out of use, as a table: a mistake here costs somebody's certificate. */
#include "policies/facts.h"

#include "tests/testing.h"

#define NEVER UTC_NEVER

static const struct row {
    const char *what;
    struct key_facts key;
    struct key_use use;
    utc_t wanted;
} rows[] = {
    /* key: order, in_use, matched, withdrawn, superseded_at, withdrawn_at
     * use: retired_at, not_after, accepted, order, in_service_at */
    {"the first request of all",
     {1, true, false, false, NEVER, NEVER},
     {NEVER, NEVER, false, 0, NEVER},
     NEVER},
    {"an open request beside one in service",
     {5, true, false, false, NEVER, NEVER},
     {NEVER, 900, true, 3, 100},
     NEVER},
    {"the one in force", {3, true, true, false, NEVER, NEVER}, {NEVER, 900, true, 3, 100}, NEVER},
    {"the one in force, whose request was superseded",
     {3, true, true, false, 50, NEVER},
     {NEVER, 900, true, 3, 100},
     NEVER},
    {"the one in force after its end",
     {3, true, true, false, NEVER, NEVER},
     {NEVER, 90, true, 3, 100},
     NEVER},
    {"the one before, its successor not everywhere",
     {2, false, true, false, NEVER, NEVER},
     {NEVER, 900, true, 3, NEVER},
     NEVER},
    {"the one before, its successor everywhere",
     {2, false, true, false, NEVER, NEVER},
     {NEVER, 900, true, 3, 100},
     100},
    {"one before, whose request is newer than that of its successor",
     {4, false, true, false, NEVER, NEVER},
     {NEVER, 900, true, 3, 100},
     100},
    {"superseded by a request that has no answer",
     {2, false, false, false, 50, NEVER},
     {NEVER, NEVER, false, 0, NEVER},
     NEVER},
    {"superseded, a newer one answered, not everywhere",
     {2, false, false, false, 50, NEVER},
     {NEVER, 900, true, 3, NEVER},
     NEVER},
    {"superseded, a newer one everywhere",
     {2, false, false, false, 50, NEVER},
     {NEVER, 900, true, 3, 100},
     100},
    {"superseded after that",
     {2, false, false, false, 150, NEVER},
     {NEVER, 900, true, 3, 100},
     150},
    {"superseded by the late answer to an older one",
     {4, false, false, false, 50, NEVER},
     {NEVER, 900, true, 3, 100},
     NEVER},
    {"withdrawn before anything came",
     {1, false, false, true, NEVER, 70},
     {NEVER, NEVER, false, 0, NEVER},
     70},
    {"withdrawn, newer than the one in service",
     {9, false, false, true, 60, 70},
     {NEVER, 900, true, 3, 100},
     70},
    {"withdrawn, and its key is in force",
     {3, true, true, true, NEVER, 70},
     {NEVER, 900, true, 3, 100},
     NEVER},
    {"retired: the one in force",
     {3, true, true, false, NEVER, NEVER},
     {200, 900, true, 3, 100},
     900},
    {"retired after its end", {3, true, true, false, NEVER, NEVER}, {950, 900, true, 3, 100}, 950},
    {"retired, what never ends",
     {3, true, true, false, NEVER, NEVER},
     {200, NEVER, true, 3, 100},
     NEVER},
    {"retired before anything came",
     {1, true, false, false, NEVER, NEVER},
     {200, NEVER, false, 0, NEVER},
     200},
    {"retired: one that was replaced",
     {2, false, true, false, NEVER, NEVER},
     {200, 900, true, 3, NEVER},
     900},
};

START_TEST(when_keys_go_out_of_use)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        utc_t got = policy_key_retired_at(&rows[i].key, &rows[i].use);

        ck_assert_msg(got == rows[i].wanted, "%s: wanted %lld, got %lld", rows[i].what,
                      (long long)rows[i].wanted, (long long)got);
    }
}
END_TEST

START_TEST(kept_after_that)
{
    struct policy policy = {.keep_retired_keys = 30};

    ck_assert_int_eq(policy_key_erase_at(&policy, 100), 130);
    ck_assert_int_eq(policy_key_erase_at(&policy, NEVER), NEVER);
    policy.keep_retired_keys = 0;
    ck_assert_int_eq(policy_key_erase_at(&policy, 100), 100);
}
END_TEST

/* The plan: beside all other actions, for a retired certificate alone, and never before its time.
 */
START_TEST(planned)
{
    struct policy policy = {.retry = {60}, .retry_count = 1, .keep_retired_keys = 30};
    struct certificate_facts facts = {.retired_at = NEVER,
                                      .accepted = true,
                                      .not_after = NEVER,
                                      .live_not_after = NEVER,
                                      .chain_not_after = NEVER,
                                      .old_key_at = 100};

    ck_assert_int_eq(policy_next(&facts, &policy, 500).action, ACTION_NONE);
    facts.old_keys = true;
    for (int retired = 0; retired < 2; retired++) {
        facts.retired_at = retired ? 90 : NEVER;
        struct next next = policy_next(&facts, &policy, 120);
        ck_assert_int_eq(next.action, ACTION_ERASE_KEYS);
        ck_assert_int_eq(next.at, 130);
        /* A clock that was set back does not make it due. */
        facts.old_key_at = 5000;
        ck_assert_int_eq(policy_next(&facts, &policy, 120).at, 5030);
        facts.old_key_at = 100;
    }
    ck_assert_int_eq(action_owner(ACTION_ERASE_KEYS), OWNER_DAEMON);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/keys");
    TCase *tcase = tcase_create("keys");

    tcase_add_test(tcase, when_keys_go_out_of_use);
    tcase_add_test(tcase, kept_after_that);
    tcase_add_test(tcase, planned);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
