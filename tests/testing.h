/*
 * What every test program shares: the Check runner with TAP output, a folder of its own that is
 * removed afterwards, and assertions that print the error sentence. A warning or error that a test
 * does not expect fails it.
 */
#ifndef UL_TESTS_TESTING_H
#define UL_TESTS_TESTING_H

#include <check.h>

#include "base/error.h"
#include "base/mem.h"

/* Runs the suite and returns main's exit status. Each test runs in a process of its own (Check's
 * fork). */
int testing_run(Suite *suite);

/* A fresh folder, 0700, removed when the test's process ends. The path is valid until then. */
const char *testing_dir(void);
/* "DIR/name" below it; owned by the caller. */
char *testing_path(const char *name);

/* The time limit of a test case in seconds, for cases that start real servers. */
enum { TESTING_SLOW_SECONDS = 300 };

/* An expression that returns 0, or its error sentence fails the test. `err` must be a struct error
 * in scope. */
#define ck_ok(expression)                                                             \
    do {                                                                              \
        int rc_ = (expression);                                                       \
        ck_assert_msg(rc_ == 0, "%s: %s: %s", #expression, code_name(rc_), err.text); \
    } while (0)

/* An expression that must fail with a code, and whose sentence holds a piece of text. */
#define ck_fails(expression, code_, piece)                                                         \
    do {                                                                                           \
        err = (struct error){0};                                                                   \
        int rc_ = (expression);                                                                    \
        ck_assert_msg(rc_ == (code_), "%s: wanted %s, got %s: %s", #expression, code_name(code_),  \
                      code_name(rc_), err.text);                                                   \
        ck_assert_msg(strstr(err.text, (piece)), "%s: wanted \"%s\" in: %s", #expression, (piece), \
                      err.text);                                                                   \
    } while (0)

/* From here on in this test, log lines of level warning or worse with this id are expected (at most
 * 16 ids). */
void testing_expect_log(const char *id);

#endif
