#include "daemon/life/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* The contract with the templates: notify/README.md names the same list. */
static const char *const field_names[] = {
    "certificate", "names",         "host",       "policy",          "drop",     "request_files",
    "reason",      "not_before",    "not_after",  "issuer",          "serial",   "fingerprint",
    "left",        "old_not_after", "old_serial", "old_fingerprint", "key_type", "target",
    "report",      "attempts",      "file",       "retry_at",        "missing",  "recipients",
    "csr",         "next",          "commands",
};

void notice_begin(const struct life *life, const struct certificate_row *certificate,
                  const struct policy *policy, struct fields *ret)
{
    AUTO_FREE char *names = names_join(&certificate->names);

    for (size_t i = 0; i < COUNT_OF(field_names); i++)
        fields_set(ret, field_names[i], "-");
    fields_set(ret, "certificate", certificate->name);
    fields_set(ret, "names", names);
    fields_set(ret, "host", life->host);
    fields_set(ret, "policy", policy->name);
    fields_set(ret, "drop", life->drop_shown);
    fields_printf(ret, "request_files", "%s/%s.csr and %s.txt", life->requests, certificate->name,
                  certificate->name);
    fields_printf(ret, "commands", "unlapse explain %s", certificate->name);
}

void notice_new_leaf(struct fields *fields, const struct cert *leaf)
{
    char text[UTC_TEXT_MAX], hex[2 * SHA256_LEN + 1];

    fields_set(fields, "not_before", utc_format_plain(leaf->not_before, text));
    fields_set(fields, "not_after", utc_format_plain(leaf->not_after, text));
    fields_set(fields, "issuer", leaf->issuer);
    fields_set(fields, "serial", leaf->serial);
    fields_set(fields, "key_type", leaf->key_text);
    fields_set(fields, "fingerprint", text_hex(leaf->sha256, SHA256_LEN, hex));
}

void notice_old_leaf(struct fields *fields, const struct cert *leaf)
{
    char text[UTC_TEXT_MAX], hex[2 * SHA256_LEN + 1];

    fields_set(fields, "old_not_after", utc_format_plain(leaf->not_after, text));
    fields_set(fields, "old_serial", leaf->serial);
    fields_set(fields, "old_fingerprint", text_hex(leaf->sha256, SHA256_LEN, hex));
    if (strcmp(fields_get(fields, "issuer"), "-") == 0)
        fields_set(fields, "issuer", leaf->issuer);
}

int notice_queue(struct life *life, const struct certificate_row *certificate,
                 const struct policy *policy, int64_t renewal_id, enum notice_kind kind,
                 const char *stage, struct fields *fields, struct error *err)
{
    const struct text_list *to =
        policy->recipients.count > 0 ? &policy->recipients : life->recipients;
    AUTO_BUF struct buf everybody;
    struct notice_row row = {
        .certificate_id = certificate->id,
        .renewal_id = renewal_id,
        .kind = (char *)(uintptr_t)notice_kind_text(kind),
        .stage = (char *)(uintptr_t)stage,
        .created_at = life->world->now(life->world->self),
    };

    if (to->count == 0)
        log_warn("no-recipients",
                 "notice %s has no recipient: name one in the policy or the configuration",
                 row.kind);
    buf_init(&everybody, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < to->count; i++)
        buf_printf(&everybody, "%s%s", i > 0 ? ", " : "", to->items[i]);
    fields_set(fields, "recipients", buf_text(&everybody));
    row.fields = *fields;
    for (size_t i = 0; i < to->count; i++) {
        row.recipient = to->items[i];
        int rc = notices_add(life->inventory, &row, NULL, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Walks the targets for the installed renewal that ends first, which is what people would notice.
 */
struct live_walk {
    struct life *life;
    struct blob leaf;
    utc_t not_after;
};

static int keep_earliest(void *self, const struct target_row *target, struct error *err)
{
    struct live_walk *walk = self;
    AUTO_RENEWAL struct renewal_row row = {0};
    int64_t id = 0;
    int rc = deployments_last_verified(walk->life->inventory, target->id, &id, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = renewals_get(walk->life->inventory, id, &row, err);
    if (rc == 0 && row.leaf.len > 0 && (walk->leaf.len == 0 || row.not_after < walk->not_after)) {
        blob_done(&walk->leaf);
        walk->leaf = blob_take(&row.leaf);
        walk->not_after = row.not_after;
    }
    return rc;
}

int life_live_leaf(struct life *life, const struct certificate_row *certificate, struct cert *ret,
                   struct error *err)
{
    struct live_walk walk = {.life = life};
    AUTO_RENEWAL struct renewal_row accepted = {0};
    int rc = targets_each(life->inventory, certificate->id, keep_earliest, &walk, err);
    AUTO_BLOB struct blob leaf = walk.leaf;

    if (rc == 0 && leaf.len == 0) {
        rc = renewals_accepted(life->inventory, certificate->id, &accepted, err);
        if (rc == 0)
            leaf = blob_take(&accepted.leaf);
    }
    return rc < 0 ? rc : cert_parse(blob_span(&leaf), ret, err);
}
