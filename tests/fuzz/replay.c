/*
 * Stands in for libFuzzer's main: runs a target over the files and folders named, for the ordinary
 * test run and to look at a crash with a debugger.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"

enum { SEED_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    AUTO_BLOB struct blob seed = {0};
    struct error err = {0};

    if (file_read(path, SEED_MAX, &seed, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    printf("%s: %zu bytes\n", path, seed.len);
    fflush(stdout); /* names the one that crashes */
    return LLVMFuzzerTestOneInput(seed.data ? seed.data : (const uint8_t *)"", seed.len);
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int failed = 0, count = 0;

    if (!dir)
        return replay_file(path);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        AUTO_FREE char *seed = mem_printf("%s/%s", path, entry->d_name);
        failed |= replay_file(seed);
        count++;
    }
    closedir(dir);
    if (count == 0)
        fprintf(stderr, "%s: no seeds\n", path);
    return count == 0 ? -1 : failed;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;

    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]) != 0;
    return failed ? 1 : 0;
}
