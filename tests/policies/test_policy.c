#include "policies/policy.h"

#include <stdio.h>
#include <string.h>

#include "tests/testing.h"

#define HOUR ((seconds_t)3600)
#define DAY ((seconds_t)86400)

#define MANUAL                              \
    {                                       \
        0, 1.0 / 3, 0.5, 21 * DAY, 60 * DAY \
    }

static const struct lead manual = MANUAL;

START_TEST(lead_by_lifetime)
{
    /* field notes 2.2: the manual lead of the lifetimes of the CA/B schedule */
    static const struct {
        seconds_t lifetime, lead;
    } rows[] = {
        {398 * DAY, 60 * DAY},
        {199 * DAY, 60 * DAY},
        {99 * DAY, 33 * DAY},
        {64 * DAY, 64 * DAY / 3},
        {47 * DAY, 21 * DAY},
        {30 * DAY, 15 * DAY},
        {HOUR, HOUR / 2},
        {3, 1},
        {1, 0},
        {0, 0},
        {-5, 0},
        {INT64_MAX, 60 * DAY},
        {INT64_MIN, 0},
    };
    const struct policy policy = {.lead = manual};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(policy_lead(&policy, rows[i].lifetime) == rows[i].lead, "row %zu: %lld", i,
                      (long long)policy_lead(&policy, rows[i].lifetime));
}
END_TEST

START_TEST(absolute_lead_is_capped)
{
    const struct policy policy = {.lead = {.absolute = 10 * DAY, .most_fraction = 0.5}};
    const struct policy bare = {.lead = {.absolute = 10 * DAY}};

    ck_assert_int_eq(policy_lead(&policy, 90 * DAY), 10 * DAY);
    ck_assert_int_eq(policy_lead(&policy, 20 * DAY), 10 * DAY);
    ck_assert_int_eq(policy_lead(&policy, 19 * DAY), 19 * DAY / 2);
    ck_assert_int_eq(policy_lead(&policy, 7 * 60), 210);
    ck_assert_int_eq(policy_lead(&bare, 4 * DAY), 2 * DAY);
}
END_TEST

START_TEST(lead_never_leaves_its_bounds)
{
    static const struct lead rules[] = {
        MANUAL,
        {0, 1, 1, 0, INT64_MAX},
        {INT64_MAX, 0.5, 0.5, 0, 1},
        {0, 0.9, 0.25, INT64_MAX, INT64_MAX},
        {0, 1e-9, 0.001, 0, DAY},
    };

    for (size_t rule = 0; rule < COUNT_OF(rules); rule++) {
        const struct policy policy = {.lead = rules[rule]};

        for (seconds_t lifetime = 1; lifetime > 0; lifetime += lifetime / 3 + 1) {
            seconds_t lead = policy_lead(&policy, lifetime);

            ck_assert_msg(lead >= 0 && lead <= lifetime, "rule %zu, lifetime %lld: %lld", rule,
                          (long long)lifetime, (long long)lead);
            ck_assert_msg((double)lead <= rules[rule].most_fraction * (double)lifetime,
                          "rule %zu, lifetime %lld: %lld", rule, (long long)lifetime,
                          (long long)lead);
            if (lifetime > INT64_MAX / 4 * 3 - 2)
                break;
        }
        seconds_t lead = policy_lead(&policy, INT64_MAX);
        ck_assert_int_ge(lead, 0);
    }
}
END_TEST

static struct policy with_ladder(struct lead lead)
{
    return (struct policy){.lead = lead,
                           .ladder_fraction = {0.5, 0.25, 0.125, 0.05},
                           .ladder_absolute = {0, 0, 0, 0, DAY, 0},
                           .ladder_count = 6};
}

START_TEST(ladder_of_a_year)
{
    const struct policy policy = with_ladder(manual);
    static const seconds_t wanted[] = {30 * DAY, 15 * DAY, 15 * DAY / 2, 3 * DAY, DAY, 0};

    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        ck_assert_msg(policy_ladder(&policy, i, 398 * DAY) == wanted[i], "stage %zu: %lld", i,
                      (long long)policy_ladder(&policy, i, 398 * DAY));
}
END_TEST

START_TEST(ladder_of_minutes)
{
    /* 8 minutes: lead 4 min; a day counts as half of the stage before */
    const struct policy policy = with_ladder(manual);
    static const seconds_t wanted[] = {120, 60, 30, 12, 6, 0};

    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        ck_assert_msg(policy_ladder(&policy, i, 480) == wanted[i], "stage %zu: %lld", i,
                      (long long)policy_ladder(&policy, i, 480));
}
END_TEST

START_TEST(ladder_always_falls)
{
    struct policy policies[] = {
        with_ladder(manual),
        with_ladder((struct lead){0, 0.33, 0.5, 0, 60 * DAY}),
        {.lead = manual,
         .ladder_fraction = {1, 0, 0.9, 0, 0.5},
         .ladder_absolute = {0, 30 * DAY, 0, 40 * DAY, 0, 0},
         .ladder_count = 6},
    };

    for (size_t p = 0; p < COUNT_OF(policies); p++) {
        for (seconds_t lifetime = 1; lifetime < INT64_MAX / 3; lifetime += lifetime / 2 + 1) {
            seconds_t before = policy_lead(&policies[p], lifetime);

            for (size_t stage = 0; stage < policies[p].ladder_count; stage++) {
                seconds_t value = policy_ladder(&policies[p], stage, lifetime);
                bool first = stage == 0 && policies[p].ladder_fraction[0] >= 1;

                ck_assert_msg(value >= 0 &&
                                  (value < before || before == 0 || (first && value == before)),
                              "policy %zu, lifetime %lld, stage %zu: %lld after %lld", p,
                              (long long)lifetime, stage, (long long)value, (long long)before);
                before = value;
            }
        }
    }
}
END_TEST

START_TEST(retry_repeats_its_last)
{
    const struct policy policy = {.retry = {60, 600, 6000}, .retry_count = 3};

    ck_assert_int_eq(policy_retry(&policy, 1), 60);
    ck_assert_int_eq(policy_retry(&policy, 2), 600);
    ck_assert_int_eq(policy_retry(&policy, 3), 6000);
    ck_assert_int_eq(policy_retry(&policy, 4), 6000);
    ck_assert_int_eq(policy_retry(&policy, INT32_MAX), 6000);
    ck_assert_int_eq(policy_retry(&policy, 0), 60);
}
END_TEST

START_TEST(gates_have_words)
{
    ck_assert_str_eq(gate_text(GATE_NO_DOWNGRADE), "no-downgrade");
    ck_assert_str_eq(gate_says(GATE_VALIDITY), "it is valid now");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/policy");
    TCase *tcase = tcase_create("policy");

    tcase_add_test(tcase, lead_by_lifetime);
    tcase_add_test(tcase, absolute_lead_is_capped);
    tcase_add_test(tcase, lead_never_leaves_its_bounds);
    tcase_add_test(tcase, ladder_of_a_year);
    tcase_add_test(tcase, ladder_of_minutes);
    tcase_add_test(tcase, ladder_always_falls);
    tcase_add_test(tcase, retry_repeats_its_last);
    tcase_add_test(tcase, gates_have_words);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
