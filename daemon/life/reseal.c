/* After the sealing key has changed: what is under older ones is sealed anew, a batch at a time. */
#include "daemon/life/sealing.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

enum { BATCH = 128 };

/* One key that was sealed anew and is not written yet. */
struct resealed {
    int64_t renewal_id;
    struct blob from, to;
};

struct batch {
    struct life *life;
    struct rotation before, after;
    struct sealing_ids ids; /* of the keeper */
    struct resealed items[BATCH];
    size_t count;
    size_t seen; /* with those that do not open */
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        blob_done(&batch->items[i].from);
        blob_done(&batch->items[i].to);
    }
    rotation_done(&batch->before);
    rotation_done(&batch->after);
}

/* What does not open stays as it is: its sealing key may have been damaged with it or not. */
static int reseal_one(void *self, int64_t renewal_id, const struct sealed_key *key,
                      struct error *err)
{
    struct batch *batch = self;
    const struct world *world = batch->life->world;
    struct resealed *to = &batch->items[batch->count];
    struct error why = {0};
    int rc = world->reseal(world->self, renewal_id, key, renewal_id, &to->to, &why);

    if (rc < 0 && code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why.text);
    batch->seen++;
    batch->after.renewal_id = renewal_id;
    if (rc < 0) {
        log_error("not-resealed", "renewal %" PRId64 ": %s", renewal_id, why.text);
        batch->after.failed++;
        return 0;
    }
    to->renewal_id = renewal_id;
    to->from = blob_copy(blob_span(&key->sealed));
    batch->count++;
    return 0;
}

static bool is_old(const struct batch *batch, const uint8_t id[SEALING_ID_LEN])
{
    return memcmp(id, batch->ids.items[0], SEALING_ID_LEN) != 0 && sealing_ids_has(&batch->ids, id);
}

/* The rest of the pass, up to a batch: from where it stands on, by sealing key and renewal. */
static int fill(struct batch *batch, struct error *err)
{
    struct sealing_ids in_use;
    int rc = keys_sealing_ids(batch->life->inventory, &in_use, err);

    for (size_t i = 0; rc == 0 && batch->seen == 0 && i < in_use.count; i++) {
        const uint8_t *id = in_use.items[i];
        int order = memcmp(id, batch->after.under, SEALING_ID_LEN);

        if (order < 0 || !is_old(batch, id))
            continue;
        if (order > 0)
            batch->after.renewal_id = 0;
        memcpy(batch->after.under, id, SEALING_ID_LEN);
        rc = keys_under(batch->life->inventory, id, batch->after.renewal_id, BATCH, reseal_one,
                        batch, err);
    }
    return rc;
}

/* Nobody else has moved it on meanwhile. Part of the open transaction. */
static int is_still_so(const struct batch *batch, bool *ret, struct error *err)
{
    AUTO_ROTATION struct rotation now = {0};
    int rc = rotation_load(batch->life->inventory, &now, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    *ret = rc == 0 && now.began_at == batch->before.began_at && now.done == batch->before.done &&
           now.renewal_id == batch->before.renewal_id;
    return 0;
}

/* One whose key was erased or replaced since it was read is nobody's business any more. */
static int write_batch(struct batch *batch, struct error *err)
{
    struct inventory *inventory = batch->life->inventory;
    struct error changed = {0};

    for (size_t i = 0; i < batch->count; i++) {
        const struct resealed *one = &batch->items[i];
        int rc = keys_replace(inventory, one->renewal_id, &one->from, &one->to, &changed);

        if (rc < 0 && rc != E_NOT_FOUND)
            return error_set(err, rc, "%s", changed.text);
    }
    batch->after.pass += (int64_t)batch->count;
    batch->after.done += (int64_t)batch->count;
    return rotation_save(inventory, &batch->after, err);
}

static int end_rotation(struct batch *batch, struct error *err)
{
    struct life *life = batch->life;
    int rc = rotation_remove(life->inventory, err);

    if (rc == 0)
        rc = rotation_set_failures(life->inventory, batch->after.failed, err);
    if (rc < 0)
        return rc;
    if (batch->after.failed > 0)
        return life_event(life, 0, 0, "seal-rotation-ended",
                          "%" PRId64 " keys were sealed anew; %" PRId64
                          " do not open and stay as they are: the log names them",
                          batch->after.done, batch->after.failed);
    return life_event(life, 0, 0, "seal-rotation-ended",
                      "%" PRId64 " keys were sealed anew, none is left under an older sealing key",
                      batch->after.done);
}

/* A pass is over: what was sealed under an old key behind its back is found by another one. */
static int end_pass(struct batch *batch, struct error *err)
{
    if (batch->after.pass == 0)
        return end_rotation(batch, err);
    batch->after.pass = batch->after.failed = batch->after.renewal_id = 0;
    memset(batch->after.under, 0, SEALING_ID_LEN);
    return rotation_save(batch->life->inventory, &batch->after, err);
}

/* Sealed outside of the transaction, so that others have the inventory for as long. */
int life_seal_step(struct life *life, struct error *err)
{
    __attribute__((cleanup(batch_done))) struct batch batch = {.life = life};
    bool so = false;
    int rc = rotation_load(life->inventory, &batch.before, err);

    if (rc == 0)
        rc = life->world->sealing_ids(life->world->self, &batch.ids, err);
    if (rc < 0)
        return rc;
    batch.after = batch.before;
    batch.after.by = mem_strdup(batch.before.by);
    rc = fill(&batch, err);
    if (rc < 0)
        return rc;
    rc = life_begin(life, err);
    if (rc == 0)
        rc = is_still_so(&batch, &so, err);
    if (rc == 0 && so)
        rc = batch.seen > 0 ? write_batch(&batch, err) : end_pass(&batch, err);
    return life_end(life, rc, err);
}
