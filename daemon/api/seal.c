/* The sealing key: which one is in force, and a new one. */
#include "daemon/api/handler.h"

#include <string.h>

#include "base/text.h"

#include "daemon/api/body.h"
#include "daemon/api/json.h"

enum { ID_TEXT_MAX = 2 * SEALING_ID_LEN + 1 };

static void put_ids(json_t *object, const char *key, const struct sealing_ids *ids, size_t from)
{
    json_t *list = json_array();
    char hex[ID_TEXT_MAX];

    for (size_t i = from; i < ids->count; i++)
        json_append(list, json_text_of(text_hex(ids->items[i], SEALING_ID_LEN, hex)));
    json_put(object, key, list);
}

static int put_state(const struct api_call *call, json_t *reply, struct error *err)
{
    __attribute__((cleanup(seal_state_done))) struct seal_state state = {0};
    char hex[ID_TEXT_MAX];
    int rc = life_seal_state(call->context->life, &state, err);

    if (rc != 0)
        return rc;
    json_put_text(reply, "file", call->context->config->sealing_key);
    json_put_text(reply, "key", text_hex(state.ids.items[0], SEALING_ID_LEN, hex));
    put_ids(reply, "older", &state.ids, 1);
    put_ids(reply, "missing", &state.missing, 0);
    json_put_number(reply, "left", state.left);
    json_t *rotation = state.rotating ? json_object() : json_null();
    if (state.rotating) {
        json_put_text(rotation, "by", state.by);
        json_put_time(rotation, "began_at", state.began_at);
        json_put_number(rotation, "done", state.done);
    }
    json_put(reply, "rotation", rotation);
    return 0;
}

HANDLER(get_seal)
{
    return put_state(call, reply, err);
}

HANDLER(post_seal_rotation)
{
    static const char *const keys[] = {NULL};
    const struct api_context *context = call->context;
    char actor[ACTOR_MAX];
    bool existing = false;
    int rc = body_keys(call->body, "request", keys, err);

    if (rc == 0)
        rc = life_seal_rotate(context->life, body_actor(call, actor), &existing, err);
    if (rc == 0)
        rc = put_state(call, reply, err);
    if (rc != 0)
        return rc;
    json_put_bool(reply, "existing", existing);
    if (!existing && context->poke)
        context->poke(context->self);
    return 0;
}
