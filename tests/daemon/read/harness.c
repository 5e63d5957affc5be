#include "tests/daemon/read/harness.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

char harness_told[ERROR_TEXT_MAX];
size_t harness_tellings;

static void tell(void *self, const char *text)
{
    (void)self;
    snprintf(harness_told, sizeof harness_told, "%s", text);
    harness_tellings++;
}

struct reader *harness_open(struct reader_options options)
{
    static char program[512];
    struct error err = {0};
    struct reader *reader = NULL;

    snprintf(program, sizeof program, "%s/daemon/unlapsed", getenv("BUILD_ROOT"));
    if (!options.program)
        options.program = program;
    options.faults = true;
    options.tell = tell;
    ck_ok(reader_open(&options, &reader, &err));
    return reader;
}

int harness_read(struct reader *reader, const char *fault, struct error *err)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_FREE char *file = mem_printf("unlapsed-fault: %s", fault);

    return reader_read_delivery(reader, span_text(file), &objects, err);
}

void harness_read_well(struct reader *reader)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    struct error err = {0};

    ck_ok(reader_read_delivery(reader, span_text("<html>no</html>"), &objects, &err));
    ck_assert_ptr_nonnull(strstr(objects.summary, "HTML"));
}

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

struct blob harness_seed(const char *name)
{
    AUTO_FREE char *path =
        mem_printf("%s/tests/fuzz/fuzz_delivery.in/%s", getenv("SOURCE_ROOT"), name);
    struct blob data = {0};
    struct error err = {0};

    ck_ok(file_read(path, DELIVERY_FILE_MAX, &data, &err));
    return data;
}
