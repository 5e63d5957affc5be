/*
 * Runs another program: by argv, never through a shell; absolute path; cleared environment (PATH
 * and LANG=C only); standard input from /dev/null; its own process group, killed whole at the
 * deadline (TERM, two seconds, KILL); standard output and error captured together and bounded
 * (BUF_MAX_COMMAND_OUTPUT, the rest is read and dropped). Blocks the calling thread: the event loop
 * calls it from a worker.
 */
#ifndef UL_BASE_PROC_H
#define UL_BASE_PROC_H

#include "base/buf.h"
#include "base/error.h"

struct proc_result {
    int exit_status;   /* 0..255, or -1 when ended by a signal */
    int signal;        /* the signal, 0 when it exited */
    struct buf output; /* proc_result_done frees it */
};

void proc_result_done(struct proc_result *result);
#define AUTO_PROC __attribute__((cleanup(proc_result_done)))

/*
 * argv is NULL-terminated and argv[0] absolute. Returns 0 when the program ran to its end, whatever
 * its exit status; E_INPUT (argv[0] not absolute), E_NOT_FOUND/E_DENIED (cannot be executed),
 * E_TIMEOUT, E_IO. ret is untouched on failure.
 */
int proc_run(const char *const argv[], int deadline_seconds, struct proc_result *ret,
             struct error *err);

/* As proc_run, and an exit status other than 0 is E_COMMAND whose text holds the command and the
 * first lines it printed. */
int proc_run_checked(const char *const argv[], int deadline_seconds, struct error *err);

#endif
