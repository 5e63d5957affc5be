#include "daemon/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/api/api.h"
#include "daemon/care.h"
#include "daemon/jump.h"
#include "daemon/lane.h"
#include "daemon/reload.h"
#include "daemon/surroundings.h"
#include "daemon/systemd.h"
#include "daemon/world.h"

enum { DROP_PAUSE_MS = 200, TIDY_MS = 31000 };

enum lane_id {
    LANE_RENEWALS,
    LANE_DEPLOYMENTS,
    LANE_MAIL,
    LANE_PRUNE,
    LANE_INTAKE,
    LANE_CARE,
    LANE_DOCTOR,
    LANES
};

struct loop {
    uv_loop_t uv;
    struct config *config;
    struct config *next_config; /* read after SIGHUP, in force as soon as no lane is at work */
    struct keep *keeper;
    struct real_world *world;
    struct drop *drop;
    struct doctor *doctor;
    struct api *api;
    struct life api_life;
    struct lane lanes[LANES];
    struct care care;
    uv_poll_t drop_poll, api_poll;
    uv_timer_t api_timer, drop_timer, watchdog, tidy;
    uv_signal_t hup, term, interrupt;
    utc_t started_at;
    struct jump jump;
    bool stopping;
};

static void life_from(const struct loop *loop, struct inventory *inventory, struct life *ret)
{
    const struct config *config = loop->config;

    *ret = (struct life){
        .inventory = inventory,
        .world = world_functions(loop->world),
        .policies = config->policies,
        .services = config->services,
        .recipients = &config->recipients,
        .drop_shown = config->drop_shown,
        .requests = config->requests,
        .host = config->host,
        .backups = config->backups,
        .backups_every = config->backups_every,
        .backups_keep = config->backups_keep,
        .erase_keys = config->drop_erase_keys,
        .mail_retry = config->mail_retry,
        .mail_retry_count = config->mail_retry_count,
        .mail_give_up = config->mail_give_up,
        .keep_events = config->audit_keep,
    };
}

/* All lanes, but those without an inventory are never started. */
static int open_lanes(struct loop *loop, struct error *err)
{
    static const lane_fn runs[LANES] = {lane_renewals, lane_deployments, lane_mail,  lane_prune,
                                        lane_intake,   lane_care,        lane_doctor};
    static const char *const names[LANES] = {"renewals", "deployments", "mail",  "prune",
                                             "intake",   "care",        "doctor"};

    for (size_t i = 0; i < LANES; i++) {
        struct inventory *inventory = NULL;
        int rc = damage_is_found(&loop->care.damage)
                     ? 0
                     : inventory_open(loop->config->inventory, &inventory, err);
        if (rc < 0)
            return rc;
        if (inventory)
            inventory_watch(inventory, &loop->care.damage);
        life_from(loop, inventory, &loop->lanes[i].life);
        loop->lanes[i].name = names[i];
        loop->lanes[i].run = runs[i];
    }
    loop->lanes[LANE_RENEWALS].other_rules = true;
    loop->lanes[LANE_DOCTOR].doctor = loop->doctor;
    loop->lanes[LANE_INTAKE].drop = loop->drop;
    loop->lanes[LANE_INTAKE].drop_path = loop->config->drop;
    loop->lanes[LANE_INTAKE].drop_scan = loop->config->drop_scan;
    /* The other lanes shall have their turn while thousands of files come in. */
    loop->lanes[LANE_INTAKE].rounds = 4;
    loop->lanes[LANE_CARE].care = &loop->care;
    loop->lanes[LANE_PRUNE].rounds = 4;
    return 0;
}

