#include "daemon/read/role.h"

#include "pki/prepare.h"
#include "daemon/read/wire.h"
#include "daemon/role/fault.h"
#include "daemon/role/inside.h"
#include "daemon/role/sandbox.h"

const struct role reader_role = {
    .name = "reader",
    .kinds = WIRE_KINDS,
    .requests_max = 512,
    .worn_cpu_ms = 20000,
    .cpu_seconds_max = 60,
    .ends_with_thread = true,
};

/* What it was set up for. */
struct duty {
    struct wire_setup setup;
    struct anchors **anchors; /* one for each set of the set-up */
};

static void read_delivery(const struct duty *duty, struct span file)
{
    const struct delivery_options options = {
        .passwords = (const char *const *)duty->setup.passwords.items,
        .password_count = duty->setup.passwords.count,
        .keep_keys = duty->setup.keep_keys,
    };
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error err = {0};

    if (duty->setup.faults && fault_commit(file, role_channel()))
        return;
    if (delivery_read(file, &options, &objects, &err) < 0) {
        role_answer_error(&err);
        return;
    }
    wire_error(&wire, &err);
    wire_objects(&wire, &objects, options.keep_keys);
    if (body.full) {
        error_set(&err, E_TOO_LARGE, "delivery: wanted at most %d bytes of objects", WIRE_MAX);
        role_answer_error(&err);
        return;
    }
    role_answer(&body);
}

static void parse_cert(struct span der)
{
    AUTO_CERT struct cert cert = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error err = {0};

    if (cert_parse(der, &cert, &err) < 0) {
        role_answer_error(&err);
        return;
    }
    wire_error(&wire, &err);
    wire_cert(&wire, &cert);
    role_answer(&body);
}

/* The pool of a chain is the agent's inventory. */
static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *err)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct blobs found = {0};

    (void)self;
    if (!channel_send(role_channel(), WIRE_FIND, span_of(subject_sha256, SHA256_LEN)))
        role_leave(0);
    uint32_t kind = role_hear(&body);
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
static int order_chain(const struct duty *duty, const struct wire_chain_order *order,
                       struct chain *ret_chain, struct blob *ret_gap, struct error *err)
{
    const struct chain_pool pool = {.find = find};
    const struct chain_request request = {
        .leaf = blob_span(&order->leaf),
        .pool = &pool,
        .anchors = duty->anchors[order->anchor_set],
        .added_anchors = &order->added_anchors,
        .at = order->at,
        .purpose = order->purpose,
        .preferred_root = order->preferred_root[0] != '\0' ? order->preferred_root : NULL,
    };

    return ret_chain ? chain_build(&request, ret_chain, err)
                     : chain_find_gap(&request, ret_gap, err);
}

static void build_chain(const struct duty *duty, struct span message, bool gap)
{
    AUTO_CHAIN_ORDER struct wire_chain_order order = {0};
    AUTO_CHAIN struct chain chain = {0};
    AUTO_BLOB struct blob lacking = {0};
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire in = {.in = message};
    struct wire out = {.out = &body};
    struct error err = {0};

    wire_chain_order(&in, &order);
    if (!wire_is_whole(&in) || order.anchor_set >= duty->setup.anchor_count)
        error_set(&err, E_FORMAT, "reader: wanted an order for a chain");
    else
        order_chain(duty, &order, gap ? NULL : &chain, &lacking, &err);
    if (err.code != 0) {
        role_answer_error(&err);
        return;
    }
    wire_error(&out, &err);
    if (gap)
        wire_der(&out, &lacking);
    else
        wire_chain(&out, &chain);
    role_answer(&body);
}

static int prepare(struct duty *duty, struct error *err)
{
    const struct wire_setup *setup = &duty->setup;
    int rc = crypto_prepare(err);

    duty->anchors = mem_alloc(setup->anchor_count, sizeof(struct anchors *));
    for (size_t i = 0; i < setup->anchor_count && rc == 0; i++) {
        const struct wire_anchors *set = &setup->anchors[i];

        rc = anchors_open((const char *const *)set->files.items, set->files.count, set->system,
                          &duty->anchors[i], err);
        if (rc < 0)
            return error_wrap(err, E_CONFIG, "policy %s: anchors", set->name);
    }
    return rc;
}

/* Nothing foreign is touched before the last line of it. */
static int set_up(struct duty *duty, struct error *err)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    uint32_t kind = role_hear(&body);
    struct wire wire = {.in = span_of(body.data, body.len)};

    wire_setup(&wire, &duty->setup);
    if (kind != WIRE_SETUP || !wire_is_whole(&wire))
        return error_set(err, E_FORMAT, "wanted a set-up first");
    int rc = prepare(duty, err);
    return rc == 0 ? sandbox_enter(&reader_role, err) : rc;
}

static void serve(const struct duty *duty)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    uint32_t kind = role_hear(&body);
    struct span message = span_of(body.data, body.len);
    bool reads = duty->setup.duty == WIRE_READS;

    if (kind == WIRE_READ && reads)
        read_delivery(duty, message);
    else if (kind == WIRE_PARSE && !reads)
        parse_cert(message);
    else if ((kind == WIRE_CHAIN || kind == WIRE_GAP) && !reads)
        build_chain(duty, message, kind == WIRE_GAP);
    else
        role_leave(ROLE_EXIT_USAGE);
}

int reader_role_run(void)
{
    struct duty duty = {0};
    struct error err = {0};
    int status = role_begin(&reader_role);

    if (status != 0)
        return status;
    int rc = set_up(&duty, &err);
    role_answer_error(&err);
    if (rc < 0)
        role_leave(1);
    for (;;)
        serve(&duty);
}
