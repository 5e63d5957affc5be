#include "daemon/api/event.h"

#include "base/text.h"

#include "daemon/api/json.h"

static json_t *id_or_null(int64_t id)
{
    return id != 0 ? json_integer(id) : json_null();
}

/* Also when it is all zero: before the first event. */
static void put_mark_hash(json_t *object, const uint8_t hash[SHA256_LEN])
{
    char hex[2 * SHA256_LEN + 1];

    json_put_text(object, "hash", text_hex(hash, SHA256_LEN, hex));
}

int event_append(void *self, const struct event_row *row, struct error *err)
{
    json_t *item = json_object();

    (void)err;
    json_put_number(item, "id", row->id);
    json_put_time(item, "at", row->at);
    json_put_text(item, "certificate", row->certificate);
    json_put(item, "certificate_id", id_or_null(row->certificate_id));
    json_put(item, "renewal", id_or_null(row->renewal_id));
    json_put_text(item, "actor", row->actor);
    json_put_text(item, "kind", row->kind);
    json_put_text(item, "text", row->text);
    json_put_hash(item, "old_sha256", row->old_sha256);
    json_put_hash(item, "new_sha256", row->new_sha256);
    put_mark_hash(item, row->hash);
    json_append(self, item);
    return 0;
}

json_t *trail_mark_json(const struct trail_mark *mark)
{
    json_t *object = json_object();

    json_put_number(object, "id", mark->id);
    put_mark_hash(object, mark->hash);
    return object;
}

json_t *trail_pruned_json(const struct trail_ends *ends)
{
    if (ends->pruned.id == 0)
        return json_null();
    json_t *object = trail_mark_json(&ends->pruned);
    json_put_time(object, "at", ends->pruned_at);
    json_put_text(object, "by", ends->pruned_by);
    return object;
}
