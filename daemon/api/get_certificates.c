#include "daemon/api/handler.h"

#include "base/text.h"

#include "daemon/api/json.h"
#include "daemon/api/view.h"

enum { PAGE_MAX = 1000 };

struct page {
    const struct api_call *call;
    json_t *list;
    size_t limit;
    bool more;
};

static int add(void *self, const struct certificate_row *row, struct error *err)
{
    struct page *page = self;
    struct view view;

    /* One row is asked for beyond the page: it tells whether another follows. */
    if (json_array_size(page->list) == page->limit) {
        page->more = true;
        return 0;
    }
    struct error why = {0};
    int rc = view_init(page->call, row, &view, &why);
    if (rc != 0 && rc != E_CORRUPT)
        return error_set(err, rc, "%s", why.text);
    json_t *item = json_object();
    if (rc == E_CORRUPT)
        view_put_damaged(item, row, why.text);
    else
        view_put_head(item, &view);
    json_append(page->list, item);
    return 0;
}

HANDLER(get_certificates)
{
    const char *after = call->query(call, "after");
    const char *limit_text = call->query(call, "limit");
    int64_t limit = PAGE_MAX;

    if (limit_text && !text_number(limit_text, 1, PAGE_MAX, &limit))
        return error_set(err, E_INPUT, "limit: wanted a number from 1 to %d, got \"%s\"", PAGE_MAX,
                         limit_text);
    AUTO_JSON json_t *list = json_array();
    struct page page = {.call = call, .list = list, .limit = (size_t)limit};
    int rc = certificates_each(call->context->life->inventory, after ? after : "", page.limit + 1,
                               add, &page, err);
    if (rc != 0)
        return rc;
    const json_t *last = page.more ? json_array_get(list, page.limit - 1) : NULL;
    json_put_text(reply, "more_after",
                  last ? json_string_value(json_object_get(last, "name")) : NULL);
    json_put(reply, "certificates", json_incref(list));
    return 0;
}
