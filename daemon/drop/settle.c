#include "daemon/drop/settle.h"

#include <string.h>

#include "base/mem.h"

enum {
    PUT_OFF_MS = 5000,     /* the first time */
    PUT_OFF_DOUBLINGS = 8, /* then about 20 minutes */
    FRESH_TIMES = 15,      /* settle times */
    ROOM_AGAIN_MS = 1000,
};

void settle_init(struct settle *settle, seconds_t time)
{
    *settle = (struct settle){.time = time, .first_look = true, .next_ms = INT64_MAX};
}

static void list_done(struct seen_list *list)
{
    free(list->items);
    *list = (struct seen_list){0};
}

void settle_done(struct settle *settle)
{
    list_done(&settle->last);
    list_done(&settle->now);
}

void settle_forget(struct settle *settle)
{
    settle_done(settle);
    settle_init(settle, settle->time);
}

void settle_begin(struct settle *settle)
{
    list_done(&settle->now);
    settle->now_ms = clock_monotonic_ms();
    settle->now_utc = clock_now();
    settle->next_ms = INT64_MAX;
    settle->put_off = 0;
}

static int compare(const void *left, const void *right)
{
    const struct seen *a = left;
    const struct seen *b = right;

    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return (a->inode > b->inode) - (a->inode < b->inode);
}

void settle_end(struct settle *settle)
{
    if (settle->now.count > 0)
        qsort(settle->now.items, settle->now.count, sizeof settle->now.items[0], compare);
    list_done(&settle->last);
    settle->last = settle->now;
    settle->now = (struct seen_list){0};
    settle->first_look = false;
}

static struct seen seen_of(const struct stat *st, int64_t since_ms)
{
    return (struct seen){.device = st->st_dev,
                         .inode = st->st_ino,
                         .size = st->st_size,
                         .modified = st->st_mtim,
                         .changed = st->st_ctim,
                         .since_ms = since_ms};
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_unchanged(const struct seen *a, const struct seen *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(a->modified, b->modified) && is_same_time(a->changed, b->changed);
}

static void remember(struct seen_list *list, const struct seen *seen)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = mem_resize(list->items, list->room, sizeof list->items[0]);
    }
    list->items[list->count++] = *seen;
}

static bool is_old(const struct settle *settle, const struct stat *st)
{
    utc_t before = utc_add(settle->now_utc, -settle->time);

    return st->st_mtim.tv_sec < before && st->st_ctim.tv_sec < before;
}

static void wait_until(struct settle *settle, int64_t at_ms)
{
    if (at_ms < settle->next_ms)
        settle->next_ms = at_ms;
}

static struct seen *find(const struct settle *settle, uint64_t device, uint64_t inode)
{
    const struct seen wanted = {.device = device, .inode = inode};

    if (settle->last.count == 0)
        return NULL;
    return bsearch(&wanted, settle->last.items, settle->last.count, sizeof wanted, compare);
}

bool settle_has(struct settle *settle, const struct stat *st)
{
    struct seen seen = seen_of(st, settle->now_ms);
    const struct seen *before = find(settle, seen.device, seen.inode);

    if (before && is_unchanged(before, &seen))
        seen = *before;
    else if (settle->first_look && is_old(settle, st))
        seen.since_ms -= settle->time * 1000;
    if (settle->now.count == SEEN_MAX) {
        wait_until(settle, settle->now_ms + ROOM_AGAIN_MS);
        return false;
    }
    remember(&settle->now, &seen);
    settle->put_off += seen.failures > 0;
    int64_t at = seen.since_ms + settle->time * 1000;
    if (at < seen.hold_ms)
        at = seen.hold_ms;
    if (at > settle->now_ms)
        wait_until(settle, at);
    return at <= settle->now_ms;
}

void settle_restart(struct settle *settle, uint64_t device, uint64_t inode)
{
    struct seen *seen = find(settle, device, inode);
    int64_t now = clock_monotonic_ms();

    if (seen)
        seen->since_ms = now;
    wait_until(settle, now + settle->time * 1000);
}

bool settle_hold_fresh(struct settle *settle, uint64_t device, uint64_t inode)
{
    struct seen *seen = find(settle, device, inode);
    int64_t until = seen ? seen->since_ms + FRESH_TIMES * settle->time * 1000 : 0;

    if (!seen || clock_monotonic_ms() >= until)
        return false;
    seen->hold_ms = until;
    wait_until(settle, until);
    return true;
}

bool settle_put_off(struct settle *settle, uint64_t device, uint64_t inode)
{
    struct seen *seen = find(settle, device, inode);
    int doublings = !seen                                ? 0
                    : seen->failures < PUT_OFF_DOUBLINGS ? seen->failures
                                                         : PUT_OFF_DOUBLINGS;
    int64_t at = clock_monotonic_ms() + ((int64_t)PUT_OFF_MS << doublings);

    wait_until(settle, at);
    if (!seen)
        return true;
    seen->hold_ms = at;
    settle->put_off += seen->failures == 0;
    return seen->failures++ == 0;
}
