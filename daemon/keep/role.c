#include "daemon/keep/role.h"

#include "pki/prepare.h"
#include "daemon/keep/lock.h"
#include "daemon/keep/wire.h"
#include "daemon/role/fault.h"
#include "daemon/role/inside.h"
#include "daemon/role/sandbox.h"

const struct role keeper_role = {
    .name = "keeper",
    .kinds = KEEP_KINDS,
    .requests_max = 1 << 14,
    .worn_cpu_ms = 60 * 1000,
    .cpu_seconds_max = 240,
};

/* What it was set up for. */
struct duty {
    struct keeper *keeper;
    bool faults;
};

/* The one place where sealing keys are opened, and made. */
static int open_keeper(const struct keep_setup *setup, struct duty *duty, struct error *err)
{
    int rc = keeper_open(setup->path, setup->create, &duty->keeper, err);

    duty->faults = setup->faults;
    if (rc == 0 && setup->previous[0] != '\0') {
        rc = keeper_open_previous(duty->keeper, setup->previous, err);
        if (rc < 0)
            return error_wrap(err, rc == E_NOT_FOUND ? E_CONFIG : rc, "sealing-key-previous");
    }
    return rc == 0 && setup->rotate ? keeper_rotate(duty->keeper, err) : rc;
}

static int set_up(struct duty *duty, struct error *err)
{
    AUTO_KEEP_SETUP struct keep_setup setup = {0};
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX};
    uint32_t kind = role_hear(&body);
    struct wire wire = {.in = span_of(body.data, body.len)};

    wire_keep_setup(&wire, &setup);
    if (kind != WIRE_SETUP || !wire_is_whole(&wire))
        return error_set(err, E_FORMAT, "wanted a set-up first");
    int rc = crypto_prepare(err);
    if (rc == 0)
        rc = open_keeper(&setup, duty, err);
    lock_memory();
    return rc == 0 ? sandbox_enter(&keeper_role, err) : rc;
}

/* It is confined, and these are its sealing keys. */
static void say_ready(const struct duty *duty)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    struct wire wire = {.out = &body};
    struct error none = {0};
    struct sealing_ids ids;

    keeper_ids(duty->keeper, &ids);
    wire_error(&wire, &none);
    wire_keep_ids(&wire, &ids);
    role_answer(&body);
}

static int make(struct keeper *keeper, const struct keep_order *order, struct keep_answer *ret,
                struct error *err)
{
    const struct key_request request = {
        .key_type = order->type,
        .subject = {order->subject[0], order->subject[1], order->subject[2], order->subject[3],
                    order->subject[4]},
        .names = &order->names,
    };

    return keeper_make_request(keeper, order->id, &request, &ret->sealed, &ret->csr, err);
}

static int carry_out(struct keeper *keeper, enum keep_kind kind, const struct keep_order *order,
                     struct keep_answer *ret, struct error *err)
{
    switch (kind) {
    case KEEP_MAKE:
        return make(keeper, order, ret, err);
    case KEEP_SEAL:
        return keeper_seal(keeper, order->id, blob_span(&order->key), &ret->sealed, err);
    case KEEP_RESEAL:
        ret->sealed = (struct sealed_key){0};
        return keeper_reseal(keeper, order->id, &order->sealed, order->to_id, &ret->sealed.sealed,
                             err);
    case KEEP_CHECK:
        return keeper_check(keeper, order->id, &order->sealed, blob_span(&order->csr),
                            blob_span(&order->cert), err);
    case KEEP_BUNDLE:
        return keeper_build_bundle(keeper, order->id, &order->sealed, blob_span(&order->cert),
                                   &order->chain, &ret->bundle, err);
    case KEEP_SIGN_OFF:
        return keeper_sign_off(keeper, blob_span(&order->message), ret->mac, err);
    case KEEP_SIGNED_OFF:
        return keeper_signed_off(keeper, blob_span(&order->message), order->mac, &ret->fits, err);
    case KEEP_KINDS:
        break;
    }
    return error_set(err, E_FORMAT, "keeper: wanted an order");
}

static void serve(const struct duty *duty)
{
    AUTO_SECRET_BUF struct buf body = {.max = WIRE_MAX}, out = {.max = WIRE_MAX};
    AUTO_KEEP_ORDER struct keep_order order = {0};
    AUTO_KEEP_ANSWER struct keep_answer answer = {0};
    enum keep_kind kind = (enum keep_kind)role_hear(&body);
    struct wire in = {.in = span_of(body.data, body.len)};
    struct wire wire = {.out = &out};
    struct error err = {0};

    if (kind < KEEP_MAKE)
        role_leave(ROLE_EXIT_USAGE);
    wire_keep_order(&in, kind, &order);
    if (!wire_is_whole(&in))
        error_set(&err, E_FORMAT, "keeper: wanted an order");
    else if (duty->faults && fault_commit(blob_span(&order.key), role_channel()))
        return;
    else
        carry_out(duty->keeper, kind, &order, &answer, &err);
    wire_error(&wire, &err);
    if (err.code == 0)
        wire_keep_answer(&wire, kind, &answer);
    role_answer(&out);
}

int keeper_role_run(void)
{
    struct duty duty = {0};
    struct error err = {0};
    int status = role_begin(&keeper_role);

    if (status != 0)
        return status;
    if (set_up(&duty, &err) < 0) {
        role_answer_error(&err);
        role_leave(1);
    }
    say_ready(&duty);
    for (;;)
        serve(&duty);
}