static int open_work(struct loop *loop, struct error *err)
{
    struct inventory *inventory = loop->api_life.inventory;
    int rc = world_open_keeper(loop->config, inventory, &loop->keeper, err);

    if (rc == 0)
        rc = world_open(loop->config, loop->keeper, &loop->world, err);
    if (rc == 0)
        rc = drop_open(loop->config->drop, loop->config->drop_settle, &loop->drop, err);
    if (rc == 0 && life_folder_was_mount(inventory, loop->config->drop))
        drop_expect_mount(loop->drop);
    if (rc == 0) {
        life_from(loop, inventory, &loop->api_life);
        rc = life_seal_start(&loop->api_life, loop->config->sealing_key, err);
    }
    if (rc == 0) {
        life_trail_sign_again(&loop->api_life);
        rc = life_plan_begin(&loop->api_life, false, err);
    }
    return rc;
}

/* Without keys, drop folder and work: only what answers and tells. */
static int open_damaged(struct loop *loop, struct error *err)
{
    int rc = loop->world ? 0 : world_open(loop->config, loop->keeper, &loop->world, err);

    life_from(loop, loop->api_life.inventory, &loop->api_life);
    return rc;
}

static int open_parts(struct loop *loop, struct error *err)
{
    int rc = care_open(&loop->care, loop->config, &loop->api_life.inventory, err);

    if (rc == 0 && !damage_is_found(&loop->care.damage))
        rc = open_work(loop, err);
    if (damage_is_found(&loop->care.damage))
        rc = open_damaged(loop, err);
    if (rc < 0)
        return rc;
    loop->doctor = doctor_new(surroundings_checks, surroundings_count, &loop->config);
    doctor_ask(loop->doctor, true, clock_now());
    return open_lanes(loop, err);
}

static void poke_all(void *self)
{
    struct loop *loop = self;

    for (size_t i = 0; i < LANES; i++)
        if (i != LANE_INTAKE && care_lets_run(&loop->care, &loop->lanes[i]))
            lane_poke(&loop->lanes[i]);
}

static void hold_all(struct loop *loop)
{
    for (size_t i = 0; i < LANES; i++)
        lane_hold(&loop->lanes[i]);
}

static void release_all(struct loop *loop)
{
    for (size_t i = 0; i < LANES; i++)
        if (care_lets_run(&loop->care, &loop->lanes[i]))
            lane_release(&loop->lanes[i]);
}

static struct api_context api_context_of(struct loop *loop)
{
    return (struct api_context){
        .life = &loop->api_life,
        .config = loop->config,
        .doctor = loop->doctor,
        .poke = poke_all,
        .damage = care_tell,
        .care = &loop->care,
        .self = loop,
        .started_at = loop->started_at,
    };
}

/* In force for everything that begins from now on. */
static void put_into_force(struct loop *loop, struct config *config, struct real_world *world)
{
    struct config *old_config = loop->config;
    struct real_world *old_world = loop->world;
    struct error err = {0};

    loop->config = config;
    loop->world = world;
    life_from(loop, loop->api_life.inventory, &loop->api_life);
    for (size_t i = 0; i < LANES; i++)
        life_from(loop, loop->lanes[i].life.inventory, &loop->lanes[i].life);
    loop->lanes[LANE_INTAKE].drop_path = config->drop;
    loop->lanes[LANE_INTAKE].drop_scan = config->drop_scan;
    if (loop->drop)
        drop_set_settle(loop->drop, config->drop_settle);
    struct api_context context = api_context_of(loop);
    api_set_context(loop->api, &context);
    world_close(old_world);
    config_free(old_config);
    if (!damage_is_found(&loop->care.damage) && life_plan_begin(&loop->api_life, false, &err) < 0)
        log_error("not-planned", "%s", err.text);
    loop->lanes[LANE_RENEWALS].other_rules = true;
    log_notice("config", "the new configuration is in force");
    life_happened(&loop->api_life, "configured", config->file);
}

/* The new configuration comes into force between two pieces of work: no lane is at one now. */
static void adopt_config(struct loop *loop)
{
    struct config *config = loop->next_config;
    struct real_world *world = NULL;
    struct error err = {0};

    loop->next_config = NULL;
    reload_keep(loop->config, config);
    if (world_open(config, loop->keeper, &world, &err) < 0) {
        log_error("config-refused", "the configuration stays as it was: %s", err.text);
        config_free(config);
    } else {
        put_into_force(loop, config, world);
    }
    systemd_notify("READY=1");
    release_all(loop);
}

