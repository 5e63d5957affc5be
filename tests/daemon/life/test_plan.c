/* Plans stay right until the rules change; then all are made anew, however often that is broken
 * off.
 */
#include <string.h>

#include "daemon/life/internal.h"
#include "store/schedule.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY, MANY = 450 };

static struct scene scene;
static struct error err;

static void open_scene(void)
{
    scene_open(&scene, 60 * DAY, "");
    scene_add(&scene);
    scene_plan_all(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

static utc_t planned_at(const char *name)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};

    ck_ok(certificates_find(scene.life.inventory, name, &row, &err));
    return row.next_at;
}

/* What no rule would say. */
static void plan_nonsense(const char *name)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    const struct certificate_plan plan = {
        .next_at = 17, .next_action = "start", .deadline = 18, .ends_at = 19, .state = "ok"};

    ck_ok(certificates_find(scene.life.inventory, name, &row, &err));
    ck_ok(certificates_set_plan(scene.life.inventory, row.id, &plan, 0, &err));
}

static struct policies *policies_with(const char *line)
{
    AUTO_BUF struct buf complaints;
    AUTO_FREE char *text = mem_printf("policies: {test: {%s}}\n", line);
    struct policies *policies = policies_open();

    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_ok(policies_load(policies, "other.yaml", text, strlen(text), &complaints, &err));
    ck_ok(policies_finish(policies, &complaints, &err));
    return policies;
}

static void use_rules(const char *line)
{
    policies_free(scene.policies);
    scene.policies = policies_with(line);
    scene.life.policies = scene.policies;
}

static int make_all(void)
{
    int batches = 0;

    while (life_plan_more(&scene.life, &err) == 0)
        batches++;
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    return batches;
}

START_TEST(by_the_same_rules_nothing_is_planned_again)
{
    plan_nonsense("www");
    ck_ok(life_plan_begin(&scene.life, false, &err));
    ck_assert_int_eq(make_all(), 0);
    ck_assert_int_eq(planned_at("www"), 17);
}
END_TEST

START_TEST(other_rules_make_other_plans)
{
    utc_t before = planned_at("www");

    use_rules("lead: 40d");
    ck_ok(life_plan_begin(&scene.life, false, &err));
    ck_assert_int_eq(planned_at("www"), before);
    ck_assert_int_eq(make_all(), 1);
    ck_assert_int_lt(planned_at("www"), before);
    ck_ok(life_plan_begin(&scene.life, false, &err));
    ck_assert_int_eq(make_all(), 0);
}
END_TEST

static void add_many(void)
{
    AUTO_NAMES struct names names = {0};
    int64_t id = 0;

    ck_ok(names_add_tagged(&names, "dns:many.example.com", &err));
    ck_ok(inventory_begin(scene.life.inventory, &err));
    for (int i = 0; i < MANY; i++) {
        AUTO_FREE char *name = mem_printf("many-%03d", i);
        const struct certificate_row row = {.name = name,
                                            .policy = (char *)(uintptr_t) "test",
                                            .names = names,
                                            .added_at = scene.now};
        ck_ok(certificates_add(scene.life.inventory, &row, &id, &err));
    }
    ck_ok(inventory_commit(scene.life.inventory, &err));
}

START_TEST(what_was_broken_off_goes_on)
{
    add_many();
    use_rules("lead: 40d");
    ck_ok(life_plan_begin(&scene.life, false, &err));
    ck_ok(life_plan_more(&scene.life, &err));
    scene_stop(&scene);
    scene_reopen(&scene);
    /* Done already: it is not looked at again. */
    plan_nonsense("www");
    ck_ok(life_plan_begin(&scene.life, false, &err));
    ck_assert_int_eq(make_all(), 2);
    ck_assert_int_eq(planned_at("www"), 17);
    ck_assert_int_le(planned_at("many-449"), scene.now);
    ck_ok(life_plan_begin(&scene.life, true, &err));
    ck_assert_int_eq(make_all(), 3);
    ck_assert_int_ne(planned_at("www"), 17);
}
END_TEST

/* Each field that plans depend on. */
static const char *const fields[] = {
    "lead: 9d",
    "lead: {fraction: 20%}",
    "lead: {never-more-than: 30%}",
    "lead: {at-least: 2d}",
    "lead: {at-most: 50d}",
    "retry: [7m]",
    "chain-wait: 7h",
    "remind-every: 9d",
    "ladder: [3d, 1d]",
    "aia: on",
};

START_TEST(every_field_that_plans_depend_on_counts)
{
    AUTO_BUF struct buf plain, with;
    struct policies *without = policies_with("key: rsa-2048"), *other = policies_with(fields[_i]);

    buf_init(&plain, BUF_MAX_CONFIG);
    buf_init(&with, BUF_MAX_CONFIG);
    policies_describe_plans(without, &plain);
    policies_describe_plans(other, &with);
    ck_assert_msg(strcmp(buf_text(&plain), buf_text(&with)) != 0, "%s", fields[_i]);
    policies_free(without);
    policies_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life plan");
    TCase *tcase = tcase_create("plan");

    tcase_add_checked_fixture(tcase, open_scene, close_scene);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, by_the_same_rules_nothing_is_planned_again);
    tcase_add_test(tcase, other_rules_make_other_plans);
    tcase_add_test(tcase, what_was_broken_off_goes_on);
    tcase_add_loop_test(tcase, every_field_that_plans_depend_on_counts, 0, COUNT_OF(fields));
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
