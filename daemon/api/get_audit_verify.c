/* One page of the proof that the audit trail is whole: the asker carries the mark from page to
 * page, so that nothing is kept here and nobody waits for the whole of it. */
#include "daemon/api/handler.h"

#include <string.h>

#include "base/text.h"

#include "daemon/api/event.h"
#include "daemon/api/json.h"

enum { PAGE_MAX = 1000 };

static int read_mark(const struct api_call *call, struct trail_mark *ret, struct error *err)
{
    const char *after = call->query(call, "after"), *hash = call->query(call, "hash");

    if (!after && !hash)
        return 0;
    if (!after || !text_number(after, 0, INT64_MAX - 1, &ret->id))
        return error_set(err, E_INPUT, "after: wanted the id of an event, got \"%s\"",
                         after ? after : "");
    if (!hash || !text_unhex(hash, ret->hash, SHA256_LEN))
        return error_set(err, E_INPUT, "hash: wanted that of the event, 64 digits, got \"%s\"",
                         hash ? hash : "");
    return 0;
}

/* What begins after pruned events stands on their signature. */
static int check_signature(struct life *life, const struct trail_ends *ends,
                           struct trail_proof *proof, struct error *err)
{
    bool is_signed = false;

    if (proof->from.id > ends->pruned.id)
        return 0;
    int rc = life_trail_signed(life, ends, &is_signed, err);
    if (rc == 0 && !is_signed) {
        proof->broken_id = ends->pruned.id;
        proof->to = (struct trail_mark){0};
        proof->more = false;
        snprintf(proof->wrong, sizeof proof->wrong,
                 "it and all before are gone, and that was not signed off with this sealing key");
    }
    return rc;
}

static json_t *broken_json(const struct trail_proof *proof)
{
    if (proof->broken_id == 0)
        return json_null();
    json_t *object = json_object();
    json_put_number(object, "id", proof->broken_id);
    json_put_text(object, "text", proof->wrong);
    return object;
}

HANDLER(get_audit_verify)
{
    struct life *life = call->context->life;
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    const char *limit_text = call->query(call, "limit");
    struct trail_mark after = {0};
    struct trail_proof proof = {0};
    int64_t limit = PAGE_MAX;

    if (limit_text && !text_number(limit_text, 1, PAGE_MAX, &limit))
        return error_set(err, E_INPUT, "limit: wanted a number from 1 to %d, got \"%s\"", PAGE_MAX,
                         limit_text);
    int rc = read_mark(call, &after, err);
    if (rc == 0)
        rc = trail_prove(life->inventory, &after, limit, &proof, err);
    if (rc == 0)
        rc = trail_ends(life->inventory, &ends, err);
    if (rc == 0)
        rc = check_signature(life, &ends, &proof, err);
    if (rc != 0)
        return rc;
    json_put(reply, "from", trail_mark_json(&proof.from));
    json_put(reply, "to", trail_mark_json(&proof.to));
    json_put_bool(reply, "more", proof.more);
    json_put(reply, "broken", broken_json(&proof));
    json_put(reply, "pruned", trail_pruned_json(&ends));
    return 0;
}
