/* Private keys that are out of use: which those are, and their end. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* The others follow with the next turn, which comes at once. */
enum { ERASED_MAX = 64 };

/* There while what was erased may still stand in the log of the inventory. */
static const char log_key[] = "log-holds-erased-keys";

/* What is walked over while the keys of one certificate are looked at. */
struct old_walk {
    struct inventory *inventory;
    const struct accepted_times *accepted; /* id 0: none */
    int64_t certificate_id;
    struct key_use use;
    old_key_fn fn;
    void *self;
};

static bool is_key_of(const struct accepted_times *accepted, const struct key_row *row)
{
    return accepted->id != 0 && memcmp(accepted->spki_sha256, row->spki_sha256, SHA256_LEN) == 0;
}

static int look_at_key(void *self, const struct key_row *row, struct error *err)
{
    struct old_walk *walk = self;
    const struct key_facts key = {
        .order = row->renewal_id,
        .in_use = row->open || is_key_of(walk->accepted, row),
        .matched = row->accepted,
        .withdrawn = row->withdrawn,
        .superseded_at = row->superseded_at,
        .withdrawn_at = row->withdrawn_at,
    };
    int rc = 0;

    /* Mostly the one in use is the only one, and nobody need ask for this. */
    if (!key.in_use && walk->use.accepted && walk->use.order == 0)
        rc = renewals_first_by_spki(walk->inventory, walk->certificate_id,
                                    walk->accepted->spki_sha256, &walk->use.order, err);
    if (rc < 0)
        return rc;
    utc_t at = policy_key_retired_at(&key, &walk->use);
    return at == UTC_NEVER ? 0 : walk->fn(walk->self, row, at, err);
}

int old_keys_each(struct inventory *inventory, const struct certificate_facts *facts,
                  const struct accepted_times *accepted, int64_t certificate_id, old_key_fn fn,
                  void *self, struct error *err)
{
    struct old_walk walk = {.inventory = inventory,
                            .accepted = accepted,
                            .certificate_id = certificate_id,
                            .use = {.retired_at = facts->retired_at,
                                    .not_after = facts->not_after,
                                    .accepted = facts->accepted,
                                    .in_service_at = facts->in_service_at},
                            .fn = fn,
                            .self = self};

    return keys_each(inventory, certificate_id, look_at_key, &walk, err);
}

char *erased_key_says(const struct renewal_row *renewal)
{
    char at[UTC_TEXT_MAX];

    if (renewal->key.sealed.len > 0)
        return NULL;
    if (renewal->key_erased_at != UTC_NEVER)
        return mem_printf("its key was out of use and was erased on %s (keep-retired-keys), so it "
                          "cannot be installed: run \"unlapse renew\" and order with the new CSR",
                          utc_format_plain(renewal->key_erased_at, at));
    if (renewal->accepted_at != UTC_NEVER)
        return mem_strdup("its key was never readable here, so it cannot be installed: run "
                          "\"unlapse renew\" and order with the new CSR");
    return NULL;
}

/* Those whose time has come. */
struct due_keys {
    const struct hand *hand;
    struct {
        struct key_row row;
        utc_t retired_at;
    } items[ERASED_MAX];
    size_t count;
};

static int collect(void *self, const struct key_row *row, utc_t retired_at, struct error *err)
{
    struct due_keys *due = self;

    (void)err;
    if (due->count < ERASED_MAX &&
        policy_key_erase_at(due->hand->policy, retired_at) <= due->hand->now) {
        due->items[due->count].row = *row;
        due->items[due->count++].retired_at = retired_at;
    }
    return 0;
}

static int erase(struct life *life, const struct hand *hand, const struct key_row *row,
                 utc_t retired_at, struct error *err)
{
    char hex[2 * SHA256_LEN + 1], at[UTC_TEXT_MAX], keep[SECONDS_TEXT_MAX];
    int rc = keys_erase(life->inventory, hand->row.id, row->spki_sha256, hand->now,
                        "its key was out of use and was erased", err);

    if (rc < 0)
        return rc;
    return life_event(life, hand->row.id, row->renewal_id, "key-erased",
                      "the private key of renewal %" PRId64
                      " (public key SHA-256 %s), out of use since %s, kept for %s after that",
                      row->renewal_id, text_hex(row->spki_sha256, SHA256_LEN, hex),
                      utc_format(retired_at, at),
                      seconds_format(hand->policy->keep_retired_keys, keep));
}

/* By the facts as they are in the open transaction, not as they were when the plan was made. */
static int erase_due(struct life *life, int64_t certificate_id, struct error *err)
{
    AUTO_HAND struct hand hand = {0};
    struct accepted_times accepted = {0};
    struct due_keys due = {.hand = &hand};
    int rc = hand_take(life, certificate_id, &hand, err);

    if (rc < 0)
        return rc;
    rc = renewals_accepted_times(life->inventory, certificate_id, &accepted, err);
    if (rc == 0 || rc == E_NOT_FOUND)
        rc = old_keys_each(life->inventory, &hand.facts, &accepted, certificate_id, collect, &due,
                           err);
    for (size_t i = 0; rc == 0 && i < due.count; i++)
        rc = erase(life, &hand, &due.items[i].row, due.items[i].retired_at, err);
    if (rc == 0 && due.count > 0)
        rc = inventory_value_set(life->inventory, log_key, span_text("yes"), err);
    return rc;
}

/* What was overwritten still stands in the log of the inventory until that goes round. Another
 * handle at work keeps it from being emptied now: then later. */
static int empty_log(struct life *life, struct error *err)
{
    struct error why = {0};

    if (inventory_empty_log(life->inventory, &why) < 0) {
        log_debug("log-not-emptied", "%s", why.text);
        return 0;
    }
    int rc = life_begin(life, err);
    if (rc == 0)
        rc = inventory_value_remove(life->inventory, log_key, err);
    return life_end(life, rc, err);
}

int life_rest(struct life *life, struct error *err)
{
    AUTO_BLOB struct blob erased = {0};
    struct error none = {0};
    int rc = inventory_value_get(life->inventory, log_key, &erased, &none);

    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", none.text);
    if (rc == 0)
        rc = empty_log(life, err);
    return rc < 0 && rc != E_NOT_FOUND ? rc : life_seal_step(life, err);
}

int verb_erase_keys(struct life *life, struct hand *hand, const struct next *next,
                    struct error *err)
{
    (void)next;
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = erase_due(life, hand->row.id, err);
    return life_end_planned(life, hand->row.id, rc, err);
}
