#include "policies/facts.h"

#include <string.h>

#include "tests/testing.h"

enum { NOW = 1000000, MINUTE = 60, HOUR = 3600, DAY = 86400 };

/* A certificate of 100 days with a lead of 33, in service everywhere, nothing due. */
static struct policy policy = {
    .lead = {.absolute = 33 * (seconds_t)DAY, .fraction = 0.33, .most_fraction = 0.5},
    .retry = {MINUTE, 10 * MINUTE},
    .retry_count = 2,
    .chain_wait = 10 * MINUTE,
    .remind_every = 3 * DAY,
    .ladder_fraction = {0.5, 0.25, 0, 0},
    .ladder_absolute = {0, 0, DAY, 0},
    .ladder_count = 4,
};

static struct certificate_facts healthy(void)
{
    return (struct certificate_facts){
        .added_at = NOW - DAY,
        .retired_at = UTC_NEVER,
        .accepted = true,
        .accepted_at = NOW - 9 * DAY,
        .chain_not_after = NOW + 90 * DAY,
        .rechain_at = UTC_NEVER,
        .not_before = NOW - 10 * DAY,
        .not_after = NOW + 90 * DAY,
        .live_not_before = NOW - 10 * DAY,
        .live_not_after = NOW + 90 * DAY,
        .expired_told_at = UTC_NEVER,
        .deployment_count = 1,
        .deployments = {{.target_id = 7,
                         .scheduled_at = NOW - 9 * DAY,
                         .staged_at = NOW - 9 * DAY,
                         .swap_begun_at = NOW - 9 * DAY,
                         .swapped_at = NOW - 9 * DAY,
                         .reloaded_at = NOW - 9 * DAY,
                         .verified_at = NOW - 9 * DAY,
                         .cleaned_at = NOW - 9 * DAY,
                         .undo_begun_at = UTC_NEVER,
                         .failed_at = UTC_NEVER}},
    };
}

static struct renewal_facts just_started(void)
{
    return (struct renewal_facts){.exists = true,
                                  .id = 3,
                                  .created_at = NOW - HOUR,
                                  .requested_at = UTC_NEVER,
                                  .handed_over_at = UTC_NEVER,
                                  .received_at = UTC_NEVER,
                                  .rejected_at = UTC_NEVER,
                                  .chain_told_at = UTC_NEVER,
                                  .reminded_at = UTC_NEVER,
                                  .fetched_at = UTC_NEVER,
                                  .failed_at = UTC_NEVER};
}

static struct deployment_facts scheduled(void)
{
    return (struct deployment_facts){.target_id = 9,
                                     .scheduled_at = NOW - MINUTE,
                                     .staged_at = UTC_NEVER,
                                     .swap_begun_at = UTC_NEVER,
                                     .swapped_at = UTC_NEVER,
                                     .reloaded_at = UTC_NEVER,
                                     .verified_at = UTC_NEVER,
                                     .cleaned_at = UTC_NEVER,
                                     .undo_begun_at = UTC_NEVER,
                                     .failed_at = UTC_NEVER};
}

static void expect(const struct certificate_facts *facts, enum state state, enum action action,
                   utc_t at)
{
    struct next next = policy_next(facts, &policy, NOW);

    ck_assert_str_eq(state_text(policy_state(facts, &policy, NOW)), state_text(state));
    ck_assert_str_eq(action_text(next.action), action_text(action));
    ck_assert_int_eq(next.at - NOW, at - NOW);
}

START_TEST(healthy_waits_for_its_lead_time)
{
    struct certificate_facts facts = healthy();

    expect(&facts, STATE_OK, ACTION_START, NOW + (90 - 33) * (utc_t)DAY);
    facts.not_after = facts.live_not_after = NOW + 33 * (utc_t)DAY;
    facts.not_before = facts.live_not_before = NOW - 67 * (utc_t)DAY;
    expect(&facts, STATE_DUE, ACTION_START, NOW);
}
END_TEST

