#include "daemon/api/handler.h"

#include "base/text.h"
#include "store/events.h"

#include "daemon/api/json.h"
#include "daemon/api/view.h"

enum { HISTORY_DEFAULT = 100, HISTORY_MAX = 10000 };

static int add(void *self, const struct event_row *row, struct error *err)
{
    json_t *item = json_object();

    (void)err;
    json_put_number(item, "id", row->id);
    json_put_time(item, "at", row->at);
    /* The id for now: the name is looked up when the walk is over. */
    json_put_number(item, "certificate", row->certificate_id);
    json_put(item, "renewal", row->renewal_id != 0 ? json_integer(row->renewal_id) : json_null());
    json_put_text(item, "actor", row->actor);
    json_put_text(item, "kind", row->kind);
    json_put_text(item, "text", row->text);
    json_append(self, item);
    return 0;
}

static int put_name(struct inventory *inventory, json_t *item, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    int64_t id = json_integer_value(json_object_get(item, "certificate"));

    if (id == 0) {
        json_put(item, "certificate", json_null());
        return 0;
    }
    int rc = certificates_get(inventory, id, &row, err);
    if (rc == 0)
        json_put_text(item, "certificate", row.name);
    return rc;
}

HANDLER(get_history)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    struct inventory *inventory = call->context->life->inventory;
    const char *limit_text = call->query(call, "limit");
    int64_t limit = HISTORY_DEFAULT;
    int rc = 0;

    if (limit_text && !text_number(limit_text, 1, HISTORY_MAX, &limit))
        return error_set(err, E_INPUT, "limit: wanted a number from 1 to %d, got \"%s\"",
                         HISTORY_MAX, limit_text);
    if (call->name)
        rc = view_find_row(call, &row, err);
    if (rc != 0)
        return rc;
    AUTO_JSON json_t *list = json_array();
    rc = events_each(inventory, row.id, (size_t)limit, add, list, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = put_name(inventory, json_array_get(list, i), err);
    if (rc == 0)
        json_put(reply, "events", json_incref(list));
    return rc;
}
