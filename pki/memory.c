#include "pki/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/mem.h"

/* OpenSSL hands NULL and 0 on as they are. */

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size > 0 ? mem_alloc(1, size) : NULL;
}

static void wipe_and_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    if (!old)
        return;
    mem_wipe(old, malloc_usable_size(old));
    free(old);
}

/* Never realloc(3): where that moves a block, it leaves the old one as it was. */
static void *move(void *old, size_t size, const char *file, int line)
{
    size_t had = old ? malloc_usable_size(old) : 0;

    if (size == 0) {
        wipe_and_free(old, file, line);
        return NULL;
    }
    void *moved = mem_alloc(1, size);
    if (had > 0)
        memcpy(moved, old, had < size ? had : size);
    wipe_and_free(old, file, line);
    return moved;
}

int crypto_wipe_freed(struct error *err)
{
    if (CRYPTO_set_mem_functions(take, move, wipe_and_free) != 1)
        return error_set(err, E_CRYPTO,
                         "memory: wanted to wipe what OpenSSL frees, but it is in use already");
    return 0;
}