START_TEST(without_a_certificate_the_first_request_is_due_at_once)
{
    struct certificate_facts facts = {.added_at = NOW - 5,
                                      .retired_at = UTC_NEVER,
                                      .not_before = UTC_NEVER,
                                      .not_after = UTC_NEVER,
                                      .live_not_before = UTC_NEVER,
                                      .live_not_after = UTC_NEVER,
                                      .expired_told_at = UTC_NEVER};

    expect(&facts, STATE_UNKNOWN, ACTION_START, NOW - 5);
}
END_TEST

START_TEST(retired_needs_nothing)
{
    struct certificate_facts facts = healthy();

    facts.retired_at = NOW - 1;
    facts.open = just_started();
    expect(&facts, STATE_RETIRED, ACTION_NONE, UTC_NEVER);
}
END_TEST

START_TEST(issuing_ladder)
{
    struct certificate_facts facts = healthy();

    facts.open = just_started();
    expect(&facts, STATE_DUE, ACTION_REQUEST, NOW - HOUR);
    facts.open.failed_at = NOW - 5;
    facts.open.failures = 1;
    expect(&facts, STATE_DUE, ACTION_REQUEST, NOW - 5 + MINUTE);
    facts.open.failures = 5;
    expect(&facts, STATE_DUE, ACTION_REQUEST, NOW - 5 + 10 * MINUTE);
    facts.open.failed_at = UTC_NEVER;
    facts.open.failures = 0;
    facts.open.requested_at = NOW - 100;
    expect(&facts, STATE_REQUESTED, ACTION_HAND_OVER, NOW - 100);
    facts.open.handed_over_at = NOW - 90;
    expect(&facts, STATE_HANDED_OVER, ACTION_REMIND, NOW - 90 + 3 * DAY);
    facts.open.reminded_at = NOW - 40;
    expect(&facts, STATE_HANDED_OVER, ACTION_REMIND, NOW - 40 + 3 * DAY);
    facts.open.rejected_at = NOW - 30;
    expect(&facts, STATE_REJECTED, ACTION_REMIND, NOW - 40 + 3 * DAY);
    facts.open.received_at = NOW - 20;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_TELL_CHAIN, NOW - 20 + 10 * MINUTE);
    facts.open.chain_told_at = NOW - 1;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_REMIND, NOW - 40 + 3 * DAY);
}
END_TEST

START_TEST(deploying_ladder)
{
    struct certificate_facts facts = healthy();

    facts.deployments[1] = scheduled();
    facts.deployment_count = 2;
    expect(&facts, STATE_DEPLOYING, ACTION_DEPLOY, NOW - MINUTE);
    ck_assert_int_eq(policy_next(&facts, &policy, NOW).target_id, 9);
    facts.deployments[1].failures = 1;
    facts.deployments[1].failed_at = NOW - 10;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW - 10 + MINUTE);
    facts.deployments[1].failures = 2;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW - 10 + 10 * MINUTE);
    /* A new attempt that was broken off goes on at once, whatever failed before. */
    facts.deployments[1].staged_at = NOW - 2;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW - MINUTE);
    /* An undo that was broken off likewise; one that failed waits its back-off. */
    facts.deployments[1].undo_begun_at = NOW - 1;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW - MINUTE);
    facts.deployments[1].failed_at = NOW;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW + 10 * MINUTE);
}
END_TEST

START_TEST(a_certificate_of_the_future_is_held)
{
    struct certificate_facts facts = healthy();

    facts.deployments[0] = scheduled();
    facts.not_before = NOW + HOUR;
    expect(&facts, STATE_DEPLOYING, ACTION_DEPLOY, NOW + HOUR);
}
END_TEST

