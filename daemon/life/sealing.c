/* The sealing key: whether it is the one that the inventory was sealed with, and a new one. */
#include "daemon/life/sealing.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

enum { ID_TEXT_MAX = 2 * SEALING_ID_LEN + 1, COUNT_MAX = 100000 };

static const char id_key[] = "sealing-key-id";

static char *id_text(const uint8_t id[SEALING_ID_LEN], char ret[ID_TEXT_MAX])
{
    return text_hex(id, SEALING_ID_LEN, ret);
}

static int known_id(struct inventory *inventory, uint8_t ret[SEALING_ID_LEN], struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    int rc = inventory_value_get(inventory, id_key, &value, err);

    if (rc < 0)
        return rc;
    if (value.len != SEALING_ID_LEN)
        return error_set(err, E_CORRUPT,
                         "inventory: id of its sealing key: wanted %d bytes, got %zu",
                         SEALING_ID_LEN, value.len);
    memcpy(ret, value.data, SEALING_ID_LEN);
    return 0;
}

int life_seal_expected(struct inventory *inventory, bool *ret_none, char **ret_id,
                       struct error *err)
{
    uint8_t id[SEALING_ID_LEN];
    char text[ID_TEXT_MAX];
    struct sealing_ids in_use;
    int rc = keys_sealing_ids(inventory, &in_use, err);

    if (rc < 0)
        return rc;
    rc = known_id(inventory, id, err);
    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    *ret_none = rc == E_NOT_FOUND && in_use.count == 0;
    if (rc == E_NOT_FOUND && in_use.count > 0)
        memcpy(id, in_use.items[0], sizeof id);
    *ret_id = *ret_none ? NULL : mem_strdup(id_text(id, text));
    return 0;
}

/* From now on another key seals, by life->actor. Part of the open transaction. */
static int begin_rotation(struct life *life, const uint8_t from[SEALING_ID_LEN],
                          const uint8_t to[SEALING_ID_LEN], struct error *err)
{
    const char *by = life->actor ? life->actor : ACTOR_DAEMON;
    char old[ID_TEXT_MAX], new[ID_TEXT_MAX];
    utc_t now = life->world->now(life->world->self);
    const struct rotation rotation = {.by = (char *)(uintptr_t)by, .began_at = now};
    AUTO_FREE char *text =
        memcmp(from, to, SEALING_ID_LEN) == 0
            ? mem_printf("keys that are not under the sealing key %s are sealed anew",
                         id_text(to, new))
            : mem_printf("the sealing key %s takes the place of %s; all keys are sealed anew",
                         id_text(to, new), id_text(from, old));
    int rc = inventory_value_set(life->inventory, id_key, span_of(to, SEALING_ID_LEN), err);

    if (rc == 0)
        rc = rotation_save(life->inventory, &rotation, err);
    return rc == 0 ? life_event(life, 0, 0, "seal-rotation-begun", "%s", text) : rc;
}

/* Keys under another one of ours: they were sealed while it changed, or come from a backup. Those
 * that did not open the last time are no reason. */
static int has_old(struct life *life, const struct sealing_ids *in_use,
                   const struct sealing_ids *ids, bool *ret, struct error *err)
{
    int64_t left = 0, failures = 0;
    int rc = rotation_failures(life->inventory, &failures, err);

    for (size_t i = 0; rc == 0 && i < in_use->count; i++) {
        int64_t count = 0;

        if (memcmp(in_use->items[i], ids->items[0], SEALING_ID_LEN) == 0 ||
            !sealing_ids_has(ids, in_use->items[i]))
            continue;
        rc = keys_count_under(life->inventory, in_use->items[i], COUNT_MAX, &count, err);
        left += count;
    }
    *ret = left > 0 && left != failures;
    return rc;
}

static void log_missing(const struct sealing_ids *in_use, const struct sealing_ids *ids,
                        const char *path)
{
    char id[ID_TEXT_MAX];

    for (size_t i = 0; i < in_use->count; i++)
        if (!sealing_ids_has(ids, in_use->items[i]))
            log_error("sealing-key-missing",
                      "some keys are sealed under %s, which is not here: put it back as %s.old-%s",
                      id_text(in_use->items[i], id), path, id);
}

static int check_known(const uint8_t known[SEALING_ID_LEN], const struct sealing_ids *ids,
                       const char *path, struct error *err)
{
    char wanted[ID_TEXT_MAX], got[ID_TEXT_MAX];

    if (sealing_ids_has(ids, known))
        return 0;
    return error_set(err, E_CORRUPT,
                     "sealing key %s: wanted the one that the inventory was sealed with, %s, got "
                     "%s: put the right one back, or beside it as %s.old-%s",
                     path, id_text(known, wanted), id_text(ids->items[0], got), path, wanted);
}

