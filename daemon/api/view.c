#include "daemon/api/view.h"

#include <stdio.h>

#include "daemon/api/json.h"

int view_find_row(const struct api_call *call, struct certificate_row *ret, struct error *err)
{
    int rc = certificates_find(call->context->life->inventory, call->name, ret, err);

    if (rc == E_NOT_FOUND)
        return error_set(err, E_NOT_FOUND, "%s: there is no certificate of this name", call->name);
    return rc;
}

int view_init(const struct api_call *call, const struct certificate_row *row, struct view *ret,
              struct error *err)
{
    struct view view = {.row = row};
    if (row->damaged)
        return error_set(err, E_CORRUPT, "%s", row->damaged);
    int rc = life_facts(call->context->life->inventory, row, &view.facts, err);

    if (rc != 0)
        return error_wrap(err, rc, "%s", row->name);
    view.policy = life_policy(call->context->life, row);
    view.state = policy_state(&view.facts, view.policy, call->now);
    view.next = policy_next(&view.facts, view.policy, call->now);
    *ret = view;
    return 0;
}

const char *owner_text(enum owner owner)
{
    switch (owner) {
    case OWNER_NOBODY:
        return "nobody";
    case OWNER_DAEMON:
        return "daemon";
    case OWNER_PERSON:
        return "person";
    }
    return "nobody";
}

void view_put_head(json_t *object, const struct view *view)
{
    json_t *next = json_object();

    json_put_text(object, "name", view->row->name);
    json_put_names(object, "names", &view->row->names);
    json_put_text(object, "policy", view->row->policy);
    json_put_text(object, "state", state_text(view->state));
    json_put_text(object, "says", state_says(view->state));
    json_put_time(object, "not_after", view->facts.live_not_after);
    json_put_text(next, "action", action_text(view->next.action));
    json_put_text(next, "says", action_says(view->next.action));
    json_put_time(next, "at", view->next.at);
    json_put_text(next, "owner", owner_text(action_owner(view->next.action)));
    json_put(next, "target",
             view->next.target_id != 0 ? json_integer(view->next.target_id) : json_null());
    json_put(object, "next", next);
}

bool view_may_be_problem(enum state state)
{
    switch (state) {
    case STATE_EXPIRED:
    case STATE_REJECTED:
    case STATE_WAITING_CHAIN:
    case STATE_ROLLED_BACK:
    case STATE_CHAIN_ENDS:
    case STATE_DUE:
    case STATE_REQUESTED:
        return true;
    case STATE_RETIRED:
    case STATE_OK:
    case STATE_UNKNOWN:
    case STATE_HANDED_OVER:
    case STATE_DEPLOYING:
        break;
    }
    return false;
}

void view_put_damaged(json_t *object, const struct certificate_row *row, const char *why)
{
    json_t *next = json_object();

    json_put_text(object, "name", row->name);
    json_put(object, "names", json_array());
    json_put_text(object, "policy", row->policy);
    json_put_text(object, "state", LIFE_UNREADABLE);
    json_put_text(object, "says", why);
    json_put_time(object, "not_after", UTC_NEVER);
    json_put_text(next, "action", action_text(ACTION_NONE));
    json_put_text(next, "says", action_says(ACTION_NONE));
    json_put_time(next, "at", UTC_NEVER);
    json_put_text(next, "owner", owner_text(OWNER_PERSON));
    json_put(next, "target", json_null());
    json_put(object, "next", next);
}

bool view_problem(const struct view *view, char *ret, size_t size)
{
    const struct renewal_facts *open = &view->facts.open;

    switch (view->state) {
    case STATE_EXPIRED:
    case STATE_REJECTED:
    case STATE_WAITING_CHAIN:
    case STATE_ROLLED_BACK:
    case STATE_CHAIN_ENDS:
        snprintf(ret, size, "%s", state_says(view->state));
        return true;
    case STATE_RETIRED:
        return false;
    case STATE_OK:
    case STATE_UNKNOWN:
    case STATE_DUE:
    case STATE_REQUESTED:
    case STATE_HANDED_OVER:
    case STATE_DEPLOYING:
        break;
    }
    if (!open->exists || open->failures == 0)
        return false;
    snprintf(ret, size, "could not be requested or handed over (%d %s)", open->failures,
             open->failures == 1 ? "failure" : "failures");
    return true;
}

char *target_shown(const struct target_row *target)
{
    AUTO_BUF struct buf files = {0};

    buf_init(&files, 16 << 10);
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        if (target->files[i])
            buf_printf(&files, "%s%s", files.len > 0 ? ", " : "", target->files[i]);
    return mem_printf("%s (%s)", target->service, buf_text(&files));
}
