/* What comes next, and in which order. */
#include <stdio.h>
#include <string.h>

#include "store/certificates.h"
#include "store/schedule.h"
#include "store/statement.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;

static void setup(void)
{
    inventory = sample_open();
}

static void teardown(void)
{
    inventory_close(inventory);
}

static void ck_due(bool deploy, utc_t now, int64_t wanted)
{
    int64_t id = -1;
    utc_t at = -1;
    size_t count = 0;

    ck_ok(certificates_due(inventory, deploy, now, &id, 1, &count, &at, &err));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(id, wanted);
}

static void ck_not_due(bool deploy, utc_t now, utc_t wanted)
{
    int64_t id = -1;
    utc_t at = -1;
    size_t count = 0;

    ck_fails(certificates_due(inventory, deploy, now, &id, 1, &count, &at, &err), E_NOT_FOUND,
             "due");
    ck_assert_int_eq(at, wanted);
    ck_assert_int_eq(id, -1);
}

START_TEST(nothing_is_due_before_its_time)
{
    ck_not_due(false, SAMPLE_NOW, UTC_NEVER);
    int64_t a = sample_certificate(inventory, "a");
    int64_t b = sample_certificate(inventory, "b");
    int64_t c = sample_certificate(inventory, "c");
    /* A new one is to be planned at once. */
    ck_not_due(false, SAMPLE_NOW - 1, SAMPLE_NOW);
    ck_due(false, SAMPLE_NOW, a);
    ck_not_due(true, SAMPLE_NOW, UTC_NEVER);

    ck_ok(sample_plan(inventory, a, 300, "deploy", 0, &err));
    ck_ok(sample_plan(inventory, b, 200, "start", 0, &err));
    ck_ok(sample_plan(inventory, c, 100, "deploy", 0, &err));
    ck_due(true, 100, c);
    ck_not_due(true, 99, 100);
    ck_due(false, 200, b);
    ck_not_due(false, 199, 200);

    ck_ok(sample_plan(inventory, a, UTC_NEVER, "none", 0, &err));
    ck_ok(sample_plan(inventory, b, UTC_NEVER, "none", 0, &err));
    ck_not_due(false, INT64_MAX, UTC_NEVER);
    ck_ok(certificates_set_retired(inventory, c, 1, &err));
    ck_not_due(true, 1000, UTC_NEVER);
    ck_ok(certificates_set_retired(inventory, c, UTC_NEVER, &err));
    ck_due(true, 1000, c);
}
END_TEST

static int64_t planned(const char *name, utc_t at, utc_t deadline, utc_t now)
{
    int64_t id = sample_certificate(inventory, name);

    ck_ok(certificates_set_plan(inventory, id,
                                &(struct certificate_plan){.next_at = at,
                                                           .next_action = "start",
                                                           .deadline = deadline,
                                                           .ends_at = deadline,
                                                           .state = "ok"},
                                now, &err));
    return id;
}

static void done(int64_t id)
{
    ck_ok(sample_plan(inventory, id, UTC_NEVER, "none", 0, &err));
}

START_TEST(the_nearest_deadline_comes_first)
{
    int64_t never = planned("never", 1, UTC_NEVER, 0);
    int64_t late = planned("late", 2, 900, 0);
    int64_t soon = planned("soon", 3, 800, 0);
    int64_t waits = planned("waits", 20, 100, 0);
    int64_t at_once = planned("at-once", 5, 850, 5);

    ck_due(false, 3, soon);
    done(soon);
    ck_due(false, 10, at_once);
    done(at_once);
    ck_due(false, 10, late);
    ck_due(false, 20, waits);
    done(waits);
    done(late);
    ck_due(false, 20, never);
    done(never);
    ck_not_due(false, INT64_MAX, UTC_NEVER);
}
END_TEST

START_TEST(of_equal_deadlines_the_one_that_is_due_longest)
{
    int64_t second = planned("b", 2, 900, 0);
    int64_t first = planned("a", 1, 900, 0);
    int64_t ids[3] = {0};
    utc_t at = 0;
    size_t count = 0;

    ck_ok(certificates_due(inventory, false, 5, ids, COUNT_OF(ids), &count, &at, &err));
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(ids[0], first);
    ck_assert_int_eq(ids[1], second);
}
END_TEST

START_TEST(the_next_is_told_due_or_not)
{
    int64_t id = 0;
    utc_t at = 0;

    ck_fails(certificates_next(inventory, false, &id, &at, &err), E_NOT_FOUND, "planned");
    planned("later", 200, 10, 0);
    int64_t first = planned("first", 100, 20, 0);
    ck_ok(certificates_next(inventory, false, &id, &at, &err));
    ck_assert_int_eq(id, first);
    ck_assert_int_eq(at, 100);
}
END_TEST

/* A flood of more than is put into order at once, all of it due before the urgent one. */
START_TEST(a_flood_does_not_keep_the_urgent_one_waiting)
{
    enum { FLOOD = 5000 };
    int64_t urgent = 0, id = 0;
    char name[32];
    int turns = 0;

    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < FLOOD; i++) {
        snprintf(name, sizeof name, "flood-%d", i);
        planned(name, 100, 90 * 86400, 0);
    }
    urgent = planned("urgent", 200, 86400, 0);
    ck_ok(inventory_commit(inventory, &err));
    do {
        utc_t at = 0;
        size_t count = 0;

        ck_ok(certificates_due(inventory, false, 300, &id, 1, &count, &at, &err));
        ck_ok(sample_plan(inventory, id, UTC_NEVER, "none", 0, &err));
    } while (++turns < 10 && id != urgent);
    ck_assert_int_eq(id, urgent);
    ck_assert_int_le(turns, 3);
}
END_TEST

/* Steps of SQLite's virtual machine of all statements since the last call: what a look costs,
 * whatever the machine does. */
static int64_t steps_taken(void)
{
    int64_t steps = 0;

    for (size_t i = 0; i < inventory->kept_count; i++)
        steps += sqlite3_stmt_status(inventory->kept[i].handle, SQLITE_STMTSTATUS_VM_STEP, 1);
    return steps;
}

static int64_t cost_of_a_look(void)
{
    ck_not_due(false, 10, 1000);
    steps_taken();
    ck_not_due(false, 10, 1000);
    return steps_taken();
}

START_TEST(a_look_costs_the_same_whatever_is_stored)
{
    char name[32];

    planned("only", 1000, 2000, 0);
    int64_t alone = cost_of_a_look();
    ck_ok(inventory_begin(inventory, &err));
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "host-%d", i);
        planned(name, 1000 + i, 3000 - i, 0);
    }
    ck_ok(inventory_commit(inventory, &err));
    ck_assert_int_eq(cost_of_a_look(), alone);
    ck_assert_int_le(alone, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/schedule");
    TCase *schedule = tcase_create("schedule");

    tcase_add_checked_fixture(schedule, setup, teardown);
    tcase_add_test(schedule, nothing_is_due_before_its_time);
    tcase_add_test(schedule, the_nearest_deadline_comes_first);
    tcase_add_test(schedule, of_equal_deadlines_the_one_that_is_due_longest);
    tcase_add_test(schedule, the_next_is_told_due_or_not);
    tcase_add_test(schedule, a_flood_does_not_keep_the_urgent_one_waiting);
    tcase_add_test(schedule, a_look_costs_the_same_whatever_is_stored);
    suite_add_tcase(suite, schedule);
    return testing_run(suite);
}
