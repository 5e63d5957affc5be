/*
 * One question to a keeper process and its answer. For daemon/keep/ only.
 */
#ifndef UL_DAEMON_KEEP_ASK_H
#define UL_DAEMON_KEEP_ASK_H

#include "daemon/keep/keep.h"
#include "daemon/keep/wire.h"
#include "daemon/role/pool.h"

struct keep {
    struct pool pool;
    struct process_limits making, others;
    void (*tell)(void *self, const char *text);
    void *self;
    char *path, *previous; /* of the sealing keys */
    bool faults;
    pthread_mutex_t mutex;  /* of the next */
    struct sealing_ids ids; /* of the sealing keys, the one in force first */
};

/* Starts a process and hears which sealing keys it has. With a set-up of its own (NULL: the
 * usual). Its own code. */
int ask_start_as(struct keep *keep, const struct blob *setup, struct sealing_ids *ret_ids,
                 struct process **ret, struct error *err);

/* These are the sealing keys from now on: whoever has others is asked no more. */
void ask_adopt(struct keep *keep, const struct sealing_ids *ids);

/* A process that has the sealing key in force. Where another one has taken its place beside it, as
 * a rotation leaves it whose end nobody heard, that one is in force. E_COMMAND whatever the reason.
 */
int ask_start(struct keep *keep, struct process **ret, struct error *err);

/* Sends an order, which is borrowed. False when the process is lost. E_TOO_LARGE when it is too
 * long for a message: then nothing was sent. */
int ask_send(struct keep *keep, struct process *process, enum keep_kind kind,
             struct keep_order *order, bool *ret_sent, struct error *err);

/* The answer: true with the keeper's code and sentence, and what goes with code 0. False when the
 * process is lost. */
bool ask_receive(struct process *process, enum keep_kind kind, struct keep_answer *ret,
                 struct error *ret_error, bool *ret_garbage);

/* Asks until somebody answers, as keep.h says; an answer that is not complete is lost, too. */
int ask(struct keep *keep, enum keep_kind kind, struct keep_order *order, struct keep_answer *ret,
        struct error *err);

/* Ends a lost process and tells of it; err (E_COMMAND) gets the sentence. True when it took too
 * long, so that trying again at once is no use. */
bool ask_bury(struct keep *keep, struct process *process, enum keep_kind kind, int64_t id,
              bool garbage, struct error *err);

/* An order that borrows all it holds; it is not freed. */
struct keep_order ask_order_of(int64_t renewal_id, const struct key_request *request);

#endif
