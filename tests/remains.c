#include "tests/remains.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, SECRETS_MAX = 4 };

static struct {
    uint8_t inverted[REMAINS_MAX];
    size_t len;
} secrets[SECRETS_MAX];
static size_t secret_count;
static uint8_t chunk[CHUNK];

void remains_remember(struct span secret)
{
    assert(secret.len >= 16 && secret.len <= REMAINS_MAX && secret_count < SECRETS_MAX);
    for (size_t i = 0; i < secret.len; i++)
        secrets[secret_count].inverted[i] = (uint8_t)~secret.data[i];
    secrets[secret_count++].len = secret.len;
}

uint8_t *remains_plant(void)
{
    uint8_t *planted = mem_alloc(1, REMAINS_MAX);

    for (size_t i = 0; i < secrets[0].len; i++)
        planted[i] = (uint8_t)~secrets[0].inverted[i];
    return planted;
}

void remains_uproot(uint8_t *planted)
{
    mem_wipe(planted, REMAINS_MAX);
    free(planted);
}

static size_t count_at(const uint8_t *at, size_t len)
{
    size_t count = 0;

    for (size_t k = 0; k < secret_count; k++) {
        size_t i = 0;

        if (secrets[k].len > len)
            continue;
        while (i < secrets[k].len && (at[i] ^ secrets[k].inverted[i]) == 0xFF)
            i++;
        count += i == secrets[k].len;
    }
    return count;
}

/* Pieces overlap, so that none is cut; what begins in the overlap counts for the next piece. */
static size_t count_in(int memory, size_t from, size_t to, size_t *ret_bytes)
{
    size_t count = 0;

    for (; from < to; from += CHUNK - REMAINS_MAX) {
        size_t wanted = to - from < CHUNK ? to - from : CHUNK;
        ssize_t got = pread(memory, chunk, wanted, (off_t)from);
        size_t len = got > 0 ? (size_t)got : 0;

        for (size_t i = 0; i < len && i < CHUNK - REMAINS_MAX; i++)
            count += count_at(chunk + i, len - i);
        *ret_bytes += len;
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
