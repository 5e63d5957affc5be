/*
 * The doctor: a row of checks, each looked at in pages of bounded size by whoever has time for it
 * (a lane of the daemon, a test), so that a million certificates hold up nothing. It tells what is
 * wrong and what to do, and repairs nothing. Asked and read on other threads than the one that
 * works.
 */
#ifndef UL_DAEMON_LIFE_DOCTOR_H
#define UL_DAEMON_LIFE_DOCTOR_H

#include "daemon/life/life.h"

/* clang-format off */
#define DOCTOR_RESULT_TABLE(X) \
    X(DOCTOR_WAITING, "waiting") /* its turn has not come yet */ \
    X(DOCTOR_GOOD,    "good") \
    X(DOCTOR_BAD,     "bad") \
    X(DOCTOR_UNKNOWN, "unknown") /* it could not be looked at */
/* clang-format on */

enum doctor_result {
#define X(name, text) name,
    DOCTOR_RESULT_TABLE(X)
#undef X
};
const char *doctor_result_text(enum doctor_result result);

enum { DOCTOR_TOLD_MAX = 10 }; /* broken things that are told one by one; all are counted */

struct doctor_told {
    char *items[DOCTOR_TOLD_MAX];
    size_t count;
    int64_t broken; /* of how many these are the first */
};
void doctor_told_done(struct doctor_told *told);

/* One page of one check, under the eyes of its function. */
struct doctor_look {
    struct life *life;
    void *self;       /* as given to doctor_new */
    const void *what; /* of the check */
    int64_t after;    /* where the page begins; 0: at the beginning */
    struct doctor_told told;
};
/* One thing that is broken, in words. */
void doctor_say(struct doctor_look *look, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct doctor_check {
    const char *name;   /* a stable word */
    const char *means;  /* what is so when it is well */
    const char *remedy; /* what to do when it is not */
    bool at_start;      /* cheap enough for every start of the daemon */
    /* Looks at the page after look->after, which it moves on; 0: that was the last one. A failure
     * means that nothing is known. */
    int (*look)(struct doctor_look *look, struct error *err);
    const void *what;
};

/* What life/ can look at: the invariants of the inventory, keys, leaves, plans. */
size_t doctor_checks_count(void);
struct doctor_check doctor_checks_at(size_t index);

struct doctor_outcome {
    const struct doctor_check *check;
    enum doctor_result result;
    struct doctor_told told; /* what is broken; or why it could not be looked at */
};

struct doctor_run {
    int64_t number; /* 0: none since the start */
    bool at_start;  /* only the cheap ones */
    bool running;
    utc_t began_at, ended_at;
};

struct doctor;
/* With more checks (borrowed), whose functions get `self`. */
struct doctor *doctor_new(const struct doctor_check *more, size_t count, void *self);
void doctor_free(struct doctor *doctor);

/* Begins a run, or goes on with one that looks at as much; returns its number. */
int64_t doctor_ask(struct doctor *doctor, bool at_start, utc_t now);

/*
 * One page of the run; returns E_NOT_FOUND when there is nothing to do. What stop ends (NULL:
 * nothing does) is looked at again next time. What is found is logged, too, once a run.
 */
int doctor_step(struct doctor *doctor, struct life *life, inventory_stop_fn stop, void *stop_self,
                struct error *err);

/* The outcomes of the run so far, in order; they are borrowed within fn. What the run leaves out is
 * left out. */
typedef void (*doctor_fn)(void *self, const struct doctor_outcome *outcome);
void doctor_read(struct doctor *doctor, struct doctor_run *ret_run, doctor_fn fn, void *self);

#endif
