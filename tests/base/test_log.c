#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/testing.h"

static struct {
    int count;
    enum log_level level;
    char id[64];
    char line[8192];
} seen;

static void keep(void *self, enum log_level level, const char *id, const char *line)
{
    ck_assert_ptr_eq(self, &seen);
    seen.count++;
    seen.level = level;
    snprintf(seen.id, sizeof seen.id, "%s", id);
    snprintf(seen.line, sizeof seen.line, "%s", line);
}

static void set_up(void)
{
    log_capture(keep, &seen);
}

/* Runs what follows with standard error in a pipe; text_of_stderr ends it. */
static int pipe_ends[2], kept_stderr;

static void take_stderr(void)
{
    ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
    kept_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
}

static const char *text_of_stderr(void)
{
    static char text[16384];
    ssize_t got = read(pipe_ends[0], text, sizeof text - 1);

    dup2(kept_stderr, STDERR_FILENO);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

START_TEST(test_line)
{
    log_notice("swapped", "target %s: %d files", "nginx", 2);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.level, LOG_LEVEL_NOTICE);
    ck_assert_str_eq(seen.id, "swapped");
    ck_assert_str_eq(seen.line, "target nginx: 2 files");
}
END_TEST

START_TEST(test_line_is_one_line)
{
    log_info("x", "file %s", "a\n<0>forged\x1b[2J\xe2\x80\xae");
    ck_assert_str_eq(seen.line, "file a\\x0a<0>forged\\x1b[2J\\u{202e}");
}
END_TEST

START_TEST(test_context_is_inherited)
{
    {
        LOG_CONTEXT("certificate=%s", "www\n");
        {
            LOG_CONTEXT("renewal=%d", 17);
            log_info("x", "both");
            ck_assert_str_eq(seen.line, "both certificate=www\\x0a renewal=17");
        }
        log_info("x", "one");
        ck_assert_str_eq(seen.line, "one certificate=www\\x0a");
    }
    log_info("x", "none");
    ck_assert_str_eq(seen.line, "none");
}
END_TEST

static void *log_from_thread(void *unused)
{
    log_info("x", "thread");
    return unused;
}

START_TEST(test_context_belongs_to_its_thread)
{
    LOG_CONTEXT("certificate=www");
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, log_from_thread, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(seen.line, "thread");
}
END_TEST

START_TEST(test_long_message_keeps_its_context)
{
    char text[10001];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    LOG_CONTEXT("certificate=www");
    log_info("x", "%s", text);
    ck_assert(text_ends(seen.line, "x... certificate=www"));
    for (size_t i = 0; i + 4 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac\0", 4);
    log_info("x", "%s", text);
    ck_assert(text_ends(seen.line, "\xe2\x82\xac... certificate=www"));
    LOG_CONTEXT("long=%s", text);
    log_info("x", "short");
    ck_assert(text_ends(seen.line, "\xe2\x82\xac..."));
    ck_assert(text_is_utf8(seen.line, strlen(seen.line)));
}
END_TEST

START_TEST(test_deep_context_never_overflows)
{
    struct log_context contexts[64];
    char text[200];

    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(contexts); i++)
        log_context_push(&contexts[i], "%zu=%s", i, text);
    log_info("x", "deep");
    ck_assert(text_starts(seen.line, "deep 0=yyy"));
    for (size_t i = COUNT_OF(contexts); i > 0; i--)
        log_context_pop(&contexts[i - 1]);
    log_info("x", "out");
    ck_assert_str_eq(seen.line, "out");
}
END_TEST

START_TEST(test_journal_prefix)
{
    log_open(LOG_LEVEL_WARN, true);
    take_stderr();
    log_warn("late", "certificate ends");
    log_info("quiet", "not this one");
    ck_assert_str_eq(text_of_stderr(), "<4>late: certificate ends\n");
    ck_assert_int_eq(seen.count, 2); /* the sink hears every level */
}
END_TEST

START_TEST(test_time_prefix)
{
    int year, end = 0;

    log_open(LOG_LEVEL_DEBUG, false);
    take_stderr();
    log_debug("id", "text");
    sscanf(text_of_stderr(), "%4d-%*2d-%*2dT%*2d:%*2d:%*2dZ id: text\n%n", &year, &end);
    ck_assert_int_gt(end, 0);
    ck_assert_int_ge(year, 2026);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/log");
    TCase *tc = tcase_create("log");

    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, test_line);
    tcase_add_test(tc, test_line_is_one_line);
    tcase_add_test(tc, test_context_is_inherited);
    tcase_add_test(tc, test_context_belongs_to_its_thread);
    tcase_add_test(tc, test_long_message_keeps_its_context);
    tcase_add_test(tc, test_deep_context_never_overflows);
    tcase_add_test(tc, test_journal_prefix);
    tcase_add_test(tc, test_time_prefix);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}