START_TEST(ladder_before_expiry)
{
    static const struct {
        seconds_t left;
        size_t told;
        size_t stage;
        seconds_t at_left;
    } rows[] = {
        {90 * DAY, 0, 0, 33 * DAY / 2}, /* nothing due: the first stage is next */
        {16 * DAY, 0, 0, 33 * DAY / 2}, {16 * DAY, 1, 1, 33 * DAY / 4},
        {2 * HOUR, 0, 2, DAY}, /* missed stages collapse into the newest */
        {2 * HOUR, 2, 2, DAY},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct certificate_facts facts = healthy();

        facts.open = just_started();
        facts.open.requested_at = facts.open.handed_over_at = NOW;
        policy.remind_every = 0;
        facts.live_not_after = NOW + rows[i].left;
        facts.live_not_before = facts.live_not_after - 100 * (utc_t)DAY;
        facts.ladder_told = rows[i].told;
        struct next next = policy_next(&facts, &policy, NOW);
        ck_assert_msg(next.action == ACTION_TELL_EXPIRY, "row %zu: %s", i,
                      action_text(next.action));
        ck_assert_msg(next.stage == rows[i].stage, "row %zu: stage %zu", i, next.stage);
        ck_assert_msg(next.at == facts.live_not_after - rows[i].at_left,
                      "row %zu: %lld before the end", i,
                      (long long)(facts.live_not_after - next.at));
    }
}
END_TEST

START_TEST(the_last_stage_is_expiry_itself)
{
    struct certificate_facts facts = healthy();

    facts.ladder_told = 3;
    facts.not_after = facts.live_not_after = NOW + 10;
    facts.not_before = facts.live_not_before = NOW + 10 - 100 * (utc_t)DAY;
    facts.open = just_started();
    facts.open.requested_at = facts.open.handed_over_at = NOW;
    expect(&facts, STATE_HANDED_OVER, ACTION_TELL_EXPIRED, NOW + 11);
}
END_TEST

START_TEST(expired_is_told_daily_for_a_week_then_weekly)
{
    struct certificate_facts facts = healthy();

    facts.not_after = facts.live_not_after = NOW - 1;
    facts.open = just_started();
    facts.open.requested_at = facts.open.handed_over_at = NOW;
    policy.remind_every = 0;
    expect(&facts, STATE_EXPIRED, ACTION_TELL_EXPIRED, NOW);
    facts.expired_told_at = NOW;
    expect(&facts, STATE_EXPIRED, ACTION_TELL_EXPIRED, NOW + DAY);
    facts.not_after = facts.live_not_after = NOW - 20 * DAY;
    facts.expired_told_at = NOW - 13 * DAY;
    expect(&facts, STATE_EXPIRED, ACTION_TELL_EXPIRED, NOW - 6 * DAY);
    /* What was said about a certificate before this one does not count. */
    facts.expired_told_at = NOW - 21 * DAY;
    expect(&facts, STATE_EXPIRED, ACTION_TELL_EXPIRED, NOW - 20 * DAY + 1);
}
END_TEST

START_TEST(valid_to_the_last_second)
{
    struct certificate_facts facts = healthy();

    facts.not_after = facts.live_not_after = NOW;
    ck_assert_int_ne(policy_state(&facts, &policy, NOW), STATE_EXPIRED);
    ck_assert_int_eq(policy_state(&facts, &policy, NOW + 1), STATE_EXPIRED);
}
END_TEST

START_TEST(kept_files_are_removed_without_haste_when_they_resist)
{
    struct certificate_facts facts = healthy();

    facts.deployments[0].cleaned_at = UTC_NEVER;
    facts.deployments[0].verified_at = NOW - 20;
    expect(&facts, STATE_OK, ACTION_DEPLOY, NOW - 20);
    facts.deployments[0].failed_at = NOW - 10;
    expect(&facts, STATE_OK, ACTION_DEPLOY, NOW - 10 + 10 * MINUTE);
}
END_TEST

START_TEST(the_oldest_in_service_sets_the_pace)
{
    struct certificate_facts facts = healthy();

    facts.live_not_after = NOW + 40 * (utc_t)DAY;
    facts.live_not_before = NOW - 60 * (utc_t)DAY;
    expect(&facts, STATE_OK, ACTION_START, NOW + (40 - 33) * (utc_t)DAY);
    /* Unless what replaces it is on its way. */
    facts.deployments[1] = scheduled();
    facts.deployments[1].failures = 1;
    facts.deployments[1].failed_at = NOW;
    facts.deployment_count = 2;
    ck_assert_int_eq(policy_renewal_due(&facts, &policy), NOW + (90 - 33) * (utc_t)DAY);
}
END_TEST

