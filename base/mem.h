/*
 * Memory: allocation that does not return NULL, owned byte strings, and the cleanup attributes that
 * make a forgotten free impossible. A daemon whose every step survives kill -9 may die when a small
 * allocation fails; whatever a stranger can make large is bounded before it is allocated
 * (base/buf.h).
 */
#ifndef UL_BASE_MEM_H
#define UL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Borrowed bytes. */
struct span {
    const uint8_t *data;
    size_t len;
};

/* Owned bytes: {NULL, 0} is empty and needs no blob_done. */
struct blob {
    uint8_t *data;
    size_t len;
};

/* Owned list of owned bytes. */
struct blobs {
    struct blob *items;
    size_t count;
};

/* Zeroed memory for count objects of a size; realloc likewise; both end the process when there is
 * none. */
void *mem_alloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Overwrites len bytes in a way no compiler removes. data may be NULL when len is 0. */
void mem_wipe(void *data, size_t len);

struct span span_of(const void *data, size_t len);
struct span span_text(const char *text);
struct span blob_span(const struct blob *blob);
bool span_equal(struct span a, struct span b);
bool span_starts(struct span data, const void *prefix, size_t len);

struct blob blob_copy(struct span from);
/* Frees and empties; blob_wipe overwrites first and is the one for secrets. */
void blob_done(struct blob *blob);
void blob_wipe(struct blob *blob);

/* Appends a copy. */
void blobs_add(struct blobs *list, struct span item);
void blobs_done(struct blobs *list);

static inline void mem_free_indirect(void *pointer)
{
    free(*(void **)pointer);
}

#define AUTO_FREE __attribute__((cleanup(mem_free_indirect)))
#define AUTO_BLOB __attribute__((cleanup(blob_done)))
#define AUTO_SECRET __attribute__((cleanup(blob_wipe)))
#define AUTO_BLOBS __attribute__((cleanup(blobs_done)))

/* Hands out an owned pointer and leaves NULL, so that the cleanup attribute has nothing to do. */
#define TAKE(pointer)                           \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

/* Moves an owned blob out of its variable. */
static inline struct blob blob_take(struct blob *from)
{
    struct blob out = *from;

    *from = (struct blob){0};
    return out;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
