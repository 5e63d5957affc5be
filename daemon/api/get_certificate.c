#include "daemon/api/handler.h"

#include "store/deployments.h"

#include "daemon/api/json.h"
#include "daemon/api/view.h"

static void put_renewal(json_t *reply, const struct renewal_row *row)
{
    json_t *open = json_object();

    json_put_number(open, "renewal", row->id);
    json_put_text(open, "reason", row->reason);
    json_put_names(open, "names", &row->names);
    json_put_time(open, "created_at", row->created_at);
    json_put_time(open, "requested_at", row->requested_at);
    json_put_time(open, "handed_over_at", row->handed_over_at);
    json_put_time(open, "received_at", row->received_at);
    json_put_hash(open, "received_sha256", row->leaf_sha256);
    json_put_time(open, "rejected_at", row->rejected_at);
    json_put_text(open, "rejected_reason", row->rejected_reason);
    json_put_time(open, "chain_told_at", row->chain_told_at);
    json_put_time(open, "reminded_at", row->reminded_at);
    json_put_time(open, "failed_at", row->failed_at);
    json_put_number(open, "failures", row->failures);
    json_put_text(open, "failed_reason", row->failed_reason);
    json_put(reply, "open", open);
}

static int put_open(const struct api_call *call, int64_t id, json_t *reply, struct error *err)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    int rc = renewals_open(call->context->life->inventory, id, &row, err);

    if (rc == E_NOT_FOUND) {
        json_put(reply, "open", json_null());
        return 0;
    }
    if (rc == 0)
        put_renewal(reply, &row);
    return rc;
}

static int put_accepted(const struct api_call *call, int64_t id, json_t *reply, struct error *err)
{
    struct inventory *inventory = call->context->life->inventory;
    AUTO_RENEWAL struct renewal_row row = {0};
    AUTO_BLOBS struct blobs chain = {0};
    AUTO_CERT struct cert cert = {0};
    int rc = renewals_accepted(inventory, id, &row, err);

    if (rc == E_NOT_FOUND) {
        json_put(reply, "accepted", json_null());
        return 0;
    }
    if (rc == 0)
        rc = cert_parse(blob_span(&row.leaf), &cert, err);
    if (rc == 0)
        rc = renewals_chain(inventory, row.id, &chain, err);
    if (rc != 0)
        return rc;
    json_t *accepted = json_object();
    json_put_number(accepted, "renewal", row.id);
    json_put_text(accepted, "reason", row.reason);
    json_put_time(accepted, "accepted_at", row.accepted_at);
    json_put_text(accepted, "subject", cert.subject);
    json_put_text(accepted, "issuer", cert.issuer);
    json_put_text(accepted, "serial", cert.serial);
    json_put_hash(accepted, "sha256", cert.sha256);
    json_put_text(accepted, "key", cert.key_text);
    json_put_text(accepted, "signature", cert.signature_text);
    json_put_names(accepted, "names", &cert.names);
    json_put_time(accepted, "not_before", cert.not_before);
    json_put_time(accepted, "not_after", cert.not_after);
    json_put_time(accepted, "chain_not_after", row.chain_not_after);
    json_put_number(accepted, "intermediates", (int64_t)chain.count);
    json_put_bool(accepted, "key_here", row.key.sealed.len > 0);
    json_put(reply, "accepted", accepted);
    return 0;
}

static json_t *deployment_of(const struct deployment_row *row)
{
    json_t *deployment = json_object();

    json_put_number(deployment, "renewal", row->renewal_id);
    json_put_time(deployment, "scheduled_at", row->scheduled_at);
    json_put_time(deployment, "staged_at", row->staged_at);
    json_put_time(deployment, "swap_begun_at", row->swap_begun_at);
    json_put_time(deployment, "swapped_at", row->swapped_at);
    json_put_time(deployment, "reloaded_at", row->reloaded_at);
    json_put_time(deployment, "verified_at", row->verified_at);
    json_put_time(deployment, "cleaned_at", row->cleaned_at);
    json_put_time(deployment, "undo_begun_at", row->undo_begun_at);
    json_put_time(deployment, "failed_at", row->failed_at);
    json_put_number(deployment, "failures", row->failures);
    json_put_text(deployment, "reason", row->reason);
    json_put_text(deployment, "report", row->report);
    json_put_hash(deployment, "previous_sha256", row->previous_sha256);
    return deployment;
}

static json_t *target_of(const struct target_row *row)
{
    json_t *target = json_object(), *files = json_object(), *endpoints = json_array();

    json_put_number(target, "id", row->id);
    json_put_text(target, "service", row->service);
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        if (row->files[i])
            json_put_text(files, bundle_part_text((enum bundle_part)i), row->files[i]);
    json_put(target, "files", files);
    for (size_t i = 0; i < row->endpoint_count; i++) {
        json_t *endpoint = json_object();

        json_put_text(endpoint, "host", row->endpoints[i].host);
        json_put_number(endpoint, "port", row->endpoints[i].port);
        json_put_text(endpoint, "server_name", row->endpoints[i].server_name);
        json_append(endpoints, endpoint);
    }
    json_put(target, "endpoints", endpoints);
    json_put_time(target, "added_at", row->added_at);
    return target;
}

static int add_target(void *self, const struct target_row *row, struct error *err)
{
    (void)err;
    json_append(self, target_of(row));
    return 0;
}

/* How far the accepted renewal has come on a target, and what was verified there last. */
static int put_deployment(struct inventory *inventory, json_t *target, int64_t renewal_id,
                          struct error *err)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    int64_t target_id = json_integer_value(json_object_get(target, "id")), verified = 0;
    int rc = renewal_id == 0 ? E_NOT_FOUND
                             : deployments_find(inventory, renewal_id, target_id, &row, err);

    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    json_put(target, "deployment", rc == 0 ? deployment_of(&row) : json_null());
    rc = deployments_last_verified(inventory, target_id, &verified, err);
    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    json_put(target, "verified_renewal", rc == 0 ? json_integer(verified) : json_null());
    return 0;
}

static int put_targets(const struct api_call *call, int64_t id, json_t *reply, struct error *err)
{
    struct inventory *inventory = call->context->life->inventory;
    AUTO_JSON json_t *targets = json_array();
    const json_t *accepted = json_object_get(reply, "accepted");
    int64_t renewal_id = json_integer_value(json_object_get(accepted, "renewal"));
    int rc = targets_each(inventory, id, add_target, targets, err);

    for (size_t i = 0; rc == 0 && i < json_array_size(targets); i++)
        rc = put_deployment(inventory, json_array_get(targets, i), renewal_id, err);
    if (rc == 0)
        json_put(reply, "targets", json_incref(targets));
    return rc;
}

HANDLER(get_certificate)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    struct view view;
    int rc = view_find_row(call, &row, err);

    if (rc == 0)
        rc = view_init(call, &row, &view, err);
    if (rc != 0)
        return rc;
    view_put_head(reply, &view);
    json_put_time(reply, "not_before",
                  view.facts.live_not_after == UTC_NEVER ? UTC_NEVER : view.facts.live_not_before);
    json_put_time(reply, "due_at", policy_renewal_due(&view.facts, view.policy));
    json_put_time(reply, "added_at", row.added_at);
    json_put_time(reply, "retired_at", row.retired_at);
    rc = put_accepted(call, row.id, reply, err);
    if (rc == 0)
        rc = put_open(call, row.id, reply, err);
    if (rc == 0)
        rc = put_targets(call, row.id, reply, err);
    return rc;
}