/* A clock that was ahead wrote facts of a future that has not come. */
START_TEST(facts_of_the_future_hold_nothing_up)
{
    struct certificate_facts facts = healthy();

    facts.deployments[0] = scheduled();
    facts.deployments[0].scheduled_at = NOW + 30 * DAY;
    expect(&facts, STATE_DEPLOYING, ACTION_DEPLOY, NOW);
    facts.deployments[0].failures = 1;
    facts.deployments[0].failed_at = NOW + 30 * DAY;
    expect(&facts, STATE_ROLLED_BACK, ACTION_DEPLOY, NOW);
    facts = healthy();
    facts.open = just_started();
    facts.open.created_at = NOW + 30 * DAY;
    expect(&facts, STATE_DUE, ACTION_REQUEST, NOW);
    facts.open.requested_at = NOW + 30 * DAY;
    expect(&facts, STATE_REQUESTED, ACTION_HAND_OVER, NOW);
    facts.open.handed_over_at = NOW + 30 * DAY;
    expect(&facts, STATE_HANDED_OVER, ACTION_REMIND, NOW);
    facts.open.received_at = NOW + 30 * DAY;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_TELL_CHAIN, NOW);
}
END_TEST

/* In service, with an intermediate that has so many days left of what it had when it was accepted.
 */
static struct certificate_facts with_chain(int days_left)
{
    struct certificate_facts facts = healthy();

    facts.accepted_at = NOW - 200 * (utc_t)DAY;
    facts.not_before = facts.live_not_before = NOW - 200 * (utc_t)DAY;
    facts.not_after = facts.live_not_after = NOW + 200 * (utc_t)DAY;
    facts.chain_not_after = NOW + days_left * (utc_t)DAY;
    return facts;
}

START_TEST(a_chain_that_ends_first_is_looked_after_in_time)
{
    struct certificate_facts facts = with_chain(100);

    expect(&facts, STATE_OK, ACTION_RECHAIN, NOW + (100 - 33) * (utc_t)DAY);
    facts = with_chain(33);
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN, NOW);
    /* Three weeks before, however short the lead is... */
    policy.lead.absolute = DAY;
    facts = with_chain(100);
    expect(&facts, STATE_OK, ACTION_RECHAIN, NOW + (100 - 21) * (utc_t)DAY);
    policy.lead.absolute = 33 * (seconds_t)DAY;
    /* ...but not as soon as it is accepted. */
    facts = with_chain(10);
    facts.accepted_at = NOW - HOUR;
    expect(&facts, STATE_OK, ACTION_RECHAIN, NOW - HOUR + DAY);
    facts.chain_not_after = NOW + HOUR;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN, NOW - HOUR + 2 * HOUR / 8);
    /* One that lives as long as the certificate needs nothing. */
    facts = with_chain(200);
    ck_assert_int_eq(policy_rechain_due(&facts, &policy, NOW), UTC_NEVER);
}
END_TEST

START_TEST(a_chain_is_looked_for_again_while_none_is_better)
{
    struct certificate_facts facts = with_chain(10);

    facts.rechain_at = NOW - HOUR;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, NOW - HOUR + DAY);
    ck_assert_int_eq(action_owner(ACTION_RECHAIN_AGAIN), OWNER_PERSON);
    ck_assert_int_eq(action_owner(ACTION_RECHAIN), OWNER_DAEMON);
    /* Something new came: at once, for this is long ago. */
    facts.rechain_at = 0;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, DAY);
    /* It has ended, and clients fail: daily all the same, and nothing hides it but a new one. */
    facts = with_chain(-1);
    facts.rechain_at = NOW - HOUR;
    facts.open = just_started();
    facts.open.requested_at = facts.open.handed_over_at = facts.open.received_at = NOW;
    facts.open.chain_told_at = NOW;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, NOW - HOUR + DAY);
    facts.chain_not_after = NOW - 1;
    facts.accepted_at = NOW - 2 * MINUTE;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, NOW - HOUR + DAY);
    /* Adopted after its end. */
    facts.accepted_at = NOW;
    facts.rechain_at = UTC_NEVER;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN, NOW);
    facts.open = (struct renewal_facts){0};
    facts.deployments[0] = scheduled();
    expect(&facts, STATE_DEPLOYING, ACTION_DEPLOY, NOW - MINUTE);
}
END_TEST