/* Part of the open transaction. */
static int settle(struct life *life, const struct sealing_ids *ids, const char *path,
                  struct error *err)
{
    AUTO_ROTATION struct rotation going_on = {0};
    struct sealing_ids in_use;
    uint8_t known[SEALING_ID_LEN];
    int rc = known_id(life->inventory, known, err);
    bool is_new = rc == E_NOT_FOUND;

    if (rc < 0 && !is_new)
        return rc;
    rc = keys_sealing_ids(life->inventory, &in_use, err);
    if (rc < 0)
        return rc;
    /* Without a record the keys themselves say what is wanted. */
    if (is_new)
        memcpy(known, in_use.count > 0 ? in_use.items[0] : ids->items[0], sizeof known);
    rc = check_known(known, ids, path, err);
    if (rc < 0)
        return rc;
    log_missing(&in_use, ids, path);
    rc = rotation_load(life->inventory, &going_on, err);
    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    bool begins = memcmp(known, ids->items[0], sizeof known) != 0;
    if (!begins && rc == E_NOT_FOUND) {
        rc = has_old(life, &in_use, ids, &begins, err);
        if (rc < 0)
            return rc;
    }
    if (begins)
        return begin_rotation(life, known, ids->items[0], err);
    return is_new ? inventory_value_set(life->inventory, id_key, span_of(known, sizeof known), err)
                  : 0;
}

int life_seal_start(struct life *life, const char *path, struct error *err)
{
    struct sealing_ids ids;
    int rc = life->world->sealing_ids(life->world->self, &ids, err);

    if (rc < 0)
        return rc;
    rc = life_begin(life, err);
    if (rc == 0)
        rc = settle(life, &ids, path, err);
    return life_end(life, rc, err);
}

/* A key that a kill left without a record is found by the next start (settle). */
static int rotate(struct life *life, struct error *err)
{
    struct sealing_ids before, after;
    int rc = life->world->sealing_ids(life->world->self, &before, err);

    if (rc == 0)
        rc = life->world->rotate(life->world->self, err);
    if (rc == 0)
        rc = life->world->sealing_ids(life->world->self, &after, err);
    return rc < 0 ? rc : begin_rotation(life, before.items[0], after.items[0], err);
}

/*
 * The change is made while the transaction is open: whatever is sealed within one is under the old
 * key and committed before, or under the new one. Keys of requests are made outside of it, in the
 * lane that also seals anew (life_seal_step): none of them is under way when that ends.
 */
int life_seal_rotate(struct life *life, const char *actor, bool *ret_existing, struct error *err)
{
    AUTO_ROTATION struct rotation going_on = {0};
    bool existing = false;

    ACT_OF(life, actor);
    log_notice("seal-rotate", "asked for by %s", actor);
    int rc = life_begin(life, err);
    if (rc < 0)
        return rc;
    rc = rotation_load(life->inventory, &going_on, err);
    existing = rc == 0;
    if (rc == E_NOT_FOUND)
        rc = rotate(life, err);
    rc = life_end(life, rc, err);
    if (rc < 0)
        return rc;
    if (!existing)
        life_trail_sign_again(life);
    *ret_existing = existing;
    return 0;
}

void seal_state_done(struct seal_state *state)
{
    free(state->by);
    *state = (struct seal_state){0};
}

static int count_left(struct life *life, const struct sealing_ids *ids, struct seal_state *ret,
                      struct error *err)
{
    struct sealing_ids in_use;
    int rc = keys_sealing_ids(life->inventory, &in_use, err);

    for (size_t i = 0; rc == 0 && i < in_use.count; i++) {
        int64_t count = 0;

        if (memcmp(in_use.items[i], ids->items[0], SEALING_ID_LEN) == 0)
            continue;
        if (!sealing_ids_has(ids, in_use.items[i]))
            memcpy(ret->missing.items[ret->missing.count++], in_use.items[i], SEALING_ID_LEN);
        rc = keys_count_under(life->inventory, in_use.items[i], COUNT_MAX, &count, err);
        ret->left += count;
    }
    return rc;
}

int life_seal_state(struct life *life, struct seal_state *ret, struct error *err)
{
    __attribute__((cleanup(seal_state_done))) struct seal_state state = {.began_at = UTC_NEVER};
    AUTO_ROTATION struct rotation going_on = {0};
    int rc = life->world->sealing_ids(life->world->self, &state.ids, err);

    if (rc == 0)
        rc = count_left(life, &state.ids, &state, err);
    if (rc < 0)
        return rc;
    rc = rotation_load(life->inventory, &going_on, err);
    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    state.rotating = rc == 0;
    if (state.rotating) {
        state.by = TAKE(going_on.by);
        state.began_at = going_on.began_at;
        state.done = going_on.done;
    }
    *ret = state;
    state = (struct seal_state){0};
    return 0;
}
