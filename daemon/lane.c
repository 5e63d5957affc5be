#include "daemon/lane.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

enum {
    ROUND_MAX = 64,             /* pieces of work before the loop is asked again */
    RETRY_SECONDS = 10,         /* after a failure of the inventory */
    LONGEST_SLEEP_MS = 86400000 /* when the wall clock is set lanes are poked (jump.h) */
};

/* Between two pieces of work, so that a million plans to be made again keep nobody waiting. */
static int plan_more(struct lane *lane, struct error *err)
{
    int rc = life_plan_more(&lane->life, err);

    lane->planning = rc != E_NOT_FOUND;
    return rc == E_NOT_FOUND ? 0 : rc;
}

int lane_renewals(struct lane *lane, utc_t *ret_at, struct error *err)
{
    if (lane->other_rules) {
        life_look_at_anchors(&lane->life);
        lane->other_rules = false;
        lane->planning = true;
    }
    int rc = life_step(&lane->life, false, ret_at, err);
    if (lane->planning && (rc == 0 || rc == E_NOT_FOUND))
        return plan_more(lane, err);
    return rc == E_NOT_FOUND ? life_rest(&lane->life, err) : rc;
}

int lane_deployments(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_step(&lane->life, true, ret_at, err);
}

int lane_mail(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_send(&lane->life, ret_at, err);
}

static bool must_stop(void *self)
{
    const struct lane *lane = self;

    return lane_is_held(lane) || damage_is_found(&lane->care->damage);
}

int lane_care(struct lane *lane, utc_t *ret_at, struct error *err)
{
    if (damage_is_found(&lane->care->damage))
        return care_turn(lane->care, &lane->life, ret_at, err);
    return life_backup(&lane->life, must_stop, lane, ret_at, err);
}

static bool is_held(void *self)
{
    return lane_is_held(self);
}

int lane_doctor(struct lane *lane, utc_t *ret_at, struct error *err)
{
    *ret_at = UTC_NEVER;
    return doctor_step(lane->doctor, &lane->life, is_held, lane, err);
}

int lane_prune(struct lane *lane, utc_t *ret_at, struct error *err)
{
    return life_prune(&lane->life, ret_at, err);
}

/* The same failure is logged when it begins and when it ends, not at every try. */
static void tell_failure(struct lane *lane, const char *text)
{
    if (text && (!lane->failure || strcmp(text, lane->failure) != 0))
        log_error("lane-failed", "%s: %s; trying again every %d s", lane->name, text,
                  RETRY_SECONDS);
    if (!text && lane->failure)
        log_notice("lane-works", "%s: works again", lane->name);
    if (text == NULL && lane->failure == NULL)
        return;
    free(lane->failure);
    lane->failure = text ? mem_strdup(text) : NULL;
}

static void work(uv_work_t *request)
{
    struct lane *lane = request->data;

    lane->next_at = UTC_NEVER;
    for (int i = 0; i < (lane->rounds ? lane->rounds : ROUND_MAX) && !lane_is_held(lane); i++) {
        struct error err = {0};
        lane->waits = false;
        int rc = lane->run(lane, &lane->next_at, &err);

        if (rc < 0 && rc != E_NOT_FOUND) {
            tell_failure(lane, err.text);
            lane->next_at = clock_now() + RETRY_SECONDS;
            return;
        }
        if (!lane->waits)
            tell_failure(lane, NULL);
        if (rc == E_NOT_FOUND)
            return;
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

void lanes_share_threads(int lanes)
{
    AUTO_FREE char *text = mem_printf("%d", lanes);

    setenv("UV_THREADPOOL_SIZE", text, 1);
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

bool lane_is_held(const struct lane *lane)
{
    return atomic_load(&lane->held);
}

void lane_done(struct lane *lane)
{
    lane_intake_done(lane);
    free(lane->failure);
    lane->failure = NULL;
    inventory_close(lane->life.inventory);
}

bool lane_is_busy(const struct lane *lane)
{
    return lane->busy;
}

bool lanes_are_busy(const struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lane_is_busy(&lanes[i]))
            return true;
    return false;
}
