/* The way back: what a failed deployment changed is restored, proven, recorded and told. */
#include "daemon/life/deployment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { DAY = 86400 };

/* After a failed attempt the kept files only take up room: what cannot be removed now, the next
 * attempt removes. */
static void clean_after_failure(struct deployment *on)
{
    struct error why = {0};

    if (on->life->world->clean(on->life->world->self, &on->order, &why) < 0)
        log_warn("not-cleaned", "%s", why.text);
}

/* People hear of the first roll-back and of each daily one; of files that are not back, every day.
 */
static int queue_failure(struct deployment *on, enum notice_kind kind, struct error *err)
{
    struct life *life = on->life;
    AUTO_FIELDS struct fields fields = {0};
    AUTO_CERT struct cert leaf = {0};
    char stage_key[64], at[UTC_TEXT_MAX];
    seconds_t wait = policy_retry(on->hand->policy, on->row.failures);

    if (kind == NOTICE_ROLLED_BACK && on->row.failures > 1 && wait < DAY)
        return 0;
    int rc = notice_begin(life, &on->hand->row, on->hand->policy, &fields, err);
    if (rc < 0)
        return rc;
    if (life->world->parse_cert(life->world->self, blob_span(&on->renewal.leaf), &leaf, NULL) == 0)
        notice_new_leaf(&fields, &leaf);
    fields_set(&fields, "target", on->target.service);
    fields_set(&fields, "reason", on->row.reason);
    fields_printf(&fields, "attempts", "%d", on->row.failures);
    fields_set(&fields, "retry_at", utc_format_plain(utc_add(on->row.failed_at, wait), at));
    if (on->row.report)
        fields_set(&fields, "report", on->row.report);
    snprintf(stage_key, sizeof stage_key, "%s-%" PRId64 "-%" PRId64, notice_kind_text(kind),
             on->target.id,
             kind == NOTICE_ROLLED_BACK ? on->row.failures : on->row.failed_at / DAY);
    return notice_queue(life, &on->hand->row, on->hand->policy, on->renewal.id, kind, stage_key,
                        &fields, err);
}

/* The attempt is over and the live files are the previous ones. */
static int record_failure(struct deployment *on, const char *kind, struct error *err)
{
    struct life *life = on->life;
    struct life_change change = {on->hand->row.id, on->renewal.id, kind, NULL, NULL};

    if (on->row.swap_begun_at != UTC_NEVER) {
        change.old_sha256 = on->renewal.leaf_sha256;
        change.new_sha256 = on->row.previous_sha256;
    }
    on->row.failed_at = deployment_now(on);
    on->row.failures++;
    on->row.staged_at = on->row.swap_begun_at = on->row.swapped_at = UTC_NEVER;
    on->row.reloaded_at = on->row.undo_begun_at = UTC_NEVER;
    int rc = life_begin(life, err);
    if (rc == 0)
        rc = deployments_update(life->inventory, &on->row, err);
    if (rc == 0)
        rc = queue_failure(on, NOTICE_ROLLED_BACK, err);
    if (rc == 0)
        rc = life_event_change(life, &change, "%s: %s", on->target.service, on->row.reason);
    return life_end_planned(life, on->hand->row.id, rc, err);
}

static void set_reason(struct deployment *on, const char *text)
{
    free(on->row.reason);
    on->row.reason = mem_strdup(text);
}

bool deployment_had_previous(const struct deployment *on)
{
    static const uint8_t none[SHA256_LEN];

    return memcmp(on->row.previous_sha256, none, SHA256_LEN) != 0;
}

/* The chain that was served before, where only the chain has changed: else the leaf says enough. */
static void expect_previous_chain(struct deployment *on, struct blobs *ret,
                                  struct expectation *expected)
{
    struct inventory *inventory = on->life->inventory;
    int64_t id = 0;

    if (on->renewal.rechain_of != 0 &&
        deployments_last_verified(inventory, on->target.id, &id, NULL) == 0 &&
        renewals_chain(inventory, id, ret, NULL) == 0)
        expected->chain = ret;
}

/* The old files are back: is the old certificate served again? What is found becomes part of the
 * reason. */
