#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

int renewal_create(struct life *life, const struct certificate_row *certificate, const char *reason,
                   const char *asked_by, int64_t *ret_id, struct error *err)
{
    struct renewal_row row = {
        .certificate_id = certificate->id,
        .reason = (char *)(uintptr_t)reason,
        .asked_by = (char *)(uintptr_t)asked_by,
        .created_at = life->world->now(life->world->self),
        .names = certificate->names,
    };

    /* The row only borrows: nothing of it is freed here. */
    return renewals_add(life->inventory, &row, ret_id, err);
}

int verb_start(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row open = {0};
    char reason[128], left[SECONDS_TEXT_MAX];
    int64_t id = 0;
    int rc = life_begin(life, err);

    /* Somebody asked for one since the plan was read. */
    if (rc == 0)
        rc = renewals_open(life->inventory, hand->row.id, &open, err);
    if (rc != E_NOT_FOUND)
        return life_end_planned(life, hand->row.id, rc, err);
    rc = 0;
    if (hand->facts.accepted)
        snprintf(reason, sizeof reason, "the certificate ends in %s",
                 seconds_format(hand->facts.not_after - hand->now, left));
    else
        snprintf(reason, sizeof reason, "there is no certificate yet");
    if (rc == 0)
        rc = renewal_create(life, &hand->row, reason, NULL, &id, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, id, "started", "renewal %" PRId64 " started: %s", id,
                        reason);
    return life_end_planned(life, hand->row.id, rc, err);
}

/* The first DNS name that fits the ITU's 64 characters, for authorities whose forms want a common
 * name. */
static const char *common_name(const struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i].type == NAME_DNS && strlen(names->items[i].text) <= 64)
            return names->items[i].text;
    return NULL;
}

/* Records that making the key, or handing over, failed; people hear of the first failure and of
 * each daily one. */
static int record_failure(struct life *life, struct hand *hand, const struct error *why,
                          struct error *err)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_FIELDS struct fields fields = {0};
    char stage[48], at[UTC_TEXT_MAX];
    int rc = life_begin_renewal(life, hand->facts.open.id, &renewal, err);

    renewal.failed_at = hand->now;
    renewal.failures++;
    free(renewal.failed_reason);
    renewal.failed_reason = mem_strdup(why->text);
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, renewal.id, "failed", "%s", why->text);
    if (rc == 0 &&
        (renewal.failures == 1 || policy_retry(hand->policy, renewal.failures) >= 86400)) {
        rc = notice_begin(life, &hand->row, hand->policy, &fields, err);
        fields_set(&fields, "reason", why->text);
        fields_printf(&fields, "attempts", "%d", renewal.failures);
        fields_set(
            &fields, "retry_at",
            utc_format_plain(utc_add(hand->now, policy_retry(hand->policy, renewal.failures)), at));
        snprintf(stage, sizeof stage, "failed-%d", renewal.failures);
    }
    if (rc == 0 && fields.count > 0)
        rc = notice_queue(life, &hand->row, hand->policy, renewal.id, NOTICE_FAILED, stage, &fields,
                          err);
    return life_end_planned(life, hand->row.id, rc, err);
}

int request_make(const struct life *life, const struct hand *hand,
                 const struct renewal_row *renewal, struct sealed_key *ret_key,
                 struct blob *ret_csr, struct error *err)
{
    const struct key_request request = {
        .key_type = hand->policy->key_type,
        .subject = {.common_name = common_name(&renewal->names),
                    .organization = hand->policy->organization,
                    .country = hand->policy->country,
                    .state = hand->policy->state,
                    .locality = hand->policy->locality},
        .names = &renewal->names,
    };

    return life->world->make_request(life->world->self, renewal->id, &request, ret_key, ret_csr,
                                     err);
}

/* Now, or what was made beforehand. */
static int get_request(struct life *life, struct hand *hand, const struct renewal_row *renewal,
                       struct sealed_key *ret_key, struct blob *ret_csr, struct error *why)
{
    struct prepared *prepared = hand->prepared;

    if (!prepared || !prepared->made)
        return request_make(life, hand, renewal, ret_key, ret_csr, why);
    *ret_key = prepared->key;
    prepared->key = (struct sealed_key){0};
    *ret_csr = blob_take(&prepared->csr);
    *why = prepared->why;
    return prepared->code;
}

int verb_request(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    int rc = renewals_get(life->inventory, hand->facts.open.id, &renewal, err);

    if (rc < 0)
        return rc;
    LOG_CONTEXT("renewal=%" PRId64, renewal.id);
    __attribute__((cleanup(sealed_key_done))) struct sealed_key key = {0};
    AUTO_BLOB struct blob csr = {0};
    struct error why = {0};
    rc = get_request(life, hand, &renewal, &key, &csr, &why);
    if (rc < 0)
        return record_failure(life, hand, &why, err);
    rc = life_begin_renewal(life, renewal.id, &renewal, err);
    sealed_key_done(&renewal.key);
    blob_done(&renewal.csr);
    renewal.key = key;
    key = (struct sealed_key){0};
    renewal.csr = blob_take(&csr);
    renewal.requested_at = hand->now;
    renewal.failed_at = UTC_NEVER;
    renewal.failures = 0;
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, renewal.id, "requested",
                        "new %s key and CSR made; the live key is untouched",
                        key_type_text(hand->policy->key_type));
    if (rc == 0)
        rc = look_again_for_key(life, renewal.key.spki_sha256, "a request with its key", err);
    return life_end_planned(life, hand->row.id, rc, err);
}

