#include "daemon/api/handler.h"

#include <string.h>

#include "base/text.h"

#include "daemon/api/json.h"

/* Whose key it is, while the renewals that have it are walked over. */
struct key_walk {
    struct inventory *inventory;
    json_t *list;
};

static const char *answer_of(const struct renewal_row *row)
{
    if (row->accepted_at != UTC_NEVER)
        return "accepted";
    if (row->withdrawn_at != UTC_NEVER)
        return "withdrawn";
    if (row->superseded_at != UTC_NEVER)
        return "superseded";
    return row->received_at != UTC_NEVER ? "waiting chain" : "open";
}

static int add(void *self, const struct renewal_row *row, struct error *err)
{
    struct key_walk *walk = self;
    AUTO_CERTIFICATE struct certificate_row certificate = {0};
    int rc = certificates_get(walk->inventory, row->certificate_id, &certificate, err);

    if (rc < 0)
        return rc;
    json_t *item = json_object();
    json_put_text(item, "certificate", certificate.name);
    json_put_bool(item, "retired", certificate.retired_at != UTC_NEVER);
    json_put_number(item, "renewal", row->id);
    json_put_text(item, "request", answer_of(row));
    json_put_time(item, "requested_at", row->requested_at);
    json_put_time(item, "accepted_at", row->accepted_at);
    json_put_hash(item, "sha256", row->leaf_sha256);
    json_append(walk->list, item);
    return 0;
}

HANDLER(get_key)
{
    struct key_walk walk = {call->context->life->inventory, json_array()};
    uint8_t spki[SHA256_LEN];

    json_put(reply, "renewals", walk.list);
    if (!text_unhex(call->name, spki, sizeof spki))
        return error_set(err, E_INPUT, "keys: wanted the SHA-256 of a public key, got \"%s\"",
                         call->name);
    return renewals_by_spki(walk.inventory, spki, add, &walk, err);
}
