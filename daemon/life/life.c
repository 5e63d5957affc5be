#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/schedule.h"

/* A verb that left its own plan due is looked at again after this long, instead of in a busy loop.
 */
enum { STUCK_SECONDS = 60, GROUP_MAX = 256 };

const struct policy *life_policy(const struct life *life, const struct certificate_row *certificate)
{
    const struct policy *policy = policies_get(life->policies, certificate->policy);

    if (!policy) {
        log_warn("policy-gone", "policy %s is not configured: following \"default\"",
                 certificate->policy);
        policy = policies_get(life->policies, "default");
    }
    return policy;
}

int hand_take(struct life *life, int64_t certificate_id, struct hand *ret, struct error *err)
{
    AUTO_HAND struct hand hand = {.now = life->world->now(life->world->self)};
    int rc = certificates_get(life->inventory, certificate_id, &hand.row, err);

    if (rc < 0)
        return rc;
    hand.policy = life_policy(life, &hand.row);
    rc = life_facts(life->inventory, &hand.row, &hand.facts, err);
    if (rc < 0)
        return rc;
    *ret = hand;
    hand = (struct hand){0};
    return 0;
}

void hand_done(struct hand *hand)
{
    certificate_row_done(&hand->row);
}

int life_begin(struct life *life, struct error *err)
{
    return life->in_group ? life_part_begin(life, err) : inventory_begin(life->inventory, err);
}

int life_begin_renewal(struct life *life, int64_t id, struct renewal_row *renewal,
                       struct error *err)
{
    struct renewal_row fresh = {0};
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = renewals_get(life->inventory, id, &fresh, err);
    if (rc == 0) {
        renewal_row_done(renewal);
        *renewal = fresh;
    }
    return rc;
}

int life_end(struct life *life, int rc, struct error *err)
{
    if (life->in_group) {
        struct error other = {0};
        int ended = life_part_end(life, rc, rc < 0 ? &other : err);
        return rc < 0 ? rc : ended;
    }
    if (rc == 0)
        rc = inventory_commit(life->inventory, err);
    if (rc < 0)
        inventory_rollback(life->inventory);
    return rc;
}

int life_end_planned(struct life *life, int64_t certificate_id, int rc, struct error *err)
{
    if (rc == 0)
        rc = life_plan(life, certificate_id, err);
    return life_end(life, rc, err);
}

int life_part_begin(struct life *life, struct error *err)
{
    return inventory_part_begin(life->inventory, err);
}

int life_part_end(struct life *life, int rc, struct error *err)
{
    if (rc < 0 && (code_retry(rc) == RETRY_TRANSIENT || rc == E_CORRUPT))
        return rc;
    return inventory_part_end(life->inventory, rc == 0, err);
}

/* The one that is due cannot be read: it must not be the most urgent one for ever. */
static int set_aside_due(struct life *life, int64_t id, const char *why, struct error *err)
{
    AUTO_FREE char *name = NULL;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = certificates_name(life->inventory, id, &name, err);
    if (rc == 0)
        rc = plan_set_aside(life, id, name, why, err);
    return life_end(life, rc, err);
}

struct life *act_begin(struct life *life, const char *who)
{
    life->actor = who;
    return life;
}

void act_done(struct life **life)
{
    (*life)->actor = NULL;
}

static void set_hash(uint8_t to[SHA256_LEN], const uint8_t *from)
{
    if (from)
        memcpy(to, from, SHA256_LEN);
}

static int record_event(struct life *life, const struct life_change *change, const char *format,
                        va_list args)
{
    char raw[ERROR_TEXT_MAX], text[ERROR_TEXT_MAX];
    const char *actor = life->actor ? life->actor : ACTOR_DAEMON;
    struct error err = {0};

    vsnprintf(raw, sizeof raw, format, args);
    text_escape(raw, text, sizeof text);
    log_info(change->kind, "%s%s%s%s", life->actor ? "by " : "", life->actor ? life->actor : "",
             life->actor ? ": " : "", text);
    struct event_row row = {.at = life->world->now(life->world->self),
                            .certificate_id = change->certificate_id,
                            .renewal_id = change->renewal_id,
                            .actor = (char *)(uintptr_t)actor,
                            .kind = (char *)(uintptr_t)change->kind,
                            .text = text};
    set_hash(row.old_sha256, change->old_sha256);
    set_hash(row.new_sha256, change->new_sha256);
    int rc = events_record(life->inventory, &row, &err);
    if (rc < 0)
        log_error("event-lost", "%s", err.text);
    return rc;
}

int life_event_change(struct life *life, const struct life_change *change, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int rc = record_event(life, change, format, args);
    va_end(args);
    return rc;
}

int life_event(struct life *life, int64_t certificate_id, int64_t renewal_id, const char *kind,
               const char *format, ...)
{
    const struct life_change change = {certificate_id, renewal_id, kind, NULL, NULL};
    va_list args;

    va_start(args, format);
    int rc = record_event(life, &change, format, args);
    va_end(args);
    return rc;
}

