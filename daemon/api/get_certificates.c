#include "daemon/api/handler.h"

#include <string.h>

#include "base/text.h"
#include "store/listing.h"

#include "daemon/api/json.h"
#include "daemon/api/view.h"

enum { PAGE_MAX = 1000 };

struct page {
    const struct api_call *call;
    const struct listing *listing;
    json_t *list;
};

/* The index may have been overtaken by time: what is shown is looked at again. */
static int add(void *self, const struct certificate_row *row, struct error *err)
{
    struct page *page = self;
    struct view view;
    struct error why = {0};
    int rc = view_init(page->call, row, &view, &why);

    if (rc != 0 && rc != E_CORRUPT)
        return error_set(err, rc, "%s", why.text);
    if (page->listing->state &&
        strcmp(page->listing->state, rc == E_CORRUPT ? LIFE_UNREADABLE : state_text(view.state)) !=
            0)
        return 0;
    json_t *item = json_object();
    if (rc == E_CORRUPT)
        view_put_damaged(item, row, why.text);
    else
        view_put_head(item, &view);
    json_append(page->list, item);
    return 0;
}

static int read_state(const char *text, struct error *err)
{
#define X(name, word, says)      \
    if (strcmp(text, word) == 0) \
        return 0;
    STATE_TABLE(X)
#undef X
    if (strcmp(text, LIFE_UNREADABLE) == 0)
        return 0;
    return error_set(err, E_INPUT,
                     "state: wanted one such as \"ok\" or \"handed over\", got \"%s\"", text);
}

static int read_expiring(const char *text, utc_t now, utc_t *ret, struct error *err)
{
    seconds_t length;

    if (!seconds_parse(text, &length))
        return error_set(err, E_INPUT, "expiring: wanted a time like 12h, 30d or 2w, got \"%s\"",
                         text);
    *ret = utc_add(now, length);
    return 0;
}

/* Where the last page ended: a name, or with `expiring` the end and the name. Owned by the caller.
 */
static char *place_text(const struct listing *listing, const struct listing_place *place)
{
    char at[UTC_TEXT_MAX];

    if (listing->ends_by == UTC_NEVER)
        return mem_strdup(place->name);
    return mem_printf("%s/%s", utc_format(place->ends_at, at), place->name);
}

static int read_place(const char *text, const struct listing *listing, struct listing_place *ret,
                      struct error *err)
{
    const char *slash = strchr(text, '/');

    if (listing->ends_by == UTC_NEVER) {
        ret->name = mem_strdup(text);
        return 0;
    }
    AUTO_FREE char *at = mem_printf("%.*s", slash ? (int)(slash - text) : 0, text);
    if (!slash || !utc_parse(at, &ret->ends_at))
        return error_set(err, E_INPUT, "after: wanted what more_after said, got \"%s\"", text);
    ret->name = mem_strdup(slash + 1);
    return 0;
}

static int read_listing(const struct api_call *call, struct listing *ret, struct error *err)
{
    const char *after = call->query(call, "after");
    const char *limit_text = call->query(call, "limit");
    const char *expiring = call->query(call, "expiring");
    int64_t limit = PAGE_MAX;
    int rc = 0;

    if (limit_text && !text_number(limit_text, 1, PAGE_MAX, &limit))
        return error_set(err, E_INPUT, "limit: wanted a number from 1 to %d, got \"%s\"", PAGE_MAX,
                         limit_text);
    *ret = (struct listing){.state = call->query(call, "state"),
                            .policy = call->query(call, "policy"),
                            .match = call->query(call, "match"),
                            .ends_by = UTC_NEVER,
                            .limit = (size_t)limit};
    if (ret->state)
        rc = read_state(ret->state, err);
    if (rc == 0 && expiring)
        rc = read_expiring(expiring, call->now, &ret->ends_by, err);
    if (rc == 0 && after)
        rc = read_place(after, ret, &ret->after, err);
    return rc;
}

HANDLER(get_certificates)
{
    AUTO_JSON json_t *list = json_array();
    AUTO_PLACE struct listing_place next = {0};
    struct listing listing;
    struct page page = {.call = call, .listing = &listing, .list = list};
    int rc = read_listing(call, &listing, err);

    if (rc != 0)
        return rc;
    rc = listing_page(call->context->life->inventory, &listing, add, &page, &next, err);
    listing_place_done(&listing.after);
    if (rc != 0)
        return rc;
    AUTO_FREE char *more = next.name ? place_text(&listing, &next) : NULL;
    json_put_text(reply, "more_after", more);
    json_put(reply, "certificates", json_incref(list));
    return 0;
}
