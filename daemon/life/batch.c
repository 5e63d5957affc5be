/* Files of the drop folder, taken together: read one by one outside of any transaction, then judged
 * and recorded in one, each in a part of it that is undone alone when that file fails. */
#include "daemon/life/internal.h"

#include <assert.h>

#include "base/log.h"

struct life_batch {
    struct life *life;
    struct intake items[LIFE_BATCH_FILES];
    struct life_verdict verdicts[LIFE_BATCH_FILES];
    size_t count;
    size_t held; /* bytes of what was read */
};

void life_verdict_done(struct life_verdict *verdict)
{
    free(verdict->reason);
    free(verdict->receipt);
    *verdict = (struct life_verdict){0};
}

struct life_batch *life_batch_new(struct life *life)
{
    struct life_batch *batch = mem_alloc(1, sizeof *batch);

    batch->life = life;
    return batch;
}

void life_batch_clear(struct life_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        intake_done(&batch->items[i]);
        life_verdict_done(&batch->verdicts[i]);
    }
    batch->count = 0;
    batch->held = 0;
}

void life_batch_free(struct life_batch *batch)
{
    if (!batch)
        return;
    life_batch_clear(batch);
    free(batch);
}

static size_t size_of(const struct delivery_objects *objects)
{
    size_t size = 0;

    for (size_t i = 0; i < objects->count; i++) {
        const struct object *object = &objects->items[i];

        size += sizeof *object + object->der.len + object->key.len;
        for (size_t j = 0; j < object->cert.names.count; j++)
            size += sizeof object->cert.names.items[j] + 64;
    }
    return size;
}

bool life_batch_is_full(const struct life_batch *batch)
{
    return batch->count == LIFE_BATCH_FILES || batch->held >= LIFE_BATCH_BYTES;
}

int life_batch_add(struct life_batch *batch, const char *file, struct span data,
                   const uint8_t sha256[SHA256_LEN], const char *problem, struct error *err)
{
    struct intake *in = &batch->items[batch->count];

    assert(batch->count < LIFE_BATCH_FILES);
    int rc = intake_read(batch->life, file, data, sha256, problem, in, err);
    if (rc < 0)
        return rc;
    batch->held += size_of(&in->objects);
    batch->count++;
    return 0;
}

size_t life_batch_count(const struct life_batch *batch)
{
    return batch->count;
}

const struct life_verdict *life_batch_verdict(const struct life_batch *batch, size_t at)
{
    assert(at < batch->count);
    return &batch->verdicts[at];
}

/* A file that fails is undone alone; negative: nothing of the batch can stay. */
static int take_one(struct intake *in, struct life_verdict *ret, struct error *err)
{
    int rc = life_part_begin(in->life, err);

    if (rc < 0)
        return rc;
    int taken = intake_take(in, err);
    rc = life_part_end(in->life, taken, err);
    if (rc == 0 && taken < 0) {
        ret->failed = taken;
        ret->reason = mem_strdup(err->text);
    }
    return rc;
}

/* The receipt of the file that brought the news says what it completed, and whoever else's receipt
 * says it too has it in the inventory. */
static int complete_chains(struct life_batch *batch, struct error *err)
{
    const struct intake *news = NULL;
    AUTO_DELIVERY struct delivery_row row = {0};
    AUTO_BUF struct buf lines;

    buf_init(&lines, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].authorities > 0 && batch->verdicts[i].failed == 0)
            news = &batch->items[i];
    if (!news)
        return 0;
    LOG_CONTEXT("delivery=%s", news->name);
    int rc = chains_complete_when_new(batch->life, news->name, &lines, err);
    if (rc < 0 || lines.len == 0)
        return rc;
    rc = deliveries_get(batch->life->inventory, news->delivery_id, &row, err);
    if (rc < 0)
        return rc;
    AUTO_FREE char *receipt = mem_printf("%s\n%s", row.receipt, buf_text(&lines));
    return deliveries_set_receipt(batch->life->inventory, row.id, receipt, err);
}

/* As they stand at the end: a later file may have added to an earlier one's receipt. */
static int read_verdicts(struct life_batch *batch, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < batch->count; i++) {
        struct life_verdict *verdict = &batch->verdicts[i];
        AUTO_DELIVERY struct delivery_row row = {0};

        if (verdict->failed < 0)
            continue;
        rc = deliveries_get(batch->life->inventory, batch->items[i].delivery_id, &row, err);
        if (rc < 0)
            break;
        verdict->delivery_id = row.id;
        verdict->accepted = row.accepted;
        verdict->secret = row.secret;
        verdict->receipt = row.receipt;
        row.receipt = NULL;
    }
    return rc;
}

int life_batch_take(struct life_batch *batch, struct error *err)
{
    ACT_OF(batch->life, ACTOR_DROP);
    int rc = life_begin(batch->life, err);

    for (size_t i = 0; rc == 0 && i < batch->count; i++)
        rc = take_one(&batch->items[i], &batch->verdicts[i], err);
    if (rc == 0)
        rc = complete_chains(batch, err);
    if (rc == 0)
        rc = read_verdicts(batch, err);
    return life_end(batch->life, rc, err);
}

int life_filed(struct life *life, const struct life_filing *filings, size_t count,
               struct error *err)
{
    utc_t now = life->world->now(life->world->self);
    int rc = count > 0 ? life_begin(life, err) : 0;

    if (count == 0)
        return 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = deliveries_set_filed(life->inventory, filings[i].delivery_id, filings[i].name, now,
                                  err);
    return life_end(life, rc, err);
}

int life_intake(struct life *life, const char *file, struct span data,
                const uint8_t sha256[SHA256_LEN], const char *problem, struct life_verdict *ret,
                struct error *err)
{
    struct life_batch *batch = life_batch_new(life);
    int rc = life_batch_add(batch, file, data, sha256, problem, err);

    if (rc == 0)
        rc = life_batch_take(batch, err);
    if (rc == 0 && batch->verdicts[0].failed < 0)
        rc = error_set(err, batch->verdicts[0].failed, "%s", batch->verdicts[0].reason);
    if (rc == 0) {
        *ret = batch->verdicts[0];
        batch->verdicts[0] = (struct life_verdict){0};
    }
    life_batch_free(batch);
    return rc;
}