static const verb_fn verbs[] = {
    [ACTION_START] = verb_start,
    [ACTION_REQUEST] = verb_request,
    [ACTION_HAND_OVER] = verb_hand_over,
    [ACTION_REMIND] = verb_remind,
    [ACTION_TELL_CHAIN] = verb_tell_chain,
    [ACTION_FETCH] = verb_fetch,
    [ACTION_RECHAIN] = verb_rechain,
    [ACTION_RECHAIN_AGAIN] = verb_rechain,
    [ACTION_DEPLOY] = verb_deploy,
    [ACTION_TELL_EXPIRY] = verb_tell_expiry,
    [ACTION_TELL_EXPIRED] = verb_tell_expired,
    [ACTION_ERASE_KEYS] = verb_erase_keys,
};

int verb_perform(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    life->planned.certificate_id = 0;
    return verbs[next->action](life, hand, next, err);
}

/* Else the daemon would do the same thing for ever. */
int hand_look_for_loop(struct life *life, int64_t certificate_id, const struct next *done,
                       struct error *err)
{
    AUTO_HAND struct hand hand = {0};
    struct next next = life->planned.next;
    bool known = life->planned.certificate_id == certificate_id;
    utc_t now = life->world->now(life->world->self);

    if (known && (next.at > now || next.at != done->at || next.action != done->action ||
                  next.target_id != done->target_id || next.stage != done->stage))
        return 0;
    int rc = hand_take(life, certificate_id, &hand, err);
    if (rc < 0)
        return rc;
    next = policy_next(&hand.facts, hand.policy, hand.now);
    if (next.action != done->action || next.target_id != done->target_id ||
        next.stage != done->stage || next.at > hand.now || next.at != done->at)
        return 0;
    log_error("stuck", "%s did not change its plan: looking again in %d s",
              action_text(next.action), STUCK_SECONDS);
    next.at = utc_add(hand.now, STUCK_SECONDS);
    rc = life_begin(life, err);
    if (rc == 0)
        rc = plan_write(life, &hand, next, err);
    return life_end(life, rc, err);
}

/* What fails for days must not keep people from hearing that the certificate ends. */
static void tell_meanwhile(struct life *life, struct hand *hand, const struct next *failed)
{
    struct next telling = policy_next_telling(&hand->facts, hand->policy, hand->now);
    struct error why = {0};

    if (telling.at > hand->now || telling.action == failed->action)
        return;
    if (verbs[telling.action](life, hand, &telling, &why) < 0)
        log_error("verb-failed", "%s: %s", action_text(telling.action), why.text);
}

/*
 * A verb that failed has changed nothing, so it would be the most urgent one again. Whatever the
 * code was, "not found" to the caller means that nothing is due.
 */
int hand_put_off(struct life *life, struct hand *hand, const struct next *failed, int code,
                 struct error *err)
{
    struct error second = {0};
    struct next next = *failed;

    log_error("verb-failed", "%s: %s; again in %d s", action_text(failed->action), err->text,
              STUCK_SECONDS);
    tell_meanwhile(life, hand, failed);
    next.at = utc_add(hand->now, STUCK_SECONDS);
    int rc = life_begin(life, &second);
    if (rc == 0)
        rc = plan_write(life, hand, next, &second);
    rc = life_end(life, rc, &second);
    return rc == 0 ? 0 : error_set(err, code == E_NOT_FOUND ? E_IO : code, "%s", second.text);
}

static int step_one(struct life *life, int64_t id, bool deploy, struct error *err)
{
    AUTO_HAND struct hand hand = {0};
    struct error why = {0};
    int rc = hand_take(life, id, &hand, &why);

    if (rc == E_CORRUPT)
        return set_aside_due(life, id, why.text, err);
    /* To the caller "not found" means that nothing is due. */
    if (rc < 0)
        return error_set(err, rc == E_NOT_FOUND ? E_CORRUPT : rc, "%s", why.text);
    LOG_CONTEXT("certificate=%s", hand.row.name);
    struct next next = policy_next(&hand.facts, hand.policy, hand.now);
    /* The plan is only an index: facts may have moved on since it was written. */
    if (next.at > hand.now || (next.action == ACTION_DEPLOY) != deploy) {
        rc = life_begin(life, err);
        return life_end_planned(life, id, rc, err);
    }
    rc = verb_perform(life, &hand, &next, err);
    return rc < 0 ? hand_put_off(life, &hand, &next, rc, err)
                  : hand_look_for_loop(life, id, &next, err);
}

int life_step(struct life *life, bool deploy, utc_t *ret_at, struct error *err)
{
    int64_t ids[GROUP_MAX];
    bool alone = deploy || life->singles > 0;
    size_t count = 0;
    int rc = certificates_due(life->inventory, deploy, life->world->now(life->world->self), ids,
                              alone ? 1 : COUNT_OF(ids), &count, ret_at, err);

    if (rc < 0)
        return rc;
    if (life->singles > 0)
        life->singles--;
    if (count == 1)
        return step_one(life, ids[0], deploy, err);
    rc = group_perform(life, ids, count, err);
    if (rc == E_NOT_YET)
        return step_one(life, ids[0], deploy, err);
    /* One by one, so that the certificate that brings it about does not take the others with it. */
    if (rc < 0)
        life->singles = GROUP_MAX;
    return rc == E_NOT_FOUND ? error_set(err, E_CORRUPT, "%s", err->text) : rc;
}
