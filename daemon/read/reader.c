#include "daemon/read/reader.h"

#include <stdio.h>
#include <string.h>

#include "daemon/read/role.h"
#include "daemon/read/wire.h"
#include "daemon/role/pool.h"
#include "daemon/role/sandbox.h"

enum {
    WALL_MS = 10000,
    CPU_MS = 5000,
    IDLE_MAX = 4,     /* of one duty: as many as libuv has workers */
    FINDS_MAX = 4096, /* look-ups while one chain is built */
    TRIES = 2,
};

struct reader {
    struct process_limits limits;
    bool keep_keys;
    void (*tell)(void *self, const char *text);
    void *self;
    struct pool pools[WIRE_DUTIES];
};

/* One question, and where its answer goes. */
struct question {
    enum wire_duty duty;
    enum wire_kind kind;
    struct span body;
    const char *object;            /* "this file" */
    bool finds;                    /* the reader may look into the pool */
    bool alone;                    /* by a process that has met nobody else's bytes */
    const struct chain_pool *pool; /* NULL: nothing is in it */
    void (*take)(struct wire *wire, void *ret);
    void (*drop)(void *ret);
    void *ret; /* zeroed */
};

static struct blob pack_setup(const struct reader_options *options, enum wire_duty duty)
{
    struct wire_setup setup = {.duty = duty, .faults = options->faults};
    struct wire_anchors *sets = mem_alloc(options->anchor_count, sizeof *sets);
    struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};

    for (size_t i = 0; i < options->anchor_count; i++) {
        const struct reader_anchors *from = &options->anchors[i];

        sets[i] = (struct wire_anchors){
            .name = (char *)(uintptr_t)from->name,
            .system = from->system,
            .files = {(char **)(uintptr_t)from->files, from->file_count},
        };
    }
    if (duty == WIRE_READS) {
        setup.keep_keys = options->delivery.keep_keys;
        setup.passwords = (struct wire_texts){(char **)(uintptr_t)options->delivery.passwords,
                                              options->delivery.password_count};
    } else {
        setup.anchors = sets;
        setup.anchor_count = options->anchor_count;
    }
    wire_setup(&wire, &setup);
    free(sets);
    struct blob packed = buf_take(&body);
    return packed;
}

int reader_open(const struct reader_options *options, struct reader **ret, struct error *err)
{
    const struct process_limits *limits = &options->limits;

    if (options->anchor_count > WIRE_ANCHOR_SETS_MAX ||
        options->delivery.password_count > DELIVERY_PASSWORDS_MAX)
        return error_set(err, E_TOO_LARGE,
                         "reader: wanted at most %d sets of anchors and %d passwords",
                         WIRE_ANCHOR_SETS_MAX, DELIVERY_PASSWORDS_MAX);
    /* A file that took its process over could keep the passwords, and the keys of whoever sends
     * the next file, or hand out a key of its own in their place. */
    bool once = options->delivery.keep_keys || options->delivery.password_count > 0;
    struct reader *reader = mem_alloc(1, sizeof *reader);
    *reader = (struct reader){
        .limits = {limits->wall_ms ? limits->wall_ms : WALL_MS,
                   limits->cpu_ms ? limits->cpu_ms : CPU_MS},
        .keep_keys = options->delivery.keep_keys,
        .tell = options->tell,
        .self = options->self,
    };
    for (size_t i = 0; i < WIRE_DUTIES; i++)
        pool_init(&reader->pools[i], &reader_role, options->program,
                  pack_setup(options, (enum wire_duty)i), i == WIRE_READS && once ? 0 : IDLE_MAX);
    *ret = reader;
    return 0;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < WIRE_DUTIES; i++)
        pool_done(&reader->pools[i]);
    free(reader);
}

static int start(struct reader *reader, enum wire_duty duty, struct process **ret,
                 struct error *err)
{
    AUTO_BUF struct buf nothing = {.max = 1};

    return pool_start(&reader->pools[duty], &nothing, ret, err);
}

int reader_try(struct reader *reader, struct error *err)
{
    struct process *process = NULL;
    int rc = start(reader, WIRE_JUDGES, &process, err);

    if (rc == 0)
        pool_give(&reader->pools[WIRE_JUDGES], process);
    return rc;
}

bool reader_tidy(struct reader *reader, int64_t idle_ms)
{
    bool left = false;

    for (size_t i = 0; i < WIRE_DUTIES; i++)
        left = pool_tidy(&reader->pools[i], idle_ms, 0) || left;
    return left;
}

/* As many as one message holds: the rest is as if nobody had known it. */
static void trim(struct blobs *found)
{
    size_t kept = 0, bytes = sizeof(uint32_t);

    for (size_t i = 0; i < found->count; i++) {
        struct blob *item = &found->items[i];

        bytes += sizeof(uint32_t) + item->len;
        if (item->len == 0 || item->len > CERT_DER_MAX || kept == WIRE_FOUND_MAX ||
            bytes > WIRE_MAX)
            blob_done(item);
        else
            found->items[kept++] = *item;
    }
    found->count = kept;
}

