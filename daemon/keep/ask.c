#include "daemon/keep/ask.h"

#include <string.h>
#include <time.h>

#include "daemon/keep/role.h"

/* Before each try but the first, which may meet a process that died in its sleep. */
static const long waits_ms[] = {0, 0, 100, 1000};

static void wait_ms(long milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    while (milliseconds > 0 && nanosleep(&left, &left) < 0)
        ;
}

int ask_start_as(struct keep *keep, const struct blob *setup, struct sealing_ids *ret_ids,
                 struct process **ret, struct error *err)
{
    AUTO_BUF struct buf said = {.max = WIRE_MAX};
    struct process *process = NULL;
    struct sealing_ids ids = {0};
    int rc = process_start(&keeper_role, keep->pool.program,
                           blob_span(setup ? setup : &keep->pool.setup), &said, &process, err);

    if (rc < 0)
        return rc;
    struct wire wire = {.in = span_of(said.data, said.len)};
    wire_keep_ids(&wire, &ids);
    if (!wire_is_whole(&wire)) {
        process_end(process);
        return error_set(err, E_COMMAND, "keeper: did not name its sealing keys");
    }
    *ret_ids = ids;
    *ret = process;
    return 0;
}

void ask_adopt(struct keep *keep, const struct sealing_ids *ids)
{
    pthread_mutex_lock(&keep->mutex);
    keep->ids = *ids;
    pthread_mutex_unlock(&keep->mutex);
    pool_renew(&keep->pool);
}

int ask_start(struct keep *keep, struct process **ret, struct error *err)
{
    struct process *process = NULL;
    struct sealing_ids known, ids = {0};
    struct error why = {0};

    keep_ids(keep, &known);
    int rc = ask_start_as(keep, NULL, &ids, &process, &why);
    if (rc == 0 && !sealing_ids_has(&ids, known.items[0]))
        rc = error_set(&why, E_CORRUPT,
                       "keeper: the sealing key is not the one that it was when the daemon "
                       "started; put the right one back");
    if (rc == 0) {
        if (memcmp(ids.items[0], known.items[0], SEALING_ID_LEN) != 0)
            ask_adopt(keep, &ids);
        *ret = process;
        return 0;
    }
    process_end(process);
    return error_set(err, E_COMMAND, "%s", why.text);
}

int ask_send(struct keep *keep, struct process *process, enum keep_kind kind,
             struct keep_order *order, bool *ret_sent, struct error *err)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};

    wire_keep_order(&wire, kind, order);
    if (body.full)
        return error_set(err, E_TOO_LARGE, "keeper: wanted at most %d bytes of an order", WIRE_MAX);
    process_begin(process, kind == KEEP_MAKE ? &keep->making : &keep->others);
    *ret_sent = process_send(process, kind, span_of(body.data, body.len));
    return 0;
}

bool ask_receive(struct process *process, enum keep_kind kind, struct keep_answer *ret,
                 struct error *ret_error, bool *ret_garbage)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    AUTO_KEEP_ANSWER struct keep_answer answer = {0};
    struct error said = {0};
    uint32_t answered = 0;

    if (!process_receive(process, &answered, &body, ret_garbage))
        return false;
    struct wire wire = {.in = span_of(body.data, body.len)};
    wire_error(&wire, &said);
    if (!wire.bad && said.code == 0)
        wire_keep_answer(&wire, kind, &answer);
    *ret_garbage = answered != WIRE_ANSWER || !wire_is_whole(&wire);
    if (*ret_garbage)
        return false;
    *ret_error = said;
    *ret = answer;
    answer = (struct keep_answer){0};
    return true;
}

/* What a keeper was at, for the sentence about its end. */
static const char *work_text(enum keep_kind kind)
{
    static const char *const texts[KEEP_KINDS] = {
        [KEEP_MAKE] = "made the key",
        [KEEP_SEAL] = "sealed the key",
        [KEEP_RESEAL] = "resealed the key",
        [KEEP_CHECK] = "checked the key",
        [KEEP_BUNDLE] = "opened the key",
        [KEEP_SIGN_OFF] = "signed off",
        [KEEP_SIGNED_OFF] = "checked what was signed off",
    };

    return texts[kind];
}

bool ask_bury(struct keep *keep, struct process *process, enum keep_kind kind, int64_t id,
              bool garbage, struct error *err)
{
    char fate[128];
    enum fate what = process_fate(process, garbage, fate, sizeof fate);

    process_end(process);
    error_set(err, E_COMMAND, "the keeper %s while it %s", fate, work_text(kind));
    if (id != 0)
        error_set(err, E_COMMAND, "the keeper %s while it %s of renewal %lld", fate,
                  work_text(kind), (long long)id);
    if (keep->tell)
        keep->tell(keep->self, err->text);
    return what == FATE_LATE || what == FATE_LATE_CPU;
}

/* Once: 1 when it was answered, 0 when the process was lost and another may be asked. */
static int try_once(struct keep *keep, struct process *process, enum keep_kind kind,
                    struct keep_order *order, struct keep_answer *ret, struct error *ret_answer,
                    struct error *err)
{
    bool sent = false, garbage = false;
    int rc = ask_send(keep, process, kind, order, &sent, err);

    if (rc < 0) {
        pool_give(&keep->pool, process);
        return rc;
    }
    if (sent && ask_receive(process, kind, ret, ret_answer, &garbage)) {
        /* It may have sealed under a key that is not in force any more. */
        bool stale = pool_is_stale(&keep->pool, process);

        pool_give(&keep->pool, process);
        if (!stale)
            return 1;
        keep_answer_done(ret);
        error_set(err, E_COMMAND, "keeper: the sealing key has changed meanwhile");
        return 0;
    }
    return ask_bury(keep, process, kind, order->id, garbage, err) ? E_COMMAND : 0;
}

int ask(struct keep *keep, enum keep_kind kind, struct keep_order *order, struct keep_answer *ret,
        struct error *err)
{
    struct error why = {0};

    for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
        struct process *process = i == 0 ? pool_take(&keep->pool) : NULL;
        struct error answer = {0};

        wait_ms(waits_ms[i]);
        if (!process && ask_start(keep, &process, &why) < 0)
            continue;
        int rc = try_once(keep, process, kind, order, ret, &answer, &why);
        if (rc == 1)
            return answer.code == 0 ? 0 : error_set(err, answer.code, "%s", answer.text);
        if (rc < 0)
            break;
    }
    return error_set(err, why.code, "%s", why.text);
}

/* Bytes and texts that a message only reads. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

struct keep_order ask_order_of(int64_t renewal_id, const struct key_request *request)
{
    const struct subject *subject = &request->subject;

    return (struct keep_order){
        .id = renewal_id,
        .type = request->key_type,
        .subject = {borrow(subject->common_name), borrow(subject->organization),
                    borrow(subject->country), borrow(subject->state), borrow(subject->locality)},
        .names = *request->names,
    };
}
