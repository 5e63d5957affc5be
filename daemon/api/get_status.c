#include "daemon/api/handler.h"

#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "store/listing.h"
#include "store/notices.h"
#include "store/schedule.h"

#include "daemon/api/backups.h"
#include "daemon/api/event.h"
#include "daemon/api/json.h"
#include "daemon/api/view.h"

/* As many problems are told; of those in a state that may be one, so many are looked at. */
enum { PROBLEMS_MAX = 100, LOOKED_AT_MAX = 500, DUE_MAX = 1000, STATES = 16 };

static const enum state all_states[] = {
#define X(name, text, says) name,
    STATE_TABLE(X)
#undef X
};

struct tally {
    const struct api_call *call;
    int64_t states[STATES]; /* by enum state */
    int64_t total;
    json_t *problems;
};

_Static_assert(COUNT_OF(all_states) <= STATES, "a tally for every state");

static void add_problem(json_t *problems, const char *certificate, const char *text)
{
    if (json_array_size(problems) == PROBLEMS_MAX)
        return;
    json_t *item = json_object();
    json_put_text(item, "certificate", certificate);
    json_put_text(item, "text", text);
    json_append(problems, item);
}

static int64_t *count_of(struct tally *tally, const char *state)
{
    for (size_t i = 0; i < COUNT_OF(all_states); i++)
        if (strcmp(state_text(all_states[i]), state) == 0)
            return &tally->states[all_states[i]];
    return &tally->states[STATE_UNKNOWN];
}

static void count(void *self, const char *state, int64_t number)
{
    struct tally *tally = self;

    tally->total += number;
    *count_of(tally, state) += number;
}

/* One certificate as it is now; false: it cannot be read, which is told, or rc is negative. */
static bool view_of(struct tally *tally, const struct certificate_row *row, struct view *ret,
                    int *ret_rc, struct error *err)
{
    struct error why = {0};
    int rc = view_init(tally->call, row, ret, &why);

    if (rc == E_CORRUPT)
        add_problem(tally->problems, row->name, why.text);
    *ret_rc = rc == 0 || rc == E_CORRUPT ? 0 : error_set(err, rc, "%s", why.text);
    return rc == 0;
}

static void tell_problem(struct tally *tally, const struct view *view)
{
    char problem[256];

    if (view_problem(view, problem, sizeof problem))
        add_problem(tally->problems, view->row->name, problem);
}

/* A state that time has changed since the plan was made: whatever does so makes an action due. */
static int recount(void *self, const struct certificate_row *row, struct error *err)
{
    struct tally *tally = self;
    struct view view;
    int rc;

    if (!view_of(tally, row, &view, &rc, err) || strcmp(state_text(view.state), row->state) == 0)
        return rc;
    --*count_of(tally, row->state);
    tally->states[view.state]++;
    tell_problem(tally, &view);
    return 0;
}

/* Of those that time has changed recount speaks. */
static int look(void *self, const struct certificate_row *row, struct error *err)
{
    struct tally *tally = self;
    struct view view;
    int rc;

    if (view_of(tally, row, &view, &rc, err) && strcmp(state_text(view.state), row->state) == 0)
        tell_problem(tally, &view);
    return rc;
}

/* All that are in a state, while there is room for more problems. */
static int look_at_state(struct tally *tally, const char *state, struct error *err)
{
    AUTO_PLACE struct listing_place next = {0};
    const struct listing listing = {.state = state, .ends_by = UTC_NEVER, .limit = LOOKED_AT_MAX};

    if (json_array_size(tally->problems) == PROBLEMS_MAX)
        return 0;
    return listing_page(tally->call->context->life->inventory, &listing, look, tally, &next, err);
}

static int put_counts(const struct api_call *call, json_t *reply, json_t *problems,
                      struct error *err)
{
    struct inventory *inventory = call->context->life->inventory;
    struct tally tally = {.call = call, .problems = problems};
    int rc = certificates_count_states(inventory, count, &tally, err);

    if (rc == 0)
        rc = certificates_each_due(inventory, call->now, DUE_MAX, recount, &tally, err);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(all_states); i++)
        if (view_may_be_problem(all_states[i]))
            rc = look_at_state(&tally, state_text(all_states[i]), err);
    if (rc == 0)
        rc = look_at_state(&tally, LIFE_UNREADABLE, err);
    if (rc != 0)
        return rc;
    json_t *states = json_object();
    for (size_t i = 0; i < COUNT_OF(all_states); i++)
        json_put_number(states, state_text(all_states[i]), tally.states[all_states[i]]);
    json_put_number(reply, "certificates", tally.total);
    json_put_number(reply, "counted", tally.total);
    json_put(reply, "states", states);
    return 0;
}

