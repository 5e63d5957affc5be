/* The trust anchors that an administrator added. */
#include "daemon/api/handler.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/anchors.h"

#include "daemon/api/body.h"
#include "daemon/api/json.h"

enum { COMMENT_MAX = 200 };

static int list_one(void *self, const struct anchor_row *row, struct error *err)
{
    json_t *item = json_object();

    (void)err;
    json_put_text(item, "subject", row->subject);
    json_put_hash(item, "sha256", row->sha256);
    json_put_time(item, "not_after", row->not_after);
    json_put_time(item, "added_at", row->added_at);
    json_put_text(item, "added_by", row->added_by);
    json_put_text(item, "comment", row->comment);
    json_append(self, item);
    return 0;
}

HANDLER(get_trust)
{
    AUTO_JSON json_t *list = json_array();
    int rc = anchors_each(call->context->life->inventory, list_one, list, err);

    if (rc == 0)
        json_put(reply, "anchors", json_incref(list));
    return rc;
}

/* PEM as it is; DER, which comes in base64, is wrapped up as PEM. Owned by the caller. */
static int read_file(const json_t *body, char **ret, struct error *err)
{
    const char *pem = NULL, *der = NULL;
    int rc = body_text(body, "pem", &pem, err);

    if (rc == 0)
        rc = body_text(body, "der", &der, err);
    if (rc == 0 && !pem == !der)
        rc = error_set(err, E_INPUT, "wanted either pem (text) or der (in base64)");
    if (rc == 0)
        *ret =
            pem ? mem_strdup(pem)
                : mem_printf("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", der);
    return rc;
}

static void put_anchor(json_t *item, const struct life_anchor *anchor)
{
    json_put_text(item, "subject", anchor->subject);
    json_put_hash(item, "sha256", anchor->sha256);
    json_put_time(item, "not_before", anchor->not_before);
    json_put_time(item, "not_after", anchor->not_after);
}

static void put_added(const struct life_anchors *anchors, json_t *reply)
{
    json_t *list = json_array();
    bool existing = true;

    for (size_t i = 0; i < anchors->count; i++) {
        const struct life_anchor *anchor = &anchors->items[i];
        json_t *item = json_object(), *notes = json_array();

        put_anchor(item, anchor);
        json_put_bool(item, "existing", anchor->existing);
        for (size_t j = 0; j < anchor->notes.count; j++)
            json_append(notes, json_text_of(anchor->notes.items[j]));
        json_put(item, "notes", notes);
        json_append(list, item);
        existing = existing && anchor->existing;
    }
    json_put_bool(reply, "existing", existing);
    json_put(reply, "anchors", list);
}

static int read_comment(const json_t *body, const char **ret, struct error *err)
{
    int rc = body_text(body, "comment", ret, err);

    if (rc == 0 && *ret && strlen(*ret) > COMMENT_MAX)
        rc = error_set(err, E_INPUT, "comment: wanted at most %d bytes, got %zu", COMMENT_MAX,
                       strlen(*ret));
    return rc;
}

HANDLER(post_trust)
{
    static const char *const keys[] = {"pem", "der", "comment", "all", NULL};
    const struct api_context *context = call->context;
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};
    AUTO_FREE char *file = NULL;
    char actor[ACTOR_MAX];
    struct life_trust asked = {.actor = body_actor(call, actor)};
    int rc = body_keys(call->body, "request", keys, err);

    if (rc == 0)
        rc = read_file(call->body, &file, err);
    if (rc == 0)
        rc = read_comment(call->body, &asked.comment, err);
    if (rc == 0)
        rc = body_bool(call->body, "all", &asked.all, err);
    if (rc != 0)
        return rc;
    asked.file = span_text(file);
    rc = life_trust_add(context->life, &asked, &anchors, err);
    if (rc != 0)
        return rc;
    put_added(&anchors, reply);
    if (context->poke)
        context->poke(context->self);
    return 0;
}

HANDLER(delete_trust)
{
    char actor[ACTOR_MAX];
    struct life_anchor anchor = {.not_before = UTC_NEVER};
    int rc =
        life_trust_remove(call->context->life, call->name, body_actor(call, actor), &anchor, err);

    if (rc != 0)
        return rc;
    json_put_text(reply, "subject", anchor.subject);
    json_put_hash(reply, "sha256", anchor.sha256);
    json_put_time(reply, "not_after", anchor.not_after);
    return 0;
}
