#include "daemon/api/handler.h"

#include <stdio.h>

#include "daemon/api/body.h"
#include "daemon/api/json.h"

HANDLER(post_renewal)
{
    static const char *const keys[] = {"again", NULL};
    const struct api_context *context = call->context;
    char actor[ACTOR_MAX];
    bool again = false;
    int64_t id = 0;
    int rc = body_keys(call->body, "request", keys, err);

    if (rc == 0)
        rc = body_bool(call->body, "again", &again, err);
    if (rc != 0)
        return rc;
    rc = life_renew(context->life, call->name, again, body_actor(call, actor), &id, err);
    if (rc != 0 && rc != E_EXISTS)
        return rc;
    json_put_text(reply, "name", call->name);
    json_put_number(reply, "renewal", id);
    json_put_bool(reply, "existing", rc == E_EXISTS);
    if (rc == 0 && context->poke)
        context->poke(context->self);
    return 0;
}