static bool is_open(const struct renewal_row *renewal)
{
    return renewal->accepted_at == UTC_NEVER && renewal->superseded_at == UTC_NEVER &&
           renewal->withdrawn_at == UTC_NEVER;
}

/* The notice that asks a person to send the CSR to the authority: at first, and again as a
 * reminder. */
static int queue_csr_notice(struct life *life, struct hand *hand, const struct renewal_row *renewal,
                            enum notice_kind kind, const char *stage, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    int rc = notice_begin(life, &hand->row, hand->policy, &fields, err);

    return rc < 0 ? rc
                  : notice_queue(life, &hand->row, hand->policy, renewal->id, kind, stage, &fields,
                                 err);
}

int verb_hand_over(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_BUF struct buf pem;
    int rc = renewals_get(life->inventory, hand->facts.open.id, &renewal, err);

    buf_init(&pem, BUF_MAX_PEM);
    if (rc < 0)
        return rc;
    LOG_CONTEXT("renewal=%" PRId64, renewal.id);
    pem_write(&pem, "CERTIFICATE REQUEST", blob_span(&renewal.csr));
    struct error why = {0};
    const struct request_file file = {hand->row.name, span_of(pem.data, pem.len)};
    if (!hand->prepared || !hand->prepared->written)
        rc = life->world->write_requests(life->world->self, &file, 1, &why);
    if (rc < 0)
        return record_failure(life, hand, &why, err);
    rc = life_begin_renewal(life, renewal.id, &renewal, err);
    renewal.handed_over_at = hand->now;
    renewal.failed_at = UTC_NEVER;
    renewal.failures = 0;
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    /* Overtaken in this very moment: nobody is asked to order it. */
    if (rc == 0 && is_open(&renewal))
        rc = queue_csr_notice(life, hand, &renewal, NOTICE_CSR_READY, "csr-ready", err);
    if (rc == 0)
        rc = life_event(
            life, hand->row.id, renewal.id, "handed-over",
            "CSR written to %s/%s.csr and .txt: waiting for the authority's certificate in %s",
            life->requests, hand->row.name, life->drop_shown);
    return life_end_planned(life, hand->row.id, rc, err);
}

int verb_remind(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    char stage[48];
    int rc = life_begin_renewal(life, hand->facts.open.id, &renewal, err);

    if (rc == 0 && !is_open(&renewal))
        return life_end_planned(life, hand->row.id, 0, err);
    renewal.reminded_at = hand->now;
    snprintf(stage, sizeof stage, "reminder-%" PRId64, hand->now);
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0)
        rc = queue_csr_notice(life, hand, &renewal, NOTICE_REMINDER, stage, err);
    if (rc == 0)
        rc = life_event(life, hand->row.id, renewal.id, "reminded",
                        "no certificate has come for the CSR yet");
    return life_end_planned(life, hand->row.id, rc, err);
}

int life_renew(struct life *life, const char *name, bool again, const char *actor,
               int64_t *ret_renewal_id, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_RENEWAL struct renewal_row open = {0};
    char reason[96];
    int64_t id = 0;
    int rc = certificates_find(life->inventory, name, &row, err);

    if (rc < 0)
        return rc;
    if (row.retired_at != UTC_NEVER)
        return error_set(err, E_REFUSED, "certificate %s: is retired", name);
    LOG_CONTEXT("certificate=%s", row.name);
    rc = life_begin(life, err);
    if (rc < 0)
        return rc;
    rc = renewals_open(life->inventory, row.id, &open, err);
    if (rc == 0 && !again) {
        *ret_renewal_id = open.id;
        rc = error_set(err, E_EXISTS, "certificate %s: renewal %" PRId64 " is under way", name,
                       open.id);
    } else if (rc == 0) {
        open.superseded_at = life->world->now(life->world->self);
        rc = renewals_update(life->inventory, &open, err);
    } else if (rc == E_NOT_FOUND) {
        rc = 0;
    }
    snprintf(reason, sizeof reason, "asked for by %s", actor);
    if (rc == 0)
        rc = renewal_create(life, &row, reason, actor, &id, err);
    if (rc == 0)
        rc = events_add(life->inventory, life->world->now(life->world->self), row.id, id, actor,
                        "started", reason, err);
    rc = life_end_planned(life, row.id, rc, err);
    if (rc == 0)
        *ret_renewal_id = id;
    return rc;
}
