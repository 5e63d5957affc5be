/* Backups of the inventory: made when they are due or asked for, and what ails them is told once.
 */
#include "daemon/life/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/backup.h"

enum { MAIL_AFTER = 600, FIRST_PAUSE = 60, LONGEST_PAUSE = 3600 };

static const char state_key[] = "backup";

void backup_state_done(struct backup_state *state)
{
    free(state->name);
    free(state->trouble);
    *state = (struct backup_state){0};
}
#define AUTO_STATE __attribute__((cleanup(backup_state_done)))

static int64_t number_of(const struct fields *fields, const char *key, int64_t otherwise)
{
    const char *text = fields_get(fields, key);
    int64_t number = otherwise;

    if (text)
        text_number(text, 0, INT64_MAX, &number);
    return number;
}

static char *text_of(const struct fields *fields, const char *key)
{
    const char *text = fields_get(fields, key);

    return text && *text ? mem_strdup(text) : NULL;
}

int life_backup_state(struct inventory *inventory, struct backup_state *ret, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    AUTO_BLOB struct blob value = {0};
    struct error ignored;
    int rc = inventory_value_get(inventory, state_key, &value, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    AUTO_FREE char *json = mem_printf("%.*s", (int)value.len, (const char *)value.data);
    if (value.len > 0)
        fields_from_json(json, &fields, &ignored);
    *ret = (struct backup_state){
        .asked = number_of(&fields, "asked", 0),
        .answered = number_of(&fields, "answered", 0),
        .made_at = number_of(&fields, "made_at", UTC_NEVER),
        .name = text_of(&fields, "name"),
        .rows = number_of(&fields, "rows", 0),
        .tried_at = number_of(&fields, "tried_at", UTC_NEVER),
        .since = number_of(&fields, "since", UTC_NEVER),
        .failures = number_of(&fields, "failures", 0),
        .trouble = text_of(&fields, "trouble"),
        .told = number_of(&fields, "told", 0) != 0,
    };
    return 0;
}

static int put_state(struct life *life, const struct backup_state *state, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};

    fields_printf(&fields, "asked", "%" PRId64, state->asked);
    fields_printf(&fields, "answered", "%" PRId64, state->answered);
    fields_printf(&fields, "made_at", "%" PRId64, state->made_at);
    fields_set(&fields, "name", state->name ? state->name : "");
    fields_printf(&fields, "rows", "%" PRId64, state->rows);
    fields_printf(&fields, "tried_at", "%" PRId64, state->tried_at);
    fields_printf(&fields, "since", "%" PRId64, state->since);
    fields_printf(&fields, "failures", "%" PRId64, state->failures);
    fields_set(&fields, "trouble", state->trouble ? state->trouble : "");
    fields_set(&fields, "told", state->told ? "1" : "0");
    AUTO_FREE char *json = fields_to_json(&fields);
    return inventory_value_set(life->inventory, state_key, span_text(json), err);
}

/* 1, 2, 4... minutes, an hour at most. */
static seconds_t pause_after(int64_t failures)
{
    seconds_t pause = FIRST_PAUSE;

    while (--failures > 0 && pause < LONGEST_PAUSE)
        pause *= 2;
    return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}

utc_t life_backup_due(const struct life *life, const struct backup_state *state)
{
    utc_t now = life->world->now(life->world->self);

    if (state->asked > state->answered)
        return now;
    if (state->trouble)
        return utc_min(utc_add(state->tried_at, pause_after(state->failures)),
                       utc_add(now, LONGEST_PAUSE));
    if (life->backups_every == 0)
        return UTC_NEVER;
    /* One of the future was made before the clock was set back. */
    if (state->made_at == UTC_NEVER || state->made_at > now)
        return now;
    return utc_add(state->made_at, life->backups_every);
}

int life_backup_ask(struct life *life, const char *actor, int64_t *ret_number, struct error *err)
{
    AUTO_STATE struct backup_state state = {0};
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = life_backup_state(life->inventory, &state, err);
    state.asked++;
    if (rc == 0)
        rc = put_state(life, &state, err);
    if (rc == 0)
        rc = events_add(life->inventory, life->world->now(life->world->self), 0, 0, actor,
                        "backup-asked", "a backup of the inventory was asked for", err);
    rc = life_end(life, rc, err);
    if (rc == 0)
        *ret_number = state.asked;
    return rc;
}

