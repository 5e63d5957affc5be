#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "daemon/life/sealing.h"

static const char rotation_key[] = "sealing-rotation";
static const char failures_key[] = "sealing-failures";

void rotation_done(struct rotation *rotation)
{
    free(rotation->by);
    *rotation = (struct rotation){0};
}

static int64_t number_of(const struct fields *fields, const char *key)
{
    const char *text = fields_get(fields, key);
    int64_t number = 0;

    return text && text_number(text, 0, INT64_MAX, &number) ? number : 0;
}

/* What is not there is 0: the pass begins anew, which costs time alone. */
static void read_fields(const struct fields *fields, struct rotation *ret)
{
    const char *by = fields_get(fields, "by"), *under = fields_get(fields, "under");

    *ret = (struct rotation){.by = mem_strdup(by ? by : ACTOR_DAEMON),
                             .began_at = number_of(fields, "began"),
                             .renewal_id = number_of(fields, "renewal"),
                             .pass = number_of(fields, "pass"),
                             .done = number_of(fields, "done"),
                             .failed = number_of(fields, "failed")};
    if (!under || !text_unhex(under, ret->under, SEALING_ID_LEN))
        memset(ret->under, 0, SEALING_ID_LEN);
}

int rotation_load(struct inventory *inventory, struct rotation *ret, struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    AUTO_FIELDS struct fields fields = {0};
    struct error ignored;
    int rc = inventory_value_get(inventory, rotation_key, &value, err);

    if (rc < 0)
        return rc;
    AUTO_FREE char *json = mem_printf("%.*s", (int)value.len, (const char *)value.data);
    if (fields_from_json(json, &fields, &ignored) < 0)
        fields = FIELDS_EMPTY;
    read_fields(&fields, ret);
    return 0;
}

int rotation_save(struct inventory *inventory, const struct rotation *rotation, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    char hex[2 * SEALING_ID_LEN + 1];

    fields_set(&fields, "by", rotation->by);
    fields_printf(&fields, "began", "%" PRId64, rotation->began_at);
    fields_set(&fields, "under", text_hex(rotation->under, SEALING_ID_LEN, hex));
    fields_printf(&fields, "renewal", "%" PRId64, rotation->renewal_id);
    fields_printf(&fields, "pass", "%" PRId64, rotation->pass);
    fields_printf(&fields, "done", "%" PRId64, rotation->done);
    fields_printf(&fields, "failed", "%" PRId64, rotation->failed);
    AUTO_FREE char *json = fields_to_json(&fields);
    return inventory_value_set(inventory, rotation_key, span_text(json), err);
}

int rotation_remove(struct inventory *inventory, struct error *err)
{
    return inventory_value_remove(inventory, rotation_key, err);
}

int rotation_failures(struct inventory *inventory, int64_t *ret, struct error *err)
{
    AUTO_BLOB struct blob value = {0};
    int64_t count = 0;
    int rc = inventory_value_get(inventory, failures_key, &value, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    AUTO_FREE char *text = mem_printf("%.*s", (int)value.len, (const char *)value.data);
    *ret = text_number(text, 0, INT64_MAX, &count) ? count : 0;
    return 0;
}

int rotation_set_failures(struct inventory *inventory, int64_t count, struct error *err)
{
    AUTO_FREE char *text = mem_printf("%" PRId64, count);

    return inventory_value_set(inventory, failures_key, span_text(text), err);
}
