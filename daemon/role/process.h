/*
 * One process of a role as the agent sees it: started, talked to against the clock, ended. Used by
 * one thread at a time.
 */
#ifndef UL_DAEMON_ROLE_PROCESS_H
#define UL_DAEMON_ROLE_PROCESS_H

#include "daemon/role/channel.h"
#include "daemon/role/role.h"

struct process_limits {
    int64_t wall_ms; /* of one request */
    int64_t cpu_ms;  /* processor time of one request */
};

struct process;

/*
 * Starts program (absolute path) in a role, hands it its set-up and waits until it says that it is
 * confined; ret_said gets what it says besides, ret_process the process. Its own code and sentence
 * when it could not be; E_COMMAND when it ended or kept silent.
 */
int process_start(const struct role *role, const char *program, struct span setup,
                  struct buf *ret_said, struct process **ret, struct error *err);
/* Kills it when it lives, and waits for its end: no zombie stays. NULL is allowed. */
void process_end(struct process *process);

/* A request begins: its clock starts. */
void process_begin(struct process *process, const struct process_limits *limits);
/* As channel_send and channel_receive; false also when its time is over. Then only process_fate and
 * process_end are left. */
bool process_send(struct process *process, uint32_t kind, struct span body);
bool process_receive(struct process *process, uint32_t *ret_kind, struct buf *ret_body,
                     bool *ret_garbage);

/* For whoever waits for several at once: what to poll for an answer, and how many milliseconds may
 * pass before this is asked again. Below 0: its time is over, process_receive will say so. */
int process_fd(const struct process *process);
int64_t process_patience(struct process *process);

/* What became of a process. */
enum fate {
    FATE_LOST,     /* it ended, by whatever */
    FATE_LATE,     /* it took too long */
    FATE_LATE_CPU, /* it used too much of the processor: trying again is no use */
    FATE_GARBAGE,  /* it answered what is no answer */
};

/* Ends it, and says what became of it in words that follow "the reader ": "ended by signal 11
 * (Segmentation fault)", "took longer than 5 s of processor time". `garbage`: it answered what is
 * no answer. */
enum fate process_fate(struct process *process, bool garbage, char *ret, size_t size);

/* It has been used enough: what leaks, or what a file did to it, ends with it. */
bool process_is_worn(const struct process *process);

/* When it was last used, and when its start began, of clock_monotonic_ms. */
int64_t process_used_at(const struct process *process);
int64_t process_started_at(const struct process *process);

#endif
