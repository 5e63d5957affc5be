#include "daemon/api/handler.h"

#include "base/text.h"
#include "store/authorities.h"

#include "daemon/api/json.h"

enum { PAGE_MAX = 1000 };

struct page {
    json_t *list;
    size_t limit;
    bool more;
    int64_t last;
};

static int add(void *self, const struct authority_row *row, struct error *err)
{
    struct page *page = self;
    json_t *item;

    (void)err;
    /* One row is asked for beyond the page: it tells whether another follows. */
    if (json_array_size(page->list) == page->limit) {
        page->more = true;
        return 0;
    }
    item = json_object();
    page->last = row->id;
    json_put_text(item, "subject", row->subject);
    json_put_hash(item, "sha256", row->sha256);
    json_put_time(item, "not_before", row->not_before);
    json_put_time(item, "not_after", row->not_after);
    json_put_time(item, "seen_at", row->seen_at);
    json_put_bool(item, "anchored", row->anchored_at != UTC_NEVER);
    json_put_time(item, "anchored_at", row->anchored_at);
    json_put_hash(item, "anchor_sha256", row->anchor_sha256);
    json_put_time(item, "used_at", row->used_at);
    json_append(page->list, item);
    return 0;
}

HANDLER(get_authorities)
{
    const char *after_text = call->query(call, "after");
    const char *limit_text = call->query(call, "limit");
    int64_t limit = PAGE_MAX, after = 0, count = 0;

    if (limit_text && !text_number(limit_text, 1, PAGE_MAX, &limit))
        return error_set(err, E_INPUT, "limit: wanted a number from 1 to %d, got \"%s\"", PAGE_MAX,
                         limit_text);
    if (after_text && !text_number(after_text, 0, INT64_MAX, &after))
        return error_set(err, E_INPUT,
                         "after: wanted the number of a reply's more_after, got \"%s\"",
                         after_text);
    AUTO_JSON json_t *list = json_array();
    struct page page = {.list = list, .limit = (size_t)limit};
    struct inventory *inventory = call->context->life->inventory;
    int rc = authorities_each(inventory, after, page.limit + 1, add, &page, err);
    if (rc == 0)
        rc = authorities_count(inventory, &count, err);
    if (rc != 0)
        return rc;
    json_put_number(reply, "count", count);
    json_put(reply, "more_after", page.more ? json_integer(page.last) : json_null());
    json_put(reply, "authorities", json_incref(list));
    return 0;
}
