#include "daemon/api/backups.h"

#include "store/backup.h"

#include "daemon/api/body.h"
#include "daemon/api/json.h"

/* A list that a client can read. */
enum { LISTED_MAX = 1000 };

static void put_state(const struct api_call *call, const struct backup_state *state, json_t *ret)
{
    const struct life *life = call->context->life;

    json_put_text(ret, "folder", life->backups);
    json_put_number(ret, "every", life->backups_every);
    json_put_number(ret, "keep", life->backups_keep);
    json_put_text(ret, "sealing_key", call->context->config->sealing_key);
    json_put_text(ret, "newest", state->name);
    json_put_time(ret, "made_at", state->made_at);
    json_put_number(ret, "rows", state->rows);
    json_put_text(ret, "trouble", state->trouble);
    json_put_time(ret, "since", state->since);
    json_put_time(ret, "next_at", life_backup_due(life, state));
    json_put_number(ret, "asked", state->asked);
    json_put_number(ret, "answered", state->answered);
}

int put_backups(const struct api_call *call, json_t *reply, json_t *problems, struct error *err)
{
    __attribute__((cleanup(backup_state_done))) struct backup_state state = {0};
    int rc = life_backup_state(call->context->life->inventory, &state, err);

    if (rc != 0)
        return rc;
    json_t *backups = json_object();
    put_state(call, &state, backups);
    json_put(reply, "backups", backups);
    if (state.trouble) {
        char since[UTC_TEXT_MAX];
        AUTO_FREE char *text = mem_printf("since %s no backup can be made: %s",
                                          utc_format_plain(state.since, since), state.trouble);
        json_t *item = json_object();
        json_put_text(item, "certificate", NULL);
        json_put_text(item, "text", text);
        json_append(problems, item);
    }
    return 0;
}

static void put_list(const struct backups *backups, json_t *reply)
{
    json_t *list = json_array();

    for (size_t i = 0; i < backups->count && i < LISTED_MAX; i++) {
        json_t *item = json_object();

        json_put_text(item, "name", backups->items[i].name);
        json_put_time(item, "made_at", backups->items[i].made_at);
        json_put_number(item, "size", backups->items[i].size);
        json_append(list, item);
    }
    json_put(reply, "backups", list);
}

/* A backup that was asked for will never come. */
static void put_damage(const struct api_call *call, json_t *reply)
{
    const struct api_context *context = call->context;
    AUTO_FREE char *backup = NULL;
    utc_t since;
    AUTO_FREE char *text = context->damage ? context->damage(context->care, &since, &backup) : NULL;

    json_put_text(reply, "damage", text);
}

/* Also without an inventory: the folder alone says which there are. */
HANDLER(get_backups)
{
    __attribute__((cleanup(backup_state_done))) struct backup_state state = {
        .made_at = UTC_NEVER, .tried_at = UTC_NEVER, .since = UTC_NEVER};
    const struct life *life = call->context->life;
    AUTO_BACKUPS struct backups backups = {0};
    struct error why = {0};

    (void)err;
    /* of a damaged one it may not be known */
    if (life->inventory)
        (void)life_backup_state(life->inventory, &state, &why);
    if (backups_list(life->backups, &backups, &why) < 0 && !state.trouble)
        state.trouble = mem_strdup(why.text);
    put_state(call, &state, reply);
    put_damage(call, reply);
    put_list(&backups, reply);
    return 0;
}

HANDLER(post_backup)
{
    static const char *const keys[] = {NULL};
    const struct api_context *context = call->context;
    char actor[ACTOR_MAX];
    int64_t number = 0;
    int rc = body_keys(call->body, "request", keys, err);

    if (rc == 0)
        rc = life_backup_ask(context->life, body_actor(call, actor), &number, err);
    if (rc != 0)
        return rc;
    json_put_number(reply, "asked", number);
    if (context->poke)
        context->poke(context->self);
    return 0;
}