START_TEST(no_chain_helps_a_certificate_that_has_ended_or_is_retired)
{
    struct certificate_facts facts = with_chain(-10);

    facts.not_after = facts.live_not_after = NOW - 1;
    facts.open = just_started();
    facts.open.requested_at = facts.open.handed_over_at = NOW;
    facts.expired_told_at = NOW;
    expect(&facts, STATE_EXPIRED, ACTION_TELL_EXPIRED, NOW + DAY);
    facts = with_chain(10);
    facts.retired_at = NOW;
    expect(&facts, STATE_RETIRED, ACTION_NONE, UTC_NEVER);
}
END_TEST

START_TEST(a_chain_of_the_future_is_looked_after_now)
{
    struct certificate_facts facts = with_chain(10);

    facts.accepted_at = NOW + 30 * DAY;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN, NOW);
    facts.rechain_at = NOW + 30 * DAY;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, NOW);
    facts.rechain_at = NOW - 1;
    expect(&facts, STATE_CHAIN_ENDS, ACTION_RECHAIN_AGAIN, NOW - 1 + DAY);
}
END_TEST

START_TEST(a_missing_intermediate_is_asked_for_when_the_policy_wants_it)
{
    struct certificate_facts facts = healthy();

    facts.open = just_started();
    facts.open.requested_at = facts.open.handed_over_at = NOW - 90;
    facts.open.received_at = NOW - 20;
    policy.aia = true;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_FETCH, NOW - 20);
    facts.open.fetched_at = NOW - 10;
    facts.open.fetches = 1;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_FETCH, NOW - 10 + MINUTE);
    /* People hear of it all the same, and it goes on. */
    facts.open.fetches = 2;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_TELL_CHAIN, NOW - 20 + 10 * MINUTE);
    facts.open.chain_told_at = NOW;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_FETCH, NOW - 10 + 10 * MINUTE);
    facts.open.fetched_at = NOW + DAY;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_FETCH, NOW);
    facts.open.received_at = UTC_NEVER;
    expect(&facts, STATE_HANDED_OVER, ACTION_REMIND, NOW - 90 + 3 * DAY);
    policy.aia = false;
    facts.open.received_at = NOW - 20;
    expect(&facts, STATE_WAITING_CHAIN, ACTION_REMIND, NOW - 90 + 3 * DAY);
}
END_TEST

/* Times of a fact: never, long ago, now, in a future that a clock invented. */
static const utc_t any_time[] = {UTC_NEVER, NOW - 40 * (utc_t)DAY, NOW, NOW + 40 * (utc_t)DAY};

/* Whatever is so of the chain and of what waits for one: there is a next action, and once its verb
 * has recorded that it was done now, it is not due again at once. */
START_TEST(every_combination_has_a_next_action_that_is_not_repeated)
{
    size_t looked_at = 0;

    for (size_t i = 0; i < 4 * 4 * 4 * 4 * 4 * 2; i++) {
        struct certificate_facts facts = with_chain(10);
        size_t pick = i;

        policy.aia = pick % 2;
        facts.accepted_at = any_time[(pick /= 2) % 4];
        facts.chain_not_after = any_time[(pick /= 4) % 4];
        facts.rechain_at = any_time[(pick /= 4) % 4];
        facts.open = just_started();
        facts.open.requested_at = facts.open.handed_over_at = NOW - DAY;
        facts.open.received_at = any_time[(pick /= 4) % 4];
        facts.open.fetched_at = any_time[(pick /= 4) % 4];
        facts.open.fetches = facts.open.fetched_at != UTC_NEVER;
        facts.open.chain_told_at = NOW;
        struct next next = policy_next(&facts, &policy, NOW);
        ck_assert_msg(next.action != ACTION_NONE && next.at != UTC_NEVER, "combination %zu", i);
        policy_state(&facts, &policy, NOW);
        if (next.at > NOW)
            continue;
        if (next.action == ACTION_FETCH)
            facts.open.fetched_at = NOW, facts.open.fetches++;
        else if (next.action == ACTION_RECHAIN || next.action == ACTION_RECHAIN_AGAIN)
            facts.rechain_at = NOW;
        else
            continue;
        looked_at++;
        struct next after = policy_next(&facts, &policy, NOW);
        ck_assert_msg(after.action != next.action || after.at > NOW, "combination %zu: %s again", i,
                      action_text(after.action));
    }
    policy.aia = false;
    ck_assert_uint_gt(looked_at, 300);
}
END_TEST

