#include "tests/daemon/read/harness.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

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

struct blob harness_seed(const char *name)
{
    AUTO_FREE char *path =
        mem_printf("%s/tests/fuzz/fuzz_delivery.in/%s", getenv("SOURCE_ROOT"), name);
    struct blob data = {0};
    struct error err = {0};

    ck_ok(file_read(path, DELIVERY_FILE_MAX, &data, &err));
    return data;
}
