#include "daemon/lane.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/deliveries.h"

enum {
    ROUND_MAX = 64,            /* pieces of work before the loop is asked again */
    RETRY_SECONDS = 10,        /* after a failure of the inventory */
    LONGEST_SLEEP_MS = 3600000 /* the wall clock may be set meanwhile */
};

int lane_renewals(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_step(&lane->life, false, ret_at, err);
}

int lane_deployments(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_step(&lane->life, true, ret_at, err);
}

int lane_mail(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_send(&lane->life, ret_at, err);
}

static int take_file(void *self, const struct drop_file *file, struct error *err)
{
    struct lane *lane = self;
    struct life_verdict verdict = {0};
    AUTO_FREE char *filed = NULL;
    int rc = life_intake(&lane->life, file->name, blob_span(&file->data), file->sha256,
                         file->problem, &verdict, err);

    lane->did_something = true;
    if (rc == 0)
        rc = drop_file_away(lane->drop, file, verdict.accepted, verdict.receipt, &filed, err);
    if (rc == 0)
        rc = life_filed(&lane->life, &(struct life_filing){verdict.delivery_id, filed}, 1, err);
    life_verdict_done(&verdict);
    lane->left_over = lane->left_over || rc < 0;
    if (rc < 0)
        log_error("not-taken", "%s: left in the drop folder: %s", file->name, err->text);
    return rc;
}

/* Receipts that say more than before, and those of files that were moved just before a crash. */
static int write_receipt(void *self, const struct delivery_row *row, struct error *err)
{
    struct lane *lane = self;
    AUTO_FREE char *found = NULL;
    const char *name = row->filed_name;
    struct error why = {0};
    int rc = 0;

    /* A file that still lies in the folder is filed by the next scan. */
    if (!name && lane->left_over)
        return 0;
    if (!name) {
        rc = drop_find_filed(lane->drop, row->accepted, row->name, row->sha256, &found, &why);
        name = rc == 0 ? found : row->name;
    }
    if (rc == 0)
        rc = drop_receipt(lane->drop, row->accepted, name, row->receipt, &why);
    if (rc < 0)
        log_warn("no-receipt", "%s: %s", name, why.text);
    /* What may pass by itself is tried again; a file that somebody took away is not. */
    return rc < 0 && code_retry(rc) == RETRY_TRANSIENT
               ? 0
               : life_filed(&lane->life, &(struct life_filing){row->id, name}, 1, err);
}

int lane_intake(struct lane *lane, utc_t *ret_at, struct error *err)
{
    seconds_t again = 0;
    lane->left_over = false;
    int rc = drop_scan(lane->drop, take_file, lane, &again, err);

    lane->left_over = lane->left_over || again > 0;
    if (rc == 0)
        rc = deliveries_unfiled(lane->life.inventory, write_receipt, lane, err);
    if (rc < 0)
        return rc == E_NOT_FOUND ? error_set(err, E_IO, "drop folder: it is not there") : rc;
    *ret_at = clock_now() + (again > 0 ? again : lane->drop_scan);
    return E_NOT_FOUND;
}

static void work(uv_work_t *request)
{
    struct lane *lane = request->data;

    lane->next_at = UTC_NEVER;
    for (int i = 0; i < ROUND_MAX && !atomic_load(&lane->held); i++) {
        struct error err = {0};
        int rc = lane->run(lane, &lane->next_at, &err);

        if (rc == E_NOT_FOUND)
            return;
        if (rc < 0) {
            log_error("lane-failed", "%s: %s; trying again in %d s", lane->name, err.text,
                      RETRY_SECONDS);
            lane->next_at = clock_now() + RETRY_SECONDS;
            return;
        }
        lane->did_something = true;
    }
    lane->next_at = 0;
}

static void start(struct lane *lane);

static void on_timer(uv_timer_t *timer)
{
    start(timer->data);
}

/* Milliseconds until the beginning of a second of the wall clock. */
static uint64_t sleep_until(utc_t at)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (at <= now.tv_sec)
        return 0;
    if (at - now.tv_sec > LONGEST_SLEEP_MS / 1000)
        return LONGEST_SLEEP_MS;
    return (uint64_t)(at - now.tv_sec) * 1000 - (uint64_t)now.tv_nsec / 1000000;
}

static void after_work(uv_work_t *request, int status)
{
    struct lane *lane = request->data;
    bool did_something = lane->did_something;

    (void)status;
    lane->busy = false;
    lane->did_something = false;
    if (lane->again)
        start(lane);
    else if (!atomic_load(&lane->held) && lane->next_at != UTC_NEVER)
        uv_timer_start(&lane->timer, on_timer, sleep_until(lane->next_at), 0);
    lane->rest(lane->self, did_something);
}

static void start(struct lane *lane)
{
    if (atomic_load(&lane->held))
        return;
    if (lane->busy) {
        lane->again = true;
        return;
    }
    lane->busy = true;
    lane->again = false;
    uv_timer_stop(&lane->timer);
    uv_queue_work(lane->timer.loop, &lane->work, work, after_work);
}

void lane_init(struct lane *lane, uv_loop_t *loop)
{
    uv_timer_init(loop, &lane->timer);
    lane->timer.data = lane;
    lane->work.data = lane;
}

void lane_poke(struct lane *lane)
{
    start(lane);
}

void lane_hold(struct lane *lane)
{
    atomic_store(&lane->held, true);
    uv_timer_stop(&lane->timer);
}

void lane_release(struct lane *lane)
{
    atomic_store(&lane->held, false);
    start(lane);
}

bool lane_is_busy(const struct lane *lane)
{
    return lane->busy;
}
