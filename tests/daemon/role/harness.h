/*
 * Looks at the processes that a test started in a role, from outside.
 */
#ifndef UL_TESTS_DAEMON_ROLE_HARNESS_H
#define UL_TESTS_DAEMON_ROLE_HARNESS_H

#include <sys/types.h>

#include "tests/testing.h"

/* The children of a process, ended or not. Returns how many. */
size_t harness_children(pid_t parent, pid_t *ret, size_t most);
/* The only one of this process. */
pid_t harness_child(void);

/* The value of a line "NAME: value" of /proc/PID/FILE, without the blanks around; "" when there is
 * none. Valid until the next call. */
const char *harness_proc(pid_t pid, const char *file, const char *name);

/* As an ordinary user, who has no root folder to leave and no other user to become. Nothing when
 * the test runs as one. */
void harness_become_somebody(void);
/* Whether that user can start the program; says so when not. */
bool harness_other_user(void);

#endif
