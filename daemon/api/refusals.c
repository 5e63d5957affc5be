#include "daemon/api/refusals.h"

#include "base/log.h"
#include "base/text.h"
#include "store/events.h"

#include "daemon/api/body.h"

enum { HOUR = 3600, TEXT_MAX = 400 };

/* Takes a place for the user; false when he has one, or none is free. */
static bool take_place(struct refusals *refusals, uid_t uid, utc_t now)
{
    size_t place = REFUSALS_PER_HOUR;

    for (size_t i = 0; i < REFUSALS_PER_HOUR; i++) {
        utc_t at = refusals->items[i].at;
        bool is_free = at == 0 || at > now || at <= now - HOUR;

        if (!is_free && refusals->items[i].uid == uid)
            return false;
        if (is_free)
            place = i;
    }
    if (place == REFUSALS_PER_HOUR)
        return false;
    refusals->items[place].uid = uid;
    refusals->items[place].at = now;
    return true;
}

void refusals_note(struct refusals *refusals, struct life *life, const struct caller *caller,
                   const char *method, const char *url, const char *why)
{
    utc_t now = life->world->now(life->world->self);
    char actor[ACTOR_MAX], text[TEXT_MAX];
    struct error err = {0};

    if (!take_place(refusals, caller->uid, now))
        return;
    AUTO_FREE char *raw =
        mem_printf("%.16s %.100s: %s; the rest of this hour's is not told", method, url, why);
    text_escape(raw, text, sizeof text);
    caller_text(caller, actor);
    log_notice("refused", "%s: %s", actor, text);
    /* one that is damaged may not even be open */
    if (life->inventory && events_add(life->inventory, now, 0, 0, actor, "refused", text, &err) < 0)
        log_error("event-lost", "refused: %s", err.text);
}
