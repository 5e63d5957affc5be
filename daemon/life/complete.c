/* Leaves that wait for their chain: each delivery of an authority's certificate, and each new
 * configuration, may complete them. */
#include "daemon/life/leaf.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "store/authorities.h"

/* A leaf that waited, and everything it is judged with again. */
struct waiting_leaf {
    struct life *life;
    struct match match;
    struct cert leaf;
    utc_t now;
};

static void waiting_leaf_done(struct waiting_leaf *on)
{
    match_done(&on->match);
    cert_done(&on->leaf);
}

struct receipt_line {
    struct life *life;
    const char *text;
};

static int add_line(void *self, const struct delivery_row *row, struct error *err)
{
    struct receipt_line *line = self;

    /* Nobody reads more, and strangers could make it grow for ever. */
    if (strlen(row->receipt) >= BUF_MAX_RECEIPT)
        return 0;
    AUTO_FREE char *receipt = mem_printf("%s\n%s\n", row->receipt, line->text);

    return deliveries_set_receipt(line->life->inventory, row->id, receipt, err);
}

/* The person who dropped the leaf alone looks at its receipt again: it tells how the story goes on.
 */
int receipts_add(struct life *life, int64_t renewal_id, const char *text, struct error *err)
{
    char at[UTC_TEXT_MAX];
    AUTO_FREE char *full =
        mem_printf("%s, %s.", utc_format_plain(life->world->now(life->world->self), at), text);
    struct receipt_line line = {life, full};

    return deliveries_by_renewal(life->inventory, renewal_id, add_line, &line, err);
}

static int add_to_receipts(const struct waiting_leaf *on, const char *file, const char *what,
                           struct error *err)
{
    AUTO_FREE char *text = mem_printf("with %s: %s", file, what);

    return receipts_add(on->life, on->match.renewal.id, text, err);
}

/* The gates once more, since time has passed and another certificate may be in service, then the
 * chain. E_REFUSED and E_NO_CHAIN, with the reason in `why`; err is only the inventory's. */
static int judge_again(const struct waiting_leaf *on, struct chain *ret, struct error *why,
                       struct error *err)
{
    const struct policy *policy = life_policy(on->life, &on->match.certificate);
    AUTO_BUF struct buf refusals;
    AUTO_BUF struct buf warnings;

    buf_init(&refusals, BUF_MAX_RECEIPT);
    buf_init(&warnings, BUF_MAX_RECEIPT);
    int rc = leaf_gates(on->life, &on->match, &on->leaf, false, &refusals, &warnings, err);
    if (rc < 0)
        return rc;
    if (refusals.len > 0)
        return error_set(why, E_REFUSED, "%s", buf_text(&refusals));
    return chain_for(on->life, policy, &on->leaf, blob_span(&on->match.renewal.leaf), on->now, ret,
                     why);
}

/* One whose request was superseded meanwhile is set aside for good: nobody waits for it. Its
 * receipt says so. */
static int set_aside(struct waiting_leaf *on, const char *why, const char *file, struct error *err)
{
    struct renewal_row *renewal = &on->match.renewal;
    AUTO_FREE char *text = mem_printf("not taken: %s", why);

    renewal->rejected_at = on->now;
    free(renewal->rejected_reason);
    renewal->rejected_reason = mem_strdup(why);
    int rc = renewals_update(on->life->inventory, renewal, err);
    if (rc == 0)
        rc = life_event_change(on->life,
                               &(struct life_change){on->match.certificate.id, renewal->id,
                                                     "set-aside", NULL, on->leaf.sha256},
                               "%s: %s", file, why);
    return rc == 0 ? add_to_receipts(on, file, text, err) : rc;
}

/*
 * Nothing is missing and still it is not accepted: an untrusted root, an expired link. It goes on
 * waiting, since another intermediate or a new anchor may yet help, but people hear the reason at
 * once. Of a request that another certificate has answered nobody wants to hear.
 */
static int tell_refused(struct waiting_leaf *on, const char *why, const char *file,
                        struct buf *receipt, struct error *err)
{
    struct renewal_row *renewal = &on->match.renewal;

    if (renewal->superseded_at != UTC_NEVER)
        return set_aside(on, why, file, err);
    buf_printf(receipt, "The certificate %s is still not accepted: %s.\n",
               on->match.certificate.name, why);
    if (renewal->rejected_reason && strcmp(renewal->rejected_reason, why) == 0)
        return 0;
    renewal->rejected_at = on->now;
    free(renewal->rejected_reason);
    renewal->rejected_reason = mem_strdup(why);
    renewal->chain_told_at = on->now;
    int rc = renewals_update(on->life->inventory, renewal, err);
    if (rc == 0)
        rc = chain_tell(on->life, &on->match.certificate, renewal, &on->leaf, why, err);
    AUTO_FREE char *text = mem_printf("not accepted yet: %s", why);
    if (rc == 0)
        rc = add_to_receipts(on, file, text, err);
    return rc == 0 ? life_plan(on->life, on->match.certificate.id, err) : rc;
}

