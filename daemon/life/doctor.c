#include "daemon/life/doctor.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

struct doctor {
    pthread_mutex_t mutex; /* of all that follows but checks and self */
    struct doctor_run run;
    struct doctor_outcome *outcomes; /* one a check */
    size_t at;                       /* the check in hand */
    int64_t after;                   /* and where its next page begins */
    struct doctor_check *checks;
    size_t count;
    void *self;
};

const char *doctor_result_text(enum doctor_result result)
{
    static const char *const texts[] = {
#define X(name, text) [name] = text,
        DOCTOR_RESULT_TABLE(X)
#undef X
    };

    return texts[result];
}

void doctor_told_done(struct doctor_told *told)
{
    for (size_t i = 0; i < told->count; i++)
        free(told->items[i]);
    *told = (struct doctor_told){0};
}

static void add_text(struct doctor_told *told, const char *text)
{
    if (told->count < DOCTOR_TOLD_MAX)
        told->items[told->count++] = mem_strdup(text);
}

void doctor_say(struct doctor_look *look, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    look->told.broken++;
    add_text(&look->told, text);
}

struct doctor *doctor_new(const struct doctor_check *more, size_t count, void *self)
{
    struct doctor *doctor = mem_alloc(1, sizeof *doctor);
    size_t own = doctor_checks_count();

    doctor->count = own + count;
    doctor->self = self;
    doctor->checks = mem_alloc(doctor->count, sizeof *doctor->checks);
    doctor->outcomes = mem_alloc(doctor->count, sizeof *doctor->outcomes);
    for (size_t i = 0; i < doctor->count; i++) {
        doctor->checks[i] = i < own ? doctor_checks_at(i) : more[i - own];
        doctor->outcomes[i].check = &doctor->checks[i];
    }
    pthread_mutex_init(&doctor->mutex, NULL);
    return doctor;
}

static void forget(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->count; i++) {
        doctor_told_done(&doctor->outcomes[i].told);
        doctor->outcomes[i] = (struct doctor_outcome){.check = &doctor->checks[i]};
    }
    doctor->at = 0;
    doctor->after = 0;
}

void doctor_free(struct doctor *doctor)
{
    if (!doctor)
        return;
    forget(doctor);
    pthread_mutex_destroy(&doctor->mutex);
    free(doctor->outcomes);
    free(doctor->checks);
    free(doctor);
}

/* To the next check that this run looks at. The mutex is held. */
static void find_check(struct doctor *doctor, utc_t now)
{
    while (doctor->at < doctor->count && doctor->run.at_start &&
           !doctor->checks[doctor->at].at_start)
        doctor->at++;
    if (doctor->at < doctor->count)
        return;
    doctor->run.running = false;
    doctor->run.ended_at = now;
}

int64_t doctor_ask(struct doctor *doctor, bool at_start, utc_t now)
{
    pthread_mutex_lock(&doctor->mutex);
    if (!doctor->run.running || (doctor->run.at_start && !at_start)) {
        forget(doctor);
        doctor->run = (struct doctor_run){.number = doctor->run.number + 1,
                                          .at_start = at_start,
                                          .running = true,
                                          .began_at = now,
                                          .ended_at = UTC_NEVER};
        find_check(doctor, now);
    }
    int64_t number = doctor->run.number;
    pthread_mutex_unlock(&doctor->mutex);
    return number;
}

/* What to look at now: false when nothing is. */
static bool take_page(struct doctor *doctor, size_t *ret_at, int64_t *ret_after, int64_t *ret_run)
{
    pthread_mutex_lock(&doctor->mutex);
    bool any = doctor->run.running;
    *ret_at = doctor->at;
    *ret_after = doctor->after;
    *ret_run = doctor->run.number;
    pthread_mutex_unlock(&doctor->mutex);
    return any;
}

static void log_outcome(const struct doctor_outcome *outcome)
{
    const struct doctor_told *told = &outcome->told;
    const char *first = told->count > 0 ? told->items[0] : "";

    if (outcome->result == DOCTOR_BAD)
        log_error("doctor", "%s: wanted: %s; got: %s%s; %s", outcome->check->name,
                  outcome->check->means, first, told->broken > 1 ? " and others" : "",
                  outcome->check->remedy);
    if (outcome->result == DOCTOR_UNKNOWN)
        log_warn("doctor", "%s: could not be looked at: %s", outcome->check->name, first);
}

/* The mutex is held. */
static void add_page(struct doctor *doctor, const struct doctor_look *look, int rc,
                     const struct error *why, utc_t now)
{
    struct doctor_outcome *outcome = &doctor->outcomes[doctor->at];

    outcome->told.broken += look->told.broken;
    for (size_t i = 0; i < look->told.count; i++)
        add_text(&outcome->told, look->told.items[i]);
    if (rc < 0 && outcome->told.broken == 0)
        add_text(&outcome->told, why->text);
    doctor->after = rc < 0 ? 0 : look->after;
    if (doctor->after != 0)
        return;
    outcome->result = rc < 0 ? DOCTOR_UNKNOWN : DOCTOR_GOOD;
    if (outcome->told.broken > 0)
        outcome->result = DOCTOR_BAD;
    log_outcome(outcome);
    doctor->at++;
    find_check(doctor, now);
}

int doctor_step(struct doctor *doctor, struct life *life, inventory_stop_fn stop, void *stop_self,
                struct error *err)
{
    struct doctor_look look = {.life = life, .self = doctor->self};
    struct error why = {0};
    int64_t run = 0;
    size_t at = 0;

    if (!take_page(doctor, &at, &look.after, &run))
        return error_set(err, E_NOT_FOUND, "doctor: nothing is asked");
    look.what = doctor->checks[at].what;
    inventory_stop_when(life->inventory, stop, stop_self);
    int rc = doctor->checks[at].look(&look, &why);
    inventory_stop_when(life->inventory, NULL, NULL);
    if (rc < 0 && stop && stop(stop_self)) {
        doctor_told_done(&look.told);
        return 0;
    }
    pthread_mutex_lock(&doctor->mutex);
    /* Unless it was asked for another run meanwhile. */
    if (doctor->run.number == run)
        add_page(doctor, &look, rc, &why, life->world->now(life->world->self));
    bool rests = !doctor->run.running;
    pthread_mutex_unlock(&doctor->mutex);
    doctor_told_done(&look.told);
    if (rests)
        inventory_rest(life->inventory);
    return 0;
}

void doctor_read(struct doctor *doctor, struct doctor_run *ret_run, doctor_fn fn, void *self)
{
    pthread_mutex_lock(&doctor->mutex);
    *ret_run = doctor->run;
    for (size_t i = 0; doctor->run.number != 0 && i < doctor->count; i++)
        if (!doctor->run.at_start || doctor->checks[i].at_start)
            fn(self, &doctor->outcomes[i]);
    pthread_mutex_unlock(&doctor->mutex);
}