START_TEST(every_action_has_a_name_that_is_read_back)
{
    for (int i = ACTION_NONE; i <= ACTION_TELL_EXPIRED; i++) {
        enum action action = ACTION_NONE;

        ck_assert(action_parse(action_text((enum action)i), &action));
        ck_assert_int_eq(action, i);
        ck_assert_uint_gt(strlen(action_says(action)), 0);
    }
    enum action untouched = ACTION_START;
    ck_assert(!action_parse("dance", &untouched));
    ck_assert_int_eq(untouched, ACTION_START);
}
END_TEST

/* The end is told whatever else is due, and only then. */
START_TEST(the_end_is_told_beside_everything_else)
{
    struct certificate_facts facts = healthy();

    facts.open = just_started();
    ck_assert_int_eq(policy_next(&facts, &policy, NOW).action, ACTION_REQUEST);
    struct next next = policy_next_telling(&facts, &policy, NOW);
    ck_assert_int_eq(next.action, ACTION_TELL_EXPIRY);
    ck_assert_int_gt(next.at, NOW);
    next = policy_next_telling(&facts, &policy, NOW + 91 * DAY);
    ck_assert_int_eq(next.action, ACTION_TELL_EXPIRED);
    facts.retired_at = NOW;
    ck_assert_int_eq(policy_next_telling(&facts, &policy, NOW + 91 * DAY).action, ACTION_NONE);
    facts = healthy();
    facts.live_not_after = UTC_NEVER;
    ck_assert_int_eq(policy_next_telling(&facts, &policy, NOW + 91 * DAY).action, ACTION_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/next");
    TCase *tcase = tcase_create("next");

    tcase_add_test(tcase, healthy_waits_for_its_lead_time);
    tcase_add_test(tcase, without_a_certificate_the_first_request_is_due_at_once);
    tcase_add_test(tcase, retired_needs_nothing);
    tcase_add_test(tcase, issuing_ladder);
    tcase_add_test(tcase, deploying_ladder);
    tcase_add_test(tcase, a_certificate_of_the_future_is_held);
    tcase_add_test(tcase, ladder_before_expiry);
    tcase_add_test(tcase, the_last_stage_is_expiry_itself);
    tcase_add_test(tcase, expired_is_told_daily_for_a_week_then_weekly);
    tcase_add_test(tcase, valid_to_the_last_second);
    tcase_add_test(tcase, kept_files_are_removed_without_haste_when_they_resist);
    tcase_add_test(tcase, the_oldest_in_service_sets_the_pace);
    tcase_add_test(tcase, facts_of_the_future_hold_nothing_up);
    tcase_add_test(tcase, a_chain_that_ends_first_is_looked_after_in_time);
    tcase_add_test(tcase, a_chain_is_looked_for_again_while_none_is_better);
    tcase_add_test(tcase, no_chain_helps_a_certificate_that_has_ended_or_is_retired);
    tcase_add_test(tcase, a_chain_of_the_future_is_looked_after_now);
    tcase_add_test(tcase, a_missing_intermediate_is_asked_for_when_the_policy_wants_it);
    tcase_add_test(tcase, every_combination_has_a_next_action_that_is_not_repeated);
    tcase_add_test(tcase, every_action_has_a_name_that_is_read_back);
    tcase_add_test(tcase, the_end_is_told_beside_everything_else);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
