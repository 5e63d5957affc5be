/*
 * Keepers of the program that was built, started by a test, with keys that ask for accidents.
 */
#ifndef UL_TESTS_DAEMON_KEEP_HARNESS_H
#define UL_TESTS_DAEMON_KEEP_HARNESS_H

#include "daemon/keep/keep.h"
#include "tests/daemon/role/harness.h"

enum { HARNESS_RENEWAL = 17 };

/* What keepers' ends were told, last sentence and number of sentences. */
extern char harness_told[ERROR_TEXT_MAX];
extern size_t harness_tellings;

/* Options are completed: the program, a sealing key that is made in the test's folder, the faults,
 * tell. */
int harness_try(struct keep_options options, struct keep **ret, struct error *err);
struct keep *harness_open(struct keep_options options);

/* "unlapsed-fault: " and the fault, as a key to be sealed. */
int harness_fault(struct keep *keep, const char *fault, struct error *err);

/* A key and its CSR, with one name and nothing else. */
int harness_make(struct keep *keep, enum key_type type, struct sealed_key *ret_key,
                 struct blob *ret_csr, struct error *err);
/* Makes a P-256 key, checks it, and fails the test when that does not work. */
void harness_make_well(struct keep *keep);

#endif
