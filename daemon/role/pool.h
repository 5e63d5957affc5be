/*
 * Processes of a role with one set-up: those that wait for a question, and how more are started. As
 * many run at once as are asked.
 */
#ifndef UL_DAEMON_ROLE_POOL_H
#define UL_DAEMON_ROLE_POOL_H

#include <pthread.h>

#include "daemon/role/process.h"

enum { POOL_MAX = 64 };

struct pool {
    const struct role *role;
    char *program;
    struct blob setup;
    size_t most; /* that may wait; 0: each answers one question and ends */
    pthread_mutex_t mutex;
    int64_t renewed_at;             /* those that were started until then are of no use */
    struct process *idle[POOL_MAX]; /* the last one was used last */
    size_t count;
};

/* Starts nothing. Copies program (NULL: this program again) and takes setup over; most is at most
 * POOL_MAX. */
void pool_init(struct pool *pool, const struct role *role, const char *program, struct blob setup,
               size_t most);
/* Ends all that wait; none may be out. */
void pool_done(struct pool *pool);

/* One that waits, or NULL. */
struct process *pool_take(struct pool *pool);
/* A fresh one, as process_start. */
int pool_start(const struct pool *pool, struct buf *ret_said, struct process **ret,
               struct error *err);
/* After its answer: it waits again, or ends when it is worn or enough wait. */
void pool_give(struct pool *pool, struct process *process);

/* From now on only processes that are started from now on are of use: something that they read
 * during their set-up has changed. Those that wait end; those that are out end when they are given
 * back. */
void pool_renew(struct pool *pool);
bool pool_is_stale(struct pool *pool, const struct process *process);

/* Ends those that nobody has asked anything for that long, but leaves `keep` of them; false when no
 * more than these are left to be ended later. */
bool pool_tidy(struct pool *pool, int64_t idle_ms, size_t keep);

#endif