static int complete(struct waiting_leaf *on, const struct chain *chain, const char *file,
                    struct buf *receipt, struct error *err)
{
    buf_printf(receipt, "This completed the certificate %s: it is accepted.\n",
               on->match.certificate.name);
    int rc = renewal_accept(on->life, &on->match.renewal, &on->leaf, chain, file, receipt, err);
    return rc < 0 ? rc : add_to_receipts(on, file, "its chain is complete, accepted", err);
}

static bool is_waiting(const struct renewal_row *row)
{
    return row->received_at != UTC_NEVER && row->accepted_at == UTC_NEVER &&
           row->withdrawn_at == UTC_NEVER;
}

int chain_complete(struct life *life, int64_t renewal_id, const char *file, struct buf *receipt,
                   struct error *err)
{
    __attribute__((cleanup(waiting_leaf_done))) struct waiting_leaf on = {
        .life = life, .now = life->world->now(life->world->self)};
    AUTO_CHAIN struct chain chain = {0};
    int rc = match_renewal(life, renewal_id, &on.match, err);

    if (rc < 0 || on.match.state == KEY_RETIRED || !is_waiting(&on.match.renewal))
        return rc;
    rc = life->world->parse_cert(life->world->self, blob_span(&on.match.renewal.leaf), &on.leaf,
                                 err);
    /* One that cannot be read any more keeps no other one waiting; its own verb fails of it. */
    if (rc < 0 && code_retry(rc) != RETRY_TRANSIENT) {
        log_warn("not-completed", "%s: %s", on.match.certificate.name, err->text);
        return 0;
    }
    if (rc < 0)
        return rc;
    LOG_CONTEXT("certificate=%s", on.match.certificate.name);
    struct error why = {0};
    rc = judge_again(&on, &chain, &why, err);
    if (rc == E_REFUSED && why.code != 0)
        return tell_refused(&on, why.text, file, receipt, err);
    /* Too early for a verdict: what brought the news comes again. */
    if (why.code != 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    /* Still not complete: people hear of it when chain-wait is over. */
    if (why.code != 0)
        return 0;
    return rc < 0 ? rc : complete(&on, &chain, file, receipt, err);
}

/* What completes them, while they are walked over. */
struct completion {
    struct life *life;
    const char *file;
    struct buf *receipt;
};

/* One that fails keeps no other one waiting, nor what brought the news. */
static int complete_row(void *self, const struct renewal_row *row, struct error *err)
{
    struct completion *by = self;
    AUTO_BUF struct buf lines;
    int rc = life_part_begin(by->life, err);

    if (rc < 0)
        return rc;
    LOG_CONTEXT("renewal=%" PRId64, row->id);
    buf_init(&lines, BUF_MAX_RECEIPT);
    int completed = chain_complete(by->life, row->id, by->file, &lines, err);
    rc = life_part_end(by->life, completed, err);
    if (rc == 0 && completed < 0)
        log_warn("not-completed", "%s", err->text);
    else if (rc == 0)
        buf_add_text(by->receipt, buf_text(&lines));
    return rc;
}

/* What the last look knew: the newest authority of the pool, and when that was. */
enum { LOOK_AGAIN_AFTER = 600 };
static const char looked_key[] = "chains-looked-at";

struct looked {
    int64_t newest;
    utc_t at;
};

static int note_look(struct life *life, struct error *err)
{
    struct looked looked = {.at = life->world->now(life->world->self)};
    int rc = authorities_newest(life->inventory, &looked.newest, err);

    return rc < 0 ? rc
                  : inventory_value_set(life->inventory, looked_key,
                                        span_of(&looked, sizeof looked), err);
}

/* Copies of what is known come as often as strangers like, and each look walks over all that wait.
 * What joined the pool without one (a fetch that was broken off) counts as new, and a person who
 * brings a copy on purpose is not left waiting either: the clock may have been wrong. */
static int is_due(struct life *life, bool *ret, struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    struct looked looked = {0};
    int64_t newest = 0;
    struct error none = {0};
    utc_t now = life->world->now(life->world->self);
    int rc = authorities_newest(life->inventory, &newest, err);

    if (rc < 0)
        return rc;
    rc = inventory_value_get(life->inventory, looked_key, &value, &none);
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", none.text);
    if (value.len == sizeof looked)
        memcpy(&looked, value.data, sizeof looked);
    *ret = newest > looked.newest || now < looked.at || now - looked.at >= LOOK_AGAIN_AFTER;
    return 0;
}

int chains_complete_when_new(struct life *life, const char *file, struct buf *receipt,
                             struct error *err)
{
    bool due = false;
    int rc = is_due(life, &due, err);

    return rc < 0 || !due ? rc : chains_complete(life, file, receipt, err);
}

int chains_complete(struct life *life, const char *file, struct buf *receipt, struct error *err)
{
    struct completion by = {life, file, receipt};
    size_t again = 0;
    int rc = note_look(life, err);

    if (rc == 0)
        rc = renewals_waiting_chain(life->inventory, complete_row, &by, err);
    if (rc == 0)
        rc = look_again_for_chain(life, file, receipt, err);
    if (rc == 0)
        rc = chains_look_again(life, &again, err);
    if (again > 0)
        buf_printf(receipt,
                   "Chains that end before their certificates: %zu are looked at again because of "
                   "this.\n",
                   again);
    return rc;
}
