#include "daemon/api/handler.h"

#include "base/text.h"

#include "daemon/api/event.h"
#include "daemon/api/json.h"

/* One is written in a few milliseconds: whoever reads all of it leaves room for others. */
enum { PAGE_MAX = 250 };

/* Which events are asked for: ids above `after`, up to `last`. */
struct range {
    int64_t after, last;
    int64_t limit;
};

static int read_number(const struct api_call *call, const char *key, int64_t least, int64_t most,
                       int64_t *ret, struct error *err)
{
    const char *text = call->query(call, key);

    if (text && !text_number(text, least, most, ret))
        return error_set(err, E_INPUT, "%s: wanted a number from %lld to %lld, got \"%s\"", key,
                         (long long)least, (long long)most, text);
    return 0;
}

/* *ret_id is untouched when it is not asked for. */
static int read_time(const struct api_call *call, const char *key, int64_t *ret_id,
                     struct error *err)
{
    const char *text = call->query(call, key);
    utc_t at;

    if (!text)
        return 0;
    if (!utc_parse(text, &at))
        return error_set(err, E_INPUT, "%s: wanted a time such as 2026-11-22T16:57:14Z, got \"%s\"",
                         key, text);
    return events_since(call->context->life->inventory, at, ret_id, err);
}

static int read_range(const struct api_call *call, const struct trail_ends *ends,
                      struct range *range, struct error *err)
{
    int64_t since = 1, until = ends->head.id + 1, newest = INT64_MAX;
    int rc = read_number(call, "after", 0, INT64_MAX - 1, &range->after, err);

    if (rc == 0)
        rc = read_number(call, "limit", 1, PAGE_MAX, &range->limit, err);
    if (rc == 0)
        rc = read_number(call, "newest", 1, INT64_MAX, &newest, err);
    if (rc == 0)
        rc = read_time(call, "since", &since, err);
    if (rc == 0)
        rc = read_time(call, "until", &until, err);
    range->last = until - 1;
    if (range->after < since - 1)
        range->after = since - 1;
    if (range->after < ends->pruned.id)
        range->after = ends->pruned.id;
    if (range->after < range->last - newest)
        range->after = range->last - newest;
    return rc;
}

HANDLER(get_audit)
{
    struct inventory *inventory = call->context->life->inventory;
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    struct range range = {.limit = PAGE_MAX};
    AUTO_JSON json_t *list = json_array();
    int rc = trail_ends(inventory, &ends, err);

    if (rc == 0)
        rc = read_range(call, &ends, &range, err);
    if (rc == 0)
        rc = events_after(inventory, range.after, range.last, (size_t)range.limit, event_append,
                          list, err);
    if (rc != 0)
        return rc;
    size_t count = json_array_size(list);
    int64_t after = range.after;
    if (count > 0)
        after = json_integer_value(json_object_get(json_array_get(list, count - 1), "id"));
    json_put(reply, "head", trail_mark_json(&ends.head));
    json_put(reply, "pruned", trail_pruned_json(&ends));
    json_put_number(reply, "after", after);
    json_put_bool(reply, "more", after < range.last);
    json_put(reply, "events", json_incref(list));
    return 0;
}
