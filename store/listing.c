#include "store/listing.h"

#include <string.h>

#include "store/statement.h"

enum { EXAMINED_MAX = 20000 };

void listing_place_done(struct listing_place *place)
{
    free(place->name);
    *place = (struct listing_place){0};
}

#define SELECT "SELECT id, name, policy, state, ends_at FROM certificates WHERE "

/* By the index that leaves the fewest rows; the rest of the conditions is looked at row by row. */
static int open_by_end(struct inventory *inventory, const struct listing *listing,
                       struct statement *ret, struct error *err)
{
    const struct listing_place *after = &listing->after;
    int rc = statement_open(inventory,
                            SELECT "ends_at IS NOT NULL AND ends_at <= ?"
                                   " AND (ends_at, name) > (?, ?) ORDER BY ends_at, name",
                            ret, err);

    if (rc < 0)
        return rc;
    statement_bind_int(ret, listing->ends_by);
    statement_bind_int(ret, after->name ? after->ends_at : INT64_MIN);
    statement_bind_text(ret, after->name ? after->name : "");
    return 0;
}

/* What stands before the first special character. */
static size_t prefix_len(const struct listing *listing)
{
    return listing->match ? strcspn(listing->match, "*?[") : 0;
}

static int open_by_name(struct inventory *inventory, const struct listing *listing,
                        const char *from, struct statement *ret, struct error *err)
{
    int rc;

    if (listing->state)
        rc = statement_open(inventory, SELECT "state = ? AND name >= ? ORDER BY name", ret, err);
    else if (listing->policy)
        rc = statement_open(inventory, SELECT "policy = ? AND name >= ? ORDER BY name", ret, err);
    else
        rc = statement_open(inventory, SELECT "name >= ? ORDER BY name", ret, err);
    if (rc < 0)
        return rc;
    if (listing->state || listing->policy)
        statement_bind_text(ret, listing->state ? listing->state : listing->policy);
    statement_bind_text(ret, from);
    return 0;
}

struct walk {
    const struct listing *listing;
    struct statement statement;
    size_t prefix;
    int64_t *ids;
    size_t count;
    struct listing_place last; /* examined */
    bool more;
};

static bool is_wanted(const struct walk *walk, const char *name, const char *policy,
                      const char *state)
{
    const struct listing *listing = walk->listing;

    return (!listing->state || strcmp(listing->state, state) == 0) &&
           (!listing->policy || strcmp(listing->policy, policy) == 0) &&
           (!listing->match || sqlite3_strglob(listing->match, name) == 0);
}

/* False when nothing further can fit. */
static bool examine(struct walk *walk)
{
    const struct listing *listing = walk->listing;
    const struct listing_place *after = &listing->after;
    bool by_name = listing->ends_by == UTC_NEVER;
    int64_t id = statement_read_int(&walk->statement);
    AUTO_FREE char *name = statement_read_text(&walk->statement);
    AUTO_FREE char *policy = statement_read_text(&walk->statement);
    AUTO_FREE char *state = statement_read_text(&walk->statement);

    if (by_name && walk->prefix > 0 && strncmp(name, listing->match, walk->prefix) > 0)
        return false;
    /* The place itself was on the page before. */
    bool again = by_name && after->name && strcmp(name, after->name) == 0;
    if (!again && is_wanted(walk, name, policy, state))
        walk->ids[walk->count++] = id;
    free(walk->last.name);
    walk->last.name = TAKE(name);
    walk->last.ends_at = statement_read_utc(&walk->statement);
    return true;
}

static int collect(struct walk *walk, struct error *err)
{
    for (size_t examined = 0;; examined++) {
        bool row = false;
        int rc = statement_step(&walk->statement, &row, err);

        if (rc < 0 || !row)
            return rc;
        if (walk->count == walk->listing->limit || examined == EXAMINED_MAX) {
            walk->more = true;
            return 0;
        }
        if (!examine(walk))
            return 0;
    }
}

/* The first name that can be on the page; owned by the caller. */
static char *first_name(const struct listing *listing)
{
    const char *after = listing->after.name ? listing->after.name : "";
    AUTO_FREE char *prefix =
        mem_printf("%.*s", (int)prefix_len(listing), listing->match ? listing->match : "");

    return strcmp(prefix, after) > 0 ? TAKE(prefix) : mem_strdup(after);
}

int listing_page(struct inventory *inventory, const struct listing *listing, certificate_fn fn,
                 void *self, struct listing_place *ret_next, struct error *err)
{
    AUTO_FREE int64_t *ids = mem_alloc(listing->limit, sizeof *ids);
    AUTO_FREE char *from = first_name(listing);
    struct walk walk = {.listing = listing, .ids = ids, .prefix = prefix_len(listing)};
    int rc = listing->ends_by == UTC_NEVER
                 ? open_by_name(inventory, listing, from, &walk.statement, err)
                 : open_by_end(inventory, listing, &walk.statement, err);

    if (rc == 0)
        rc = collect(&walk, err);
    statement_done(&walk.statement);
    for (size_t i = 0; rc == 0 && i < walk.count; i++) {
        AUTO_CERTIFICATE struct certificate_row row = {0};

        rc = certificates_get_any(inventory, ids[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    if (rc == 0 && walk.more)
        *ret_next = (struct listing_place){walk.last.ends_at, TAKE(walk.last.name)};
    listing_place_done(&walk.last);
    return rc;
}

int certificates_count_states(struct inventory *inventory, state_count_fn fn, void *self,
                              struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = true;
    int rc = statement_open(inventory, "SELECT state, count(*) FROM certificates GROUP BY state",
                            &statement, err);

    while (rc == 0 && (rc = statement_step(&statement, &row, err)) == 0 && row) {
        AUTO_FREE char *state = statement_read_text(&statement);
        fn(self, state, statement_read_int(&statement));
    }
    return rc;
}
