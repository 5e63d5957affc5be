/* What ails the drop folder: kept as a fact, logged when it begins and when it ends, mailed once
 * when it lasts and once when it is over. */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { MAIL_AFTER = 600 };

static const char trouble_key[] = "drop-trouble";
static const char note_key[] = "drop-note";
static const char mount_key[] = "drop-mount";

void folder_state_done(struct folder_state *state)
{
    free(state->trouble);
    free(state->note);
    *state = (struct folder_state){0};
}

/* A value as text; NULL when there is none or it is empty. */
static int get_text(struct inventory *inventory, const char *key, char **ret, struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    int rc = inventory_value_get(inventory, key, &value, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    *ret = value.len > 0 ? mem_printf("%.*s", (int)value.len, (const char *)value.data) : NULL;
    return 0;
}

static utc_t time_of(const struct fields *fields, const char *key)
{
    const char *text = fields_get(fields, key);
    int64_t at = 0;

    return text && text_number(text, 0, INT64_MAX - 1, &at) ? at : 0;
}

int life_folder_state(struct inventory *inventory, struct folder_state *ret, struct error *err)
{
    __attribute__((cleanup(folder_state_done))) struct folder_state state = {.since = UTC_NEVER};
    AUTO_FIELDS struct fields fields = {0};
    AUTO_FREE char *json = NULL;
    struct error ignored;
    int rc = get_text(inventory, trouble_key, &json, err);

    if (rc == 0)
        rc = get_text(inventory, note_key, &state.note, err);
    if (rc < 0)
        return rc;
    if (json && fields_from_json(json, &fields, &ignored) == 0 && fields_get(&fields, "text")) {
        state.trouble = mem_strdup(fields_get(&fields, "text"));
        state.since = time_of(&fields, "since");
        state.told = time_of(&fields, "told") != 0;
    }
    *ret = state;
    state = (struct folder_state){0};
    return 0;
}

static int put_state(struct life *life, const struct folder_state *state, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};

    if (!state->trouble)
        return inventory_value_set(life->inventory, trouble_key, span_text(""), err);
    fields_set(&fields, "text", state->trouble);
    fields_printf(&fields, "since", "%" PRId64, state->since);
    fields_set(&fields, "told", state->told ? "1" : "0");
    AUTO_FREE char *json = fields_to_json(&fields);
    return inventory_value_set(life->inventory, trouble_key, span_text(json), err);
}

static int record(struct life *life, const char *kind, const char *text, struct error *err)
{
    return events_add(life->inventory, life->world->now(life->world->self), 0, 0, ACTOR_DAEMON,
                      kind, text, err);
}

static int mail(struct life *life, enum notice_kind kind, const struct folder_state *state,
                struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    char since[UTC_TEXT_MAX];
    AUTO_FREE char *stage = mem_printf("%s-%" PRId64, notice_kind_text(kind), state->since);

    notice_fields_init(&fields);
    fields_set(&fields, "host", life->host);
    fields_set(&fields, "drop", life->drop_shown);
    fields_set(&fields, "reason", state->trouble);
    fields_set(&fields, "not_before", utc_format_plain(state->since, since));
    fields_set(&fields, "commands", "unlapse status");
    return notice_queue_general(life, kind, stage, &fields, err);
}

static int begins(struct life *life, const char *text, struct error *err)
{
    struct folder_state state = {.trouble = (char *)(uintptr_t)text,
                                 .since = life->world->now(life->world->self)};

    log_error("drop-trouble", "%s; deliveries wait until then", text);
    int rc = put_state(life, &state, err);
    return rc == 0 ? record(life, "drop-trouble", text, err) : rc;
}

static int goes_on(struct life *life, struct folder_state *state, const char *text,
                   struct error *err)
{
    bool other = strcmp(state->trouble, text) != 0;
    bool mails =
        !state->told && state->since <= utc_add(life->world->now(life->world->self), -MAIL_AFTER);

    if (!other && !mails)
        return 0;
    if (other) {
        log_error("drop-trouble", "%s", text);
        free(state->trouble);
        state->trouble = mem_strdup(text);
    }
    int rc = mails ? mail(life, NOTICE_DROP_TROUBLE, state, err) : 0;
    state->told = state->told || mails;
    return rc == 0 ? put_state(life, state, err) : rc;
}

static int ends(struct life *life, const struct folder_state *state, struct error *err)
{
    char since[UTC_TEXT_MAX];
    AUTO_FREE char *text = mem_printf("the drop folder can be used again; since %s: %s",
                                      utc_format(state->since, since), state->trouble);

    log_notice("drop-works", "%s", text);
    int rc = state->told ? mail(life, NOTICE_DROP_WELL, state, err) : 0;
    if (rc == 0)
        rc = put_state(life, &(struct folder_state){0}, err);
    return rc == 0 ? record(life, "drop-works", text, err) : rc;
}

int life_folder_trouble(struct life *life, const char *text, struct error *err)
{
    __attribute__((cleanup(folder_state_done))) struct folder_state state = {0};
    int rc = life_folder_state(life->inventory, &state, err);

    if (rc < 0 || (!text && !state.trouble))
        return rc;
    rc = life_begin(life, err);
    if (rc == 0 && !text)
        rc = ends(life, &state, err);
    else if (rc == 0 && !state.trouble)
        rc = begins(life, text, err);
    else if (rc == 0)
        rc = goes_on(life, &state, text, err);
    return life_end(life, rc, err);
}

int life_folder_note(struct life *life, const char *text, struct error *err)
{
    AUTO_FREE char *before = NULL;
    int rc = get_text(life->inventory, note_key, &before, err);

    if (rc < 0 || strcmp(before ? before : "", text ? text : "") == 0)
        return rc;
    if (text)
        log_warn("drop-note", "drop folder: %s", text);
    return inventory_value_set(life->inventory, note_key, span_text(text ? text : ""), err);
}

bool life_folder_was_mount(struct inventory *inventory, const char *path)
{
    AUTO_FREE char *known = NULL;
    struct error ignored;

    return get_text(inventory, mount_key, &known, &ignored) == 0 && known &&
           strcmp(known, path) == 0;
}

int life_folder_mount(struct life *life, const char *path, bool is_mount, struct error *err)
{
    if (life_folder_was_mount(life->inventory, path) == is_mount)
        return 0;
    return inventory_value_set(life->inventory, mount_key, span_text(is_mount ? path : ""), err);
}
