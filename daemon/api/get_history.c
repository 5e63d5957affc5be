#include "daemon/api/handler.h"

#include "base/text.h"

#include "daemon/api/event.h"
#include "daemon/api/json.h"
#include "daemon/api/view.h"

enum { HISTORY_DEFAULT = 100, HISTORY_MAX = 10000 };

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
    rc = events_each(inventory, row.id, (size_t)limit, event_append, list, err);
    if (rc == 0)
        json_put(reply, "events", json_incref(list));
    return rc;
}
