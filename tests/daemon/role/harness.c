#include "tests/daemon/role/harness.h"

#include <ctype.h>
#include <dirent.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { SOMEBODY = 12345 };

size_t harness_children(pid_t parent, pid_t *ret, size_t most)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;

    while (dir && (entry = readdir(dir)) != NULL) {
        int64_t pid = 0, of = 0;

        if (text_number(entry->d_name, 1, INT32_MAX, &pid) &&
            text_number(harness_proc((pid_t)pid, "status", "PPid"), 0, INT32_MAX, &of) &&
            of == parent && count < most)
            ret[count++] = (pid_t)pid;
    }
    closedir(dir);
    return count;
}

pid_t harness_child(void)
{
    pid_t pids[8];

    ck_assert_uint_eq(1, harness_children(getpid(), pids, COUNT_OF(pids)));
    return pids[0];
}

const char *harness_proc(pid_t pid, const char *file, const char *name)
{
    static char line[512];
    AUTO_FREE char *path = mem_printf("/proc/%d/%s", (int)pid, file);
    FILE *in = fopen(path, "re");
    const char *found = NULL;

    while (in && !found && fgets(line, sizeof line, in)) {
        size_t len = strlen(line);

        if (!text_starts(line, name))
            continue;
        while (len > 0 && isspace((unsigned char)line[len - 1]))
            line[--len] = '\0';
        found = line + strlen(name);
        found += strspn(found, ": \t");
    }
    if (in)
        fclose(in);
    return found ? found : "";
}

void harness_become_somebody(void)
{
    if (getuid() != 0)
        return;
    ck_assert_int_eq(0, setgroups(0, NULL));
    ck_assert_int_eq(0, setresgid(SOMEBODY, SOMEBODY, SOMEBODY));
    ck_assert_int_eq(0, setresuid(SOMEBODY, SOMEBODY, SOMEBODY));
}

bool harness_other_user(void)
{
    AUTO_FREE char *program = mem_printf("%s/daemon/unlapsed", getenv("BUILD_ROOT"));

    if (access(program, X_OK) == 0)
        return true;
    printf("# skipped: another user cannot execute %s\n", program);
    return false;
}
