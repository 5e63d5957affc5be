/*
 * A deployment, from wherever its facts say it stands to verified or undone. Every step records its
 * fact before the next begins, and every step may be repeated, so a crash between any two of them
 * resumes on one side or the other.
 */
#include "daemon/life/deployment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

static void deployment_done(struct deployment *on)
{
    target_row_done(&on->target);
    renewal_row_done(&on->renewal);
    deployment_row_done(&on->row);
    blobs_done(&on->chain);
    free(on->endpoints);
}

int order_make(const struct life *life, const struct target_row *target,
               const struct certificate_row *certificate, const struct policy *policy,
               struct deploy_order *ret, struct bind_endpoint **ret_endpoints, struct error *err)
{
    const struct service *service = services_get(life->services, target->service);
    const char *first_dns = NULL;

    if (!service)
        return error_set(err, E_CONFIG, "target %" PRId64 ": service %s is not configured",
                         target->id, target->service);
    for (size_t i = 0; i < certificate->names.count && !first_dns; i++)
        if (certificate->names.items[i].type == NAME_DNS)
            first_dns = certificate->names.items[i].text;
    struct bind_endpoint *endpoints = mem_alloc(target->endpoint_count, sizeof *endpoints);
    for (size_t i = 0; i < target->endpoint_count; i++) {
        const struct endpoint_row *from = &target->endpoints[i];
        endpoints[i] = (struct bind_endpoint){from->host, from->port,
                                              from->server_name ? from->server_name : first_dns};
    }
    *ret = (struct deploy_order){
        .service = service,
        .endpoints = endpoints,
        .endpoint_count = target->endpoint_count,
        .handshakes = policy->verify_handshakes,
        .patience = policy->verify_patience,
    };
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        ret->files[i] = target->files[i];
    *ret_endpoints = endpoints;
    return 0;
}

static int load(struct life *life, struct hand *hand, int64_t target_id, struct deployment *ret,
                struct error *err)
{
    int rc = targets_get(life->inventory, target_id, &ret->target, err);

    ret->life = life;
    ret->hand = hand;
    if (rc == 0)
        rc = renewals_accepted(life->inventory, hand->row.id, &ret->renewal, err);
    if (rc == 0)
        rc = renewals_chain(life->inventory, ret->renewal.id, &ret->chain, err);
    if (rc == 0)
        rc = deployments_find(life->inventory, ret->renewal.id, target_id, &ret->row, err);
    return rc;
}

int deployment_record(struct deployment *on, const char *kind, const char *text, struct error *err)
{
    struct life *life = on->life;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = deployments_update(life->inventory, &on->row, err);
    if (rc == 0)
        rc = life_event_change(life,
                               &(struct life_change){on->hand->row.id, on->renewal.id, kind,
                                                     on->row.previous_sha256,
                                                     on->renewal.leaf_sha256},
                               "%s: %s", on->target.service, text);
    return life_end_planned(life, on->hand->row.id, rc, err);
}

utc_t deployment_now(const struct deployment *on)
{
    return on->life->world->now(on->life->world->self);
}

static int prepare_bundle(struct deployment *on, struct bundle *ret, struct error *why)
{
    if (on->renewal.key.sealed.len == 0)
        return error_set(why, E_REFUSED, "the key of renewal %" PRId64 " is not in the inventory",
                         on->renewal.id);
    return on->life->world->build_bundle(on->life->world->self, on->renewal.id, &on->renewal.key,
                                         blob_span(&on->renewal.leaf), &on->chain, ret, why);
}

/* Stages, and records that from now on live files may be the new ones. `why` holds what a failing
 * step said; err only what the inventory said. */
static int stage(struct deployment *on, struct error *why, struct error *err)
{
    const struct world *world = on->life->world;
    __attribute__((cleanup(bundle_done))) struct bundle bundle = {0};
    bool fresh = on->row.swap_begun_at == UTC_NEVER;
    uint8_t previous[SHA256_LEN];
    int rc = prepare_bundle(on, &bundle, why);

    if (rc == 0)
        rc = world->check(world->self, &on->order, &bundle, why);
    if (rc == 0 && fresh)
        rc = world->clean(world->self, &on->order, why);
    if (rc == 0)
        rc = world->stage(world->self, &on->order, &bundle, previous, why);
    if (rc < 0 || !fresh)
        return rc;
    memcpy(on->row.previous_sha256, previous, SHA256_LEN);
    /* A configuration that is broken already is left alone: a reload would make it visible. Where
     * nothing is installed yet it may well name files that are not there. */
    if (deployment_had_previous(on))
        rc = world->test(world->self, &on->order, why);
    if (rc < 0)
        return rc;
    on->row.staged_at = deployment_now(on);
    on->row.swap_begun_at = on->row.staged_at;
    return deployment_record(on, "staged", "new files are ready beside the live ones", err);
}

