/* What a look found, oldest first, of which only the oldest few thousand are kept. */
#include <string.h>

#include "base/mem.h"
#include "daemon/drop/folder.h"

void drop_stamp_of(const struct stat *st, struct drop_stamp *ret)
{
    *ret = (struct drop_stamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static int compare_times(struct timespec a, struct timespec b)
{
    if (a.tv_sec != b.tv_sec)
        return a.tv_sec < b.tv_sec ? -1 : 1;
    return (a.tv_nsec > b.tv_nsec) - (a.tv_nsec < b.tv_nsec);
}

bool drop_stamp_is(const struct drop_stamp *a, const struct drop_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           compare_times(a->modified, b->modified) == 0 &&
           compare_times(a->changed, b->changed) == 0;
}

static int compare(const struct queued *a, const char *name, struct timespec modified)
{
    int order = compare_times(a->stamp.modified, modified);

    return order != 0 ? order : strcmp(a->name, name);
}

static bool is_newer(const struct queued *a, const struct queued *b)
{
    return compare(a, b->name, b->stamp.modified) > 0;
}

static void swap(struct queued *a, struct queued *b)
{
    struct queued kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_up(struct queued *heap, size_t at)
{
    while (at > 0 && is_newer(&heap[at], &heap[(at - 1) / 2])) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct queued *heap, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t newest = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_newer(&heap[child], &heap[newest]))
                newest = child;
        if (newest == at)
            return;
        swap(&heap[at], &heap[newest]);
        at = newest;
    }
}

void queue_add(struct drop *drop, const char *name, const struct stat *st)
{
    struct queued *heap = drop->queue;

    if (!heap)
        heap = drop->queue = mem_alloc(QUEUE_MAX, sizeof *heap);
    if (drop->count < QUEUE_MAX) {
        heap[drop->count].name = mem_strdup(name);
        drop_stamp_of(st, &heap[drop->count].stamp);
        sift_up(heap, drop->count++);
        return;
    }
    drop->more = true;
    if (compare(&heap[0], name, st->st_mtim) < 0)
        return;
    free(heap[0].name);
    heap[0].name = mem_strdup(name);
    drop_stamp_of(st, &heap[0].stamp);
    sift_down(heap, drop->count);
}

static int newest_first(const void *left, const void *right)
{
    const struct queued *a = left;
    const struct queued *b = right;

    return -compare(a, b->name, b->stamp.modified);
}

void queue_sort(struct drop *drop)
{
    if (drop->count > 1)
        qsort(drop->queue, drop->count, sizeof drop->queue[0], newest_first);
}

void queue_clear(struct drop *drop)
{
    for (size_t i = 0; i < drop->count; i++)
        free(drop->queue[i].name);
    drop->count = 0;
    drop->more = false;
    free(drop->queue);
    drop->queue = NULL;
}