static int mail(struct life *life, enum notice_kind kind, const struct backup_state *state,
                struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    char since[UTC_TEXT_MAX];
    AUTO_FREE char *stage = mem_printf("%s-%" PRId64, notice_kind_text(kind), state->since);

    notice_fields_init(&fields);
    fields_set(&fields, "host", life->host);
    fields_set(&fields, "reason", state->trouble);
    fields_set(&fields, "not_before", utc_format_plain(state->since, since));
    fields_printf(&fields, "attempts", "%" PRId64, state->failures);
    if (state->name)
        fields_printf(&fields, "backup", "%s/%s", life->backups, state->name);
    else
        fields_set(&fields, "backup", "none was ever made");
    fields_set(&fields, "commands", "unlapse backup list");
    return notice_queue_general(life, kind, stage, &fields, err);
}

static int failed(struct life *life, struct backup_state *state, const char *text,
                  struct error *err)
{
    bool other = !state->trouble || strcmp(state->trouble, text) != 0;
    bool begins = !state->trouble;

    state->tried_at = life->world->now(life->world->self);
    state->failures++;
    if (begins) {
        state->since = state->tried_at;
        state->told = false;
    }
    if (other) {
        log_error("backup-trouble", "%s; trying again in %d s at first, then ever more rarely",
                  text, FIRST_PAUSE);
        free(state->trouble);
        state->trouble = mem_strdup(text);
    }
    bool mails = !state->told && state->since <= utc_add(state->tried_at, -MAIL_AFTER);
    int rc = mails ? mail(life, NOTICE_BACKUP_TROUBLE, state, err) : 0;
    state->told = state->told || mails;
    if (rc == 0 && begins)
        rc = events_add(life->inventory, state->tried_at, 0, 0, "daemon", "backup-trouble", text,
                        err);
    return rc;
}

static int made(struct life *life, struct backup_state *state, const struct backup *backup,
                const struct backup_counts *counts, struct error *err)
{
    AUTO_FREE char *text =
        mem_printf("backup %s: %" PRId64 " rows in %" PRId64 " tables, %" PRId64 " bytes, verified",
                   backup->name, counts->rows, counts->tables, backup->size);
    int rc = 0;

    log_info("backup", "%s", text);
    free(state->name);
    state->name = mem_strdup(backup->name);
    state->made_at = backup->made_at;
    state->rows = counts->rows;
    if (state->trouble) {
        log_notice("backup-works", "backups are made again; it was: %s", state->trouble);
        rc = state->told ? mail(life, NOTICE_BACKUP_WELL, state, err) : 0;
    }
    free(TAKE(state->trouble));
    state->tried_at = state->since = UTC_NEVER;
    state->failures = 0;
    state->told = false;
    return rc == 0
               ? events_add(life->inventory, backup->made_at, 0, 0, "daemon", "backup", text, err)
               : rc;
}

/* What was asked for meanwhile is not answered by this one. */
static int record(struct life *life, int64_t asked, int code, const char *why,
                  const struct backup *backup, const struct backup_counts *counts,
                  struct error *err)
{
    AUTO_STATE struct backup_state state = {0};
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = life_backup_state(life->inventory, &state, err);
    if (rc == 0)
        rc = code < 0 ? failed(life, &state, why, err) : made(life, &state, backup, counts, err);
    state.answered = asked;
    if (rc == 0)
        rc = put_state(life, &state, err);
    return life_end(life, rc, err);
}

static void rotate(struct life *life, utc_t now)
{
    struct error why = {0};
    int removed = 0;
    seconds_t age = life->backups_every * life->backups_keep;

    if (backups_rotate(life->backups, life->backups_keep, age, now, &removed, &why) < 0)
        log_warn("backup-kept", "old backups stay: %s", why.text);
    else if (removed > 0)
        log_info("backup-removed", "%d old backups were removed", removed);
}

int life_backup(struct life *life, inventory_stop_fn stop, void *self, utc_t *ret_at,
                struct error *err)
{
    AUTO_STATE struct backup_state state = {0};
    utc_t now = life->world->now(life->world->self);
    struct backup_job job = {.folder = life->backups, .now = now, .stop = stop, .self = self};
    struct backup backup = {0};
    struct backup_counts counts = {0};
    struct error why = {0};
    int rc = life_backup_state(life->inventory, &state, err);

    if (rc < 0)
        return rc;
    *ret_at = life_backup_due(life, &state);
    if (*ret_at > now)
        return E_NOT_FOUND;
    int code = backup_make(life->inventory, &job, &backup, &counts, &why);
    if (code == E_NOT_YET)
        return E_NOT_FOUND;
    rc = record(life, state.asked, code, why.text, &backup, &counts, err);
    if (rc == 0 && code == 0)
        rotate(life, now);
    return rc;
}
