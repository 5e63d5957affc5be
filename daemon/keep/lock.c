#include "daemon/keep/lock.h"

#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "daemon/role/sandbox.h"

enum { HEAP_ROOM = 1 << 20, ALONE_FROM = 8 << 20 };

/* Within the hard limit, or above it for who may raise that (CAP_SYS_RESOURCE). */
static bool may_lock_all(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return false;
    if (limit.rlim_cur >= SANDBOX_MEMORY_MAX)
        return true;
    limit.rlim_cur = SANDBOX_MEMORY_MAX;
    if (limit.rlim_max < SANDBOX_MEMORY_MAX)
        limit.rlim_max = SANDBOX_MEMORY_MAX;
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

/* What is freed stays in the heap, and nothing but the largest blocks is elsewhere. */
static void widen_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_THRESHOLD, ALONE_FROM);
    free(mem_alloc(1, HEAP_ROOM));
}

static void lock_heap(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t from, to;

        if (strstr(line, "[heap]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
            (void)mlock2((const void *)from, to - from, MLOCK_ONFAULT);
    }
    if (maps)
        fclose(maps);
}

void lock_memory(void)
{
    if (SANDBOX_SANITIZER) /* whose shadow of the memory takes terabytes */
        return;
    if (may_lock_all() && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
        return;
    widen_heap();
    lock_heap();
}
