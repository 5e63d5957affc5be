/* The doctor over the API: asked by a POST, then read until it has ended. */
#include "daemon/api/handler.h"

#include <string.h>

#include "daemon/api/body.h"
#include "daemon/api/json.h"

static void add(void *self, const struct doctor_outcome *outcome)
{
    json_t *item = json_object(), *broken = json_array();

    for (size_t i = 0; i < outcome->told.count; i++)
        json_append_text(broken, "%s", outcome->told.items[i]);
    json_put_text(item, "check", outcome->check->name);
    json_put_text(item, "means", outcome->check->means);
    json_put_text(item, "result", doctor_result_text(outcome->result));
    json_put_number(item, "count", outcome->told.broken);
    json_put(item, "broken", broken);
    json_put_text(item, "remedy", outcome->check->remedy);
    json_append(self, item);
}

static bool is_well(const json_t *checks)
{
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *result = json_object_get(json_array_get(checks, i), "result");

        if (strcmp(json_string_value(result), doctor_result_text(DOCTOR_GOOD)) != 0)
            return false;
    }
    return json_array_size(checks) > 0;
}

HANDLER(get_doctor)
{
    AUTO_JSON json_t *checks = json_array();
    struct doctor_run run;

    (void)err;
    doctor_read(call->context->doctor, &run, add, checks);
    json_put_number(reply, "run", run.number);
    json_put_bool(reply, "running", run.running);
    json_put_bool(reply, "at_start", run.at_start);
    json_put_time(reply, "began_at", run.number != 0 ? run.began_at : UTC_NEVER);
    json_put_time(reply, "ended_at", run.number != 0 ? run.ended_at : UTC_NEVER);
    json_put_bool(reply, "well", !run.running && is_well(checks));
    json_put(reply, "checks", json_incref(checks));
    return 0;
}

HANDLER(post_doctor)
{
    static const char *const keys[] = {NULL};
    int rc = body_keys(call->body, "doctor", keys, err);

    if (rc != 0)
        return rc;
    json_put_number(reply, "run", doctor_ask(call->context->doctor, false, call->now));
    if (call->context->poke)
        call->context->poke(call->context->self);
    return 0;
}
