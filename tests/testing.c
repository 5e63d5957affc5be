#include "tests/testing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char dir[64];
static pid_t dir_owner;
static const char *expected[16];
static size_t expected_count;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_dir(void)
{
    if (dir_owner == getpid())
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *testing_dir(void)
{
    if (dir_owner != getpid()) {
        snprintf(dir, sizeof dir, "/tmp/unlapsed-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        dir_owner = getpid();
        atexit(remove_dir);
    }
    return dir;
}

char *testing_path(const char *name)
{
    return mem_printf("%s/%s", testing_dir(), name);
}

void testing_expect_log(const char *id)
{
    ck_assert_uint_lt(expected_count, COUNT_OF(expected));
    expected[expected_count++] = id;
}

static void look_at_log(void *self, enum log_level level, const char *id, const char *line)
{
    (void)self;
    if (level > LOG_LEVEL_WARN)
        return;
    for (size_t i = 0; i < expected_count; i++)
        if (strcmp(expected[i], id) == 0)
            return;
    ck_abort_msg("unexpected log line: %s: %s", id, line);
}

int testing_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    log_open(LOG_LEVEL_ERROR, false);
    log_capture(look_at_log, NULL);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