static void prove_undone(struct deployment *on)
{
    const struct world *world = on->life->world;
    struct expectation expected = {0};
    AUTO_BLOBS struct blobs chain = {0};
    AUTO_BUF struct buf report;
    struct error why = {0};
    int rc;

    expect_previous_chain(on, &chain, &expected);
    buf_init(&report, BUF_MAX_RECEIPT);
    memcpy(expected.leaf_sha256, on->row.previous_sha256, SHA256_LEN);
    rc = world->reload(world->self, &on->order, &why);
    if (rc == 0 && deployment_had_previous(on))
        rc = world->verify(world->self, &on->order, &expected, &report, &why);
    AUTO_FREE char *text =
        rc == 0 ? mem_printf("%s. The previous files are back%s", on->row.reason,
                             deployment_had_previous(on) ? " and served" : "")
                : mem_printf(
                      "%s. The previous files are back, but that they are served is not proven: %s",
                      on->row.reason, why.text);
    set_reason(on, text);
}

int deployment_stuck(struct deployment *on, const struct error *why, struct error *err)
{
    struct life *life = on->life;
    AUTO_FREE char *text = mem_printf("the previous files could not be put back: %s", why->text);

    log_error("not-restored", "%s: %s", on->target.service, why->text);
    set_reason(on, text);
    on->row.failed_at = deployment_now(on);
    on->row.failures++;
    if (on->row.swap_begun_at != UTC_NEVER && on->row.undo_begun_at == UTC_NEVER)
        on->row.undo_begun_at = on->row.failed_at;
    int rc = life_begin(life, err);
    if (rc == 0)
        rc = deployments_update(life->inventory, &on->row, err);
    if (rc == 0)
        rc = queue_failure(on, NOTICE_FAILED, err);
    if (rc == 0)
        rc = life_event(life, on->hand->row.id, on->renewal.id, "not-restored", "%s: %s",
                        on->target.service, text);
    return life_end_planned(life, on->hand->row.id, rc, err);
}

int deployment_undo(struct deployment *on, struct error *err)
{
    struct error why = {0};
    int rc = on->life->world->restore(on->life->world->self, &on->order, &why);

    if (rc < 0)
        return deployment_stuck(on, &why, err);
    prove_undone(on);
    rc = record_failure(on, "rolled-back", err);
    if (rc == 0)
        clean_after_failure(on);
    return rc;
}

int deployment_fail(struct deployment *on, const struct error *why, struct error *err)
{
    log_error("deployment-failed", "%s: %s", on->target.service, why->text);
    if (on->row.swap_begun_at == UTC_NEVER) {
        AUTO_FREE char *text = mem_printf("%s. Nothing was changed", why->text);
        set_reason(on, text);
        int rc = record_failure(on, "rolled-back", err);
        if (rc == 0)
            clean_after_failure(on);
        return rc;
    }
    set_reason(on, why->text);
    on->row.undo_begun_at = deployment_now(on);
    int rc = deployment_record(on, "undo", why->text, err);
    return rc < 0 ? rc : deployment_undo(on, err);
}

int deployment_settle(struct deployment *on, struct error *why, struct error *err)
{
    struct life *life = on->life;
    AUTO_DEPLOYMENT struct deployment_row old = {0};
    int rc = deployments_broken_off(life->inventory, on->target.id, on->renewal.id, &old, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = life->world->restore(life->world->self, &on->order, why);
    if (rc < 0)
        return rc;
    old.failed_at = deployment_now(on);
    old.failures++;
    free(old.reason);
    old.reason = mem_strdup("broken off, then overtaken by a newer certificate");
    old.staged_at = old.swap_begun_at = old.swapped_at = UTC_NEVER;
    old.reloaded_at = old.undo_begun_at = UTC_NEVER;
    rc = life_begin(life, err);
    if (rc == 0)
        rc = deployments_update(life->inventory, &old, err);
    if (rc == 0)
        rc = life_event_change(life,
                               &(struct life_change){on->hand->row.id, old.renewal_id,
                                                     "rolled-back", NULL, old.previous_sha256},
                               "%s: %s", on->target.service, old.reason);
    return life_end(life, rc, err);
}