static void close_handles(struct loop *loop);

static void on_tidy(uv_timer_t *timer)
{
    const struct loop *loop = timer->data;

    if (world_tidy(loop->world))
        uv_timer_start(timer, on_tidy, TIDY_MS, 0);
}

/* After work that may have started readers: without any nothing wakes the daemon for them. */
static void tidy_later(struct loop *loop)
{
    if (!uv_is_active((uv_handle_t *)&loop->tidy))
        uv_timer_start(&loop->tidy, on_tidy, TIDY_MS, 0);
}

static void on_jump(void *self)
{
    struct loop *loop = self;

    for (size_t i = 0; i < LANES; i++)
        lane_poke(&loop->lanes[i]);
}

/* A lane did something or came to rest: others may have work now, a new configuration or the end
 * may have waited. */
static void on_rest(void *self, bool did_something)
{
    struct loop *loop = self;

    if (loop->stopping) {
        if (!lanes_are_busy(loop->lanes, LANES))
            close_handles(loop);
        return;
    }
    if (loop->next_config && !lanes_are_busy(loop->lanes, LANES))
        adopt_config(loop);
    if (did_something) {
        poke_all(loop);
        tidy_later(loop);
    }
}

static void on_drop_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    lane_poke(&loop->lanes[LANE_INTAKE]);
}

static void on_drop_event(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;

    (void)status;
    (void)events;
    drop_watch_drain(loop->drop);
    /* Thousands of files make ten thousands of events: one look for all that come meanwhile. */
    if (!uv_is_active((uv_handle_t *)&loop->drop_timer))
        uv_timer_start(&loop->drop_timer, on_drop_timer, DROP_PAUSE_MS, 0);
}

static void api_turned(struct loop *loop);

static void on_api_timer(uv_timer_t *timer)
{
    api_turned(timer->data);
}

static void api_turned(struct loop *loop)
{
    api_turn(loop->api);
    tidy_later(loop);
    int wait = api_timeout_ms(loop->api);
    if (wait >= 0)
        uv_timer_start(&loop->api_timer, on_api_timer, (uint64_t)wait, 0);
    else
        uv_timer_stop(&loop->api_timer);
}

static void on_api_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    api_turned(poll->data);
}

/* One line of the log for each. */
static void log_complaints(const char *line)
{
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");

        log_error("config", "%.*s", (int)len, line);
        line += len + (line[len] == '\n');
    }
}

static void on_hup(uv_signal_t *signal, int number)
{
    struct loop *loop = signal->data;
    struct config *config = NULL;
    AUTO_BUF struct buf complaints;
    struct error err = {0};

    (void)number;
    buf_init(&complaints, BUF_MAX_CONFIG);
    systemd_notify("RELOADING=1");
    if (config_load(loop->config->file, &config, &complaints, &err) < 0) {
        log_complaints(buf_text(&complaints));
        log_error("config-refused", "the configuration stays as it was: %s", err.text);
        systemd_notify("READY=1");
        return;
    }
    config_free(loop->next_config);
    loop->next_config = config;
    hold_all(loop);
    if (!lanes_are_busy(loop->lanes, LANES))
        adopt_config(loop);
}

static void on_end(uv_signal_t *signal, int number)
{
    struct loop *loop = signal->data;

    if (loop->stopping)
        return;
    log_notice("stopping", "signal %d: ending after the work in hand", number);
    systemd_notify("STOPPING=1");
    loop->stopping = true;
    hold_all(loop);
    if (!lanes_are_busy(loop->lanes, LANES))
        close_handles(loop);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    systemd_notify("WATCHDOG=1");
}

