/*
 * An intermediate that nobody brought is asked for where the certificate below it says that it is
 * published (caIssuers, RFC 5280 4.2.2.1), when the policy wants that. What comes is a hint like
 * any file of the drop folder: it joins the pool, and trust comes from the anchors alone.
 */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/authorities.h"
#include "store/fetches.h"

/* Of a chain: links that are asked upward, certificates kept of one answer, URLs asked in all. */
enum { HOPS_MAX = 4, KEPT_MAX = 16, ASKED_MAX = 8, PAUSE_SECONDS = 10 };

/* One way up. */
struct way {
    const struct fetch_ask *ask;
    struct buf *said;
    struct cert leaf;
    char *from; /* the last URL that brought something new */
    size_t asked;
};

static void way_done(struct way *way)
{
    cert_done(&way->leaf);
    free(way->from);
}

static void say(struct way *way, const char *url, const char *text)
{
    buf_printf(way->said, "%s%s: %s", way->said->len > 0 ? "\n" : "", url, text);
}

/* Counted before it is asked, so that a crash in between counts, too. */
static int may_ask(struct way *way, const char *url, bool *ret, struct error *err)
{
    struct life *life = way->ask->life;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = fetches_count(life->inventory, url, life->world->now(life->world->self), PAUSE_SECONDS,
                           ret, err);
    return life_end(life, rc, err);
}

/* What came, as hints. Part of the open transaction. */
static int keep(struct way *way, const char *url, const struct delivery_objects *objects,
                size_t *ret_new, struct error *err)
{
    struct life *life = way->ask->life;
    size_t kept = 0;

    for (size_t i = 0; i < objects->count && kept < KEPT_MAX; i++) {
        const struct object *object = &objects->items[i];
        char at[UTC_TEXT_MAX];
        bool is_new = false;

        if (object->kind != OBJECT_CERTIFICATE || !object->cert.is_ca)
            continue;
        kept++;
        int rc = authority_keep(life, blob_span(&object->der), &object->cert, &is_new, err);
        if (rc == 0 && is_new)
            rc = life_event(life, way->ask->certificate->id, way->ask->renewal_id, "fetched",
                            "\"%s\", valid until %s, from %s", object->cert.subject,
                            utc_format(object->cert.not_after, at), url);
        if (rc < 0)
            return rc;
        *ret_new += is_new;
    }
    AUTO_FREE char *text =
        kept == 0 ? mem_printf("no authority's certificate came, but %s", objects->summary)
                  : mem_printf("%zu of authorities came, %zu new", kept, *ret_new);
    say(way, url, text);
    return 0;
}

/* Nobody can use what cannot be asked or read: told, not returned. */
static int record_failure(struct way *way, const char *url, const struct error *why,
                          struct error *err)
{
    struct life *life = way->ask->life;
    int rc = life_begin(life, err);

    say(way, url, why->text);
    if (rc == 0)
        rc = life_event(life, way->ask->certificate->id, way->ask->renewal_id, "not-fetched",
                        "%s: %s", url, why->text);
    return life_end(life, rc, err);
}

static int ask_url(struct way *way, const char *url, size_t *ret_new, struct error *err)
{
    struct life *life = way->ask->life;
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_BLOB struct blob body = {0};
    struct error why = {0};
    bool may = false;
    int rc = way->asked < ASKED_MAX ? may_ask(way, url, &may, err) : 0;

    if (rc < 0)
        return rc;
    if (!may) {
        say(way, url, "asked often enough lately");
        return 0;
    }
    way->asked++;
    if (life->world->fetch(life->world->self, url, &body, &why) < 0 ||
        life->world->read_delivery(life->world->self, blob_span(&body), &objects, &why) < 0)
        return record_failure(way, url, &why, err);
    rc = life_begin(life, err);
    if (rc == 0)
        rc = keep(way, url, &objects, ret_new, err);
    rc = life_end(life, rc, err);
    if (rc == 0 && *ret_new > 0) {
        free(way->from);
        way->from = mem_strdup(url);
    }
    return rc;
}

/* The URLs of one certificate, until one of them brings something new. */
static int ask_link(struct way *way, struct span link, size_t *ret_new, struct error *err)
{
    const struct world *world = way->ask->life->world;
    AUTO_CERT struct cert cert = {0};
    int rc = world->parse_cert(world->self, link, &cert, err);

    if (rc < 0)
        return rc;
    if (cert.issuer_urls.count == 0)
        say(way, cert.subject, "names no web address of its issuer's certificate");
    for (size_t i = 0; rc == 0 && *ret_new == 0 && i < cert.issuer_urls.count; i++)
        rc = ask_url(way, cert.issuer_urls.items[i].text, ret_new, err);
    return rc;
}

