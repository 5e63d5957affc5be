#include "daemon/read/role.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pki/memory.h"
#include "pki/prepare.h"
#include "daemon/read/channel.h"
#include "daemon/read/fault.h"
#include "daemon/read/sandbox.h"

enum { EXIT_USAGE = 2 };

static const struct channel channel = {.fd = READER_ROLE_FD};

struct role {
    struct wire_setup setup;
    struct anchors **anchors; /* one for each set of the set-up */
};

bool reader_role_is_meant(int argc, char *const argv[])
{
    return argc == 2 && strcmp(argv[1], READER_ROLE_ARGUMENT) == 0;
}

/* The other end of its socket is the process that started it. */
static bool is_started_by_agent(void)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(READER_ROLE_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           peer.pid == getppid();
}

/* Nobody is left to talk to once the other end is gone. Without exit handlers: they may want what
 * is forbidden now. */
static _Noreturn void leave(int status)
{
    _exit(status);
}

static void answer(struct buf *body)
{
    if (!channel_send(&channel, WIRE_ANSWER, span_of(body->data, body->len)))
        leave(0);
}

static void answer_error(const struct error *err)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error copy = *err;

    wire_error(&wire, &copy);
    answer(&body);
}

/* Receives what the agent sent; its end is ours. An agent of the same program sends no garbage. */
static enum wire_kind hear(struct buf *body)
{
    enum wire_kind kind = WIRE_SETUP;
    bool garbage;

    if (!channel_receive(&channel, &kind, body, &garbage))
        leave(0);
    return kind;
}

static void read_delivery(const struct role *role, struct span file)
{
    const struct delivery_options options = {
        .passwords = (const char *const *)role->setup.passwords.items,
        .password_count = role->setup.passwords.count,
        .keep_keys = role->setup.keep_keys,
    };
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error err = {0};

    if (role->setup.faults && fault_commit(file, &channel))
        return;
    if (delivery_read(file, &options, &objects, &err) < 0) {
        answer_error(&err);
        return;
    }
    wire_error(&wire, &err);
    wire_objects(&wire, &objects, options.keep_keys);
    if (body.full) {
        error_set(&err, E_TOO_LARGE, "delivery: wanted at most %d bytes of objects", WIRE_MAX);
        answer_error(&err);
        return;
    }
    answer(&body);
}

static void parse_cert(struct span der)
{
    AUTO_CERT struct cert cert = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error err = {0};

    if (cert_parse(der, &cert, &err) < 0) {
        answer_error(&err);
        return;
    }
    wire_error(&wire, &err);
    wire_cert(&wire, &cert);
    answer(&body);
}

/* The pool of a chain is the agent's inventory. */
static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *err)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct blobs found = {0};

    (void)self;
    if (!channel_send(&channel, WIRE_FIND, span_of(subject_sha256, SHA256_LEN)))
        leave(0);
    enum wire_kind kind = hear(&body);
    struct wire wire = {.in = span_of(body.data, body.len)};
    wire_blobs(&wire, &found, WIRE_FOUND_MAX, CERT_DER_MAX);
    if (kind != WIRE_FOUND || !wire_is_whole(&wire)) {
        blobs_done(&found);
        return error_set(err, E_FORMAT, "reader: wanted the certificates of a subject");
    }
    *ret = found;
    return 0;
}

/* What is asked for: the chain, or what it lacks. */
static int order_chain(const struct role *role, const struct wire_chain_order *order,
                       struct chain *ret_chain, struct blob *ret_gap, struct error *err)
{
    const struct chain_pool pool = {.find = find};
    const struct chain_request request = {
        .leaf = blob_span(&order->leaf),
        .pool = &pool,
        .anchors = role->anchors[order->anchor_set],
        .added_anchors = &order->added_anchors,
        .at = order->at,
        .purpose = order->purpose,
        .preferred_root = order->preferred_root[0] != '\0' ? order->preferred_root : NULL,
    };

    return ret_chain ? chain_build(&request, ret_chain, err)
                     : chain_find_gap(&request, ret_gap, err);
}

static void build_chain(const struct role *role, struct span message, bool gap)
{
    AUTO_CHAIN_ORDER struct wire_chain_order order = {0};
    AUTO_CHAIN struct chain chain = {0};
    AUTO_BLOB struct blob lacking = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire in = {.in = message};
    struct wire out = {.out = &body};
    struct error err = {0};

    wire_chain_order(&in, &order);
    if (!wire_is_whole(&in) || order.anchor_set >= role->setup.anchor_count)
        error_set(&err, E_FORMAT, "reader: wanted an order for a chain");
    else
        order_chain(role, &order, gap ? NULL : &chain, &lacking, &err);
    if (err.code != 0) {
        answer_error(&err);
        return;
    }
    wire_error(&out, &err);
    if (gap)
        wire_der(&out, &lacking);
    else
        wire_chain(&out, &chain);
    answer(&body);
}

static int prepare(struct role *role, struct error *err)
{
    const struct wire_setup *setup = &role->setup;
    int rc = crypto_prepare(err);

    role->anchors = mem_alloc(setup->anchor_count, sizeof(struct anchors *));
    for (size_t i = 0; i < setup->anchor_count && rc == 0; i++) {
        const struct wire_anchors *set = &setup->anchors[i];

        rc = anchors_open((const char *const *)set->files.items, set->files.count, set->system,
                          &role->anchors[i], err);
        if (rc < 0)
            return error_wrap(err, E_CONFIG, "policy %s: anchors", set->name);
    }
    return rc;
}

/* Nothing foreign is touched before the last line of it. */
static int set_up(struct role *role, struct error *err)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    enum wire_kind kind = hear(&body);
    struct wire wire = {.in = span_of(body.data, body.len)};

    wire_setup(&wire, &role->setup);
    if (kind != WIRE_SETUP || !wire_is_whole(&wire))
        return error_set(err, E_FORMAT, "wanted a set-up first");
    int rc = prepare(role, err);
    return rc == 0 ? sandbox_enter(READER_ROLE_FD, err) : rc;
}

static void serve(const struct role *role)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    enum wire_kind kind = hear(&body);
    struct span message = span_of(body.data, body.len);
    bool reads = role->setup.duty == WIRE_READS;

    if (kind == WIRE_READ && reads)
        read_delivery(role, message);
    else if (kind == WIRE_PARSE && !reads)
        parse_cert(message);
    else if ((kind == WIRE_CHAIN || kind == WIRE_GAP) && !reads)
        build_chain(role, message, kind == WIRE_GAP);
    else
        leave(EXIT_USAGE);
}

int reader_role_run(void)
{
    struct role role = {0};
    struct error err = {0};

    if (!is_started_by_agent()) {
        fputs("unlapsed: the role of a reader is not started by hand\n", stderr);
        return EXIT_USAGE;
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NAME, "unlapsed-reader", 0, 0, 0);
    umask(077);
    if (chdir("/") < 0 || crypto_wipe_freed(&err) < 0)
        return 1;
    int rc = set_up(&role, &err);
    answer_error(&err);
    if (rc < 0)
        leave(1);
    for (;;)
        serve(&role);
}
