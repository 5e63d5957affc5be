/* Many requests at once: one process for each processor, each given the next request as soon as it
 * has answered one. What a process was lost with is asked again at the end, one by one. */
#include "daemon/keep/ask.h"

#include <poll.h>
#include <sched.h>
#include <string.h>

enum {
    LOSSES_MAX = 8,
    /* Of one process: more than one, so that it need not wait for us between two. */
    QUEUE_MAX = 4,
    SMALL_NAMES = 16,
    SMALL_NAME = 256,
};

/* One process at work. It answers in the order in which it was asked. */
struct worker {
    struct process *process;               /* NULL: none */
    struct keep_request *queue[QUEUE_MAX]; /* what it was asked, the oldest first */
    size_t count;
};

struct batch {
    struct keep *keep;
    struct keep_request *requests;
    size_t count, next;
    struct worker workers[POOL_MAX];
    size_t worker_count;
    bool *again;     /* of each request: it was lost with its process */
    unsigned losses; /* LOSSES_MAX: no further process is started */
};

static size_t processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    size_t count = (size_t)CPU_COUNT(&set);
    return count < POOL_MAX ? count : POOL_MAX;
}

/* Soon made, and so small that it and its answer never fill a socket, where both sides would wait
 * for each other: it may stand in a queue. */
static bool is_small(const struct keep_request *request)
{
    const struct names *names = request->request.names;
    enum key_type type = request->request.key_type;

    for (size_t i = 0; i < names->count; i++)
        if (i == SMALL_NAMES || strlen(names->items[i].text) > SMALL_NAME)
            return false;
    return type == KEY_EC_P256 || type == KEY_EC_P384 || type == KEY_ED25519;
}

static bool may_take(const struct worker *worker, const struct keep_request *request)
{
    if (worker->count == 0)
        return true;
    return worker->count < QUEUE_MAX && !process_is_worn(worker->process) &&
           is_small(worker->queue[worker->count - 1]) && is_small(request);
}

static void lose(struct batch *batch, struct worker *worker, bool garbage)
{
    struct error unused = {0};

    ask_bury(batch->keep, TAKE(worker->process), KEEP_MAKE, worker->queue[0]->renewal_id, garbage,
             &unused);
    for (size_t i = 0; i < worker->count; i++)
        batch->again[worker->queue[i] - batch->requests] = true;
    worker->count = 0;
    batch->losses++;
}

/* The process that it has, one that waits, or a fresh one; NULL when none can be had. */
static struct process *equip(struct batch *batch, struct worker *worker)
{
    struct error unused = {0};

    if (worker->process && worker->count == 0 && process_is_worn(worker->process))
        pool_give(&batch->keep->pool, TAKE(worker->process));
    if (!worker->process)
        worker->process = pool_take(&batch->keep->pool);
    if (!worker->process && batch->losses < LOSSES_MAX &&
        ask_start(batch->keep, &worker->process, &unused) < 0)
        batch->losses = LOSSES_MAX;
    return worker->process;
}

/* Gives the worker what it can take, or takes its process from it when there is nothing more. */
static void employ(struct batch *batch, struct worker *worker)
{
    while (batch->next < batch->count && may_take(worker, &batch->requests[batch->next]) &&
           equip(batch, worker)) {
        struct keep_request *request = &batch->requests[batch->next++];
        struct keep_order order = ask_order_of(request->renewal_id, &request->request);
        bool sent = false;

        if (ask_send(batch->keep, worker->process, KEEP_MAKE, &order, &sent, &request->error) < 0)
            continue;
        worker->queue[worker->count++] = request;
        if (!sent)
            lose(batch, worker, false);
    }
    if (worker->process && worker->count == 0)
        pool_give(&batch->keep->pool, TAKE(worker->process));
}

static void hear(struct batch *batch, struct worker *worker)
{
    struct keep_request *request = worker->queue[0];
    struct keep_answer answer = {0};
    bool garbage = false;

    if (!ask_receive(worker->process, KEEP_MAKE, &answer, &request->error, &garbage)) {
        lose(batch, worker, garbage);
    } else if (pool_is_stale(&batch->keep->pool, worker->process)) {
        /* Sealed under a key that is not in force any more, as what follows may be. */
        keep_answer_done(&answer);
        for (size_t i = 0; i < worker->count; i++)
            batch->again[worker->queue[i] - batch->requests] = true;
        worker->count = 0;
        process_end(TAKE(worker->process));
    } else {
        request->key = answer.sealed;
        request->csr = answer.csr;
        memmove(worker->queue, worker->queue + 1, --worker->count * sizeof(worker->queue[0]));
        process_begin(worker->process, &batch->keep->making);
    }
    employ(batch, worker);
}

/* Waits for an answer, and hears all that are there or late. False when nobody is at work. */
static bool turn(struct batch *batch)
{
    struct pollfd ready[POOL_MAX];
    struct worker *at_work[POOL_MAX];
    int64_t wait = INT32_MAX;
    nfds_t count = 0;

    for (size_t i = 0; i < batch->worker_count; i++) {
        struct worker *worker = &batch->workers[i];

        if (!worker->process)
            continue;
        int64_t patience = process_patience(worker->process);
        wait = patience < wait ? patience : wait;
        at_work[count] = worker;
        ready[count++] = (struct pollfd){process_fd(worker->process), POLLIN, 0};
    }
    if (count == 0)
        return false;
    if (poll(ready, count, wait > 0 ? (int)wait : 0) < 0)
        return true;
    for (nfds_t i = 0; i < count; i++)
        if (ready[i].revents != 0 || process_patience(at_work[i]->process) < 0)
            hear(batch, at_work[i]);
    return true;
}

/* A keeper that cannot be had for one cannot be had for the next. */
static void ask_again(struct batch *batch)
{
    const struct error *gone = NULL;

    for (size_t i = 0; i < batch->count; i++) {
        struct keep_request *request = &batch->requests[i];

        if (!batch->again[i] && i < batch->next)
            continue;
        if (gone) {
            request->error = *gone;
            continue;
        }
        int rc = keep_make_request(batch->keep, request->renewal_id, &request->request,
                                   &request->key, &request->csr, &request->error);
        if (rc == E_COMMAND)
            gone = &request->error;
    }
}

void keep_make_requests(struct keep *keep, struct keep_request *requests, size_t count)
{
    AUTO_FREE bool *again = mem_alloc(count, sizeof *again);
    struct batch batch = {.keep = keep, .requests = requests, .count = count, .again = again};
    size_t most = processors();

    batch.worker_count = count < most ? count : most;
    for (size_t i = 0; i < batch.worker_count; i++)
        employ(&batch, &batch.workers[i]);
    while (turn(&batch))
        ;
    ask_again(&batch);
}
