/* Old events leave the audit trail: proven once more, signed off with the sealing key, removed. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* At once, so that nobody waits long for the inventory; and how much younger than allowed the
 * oldest may get: each pruning is an event itself, and one a day is enough. */
enum { PIECE = 1000, DAY = 86400 };

static int look_at_time(void *self, const struct event_row *row, struct error *err)
{
    (void)err;
    *(utc_t *)self = row->at;
    return 0;
}

/* The event that tells of it is the trail's own, and is chained like any other. */
static int record(struct life *life, const struct trail_ends *before, const struct trail_mark *mark,
                  utc_t now, const uint8_t mac[SHA256_LEN], struct error *err)
{
    char hex[2 * SHA256_LEN + 1], keep[SECONDS_TEXT_MAX];
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = trail_prune(life->inventory, mark, now, ACTOR_DAEMON, mac, err);
    if (rc == 0)
        rc = life_event(life, 0, 0, "pruned",
                        "events %" PRId64 " to %" PRId64
                        ", older than %s, are gone, as audit: keep has it; the hash of the last "
                        "one was %s",
                        before->pruned.id + 1, mark->id, seconds_format(life->keep_events, keep),
                        text_hex(mark->hash, SHA256_LEN, hex));
    return life_end(life, rc, err);
}

static int prune(struct life *life, utc_t now, struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    struct trail_mark mark = {0};
    uint8_t mac[SHA256_LEN];
    int rc = trail_ends(life->inventory, &ends, err);

    if (rc == 0)
        rc = trail_oldest(life->inventory, utc_add(now, -life->keep_events), PIECE, &mark, err);
    if (rc < 0)
        return rc;
    AUTO_BLOB struct blob text = trail_pruned_text(&mark, now, ACTOR_DAEMON);
    rc = life->world->sign_off(life->world->self, blob_span(&text), mac, err);
    return rc < 0 ? rc : record(life, &ends, &mark, now, mac, err);
}

int life_prune(struct life *life, utc_t *ret_at, struct error *err)
{
    utc_t oldest = UTC_NEVER, now = life->world->now(life->world->self);

    *ret_at = UTC_NEVER;
    if (life->keep_events == 0)
        return E_NOT_FOUND;
    int rc = events_after(life->inventory, 0, INT64_MAX, 1, look_at_time, &oldest, err);
    if (rc < 0)
        return rc;
    utc_t due = utc_add(utc_add(oldest, life->keep_events), DAY);
    *ret_at = due;
    if (due > now)
        return E_NOT_FOUND;
    struct error why = {0};
    rc = prune(life, now, &why);
    if (rc == E_CORRUPT) {
        log_error("trail-broken", "%s; nothing is pruned; see: unlapse audit verify", why.text);
        *ret_at = utc_add(now, DAY);
        return E_NOT_FOUND;
    }
    return rc < 0 ? error_set(err, rc, "%s", why.text) : 0;
}

static struct blob text_of(const struct trail_ends *ends)
{
    return trail_pruned_text(&ends->pruned, ends->pruned_at,
                             ends->pruned_by ? ends->pruned_by : "");
}

int life_trail_signed(struct life *life, const struct trail_ends *ends, bool *ret,
                      struct error *err)
{
    if (ends->pruned.id == 0) {
        *ret = true;
        return 0;
    }
    AUTO_BLOB struct blob text = text_of(ends);
    return life->world->signed_off(life->world->self, blob_span(&text), ends->pruned_mac, ret, err);
}

static int write_signature(struct life *life, const struct trail_ends *ends,
                           const uint8_t mac[SHA256_LEN], struct error *err)
{
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = trail_sign_again(life->inventory, &ends->pruned, mac, err);
    if (rc == 0)
        rc = life_event(life, 0, 0, "signed-again",
                        "that the events up to %" PRId64
                        " are gone is signed off with the sealing key that is in force now",
                        ends->pruned.id);
    return life_end(life, rc, err);
}

static int sign_again(struct life *life, struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    uint8_t mac[SHA256_LEN];
    bool good = false;
    int rc = trail_ends(life->inventory, &ends, err);

    if (rc < 0 || ends.pruned.id == 0)
        return rc;
    AUTO_BLOB struct blob text = text_of(&ends);
    rc = life->world->sign_off(life->world->self, blob_span(&text), mac, err);
    if (rc < 0 || memcmp(mac, ends.pruned_mac, SHA256_LEN) == 0)
        return rc;
    rc = life_trail_signed(life, &ends, &good, err);
    if (rc == 0 && !good)
        rc = error_set(err, E_CORRUPT,
                       "the events up to %" PRId64
                       " are gone, and that was not signed off with this sealing key",
                       ends.pruned.id);
    return rc == 0 ? write_signature(life, &ends, mac, err) : rc;
}

void life_trail_sign_again(struct life *life)
{
    struct error why = {0};

    if (sign_again(life, &why) < 0)
        log_error("trail-not-signed", "audit trail: %s; see: unlapse audit verify", why.text);
}

void life_happened(struct life *life, const char *kind, const char *text)
{
    struct error why = {0};

    /* one that is damaged cannot even be opened */
    if (!life->inventory)
        return;
    int rc = life_begin(life, &why);
    if (rc == 0)
        rc = life_event(life, 0, 0, kind, "%s", text);
    if (life_end(life, rc, &why) < 0)
        log_error("event-lost", "%s: %s", kind, why.text);
}