static int put_mail(const struct api_call *call, json_t *reply, json_t *problems, struct error *err)
{
    enum { STUCK = 3600 };
    int64_t waiting;
    utc_t oldest;
    int rc = notices_waiting(call->context->life->inventory, &waiting, &oldest, err);

    if (rc != 0)
        return rc;
    json_t *mail = json_object();
    json_put_bool(mail, "enabled", call->context->config->mail.host != NULL);
    json_put_number(mail, "waiting", waiting);
    json_put_time(mail, "oldest", waiting > 0 ? oldest : UTC_NEVER);
    json_put(reply, "mail", mail);
    if (waiting > 0 && oldest < utc_add(call->now, -STUCK))
        add_problem(problems, NULL, "mails have been waiting for more than an hour");
    return 0;
}

static int put_audit(const struct api_call *call, json_t *reply, struct error *err)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    int rc = trail_ends(call->context->life->inventory, &ends, err);

    if (rc != 0)
        return rc;
    json_t *audit = json_object();
    json_put_number(audit, "events", ends.head.id - ends.pruned.id);
    json_put(audit, "head", trail_mark_json(&ends.head));
    json_put(audit, "pruned", trail_pruned_json(&ends));
    json_put(reply, "audit", audit);
    return 0;
}

static int put_drop(const struct api_call *call, json_t *reply, json_t *problems, struct error *err)
{
    __attribute__((cleanup(folder_state_done))) struct folder_state state = {0};
    char since[UTC_TEXT_MAX];
    int rc = life_folder_state(call->context->life->inventory, &state, err);

    if (rc != 0)
        return rc;
    json_t *drop = json_object();
    json_put_text(drop, "folder", call->context->config->drop_shown);
    json_put_text(drop, "trouble", state.trouble);
    json_put_time(drop, "since", state.trouble ? state.since : UTC_NEVER);
    json_put_text(drop, "note", state.note);
    json_put(reply, "drop", drop);
    if (state.trouble) {
        AUTO_FREE char *text = mem_printf("since %s no delivery can be taken: %s",
                                          utc_format_plain(state.since, since), state.trouble);
        add_problem(problems, NULL, text);
    }
    if (state.note) {
        AUTO_FREE char *text = mem_printf("drop folder: %s", state.note);
        add_problem(problems, NULL, text);
    }
    return 0;
}

static void add_unwell(void *self, const struct doctor_outcome *outcome)
{
    if (outcome->result != DOCTOR_BAD)
        return;
    AUTO_FREE char *text = mem_printf("doctor: %s: wanted: %s; \"unlapse doctor\" says more",
                                      outcome->check->name, outcome->check->means);
    add_problem(self, NULL, text);
}

/* Keys that do not open are no deployment's to find out. */
static int look_at_seals(const struct api_call *call, json_t *problems, struct error *err)
{
    __attribute__((cleanup(seal_state_done))) struct seal_state state = {0};
    char id[2 * SEALING_ID_LEN + 1];
    int rc = life_seal_state(call->context->life, &state, err);

    /* Of a damaged inventory no keeper is asked. */
    if (rc != 0)
        return rc == E_COMMAND ? 0 : rc;
    for (size_t i = 0; i < state.missing.count; i++) {
        const char *file = call->context->config->sealing_key;
        text_hex(state.missing.items[i], SEALING_ID_LEN, id);
        AUTO_FREE char *text =
            mem_printf("some keys are sealed under the sealing key %s, which is not here: put it "
                       "back as %s.old-%s and restart unlapsed",
                       id, file, id);
        add_problem(problems, NULL, text);
    }
    return 0;
}

/* The certificate whose next action comes first, and that action as the inventory has planned it.
 */
