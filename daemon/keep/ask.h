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
    uint8_t id[KEEP_ID_LEN]; /* of the sealing key, since the first process */
};

/* A process with the sealing key that the first one had. E_COMMAND whatever the reason. */
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
