#include "tests/remains.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static uint8_t inverted[REMAINS_MAX];
static size_t inverted_len;
static uint8_t chunk[CHUNK];

void remains_remember(struct span secret)
{
    assert(secret.len >= 16 && secret.len <= REMAINS_MAX);
    inverted_len = secret.len;
    for (size_t i = 0; i < secret.len; i++)
        inverted[i] = (uint8_t)~secret.data[i];
}

uint8_t *remains_plant(void)
{
    uint8_t *planted = mem_alloc(1, REMAINS_MAX);

    for (size_t i = 0; i < inverted_len; i++)
        planted[i] = (uint8_t)~inverted[i];
    return planted;
}

void remains_uproot(uint8_t *planted)
{
    mem_wipe(planted, REMAINS_MAX);
    free(planted);
}

static bool is_it(const uint8_t *at)
{
    for (size_t i = 0; i < inverted_len; i++)
        if ((at[i] ^ inverted[i]) != 0xFF)
            return false;
    return true;
}

static size_t count_in(int memory, size_t from, size_t to, size_t *ret_bytes)
{
    size_t count = 0;

    for (; from + inverted_len <= to; from += CHUNK - inverted_len + 1) {
        size_t wanted = to - from < CHUNK ? to - from : CHUNK;
        ssize_t got = pread(memory, chunk, wanted, (off_t)from);

        for (ssize_t i = 0; i + (ssize_t)inverted_len <= got; i++)
            count += is_it(chunk + i);
        *ret_bytes += got > 0 ? (size_t)got : 0;
    }
    mem_wipe(chunk, sizeof chunk);
    return count;
}

size_t remains_count(pid_t pid, size_t *ret_bytes)
{
    char folder[32] = "/proc/self";

    if (pid != 0)
        snprintf(folder, sizeof folder, "/proc/%d", (int)pid);
    AUTO_FREE char *maps_path = mem_printf("%s/maps", folder);
    AUTO_FREE char *memory_path = mem_printf("%s/mem", folder);
    FILE *maps = fopen(maps_path, "re");
    int memory = open(memory_path, O_RDONLY | O_CLOEXEC);
    char line[512];
    size_t count = 0;

    *ret_bytes = 0;
    while (maps && memory >= 0 && fgets(line, sizeof line, maps)) {
        size_t from, to;
        char writable, name[256] = "";

        if (sscanf(line, "%zx-%zx r%c%*s %*s %*s %*s %255s", &from, &to, &writable, name) >= 3 &&
            writable == 'w' && name[0] != '/')
            count += count_in(memory, from, to, ret_bytes);
    }
    if (maps)
        fclose(maps);
    if (memory >= 0)
        close(memory);
    return count;
}
