/* Whose a public key is: of all renewals that have it, the one that a leaf for it answers. */
#include "daemon/life/leaf.h"

#include <inttypes.h>
#include <string.h>

#include "store/events.h"

enum { EVENTS_LOOKED_AT = 1000 };

void match_done(struct match *match)
{
    certificate_row_done(&match->certificate);
    renewal_row_done(&match->renewal);
    renewal_row_done(&match->open);
    renewal_row_done(&match->accepted);
    *match = (struct match){0};
}

/* The newest renewal of each kind that has the key. */
enum candidate { SAME, ACCEPTED, OPEN, SUPERSEDED, WITHDRAWN, RETIRED, CANDIDATES };

struct search {
    struct life *life;
    const uint8_t *leaf_sha256;
    int64_t found[CANDIDATES];
    int64_t certificate_id; /* that was looked up last */
    bool retired;
    size_t waiting;
};

static int is_retired(struct search *search, int64_t certificate_id, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};

    if (certificate_id == search->certificate_id)
        return 0;
    int rc = certificates_get(search->life->inventory, certificate_id, &row, err);
    if (rc == 0) {
        search->certificate_id = certificate_id;
        search->retired = row.retired_at != UTC_NEVER;
    }
    return rc;
}

/* Set aside for good: superseded, then looked at again and refused. */
static bool is_done_with(const struct renewal_row *row)
{
    return row->superseded_at != UTC_NEVER && row->rejected_at != UTC_NEVER;
}

static enum candidate kind_of(const struct search *search, const struct renewal_row *row)
{
    if (search->retired)
        return RETIRED;
    if (row->withdrawn_at != UTC_NEVER)
        return WITHDRAWN;
    if (search->leaf_sha256 && row->received_at != UTC_NEVER &&
        memcmp(row->leaf_sha256, search->leaf_sha256, SHA256_LEN) == 0 &&
        (row->accepted_at != UTC_NEVER || !is_done_with(row)))
        return SAME;
    if (row->accepted_at != UTC_NEVER)
        return ACCEPTED;
    return row->superseded_at == UTC_NEVER ? OPEN : SUPERSEDED;
}

static int look_at_renewal(void *self, const struct renewal_row *row, struct error *err)
{
    struct search *search = self;
    int rc = is_retired(search, row->certificate_id, err);

    if (rc < 0)
        return rc;
    enum candidate kind = kind_of(search, row);
    if (search->found[kind] == 0)
        search->found[kind] = row->id;
    if (kind != RETIRED && row->received_at != UTC_NEVER && row->accepted_at == UTC_NEVER &&
        row->withdrawn_at == UTC_NEVER && !is_done_with(row))
        search->waiting++;
    return 0;
}

static bool same_key(const struct renewal_row *a, const struct renewal_row *b)
{
    return memcmp(a->key.spki_sha256, b->key.spki_sha256, SHA256_LEN) == 0;
}

static enum key_state state_of(const struct match *match)
{
    const struct renewal_row *row = &match->renewal;

    if (match->certificate.retired_at != UTC_NEVER)
        return KEY_RETIRED;
    if (row->accepted_at != UTC_NEVER)
        return match->accepted.id == 0 || same_key(row, &match->accepted) ? KEY_LIVE : KEY_REPLACED;
    if (row->withdrawn_at != UTC_NEVER)
        return KEY_WITHDRAWN;
    return row->superseded_at == UTC_NEVER ? KEY_OPEN : KEY_SUPERSEDED;
}

/* What else there is of the certificate; none of it need be there. */
static int load_rest(struct inventory *inventory, struct match *match, struct error *err)
{
    const struct renewal_row *row = &match->renewal;
    int rc = certificates_get(inventory, row->certificate_id, &match->certificate, err);

    if (rc == 0)
        rc = renewals_first_by_spki(inventory, row->certificate_id, row->key.spki_sha256,
                                    &match->order, err);
    if (rc < 0)
        return rc;
    rc = renewals_open(inventory, row->certificate_id, &match->open, err);
    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    rc = renewals_accepted(inventory, row->certificate_id, &match->accepted, err);
    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = renewals_first_by_spki(inventory, row->certificate_id, match->accepted.key.spki_sha256,
                                    &match->accepted_order, err);
    return rc;
}

int match_renewal(struct life *life, int64_t renewal_id, struct match *ret, struct error *err)
{
    AUTO_MATCH struct match match = {0};
    int rc = renewals_get(life->inventory, renewal_id, &match.renewal, err);

    if (rc == 0)
        rc = load_rest(life->inventory, &match, err);
    if (rc < 0)
        return rc;
    match.state = state_of(&match);
    *ret = match;
    match = (struct match){0};
    return 0;
}

