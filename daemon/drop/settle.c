#include "daemon/drop/settle.h"

#include <string.h>

#include "base/mem.h"

void settle_init(struct settle *settle, seconds_t time)
{
    *settle = (struct settle){.time = time, .first_look = true, .left_ms = -1};
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
    settle->left_ms = -1;
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

bool settle_is_same(const struct stat *a, const struct stat *b)
{
    struct seen left = seen_of(a, 0);
    struct seen right = seen_of(b, 0);

    return is_unchanged(&left, &right);
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

static void wait_for(struct settle *settle, int64_t left_ms)
{
    if (settle->left_ms < 0 || left_ms < settle->left_ms)
        settle->left_ms = left_ms;
}

bool settle_has(struct settle *settle, const struct stat *st)
{
    struct seen seen = seen_of(st, settle->now_ms);
    const struct seen *before = NULL;

    if (settle->last.count > 0)
        before = bsearch(&seen, settle->last.items, settle->last.count, sizeof seen, compare);
    if (before && is_unchanged(before, &seen))
        seen.since_ms = before->since_ms;
    else if (settle->first_look && is_old(settle, st))
        seen.since_ms -= settle->time * 1000;
    remember(&settle->now, &seen);
    int64_t left = seen.since_ms + settle->time * 1000 - settle->now_ms;
    if (left > 0)
        wait_for(settle, left);
    return left <= 0;
}

void settle_restart(struct settle *settle, const struct stat *st)
{
    struct seen seen = seen_of(st, settle->now_ms);

    /* Behind the older entry of the same file, so replace that one: it is the last. */
    if (settle->now.count > 0)
        settle->now.count--;
    remember(&settle->now, &seen);
    wait_for(settle, settle->time * 1000);
}
