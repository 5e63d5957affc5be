#include "daemon/api/handler.h"

#include "store/notices.h"

#include "daemon/api/json.h"
#include "daemon/api/why.h"

enum { TOLD_MAX = 50 };

static int add_told(void *self, const struct notice_row *row, struct error *err)
{
    json_t *told = self, *item = json_object();

    (void)err;
    json_put_text(item, "kind", row->kind);
    json_put_text(item, "stage", row->stage);
    json_put_text(item, "recipient", row->recipient);
    json_put(item, "renewal", row->renewal_id != 0 ? json_integer(row->renewal_id) : json_null());
    json_put_time(item, "created_at", row->created_at);
    json_put_time(item, "sent_at", row->sent_at);
    json_put_time(item, "bad_at", row->bad_at);
    json_put_time(item, "dropped_at", row->dropped_at);
    bool waits =
        row->sent_at == UTC_NEVER && row->bad_at == UTC_NEVER && row->dropped_at == UTC_NEVER;
    json_put_time(item, "next_try_at", waits ? row->next_try_at : UTC_NEVER);
    json_put_number(item, "attempts", row->attempts);
    json_put_text(item, "last_error", row->last_error);
    /* Years of notices: only the newest are of use at night. */
    if (json_array_size(told) == TOLD_MAX)
        json_array_remove(told, 0);
    json_append(told, item);
    return 0;
}

HANDLER(get_explain)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_JSON json_t *why = json_array();
    AUTO_JSON json_t *errors = json_array();
    AUTO_JSON json_t *told = json_array();
    struct view view;
    int rc = view_find_row(call, &row, err);

    if (rc == 0)
        rc = view_init(call, &row, &view, err);
    if (rc == 0)
        rc = why_append(call, &view, why, errors, err);
    if (rc == 0)
        rc = notices_by_certificate(call->context->life->inventory, row.id, add_told, told, err);
    if (rc != 0)
        return rc;
    view_put_head(reply, &view);
    json_put_time(reply, "now", call->now);
    json_put(reply, "why", json_incref(why));
    json_put(reply, "errors", json_incref(errors));
    json_put(reply, "told", json_incref(told));
    return 0;
}