int match_find(struct life *life, const uint8_t spki_sha256[SHA256_LEN], const uint8_t *leaf_sha256,
               struct match *ret, struct error *err)
{
    struct search search = {.life = life, .leaf_sha256 = leaf_sha256};
    int rc = renewals_by_spki(life->inventory, spki_sha256, look_at_renewal, &search, err);
    size_t kind = 0;

    if (rc < 0)
        return rc;
    while (kind < CANDIDATES && search.found[kind] == 0)
        kind++;
    if (kind == CANDIDATES)
        return 0;
    rc = match_renewal(life, search.found[kind], ret, err);
    if (rc == 0) {
        ret->same = kind == SAME;
        ret->waiting = search.waiting;
    }
    return rc;
}

char *match_request_name(const struct renewal_row *row)
{
    char at[UTC_TEXT_MAX];

    if (row->csr.len > 0)
        return mem_printf(
            "the CSR of %s",
            utc_format_plain(row->requested_at != UTC_NEVER ? row->requested_at : row->created_at,
                             at));
    return mem_printf("the key of %s (%s)", utc_format_plain(row->created_at, at), row->reason);
}

static void say_superseded(const struct match *match, const char *request, struct buf *ret)
{
    char at[UTC_TEXT_MAX], then[UTC_TEXT_MAX];
    const struct renewal_row *row = &match->renewal;

    buf_printf(ret, "It belongs to %s for the certificate %s, superseded on %s by ", request,
               match->certificate.name, utc_format_plain(row->superseded_at, at));
    if (match->open.id > row->id)
        buf_printf(ret, "the newer request of %s%s%s",
                   utc_format_plain(match->open.created_at, then),
                   match->open.asked_by ? ", asked for by " : "",
                   match->open.asked_by ? match->open.asked_by : "");
    else if (match->accepted.id != 0)
        buf_printf(ret, "the certificate that was accepted on %s",
                   utc_format_plain(match->accepted.accepted_at, then));
    else
        buf_add_text(ret, "a newer request");
}

static void say_live(const struct match *match, const struct cert *leaf, struct buf *ret)
{
    char at[UTC_TEXT_MAX], end[UTC_TEXT_MAX];
    utc_t accepted = match->accepted.not_after;
    const char *how = leaf->not_after > accepted   ? "later than"
                      : leaf->not_after < accepted ? "earlier than"
                                                   : "with";

    buf_printf(ret,
               "Its key is that of the certificate %s accepted on %s: this is a reissue, which "
               "ends %s that one (%s)",
               match->certificate.name, utc_format_plain(match->accepted.accepted_at, at), how,
               utc_format_plain(accepted, end));
}

void match_says(const struct match *match, const struct cert *leaf, struct buf *ret)
{
    AUTO_FREE char *request = match_request_name(&match->renewal);
    char at[UTC_TEXT_MAX];

    switch (match->state) {
    case KEY_UNKNOWN:
        buf_add_text(ret, "Its key belongs to no request made here");
        break;
    case KEY_OPEN:
        buf_printf(ret, "It answers %s for the certificate %s", request, match->certificate.name);
        break;
    case KEY_SUPERSEDED:
        say_superseded(match, request, ret);
        break;
    case KEY_WITHDRAWN:
        buf_printf(ret, "It belongs to %s for the certificate %s, withdrawn on %s", request,
                   match->certificate.name, utc_format_plain(match->renewal.withdrawn_at, at));
        break;
    case KEY_LIVE:
        say_live(match, leaf, ret);
        break;
    case KEY_REPLACED:
        buf_printf(ret,
                   "It belongs to %s for the certificate %s, whose place one with a newer key "
                   "took on %s",
                   request, match->certificate.name,
                   utc_format_plain(match->accepted.accepted_at, at));
        break;
    case KEY_RETIRED:
        buf_printf(ret, "It belongs to %s for the certificate %s, which was retired on %s", request,
                   match->certificate.name, utc_format_plain(match->certificate.retired_at, at));
        break;
    }
}

struct withdrawal {
    int64_t renewal_id;
    char *actor;
};

static int look_at_event(void *self, const struct event_row *row, struct error *err)
{
    struct withdrawal *on = self;

    (void)err;
    if (row->renewal_id == on->renewal_id && strcmp(row->kind, "withdrawn") == 0) {
        free(on->actor);
        on->actor = mem_strdup(row->actor);
    }
    return 0;
}

char *match_withdrawn_by(struct life *life, const struct renewal_row *row)
{
    struct withdrawal on = {row->id, NULL};

    events_each(life->inventory, row->certificate_id, EVENTS_LOOKED_AT, look_at_event, &on, NULL);
    return on.actor ? on.actor : mem_strdup("");
}