static int swap(struct deployment *on, struct error *why, struct error *err)
{
    const struct world *world = on->life->world;
    int rc = world->swap(world->self, &on->order, why);

    /* Tested again: only now does the service's own test see the new files. */
    if (rc == 0)
        rc = world->test(world->self, &on->order, why);
    if (rc < 0)
        return rc;
    on->row.swapped_at = deployment_now(on);
    return deployment_record(on, "swapped", "new files are in place", err);
}

static int reload(struct deployment *on, struct error *why, struct error *err)
{
    const struct world *world = on->life->world;
    int rc = world->reload(world->self, &on->order, why);

    if (rc < 0)
        return rc;
    on->row.reloaded_at = deployment_now(on);
    return deployment_record(on, "reloaded", "the service was told to read them", err);
}

static int prove(struct deployment *on, struct buf *report, struct error *why)
{
    struct expectation expected = {.leaf = blob_span(&on->renewal.leaf), .chain = &on->chain};

    memcpy(expected.leaf_sha256, on->renewal.leaf_sha256, SHA256_LEN);
    return on->life->world->verify(on->life->world->self, &on->order, &expected, report, why);
}

static bool is_last_target(const struct deployment *on)
{
    for (size_t i = 0; i < on->hand->facts.deployment_count; i++) {
        const struct deployment_facts *other = &on->hand->facts.deployments[i];

        if (other->target_id != on->target.id && other->verified_at == UTC_NEVER)
            return false;
    }
    return true;
}

/* The certificate was in service everywhere before, and is now under another chain. */
static int finish_chain(struct deployment *on, const char *report, struct error *err)
{
    static const enum notice_kind kinds[] = {NOTICE_ROLLED_BACK, NOTICE_FAILED, NOTICE_CHAIN_ENDS};
    struct life *life = on->life;
    const struct certificate_row *certificate = &on->hand->row;
    AUTO_FIELDS struct fields fields = {0};
    AUTO_CERT struct cert leaf = {0};
    char text[UTC_TEXT_MAX];
    int rc = cert_parse(blob_span(&on->renewal.leaf), &leaf, err);

    for (size_t i = 0; rc == 0 && i < COUNT_OF(kinds); i++)
        rc = notices_drop(life->inventory, certificate->id, notice_kind_text(kinds[i]),
                          deployment_now(on), err);
    if (rc == 0)
        rc = notice_begin(life, certificate, on->hand->policy, &fields, err);
    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, &leaf);
    fields_set(&fields, "reason", on->renewal.reason);
    fields_set(&fields, "report", report);
    fields_set(&fields, "proof",
               on->order.endpoint_count > 0
                   ? "and fresh connections were served with it"
                   : "but no endpoint is declared, so nobody looked whether it is served");
    fields_printf(&fields, "next", "The new chain is good until %s.",
                  utc_format_plain(on->renewal.chain_not_after, text));
    return notice_queue(life, certificate, on->hand->policy, on->renewal.id, NOTICE_RECHAINED,
                        "rechained", &fields, err);
}

/* The certificate is in service everywhere: what was said about the old one's end no longer counts.
 */
static int finish(struct deployment *on, const char *report, const struct cert *old,
                  struct error *err)
{
    struct life *life = on->life;
    const struct certificate_row *certificate = &on->hand->row;
    AUTO_FIELDS struct fields fields = {0};
    AUTO_CERT struct cert leaf = {0};
    char due[UTC_TEXT_MAX];
    int rc = life->world->parse_cert(life->world->self, blob_span(&on->renewal.leaf), &leaf, err);

    if (rc == 0)
        rc = notice_in_service(life, certificate->id, err);
    if (rc < 0)
        return rc;
    rc = notice_begin(life, certificate, on->hand->policy, &fields, err);
    if (rc < 0)
        return rc;
    notice_new_leaf(&fields, &leaf);
    if (old->serial[0] != '\0')
        notice_old_leaf(&fields, old);
    fields_set(&fields, "report", report);
    fields_set(&fields, "proof",
               on->order.endpoint_count > 0
                   ? "and fresh connections were served with it"
                   : "but no endpoint is declared, so nobody looked whether it is served");
    utc_format_plain(policy_due(on->hand->policy, leaf.not_before, leaf.not_after), due);
    fields_printf(&fields, "next", "The next renewal begins on %s; you get its CSR by mail then.",
                  due);
    return notice_queue(life, certificate, on->hand->policy, on->renewal.id, NOTICE_DEPLOYED,
                        "deployed", &fields, err);
}

