/*
 * Readers of the program that was built, started by a test: with files that ask for accidents, and
 * short limits where a test waits for them.
 */
#ifndef UL_TESTS_DAEMON_READ_HARNESS_H
#define UL_TESTS_DAEMON_READ_HARNESS_H

#include "daemon/read/reader.h"
#include "tests/daemon/role/harness.h"

/* What a reader told while it was asked, last sentence and number of sentences. */
extern char harness_told[ERROR_TEXT_MAX];
extern size_t harness_tellings;

/* Options are completed: the program, the faults, tell. */
struct reader *harness_open(struct reader_options options);

/* "unlapsed-fault: " and the fault. */
int harness_read(struct reader *reader, const char *fault, struct error *err);

/* Reads a plain text and fails the test when that does not work. */
void harness_read_well(struct reader *reader);

/* The file of the source tree; wiped at the end by blob_done. */
struct blob harness_seed(const char *name);

#endif