static int find_next(struct inventory *inventory, struct certificate_row *ret, struct error *err)
{
    int64_t id = 0;
    utc_t best = UTC_NEVER;

    for (int deploy = 0; deploy < 2; deploy++) {
        int64_t one = 0;
        utc_t at = UTC_NEVER;
        int rc = certificates_next(inventory, deploy == 1, &one, &at, err);

        if (rc == 0 && at < best) {
            id = one;
            best = at;
        }
        if (rc != 0 && rc != E_NOT_FOUND)
            return rc;
    }
    if (id == 0)
        return E_NOT_FOUND;
    return certificates_get(inventory, id, ret, err);
}

static int put_next(const struct api_call *call, json_t *reply, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    enum action action;
    int rc = find_next(call->context->life->inventory, &row, err);

    if (rc == E_NOT_FOUND) {
        json_put(reply, "next", json_null());
        return 0;
    }
    if (rc != 0)
        return rc;
    json_t *next = json_object();
    json_put_text(next, "certificate", row.name);
    json_put_text(next, "action", row.next_action);
    bool known = row.next_action && action_parse(row.next_action, &action);
    json_put_text(next, "says", known ? action_says(action) : NULL);
    json_put_time(next, "at", row.next_at);
    json_put(reply, "next", next);
    return 0;
}

/* What hangs on the inventory, which may be damaged. */
static int put_inventory(const struct api_call *call, json_t *reply, json_t *problems,
                         struct error *err)
{
    int rc = put_counts(call, reply, problems, err);

    if (rc == 0)
        rc = put_mail(call, reply, problems, err);
    if (rc == 0)
        rc = put_drop(call, reply, problems, err);
    if (rc == 0)
        rc = look_at_seals(call, problems, err);
    if (rc == 0)
        rc = put_audit(call, reply, err);
    if (rc == 0)
        rc = put_next(call, reply, err);
    return rc == 0 ? put_backups(call, reply, problems, err) : rc;
}

/* The same keys, for what could not be read. */
static void put_unread(const struct api_call *call, json_t *reply)
{
    json_t *mail = json_object(), *drop = json_object();
    json_t *audit = json_object(), *head = json_object();

    json_put_number(head, "id", 0);
    json_put_text(head, "hash", "");
    json_put_number(audit, "events", 0);
    json_put(audit, "head", head);
    json_put(reply, "audit", audit);
    json_put_number(reply, "certificates", 0);
    json_put_number(reply, "counted", 0);
    json_put(reply, "states", json_object());
    json_put_bool(mail, "enabled", call->context->config->mail.host != NULL);
    json_put_number(mail, "waiting", 0);
    json_put_time(mail, "oldest", UTC_NEVER);
    json_put(reply, "mail", mail);
    json_put_text(drop, "folder", call->context->config->drop_shown);
    json_put_text(drop, "trouble", NULL);
    json_put_time(drop, "since", UTC_NEVER);
    json_put_text(drop, "note", NULL);
    json_put(reply, "drop", drop);
    json_put(reply, "next", json_null());
    json_put(reply, "backups", json_null());
}

/* Returns whether it is damaged. */
static bool put_damage(const struct api_call *call, json_t *reply, json_t *problems)
{
    const struct api_context *context = call->context;
    AUTO_FREE char *backup = NULL;
    utc_t since = UTC_NEVER;
    AUTO_FREE char *text = context->damage ? context->damage(context->care, &since, &backup) : NULL;

    if (!text) {
        json_put(reply, "damage", json_null());
        return false;
    }
    json_t *damage = json_object();
    json_put_text(damage, "text", text);
    json_put_time(damage, "since", since);
    json_put_text(damage, "backup", backup);
    json_put(reply, "damage", damage);
    add_problem(problems, NULL, text);
    return true;
}

HANDLER(get_status)
{
    const struct api_context *context = call->context;
    AUTO_JSON json_t *problems = json_array();

    json_put_text(reply, "version", UNLAPSED_VERSION);
    json_put_text(reply, "host", context->life->host);
    json_put_number(reply, "pid", getpid());
    json_put_text(reply, "config", context->config->file);
    json_put_time(reply, "started_at", context->started_at);
    json_put_time(reply, "now", call->now);
    bool damaged = put_damage(call, reply, problems);
    int rc = context->life->inventory ? put_inventory(call, reply, problems, err) : E_CORRUPT;
    if (rc < 0 && damaged) {
        put_unread(call, reply);
        rc = 0;
    }
    if (context->doctor)
        doctor_read(context->doctor, &(struct doctor_run){0}, add_unwell, problems);
    json_put(reply, "problems", json_incref(problems));
    return rc;
}