/* 1, or 0 when the process is lost, or our own failure. */
static int answer_find(struct process *process, const struct chain_pool *pool,
                       const struct buf *asked, struct error *err)
{
    AUTO_BLOBS struct blobs found = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    int rc = pool ? pool->find(pool->self, (const uint8_t *)asked->data, &found, err) : 0;

    if (rc < 0)
        return rc;
    trim(&found);
    wire_blobs(&wire, &found, WIRE_FOUND_MAX, CERT_DER_MAX);
    return process_send(process, WIRE_FOUND, span_of(body.data, body.len)) ? 1 : 0;
}

/* A reader has no failures of its environment to tell: it has none. */
static bool is_verdict(uint32_t kind, int code)
{
    return code == 0 || code_retry(code) == RETRY_PERMANENT ||
           (code == E_NO_CHAIN && (kind == WIRE_CHAIN || kind == WIRE_GAP));
}

static bool take_answer(const struct question *question, const struct buf *body,
                        struct error *ret_answer)
{
    struct wire wire = {.in = span_of(body->data, body->len)};

    wire_error(&wire, ret_answer);
    if (!wire.bad && !is_verdict(question->kind, ret_answer->code))
        wire.bad = true;
    if (!wire.bad && ret_answer->code == 0)
        question->take(&wire, question->ret);
    if (wire_is_whole(&wire))
        return true;
    question->drop(question->ret);
    return false;
}

/* 1 with the reader's answer, or 0 when the process is lost, or our own failure. */
static int talk(struct reader *reader, struct process *process, const struct question *question,
                struct error *ret_answer, bool *ret_garbage, struct error *err)
{
    process_begin(process, &reader->limits);
    if (!process_send(process, question->kind, question->body))
        return 0;
    for (unsigned finds = 0;; finds++) {
        AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
        uint32_t kind = WIRE_KINDS;
        int rc = 0;

        if (!process_receive(process, &kind, &body, ret_garbage))
            return 0;
        if (kind == WIRE_ANSWER && take_answer(question, &body, ret_answer))
            return 1;
        *ret_garbage =
            kind != WIRE_FIND || !question->finds || body.len != SHA256_LEN || finds == FINDS_MAX;
        if (!*ret_garbage)
            rc = answer_find(process, question->pool, &body, err);
        if (rc <= 0)
            return rc;
    }
}

/*
 * Twice, the second time by a process that has met nothing else: what an administrator, a full
 * memory or an earlier file did to the first one is not this one's fault. Only its use of the
 * processor is its own.
 */
static int ask(struct reader *reader, const struct question *question, struct error *err)
{
    struct pool *pool = &reader->pools[question->duty];

    for (int try = 1;; try++) {
        bool used = try == 1 && !question->alone;
        struct process *process = used ? pool_take(pool) : NULL;
        struct error answer = {0};
        bool garbage = false;
        char fate[128];
        int rc = process ? 0 : start(reader, question->duty, &process, &answer);

        /* No verdict on what is asked, whatever the reason. */
        if (rc < 0)
            return error_set(err, E_COMMAND, "%s", answer.text);
        rc = talk(reader, process, question, &answer, &garbage, err);
        if (rc > 0) {
            pool_give(pool, process);
            return answer.code == 0 ? 0 : error_set(err, answer.code, "%s", answer.text);
        }
        bool final = rc == 0 && process_fate(process, garbage, fate, sizeof fate) == FATE_LATE_CPU;
        process_end(process);
        if (rc < 0)
            return rc;
        if (final || try == TRIES)
            return error_set(err, E_REFUSED, "the reader %s while it looked at %s", fate,
                             question->object);
        error_set(&answer, E_COMMAND, "the reader %s while it looked at %s: once more by another",
                  fate, question->object);
        if (reader->tell)
            reader->tell(reader->self, answer.text);
    }
}

/* Whether private keys may be among what came. */
struct objects_taken {
    struct delivery_objects objects;
    bool keep_keys;
};

static void take_objects(struct wire *wire, void *ret)
{
    struct objects_taken *taken = ret;

    wire_objects(wire, &taken->objects, taken->keep_keys);
}

static void drop_objects(void *ret)
{
    delivery_objects_done(&((struct objects_taken *)ret)->objects);
}

static int read_file(struct reader *reader, struct span file, bool alone,
                     struct delivery_objects *ret, struct error *err)
{
    struct objects_taken taken = {.keep_keys = reader->keep_keys};
    const struct question question = {
        .duty = WIRE_READS,
        .kind = WIRE_READ,
        .body = file,
        .object = "this file",
        .alone = alone,
        .take = take_objects,
        .drop = drop_objects,
        .ret = &taken,
    };

