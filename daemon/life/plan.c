/*
 * Plans: what policies/ says is next, written with the facts it follows from. They stay right until
 * the rules change; then all are made anew in the background, a few at a time, and how far that has
 * come is in the inventory.
 */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/schedule.h"

enum { AGAIN_BATCH = 200 };

static bool is_written(const struct certificate_row *row, const struct certificate_plan *plan)
{
    return plan->next_at == row->next_at && row->next_action &&
           strcmp(row->next_action, plan->next_action) == 0 &&
           row->next_target == plan->next_target && row->deadline == plan->deadline &&
           row->ends_at == plan->ends_at && strcmp(row->state, plan->state) == 0;
}

/* *ret_new: it is another one than before. */
static int write_plan(struct life *life, const struct hand *hand, const struct next *next,
                      bool *ret_new, struct error *err)
{
    const struct certificate_plan plan = {
        .next_at = next->at,
        .next_action = action_text(next->action),
        .next_target = next->target_id,
        .deadline = policy_deadline(&hand->facts, next),
        .ends_at = hand->facts.live_not_after,
        .state = state_text(policy_state(&hand->facts, hand->policy, hand->now)),
    };

    *ret_new = !is_written(&hand->row, &plan);
    if (!*ret_new)
        return 0;
    return certificates_set_plan(life->inventory, hand->row.id, &plan, hand->now, err);
}

int plan_write(struct life *life, const struct hand *hand, struct next next, struct error *err)
{
    char at[UTC_TEXT_MAX];
    bool is_new = false;
    int rc = write_plan(life, hand, &next, &is_new, err);

    life->planned.certificate_id = hand->row.id;
    life->planned.next = next;
    if (rc == 0 && is_new) {
        LOG_CONTEXT("certificate=%s", hand->row.name);
        log_info("plan", "next: %s at %s", action_says(next.action), utc_format(next.at, at));
    }
    return rc;
}

int life_plan(struct life *life, int64_t certificate_id, struct error *err)
{
    AUTO_HAND struct hand hand = {0};
    int rc = hand_take(life, certificate_id, &hand, err);

    if (rc < 0)
        return rc;
    return plan_write(life, &hand, policy_next(&hand.facts, hand.policy, hand.now), err);
}

int plan_set_aside(struct life *life, int64_t id, const char *name, const char *why,
                   struct error *err)
{
    const struct certificate_plan plan = {
        .next_at = UTC_NEVER,
        .next_action = action_text(ACTION_NONE),
        .deadline = UTC_NEVER,
        .ends_at = UTC_NEVER,
        .state = LIFE_UNREADABLE,
    };
    AUTO_FREE char *stage = mem_printf("unreadable-%" PRId64, id);
    AUTO_FREE char *commands = mem_printf("unlapse explain %s\n    unlapse backup list", name);
    AUTO_FIELDS struct fields fields = {0};

    LOG_CONTEXT("certificate=%s", name);
    log_error("unreadable", "its record cannot be read, it is left alone: %s", why);
    notice_fields_init(&fields);
    fields_set(&fields, "certificate", name);
    fields_set(&fields, "host", life->host);
    fields_set(&fields, "reason", why);
    fields_set(&fields, "commands", commands);
    int rc = notice_queue_general(life, NOTICE_UNREADABLE, stage, &fields, err);
    return rc < 0 ? rc
                  : certificates_set_plan(life->inventory, id, &plan,
                                          life->world->now(life->world->self), err);
}

void life_look_at_anchors(struct life *life)
{
    struct error why = {0};
    int rc = life_begin(life, &why);

    if (rc == 0)
        rc = life_look_again(life, "the configuration", &why);
    if (life_end(life, rc, &why) < 0)
        log_error("not-looked-again", "%s", why.text);
}

/* How far the plans follow the rules in force: "RULES ID" up to a certificate, ID the greatest
 * number there is for all. */
#define PLANS_KEY "plans"

struct progress {
    char rules[2 * SHA256_LEN + 1];
    int64_t after;
};

static void rules_in_force(const struct life *life, char ret[2 * SHA256_LEN + 1])
{
    uint8_t sha256[SHA256_LEN];
    AUTO_BUF struct buf text;

    buf_init(&text, BUF_MAX_CONFIG);
    buf_printf(&text, "%s\n", UNLAPSED_VERSION);
    policies_describe_plans(life->policies, &text);
    sha256_of(span_of(text.data, text.len), sha256);
    text_hex(sha256, sizeof sha256, ret);
}

/* Nothing that can be read: no rules. */
static int read_progress(struct life *life, struct progress *ret, struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    int rc = inventory_value_get(life->inventory, PLANS_KEY, &value, err);

    *ret = (struct progress){0};
    if (rc < 0)
        return rc == E_NOT_FOUND ? 0 : rc;
    AUTO_FREE char *text = mem_printf("%.*s", (int)value.len, (const char *)value.data);
    char *space = strchr(text, ' ');
    if (!space || space - text != 2 * SHA256_LEN ||
        !text_number(space + 1, 0, INT64_MAX, &ret->after))
        return 0;
    memcpy(ret->rules, text, 2 * SHA256_LEN);
    return 0;
}

static int write_progress(struct life *life, const struct progress *progress, struct error *err)
{
    AUTO_FREE char *text = mem_printf("%s %" PRId64, progress->rules, progress->after);

    return inventory_value_set(life->inventory, PLANS_KEY, span_text(text), err);
}

int life_plan_begin(struct life *life, bool anew, struct error *err)
{
    struct progress progress, fresh = {.after = 0};
    int rc = read_progress(life, &progress, err);

    rules_in_force(life, fresh.rules);
    if (rc < 0 || (!anew && strcmp(progress.rules, fresh.rules) == 0))
        return rc;
    return write_progress(life, &fresh, err);
}

struct batch {
    struct life *life;
    struct progress progress;
    size_t count, changed;
};

/* A million lines of the log would tell nothing: how many is told. */
static int plan_one(void *self, const struct certificate_row *row, struct error *err)
{
    struct batch *batch = self;

    AUTO_HAND struct hand hand = {0};
    struct error why = {0};
    bool is_new = false;
    int rc = row->damaged ? error_set(&why, E_CORRUPT, "%s", row->damaged)
                          : hand_take(batch->life, row->id, &hand, &why);

    batch->progress.after = row->id;
    batch->count++;
    if (rc == E_CORRUPT)
        return plan_set_aside(batch->life, row->id, row->name, why.text, err);
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    struct next next = policy_next(&hand.facts, hand.policy, hand.now);
    rc = write_plan(batch->life, &hand, &next, &is_new, err);
    batch->changed += is_new;
    return rc;
}

int life_plan_more(struct life *life, struct error *err)
{
    struct batch batch = {.life = life};
    int64_t last = 0;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = read_progress(life, &batch.progress, err);
    if (rc == 0 && batch.progress.after == INT64_MAX)
        rc = error_set(err, E_NOT_FOUND, "plans: all are made by the rules in force");
    if (rc == 0)
        rc = certificates_after(life->inventory, batch.progress.after, AGAIN_BATCH, plan_one,
                                &batch, &last, err);
    if (batch.count < AGAIN_BATCH)
        batch.progress.after = INT64_MAX;
    if (rc == 0)
        rc = write_progress(life, &batch.progress, err);
    rc = life_end(life, rc, err);
    if (rc == 0 && batch.changed > 0)
        log_info("plans", "%zu of %zu plans are others by the rules in force", batch.changed,
                 batch.count);
    return rc;
}