/* The report's lines as one, for the trail. */
static char *one_line(const char *report)
{
    char *line = mem_strdup(report);
    size_t len = strlen(line);

    while (len > 0 && line[len - 1] == '\n')
        line[--len] = '\0';
    for (char *end = line; (end = strchr(end, '\n'));)
        *end = ';';
    return line;
}

static int record_verified(struct deployment *on, const char *report, struct error *err)
{
    struct life *life = on->life;
    AUTO_CERT struct cert old = {0};
    AUTO_FREE char *line = one_line(report);

    if (life_live_leaf(life, &on->hand->row, &old, NULL) < 0)
        old.serial[0] = '\0';
    on->row.verified_at = deployment_now(on);
    free(on->row.report);
    on->row.report = mem_strdup(report);
    int rc = life_begin(life, err);
    if (rc == 0)
        rc = deployments_update(life->inventory, &on->row, err);
    if (rc == 0)
        rc = life_event_change(
            life,
            &(struct life_change){on->hand->row.id, on->renewal.id, "verified",
                                  on->row.previous_sha256, on->renewal.leaf_sha256},
            "%s: %s%s", on->target.service,
            on->order.endpoint_count > 0 ? "fresh handshakes prove it: " : "", line);
    if (rc == 0 && is_last_target(on))
        rc = on->renewal.rechain_of != 0 ? finish_chain(on, report, err)
                                         : finish(on, report, &old, err);
    return life_end_planned(life, on->hand->row.id, rc, err);
}

/* The end of the road: nothing of the old pair stays beside the new one. What cannot be removed now
 * is tried again. */
static int tidy(struct deployment *on, struct error *err)
{
    struct error why = {0};

    if (on->life->world->clean(on->life->world->self, &on->order, &why) < 0) {
        on->row.failed_at = deployment_now(on);
        return deployment_record(on, "not-cleaned", why.text, err);
    }
    on->row.cleaned_at = deployment_now(on);
    int rc = life_begin(on->life, err);
    if (rc == 0)
        rc = deployments_update(on->life->inventory, &on->row, err);
    return life_end_planned(on->life, on->hand->row.id, rc, err);
}

static int forward(struct deployment *on, struct error *err)
{
    AUTO_BUF struct buf report;
    struct error why = {0};
    int rc = stage(on, &why, err);

    buf_init(&report, BUF_MAX_RECEIPT);
    if (rc == 0)
        rc = swap(on, &why, err);
    if (rc == 0)
        rc = reload(on, &why, err);
    if (rc == 0)
        rc = prove(on, &report, &why);
    if (why.code != 0) {
        free(on->row.report);
        on->row.report = report.len > 0 ? mem_strdup(buf_text(&report)) : NULL;
        return deployment_fail(on, &why, err);
    }
    if (rc == 0)
        rc = record_verified(on, buf_text(&report), err);
    return rc == 0 ? tidy(on, err) : rc;
}

int verb_deploy(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    __attribute__((cleanup(deployment_done))) struct deployment on = {0};
    int rc = load(life, hand, next->target_id, &on, err);

    if (rc < 0)
        return rc;
    LOG_CONTEXT("renewal=%" PRId64 " target=%" PRId64, on.renewal.id, on.target.id);
    /* Accepted since the plan was read, and not valid yet. */
    if (on.renewal.not_before > hand->now) {
        rc = life_begin(life, err);
        return life_end_planned(life, hand->row.id, rc, err);
    }
    struct error why = {0};
    rc = order_make(life, &on.target, &hand->row, hand->policy, &on.order, &on.endpoints, &why);
    if (rc < 0)
        return on.row.swap_begun_at == UTC_NEVER ? deployment_fail(&on, &why, err)
                                                 : deployment_stuck(&on, &why, err);
    if (on.row.verified_at != UTC_NEVER)
        return tidy(&on, err);
    rc = deployment_settle(&on, &why, err);
    if (rc < 0)
        return why.code != 0 ? deployment_stuck(&on, &why, err) : rc;
    return on.row.undo_begun_at != UTC_NEVER ? deployment_undo(&on, err) : forward(&on, err);
}
