/*
 * One reader process as the agent sees it: started, talked to against the clock, ended. Used by one
 * thread at a time.
 */
#ifndef UL_DAEMON_READ_PROCESS_H
#define UL_DAEMON_READ_PROCESS_H

#include "daemon/read/channel.h"

struct process_limits {
    int64_t wall_ms; /* of one request */
    int64_t cpu_ms;  /* processor time of one request */
};

struct process;

/*
 * Starts program (absolute path) in the role of a reader, hands it its set-up and waits until it
 * says that it is confined. The reader's own sentence when it could not be (E_CONFIG for trust
 * anchors that cannot be read); E_COMMAND when it ended or kept silent.
 */
int process_start(const char *program, const struct process_limits *limits, struct span setup,
                  struct process **ret, struct error *err);
/* Kills it when it lives, and waits for its end: no zombie stays. NULL is allowed. */
void process_end(struct process *process);

/* A request begins: its clock starts. */
void process_begin(struct process *process);
/* As channel_send and channel_receive; false also when its time is over. Then only process_fate and
 * process_end are left. */
bool process_send(struct process *process, enum wire_kind kind, struct span body);
bool process_receive(struct process *process, enum wire_kind *ret_kind, struct buf *ret_body,
                     bool *ret_garbage);

/* Ends it, and says what became of it in words that follow "the reader ": "ended by signal 11
 * (Segmentation fault)", "took longer than 5 s of processor time". `garbage`: it answered what is
 * no answer. True when trying again is no use. */
bool process_fate(struct process *process, bool garbage, char *ret, size_t size);

/* It has been used enough: what leaks, or what a file did to it, ends with it. */
bool process_is_worn(const struct process *process);

/* When it was last used, of clock_monotonic_ms. */
int64_t process_used_at(const struct process *process);

#endif