static void close_one(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_handles(struct loop *loop)
{
    uv_walk(&loop->uv, close_one, NULL);
}

static void start_drop(struct loop *loop)
{
    uv_timer_init(&loop->uv, &loop->drop_timer);
    loop->drop_timer.data = loop;
    if (!loop->drop || drop_watch_fd(loop->drop) < 0)
        return;
    uv_poll_init(&loop->uv, &loop->drop_poll, drop_watch_fd(loop->drop));
    loop->drop_poll.data = loop;
    uv_poll_start(&loop->drop_poll, UV_READABLE, on_drop_event);
}

static void start_signals(struct loop *loop)
{
    uv_signal_init(&loop->uv, &loop->hup);
    uv_signal_init(&loop->uv, &loop->term);
    uv_signal_init(&loop->uv, &loop->interrupt);
    loop->hup.data = loop->term.data = loop->interrupt.data = loop;
    uv_signal_start(&loop->hup, on_hup, SIGHUP);
    uv_signal_start(&loop->term, on_end, SIGTERM);
    uv_signal_start(&loop->interrupt, on_end, SIGINT);
}

static void start_handles(struct loop *loop)
{
    uint64_t watchdog_ms = systemd_watchdog() / 2000;

    start_signals(loop);
    loop->jump.fn = on_jump;
    loop->jump.self = loop;
    jump_init(&loop->jump, &loop->uv);
    care_start(&loop->care, &loop->uv, loop->lanes, LANES, &loop->lanes[LANE_CARE]);
    start_drop(loop);
    uv_timer_init(&loop->uv, &loop->api_timer);
    uv_timer_init(&loop->uv, &loop->watchdog);
    uv_timer_init(&loop->uv, &loop->tidy);
    uv_poll_init(&loop->uv, &loop->api_poll, api_fd(loop->api));
    loop->api_timer.data = loop->api_poll.data = loop;
    loop->tidy.data = loop;
    uv_poll_start(&loop->api_poll, UV_READABLE, on_api_event);
    if (watchdog_ms > 0)
        uv_timer_start(&loop->watchdog, on_watchdog, 0, watchdog_ms);
    tidy_later(loop);
    for (size_t i = 0; i < LANES; i++) {
        loop->lanes[i].rest = on_rest;
        loop->lanes[i].self = loop;
        lane_init(&loop->lanes[i], &loop->uv);
        if (care_lets_run(&loop->care, &loop->lanes[i]))
            lane_poke(&loop->lanes[i]);
        else
            lane_hold(&loop->lanes[i]);
    }
}

static void loop_done(struct loop *loop)
{
    api_close(loop->api);
    for (size_t i = 0; i < LANES; i++)
        lane_done(&loop->lanes[i]);
    inventory_close(loop->api_life.inventory);
    doctor_free(loop->doctor);
    drop_close(loop->drop);
    world_close(loop->world);
    keep_close(loop->keeper);
    config_free(loop->next_config);
    config_free(loop->config);
    jump_done(&loop->jump);
    care_done(&loop->care);
}

int loop_run(struct config *config, struct error *err)
{
    struct loop loop = {.config = config, .started_at = clock_now(), .jump = {.fd = -1}};

    care_init(&loop.care, config->inventory);
    int rc = open_parts(&loop, err);
    if (rc == 0) {
        struct api_context context = api_context_of(&loop);
        rc = api_open(config->socket, &context, &loop.api, err);
    }
    if (rc == 0) {
        lanes_share_threads(LANES);
        life_happened(&loop.api_life, "began", "unlapsed " UNLAPSED_VERSION);
        uv_loop_init(&loop.uv);
        start_handles(&loop);
        log_notice("ready",
                   "unlapsed " UNLAPSED_VERSION ": inventory %s, drop folder %s, socket %s",
                   loop.config->inventory, loop.config->drop, loop.config->socket);
        systemd_notify("READY=1");
        uv_run(&loop.uv, UV_RUN_DEFAULT);
        care_stop(&loop.care);
        uv_loop_close(&loop.uv);
        log_notice("stopped", "everything is written down");
    }
    loop_done(&loop);
    return rc;
}