static int climb(struct way *way, struct error *err)
{
    const struct fetch_ask *ask = way->ask;
    size_t new = 1;
    int rc = 0;

    for (int hop = 0; rc == 0 && new > 0 && hop < HOPS_MAX; hop++) {
        AUTO_BLOB struct blob gap = {0};
        struct error why = {0};

        new = 0;
        if (hop == 0 && ask->link.len > 0)
            gap = blob_copy(ask->link);
        else
            rc = gap_for(ask->life, ask->policy, &way->leaf, ask->leaf, ask->at, &gap, &why);
        if (rc == E_NOT_FOUND)
            return 0;
        if (rc < 0)
            return error_set(err, rc, "%s", why.text);
        rc = ask_link(way, blob_span(&gap), &new, err);
    }
    return rc;
}

int fetch_issuers(const struct fetch_ask *ask, char **ret_from, struct buf *said, struct error *err)
{
    const struct world *world = ask->life->world;
    __attribute__((cleanup(way_done))) struct way way = {.ask = ask, .said = said};
    int rc = world->parse_cert(world->self, ask->leaf, &way.leaf, err);

    if (rc == 0)
        rc = climb(&way, err);
    if (rc == 0)
        *ret_from = TAKE(way.from);
    return rc;
}

/* The certificate's leaves that wait for their chain. */
struct waiting {
    int64_t ids[16];
    size_t count;
};

static int note_waiting(void *self, const struct renewal_row *row, struct error *err)
{
    struct waiting *waiting = self;

    (void)err;
    if (row->received_at != UTC_NEVER && row->accepted_at == UTC_NEVER &&
        row->superseded_at == UTC_NEVER && row->withdrawn_at == UTC_NEVER &&
        waiting->count < COUNT_OF(waiting->ids))
        waiting->ids[waiting->count++] = row->id;
    return 0;
}

/* The try, on the renewal and, the first time, on the receipt of who brought the leaf. */
static int record_try(struct life *life, const struct hand *hand, int64_t id, const char *said,
                      struct error *err)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};
    int rc = life_begin_renewal(life, id, &renewal, err);
    AUTO_FREE char *text = mem_printf("the authority was asked for what is missing:\n   %s", said);

    renewal.fetched_at = hand->now;
    renewal.fetches++;
    if (rc == 0)
        rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0 && renewal.fetches == 1)
        rc = receipts_add(life, id, text, err);
    return life_end_planned(life, hand->row.id, rc, err);
}

static int fetch_for(struct life *life, struct hand *hand, int64_t id, char **ret_from,
                     struct error *err)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};
    AUTO_BUF struct buf said;
    int rc = renewals_get(life->inventory, id, &renewal, err);
    const struct fetch_ask ask = {
        .life = life,
        .certificate = &hand->row,
        .policy = hand->policy,
        .renewal_id = id,
        .leaf = blob_span(&renewal.leaf),
        .at = hand->now,
    };

    buf_init(&said, BUF_MAX_RECEIPT);
    if (rc == 0)
        rc = fetch_issuers(&ask, ret_from, &said, err);
    if (rc < 0)
        return rc;
    if (said.len == 0)
        buf_add_text(&said, "nothing is missing any more");
    return record_try(life, hand, id, buf_text(&said), err);
}

int verb_fetch(struct life *life, struct hand *hand, const struct next *next, struct error *err)
{
    (void)next;
    struct waiting waiting = {0};
    AUTO_BUF struct buf unused;
    AUTO_FREE char *from = NULL;
    int rc = renewals_by_certificate(life->inventory, hand->row.id, note_waiting, &waiting, err);

    buf_init(&unused, BUF_MAX_RECEIPT);
    for (size_t i = 0; rc == 0 && i < waiting.count; i++) {
        AUTO_FREE char *one = NULL;

        LOG_CONTEXT("renewal=%" PRId64, waiting.ids[i]);
        rc = fetch_for(life, hand, waiting.ids[i], &one, err);
        if (one) {
            free(from);
            from = TAKE(one);
        }
    }
    if (rc == 0)
        rc = life_begin(life, err);
    if (rc < 0)
        return rc;
    /* What is new may help everybody. When nothing is, a try that a crash broke off may have
     * brought it, and everybody else who waits for it looks by himself. */
    if (from)
        rc = chains_complete(life, from, &unused, err);
    for (size_t i = 0; rc == 0 && !from && i < waiting.count; i++)
        rc = chain_complete(life, waiting.ids[i], "what was here already", &unused, err);
    return life_end_planned(life, hand->row.id, rc, err);
}
