/*
 * The gates a delivered leaf passes before it is accepted (DESIGN section 6), but for the chain,
 * which pki/chain.h builds, and the key match, without which a leaf is not ours at all. Pure.
 */
#ifndef UL_POLICIES_GATES_H
#define UL_POLICIES_GATES_H

#include "base/clock.h"
#include "pki/cert.h"
#include "policies/policy.h"

struct gate_input {
    const struct policy *policy;
    const struct cert *leaf;
    const struct names *wanted; /* what the CSR asked for */
    utc_t live_not_after;       /* of the one in service; UTC_NEVER when there is none */
    utc_t now;
    utc_t disclosed_at;   /* when its key was seen in the drop folder; 0: never */
    const char *asked_by; /* who asked for the new key in place of that of the one in service: an
                             earlier end is then told, not refused; NULL: nobody */
};

struct gate_finding {
    enum gate gate;
    enum severity severity; /* REFUSE or WARN */
    char text[400];         /* "names: wanted dns:www.example.com, got dns:example.com" */
};

struct gate_report {
    struct gate_finding findings[GATE_COUNT];
    size_t count;
    bool refused;     /* any finding refuses */
    utc_t hold_until; /* not_before when it lies in the future and everything else is fine, else
                         UTC_NEVER: hold, not refuse */
};

/* Looks through every gate and reports all findings at once. */
void gates_check(const struct gate_input *input, struct gate_report *ret);

#endif
