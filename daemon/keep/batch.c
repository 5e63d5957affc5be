/* Many requests at once: one process for each processor, each given the next request as soon as it
 * has answered one. What a process was lost with is asked again at the end, one by one. */
#include "daemon/keep/ask.h"

#include <poll.h>
#include <sched.h>

enum { LOSSES_MAX = 8 };

/* One process at work. */
struct worker {
    struct process *process; /* NULL: none */
    struct keep_request *request;
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

static void lose(struct batch *batch, struct worker *worker, bool garbage)
{
    struct error unused = {0};

    ask_bury(batch->keep, TAKE(worker->process), KEEP_MAKE, worker->request->renewal_id, garbage,
             &unused);
    batch->again[worker->request - batch->requests] = true;
    batch->losses++;
}

/* The process that it has, one that waits, or a fresh one; NULL when none can be had. */
static struct process *equip(struct batch *batch, struct worker *worker)
{
    struct error unused = {0};

    if (worker->process && process_is_worn(worker->process))
        pool_give(&batch->keep->pool, TAKE(worker->process));
    if (!worker->process)
        worker->process = pool_take(&batch->keep->pool);
    if (!worker->process && batch->losses < LOSSES_MAX &&
        ask_start(batch->keep, &worker->process, &unused) < 0)
        batch->losses = LOSSES_MAX;
    return worker->process;
}

/* Gives the worker its next request, or takes its process from it. */
static void employ(struct batch *batch, struct worker *worker)
{
    while (batch->next < batch->count && equip(batch, worker)) {
        struct keep_request *request = &batch->requests[batch->next++];
        struct keep_order order = ask_order_of(request->renewal_id, &request->request);
        bool sent = false;

        worker->request = request;
        if (ask_send(batch->keep, worker->process, KEEP_MAKE, &order, &sent, &request->error) < 0)
            continue;
        if (sent)
            return;
        lose(batch, worker, false);
    }
    if (worker->process)
        pool_give(&batch->keep->pool, TAKE(worker->process));
}

static void hear(struct batch *batch, struct worker *worker)
{
    struct keep_answer answer = {0};
    bool garbage = false;

    if (!ask_receive(worker->process, KEEP_MAKE, &answer, &worker->request->error, &garbage)) {
        lose(batch, worker, garbage);
    } else if (worker->request->error.code == 0) {
        worker->request->key = answer.sealed;
        worker->request->csr = answer.csr;
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
