#include "daemon/keep/keep.h"

#include <string.h>

#include "daemon/keep/ask.h"
#include "daemon/keep/role.h"

/* Of making a key: RSA of 4096 bits takes two seconds, or ten times that when one is unlucky, and
 * on a slow machine more. */
static const struct process_limits usual_making = {300 * 1000, 120 * 1000};
static const struct process_limits usual_others = {30 * 1000, 10 * 1000};

static struct blob pack_setup(const struct keep *keep, bool create, bool rotate)
{
    struct keep_setup setup = {keep->path, keep->previous, create, rotate, keep->faults};
    struct buf body = {.max = WIRE_MAX};

    wire_keep_setup(&(struct wire){.out = &body}, &setup);
    return buf_take(&body);
}

static struct process_limits limits_of(struct process_limits wanted, struct process_limits usual)
{
    return (struct process_limits){wanted.wall_ms ? wanted.wall_ms : usual.wall_ms,
                                   wanted.cpu_ms ? wanted.cpu_ms : usual.cpu_ms};
}

int keep_open(const struct keep_options *options, struct keep **ret, struct error *err)
{
    struct keep *keep = mem_alloc(1, sizeof *keep);
    struct process *process = NULL;

    *keep = (struct keep){
        .making = limits_of(options->making, usual_making),
        .others = limits_of(options->others, usual_others),
        .tell = options->tell,
        .self = options->self,
        .path = mem_strdup(options->path),
        .previous = mem_strdup(options->previous ? options->previous : ""),
        .faults = options->faults,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
    };
    pool_init(&keep->pool, &keeper_role, options->program, pack_setup(keep, false, false),
              POOL_MAX);
    /* The first process: its failures are told as they are. */
    AUTO_BLOB struct blob setup = pack_setup(keep, options->create, false);
    int rc = ask_start_as(keep, &setup, &keep->ids, &process, err);
    if (rc < 0) {
        keep_close(keep);
        return rc;
    }
    pool_give(&keep->pool, process);
    *ret = keep;
    return 0;
}

void keep_close(struct keep *keep)
{
    if (!keep)
        return;
    pool_done(&keep->pool);
    pthread_mutex_destroy(&keep->mutex);
    free(keep->path);
    free(keep->previous);
    free(keep);
}

void keep_ids(struct keep *keep, struct sealing_ids *ret)
{
    pthread_mutex_lock(&keep->mutex);
    *ret = keep->ids;
    pthread_mutex_unlock(&keep->mutex);
}

int keep_rotate(struct keep *keep, struct error *err)
{
    AUTO_BLOB struct blob setup = pack_setup(keep, false, true);
    struct process *process = NULL;
    struct sealing_ids ids = {0};
    int rc = ask_start_as(keep, &setup, &ids, &process, err);

    process_end(process);
    if (rc == 0)
        ask_adopt(keep, &ids);
    return rc;
}

bool keep_tidy(struct keep *keep, int64_t idle_ms)
{
    return pool_tidy(&keep->pool, idle_ms, 1);
}

static struct blob borrow(struct span span)
{
    return (struct blob){(uint8_t *)(uintptr_t)span.data, span.len};
}

int keep_make_request(struct keep *keep, int64_t renewal_id, const struct key_request *request,
                      struct sealed_key *ret_key, struct blob *ret_csr, struct error *err)
{
    struct keep_order order = ask_order_of(renewal_id, request);
    struct keep_answer answer = {0};
    int rc = ask(keep, KEEP_MAKE, &order, &answer, err);

    if (rc < 0)
        return rc;
    *ret_key = answer.sealed;
    *ret_csr = answer.csr;
    return 0;
}

int keep_seal(struct keep *keep, int64_t renewal_id, struct span key, struct sealed_key *ret,
              struct error *err)
{
    struct keep_order order = {.id = renewal_id, .key = borrow(key)};
    struct keep_answer answer = {0};

    if (key.len > KEEP_KEY_MAX)
        return error_set(err, E_TOO_LARGE, "private key: wanted at most %d bytes, got %zu",
                         KEEP_KEY_MAX, key.len);
    int rc = ask(keep, KEEP_SEAL, &order, &answer, err);
    if (rc == 0)
        *ret = answer.sealed;
    return rc;
}

int keep_reseal(struct keep *keep, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                struct blob *ret, struct error *err)
{
    struct keep_order order = {.id = from_id, .to_id = to_id, .sealed = *from};
    struct keep_answer answer = {0};
    int rc = ask(keep, KEEP_RESEAL, &order, &answer, err);

    if (rc == 0)
        *ret = answer.sealed.sealed;
    return rc;
}

int keep_check(struct keep *keep, int64_t renewal_id, const struct sealed_key *key, struct span csr,
               struct span cert, struct error *err)
{
    struct keep_order order = {
        .id = renewal_id, .sealed = *key, .csr = borrow(csr), .cert = borrow(cert)};
    struct keep_answer answer = {0};

    return ask(keep, KEEP_CHECK, &order, &answer, err);
}

int keep_build_bundle(struct keep *keep, int64_t renewal_id, const struct sealed_key *key,
                      struct span leaf, const struct blobs *chain, struct bundle *ret,
                      struct error *err)
{
    struct keep_order order = {
        .id = renewal_id, .sealed = *key, .cert = borrow(leaf), .chain = *chain};
    struct keep_answer answer = {0};
    int rc = ask(keep, KEEP_BUNDLE, &order, &answer, err);

    if (rc == 0)
        *ret = answer.bundle;
    return rc;
}

int keep_sign_off(struct keep *keep, struct span message, uint8_t ret_mac[SHA256_LEN],
                  struct error *err)
{
    struct keep_order order = {.message = borrow(message)};
    struct keep_answer answer = {0};

    if (message.len > KEEP_MESSAGE_MAX)
        return error_set(err, E_TOO_LARGE, "to be signed off: wanted at most %d bytes, got %zu",
                         KEEP_MESSAGE_MAX, message.len);
    int rc = ask(keep, KEEP_SIGN_OFF, &order, &answer, err);

    if (rc == 0)
        memcpy(ret_mac, answer.mac, SHA256_LEN);
    return rc;
}

int keep_signed_off(struct keep *keep, struct span message, const uint8_t mac[SHA256_LEN],
                    bool *ret, struct error *err)
{
    struct keep_order order = {.message = borrow(message)};
    struct keep_answer answer = {0};

    memcpy(order.mac, mac, SHA256_LEN);
    int rc = ask(keep, KEEP_SIGNED_OFF, &order, &answer, err);
    if (rc == 0)
        *ret = answer.fits;
    return rc;
}