    if (file.len > DELIVERY_FILE_MAX)
        return error_set(err, E_TOO_LARGE, "delivery: size: wanted at most %d bytes, got %zu",
                         DELIVERY_FILE_MAX, file.len);
    int rc = ask(reader, &question, err);
    if (rc < 0 && rc != E_TOO_LARGE && code_retry(rc) == RETRY_PERMANENT)
        return error_wrap(err, E_REFUSED, "this file cannot be read");
    if (rc < 0)
        return rc;
    /* The name by which everything else knows a certificate is not left to somebody else. */
    for (size_t i = 0; i < taken.objects.count; i++) {
        struct object *object = &taken.objects.items[i];

        if (object->kind == OBJECT_CERTIFICATE)
            sha256_of(blob_span(&object->der), object->cert.sha256);
    }
    *ret = taken.objects;
    return 0;
}

int reader_read_delivery(struct reader *reader, struct span file, struct delivery_objects *ret,
                         struct error *err)
{
    return read_file(reader, file, false, ret, err);
}

int reader_read_alone(struct reader *reader, struct span file, struct delivery_objects *ret,
                      struct error *err)
{
    return read_file(reader, file, true, ret, err);
}

static void take_cert(struct wire *wire, void *ret)
{
    wire_cert(wire, ret);
}

static void drop_cert(void *ret)
{
    cert_done(ret);
}

int reader_parse_cert(struct reader *reader, struct span der, struct cert *ret, struct error *err)
{
    struct cert cert = {0};
    const struct question question = {
        .duty = WIRE_JUDGES,
        .kind = WIRE_PARSE,
        .body = der,
        .object = "this certificate",
        .take = take_cert,
        .drop = drop_cert,
        .ret = &cert,
    };

    if (der.len > CERT_DER_MAX)
        return error_set(err, E_TOO_LARGE, "certificate: wanted at most %d bytes, got %zu",
                         CERT_DER_MAX, der.len);
    int rc = ask(reader, &question, err);
    if (rc < 0)
        return rc;
    sha256_of(der, cert.sha256);
    *ret = cert;
    return 0;
}

static void take_chain(struct wire *wire, void *ret)
{
    wire_chain(wire, ret);
}

static void drop_chain(void *ret)
{
    chain_done(ret);
}

static int pack_order(size_t anchors, const struct chain_request *request, struct buf *ret,
                      struct error *err)
{
    struct wire_chain_order order = {
        .anchor_set = (uint32_t)anchors,
        .leaf = {(uint8_t *)(uintptr_t)request->leaf.data, request->leaf.len},
        .at = request->at,
        .purpose = request->purpose,
    };
    struct wire wire = {.out = ret};

    if (request->added_anchors)
        order.added_anchors = *request->added_anchors;
    if (request->preferred_root)
        snprintf(order.preferred_root, sizeof order.preferred_root, "%s", request->preferred_root);
    wire_chain_order(&wire, &order);
    if (ret->full || order.added_anchors.count > WIRE_FOUND_MAX || order.leaf.len > CERT_DER_MAX)
        return error_set(err, E_TOO_LARGE, "chain: wanted at most %d added anchors, got %zu",
                         WIRE_FOUND_MAX, order.added_anchors.count);
    return 0;
}

static void take_gap(struct wire *wire, void *ret)
{
    wire_der(wire, ret);
}

static void drop_gap(void *ret)
{
    blob_done(ret);
}

/* question: kind, and what becomes of the answer. */
static int ask_about_chain(struct reader *reader, size_t anchors,
                           const struct chain_request *request, struct question question,
                           struct error *err)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    int rc = pack_order(anchors, request, &body, err);

    question.duty = WIRE_JUDGES;
    question.body = span_of(body.data, body.len);
    question.object = "this certificate";
    question.finds = true;
    question.pool = request->pool;
    return rc < 0 ? rc : ask(reader, &question, err);
}

int reader_build_chain(struct reader *reader, size_t anchors, const struct chain_request *request,
                       struct chain *ret, struct error *err)
{
    struct chain chain = {0};
    const struct question question = {
        .kind = WIRE_CHAIN, .take = take_chain, .drop = drop_chain, .ret = &chain};
    int rc = ask_about_chain(reader, anchors, request, question, err);

    if (rc == 0)
        *ret = chain;
    return rc;
}

int reader_find_gap(struct reader *reader, size_t anchors, const struct chain_request *request,
                    struct blob *ret, struct error *err)
{
    struct blob gap = {0};
    const struct question question = {
        .kind = WIRE_GAP, .take = take_gap, .drop = drop_gap, .ret = &gap};
    int rc = ask_about_chain(reader, anchors, request, question, err);

    if (rc == 0)
        *ret = gap;
    return rc;
}
