#include "daemon/life/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* The services it is installed on, in one line. */
static int add_target(void *self, const struct target_row *target, struct error *err)
{
    struct buf *list = self;

    (void)err;
    buf_printf(list, "%s%s", list->len > 0 ? ", " : "", target->service);
    for (size_t i = 0; i < target->endpoint_count; i++)
        buf_printf(list, "%s%s:%d", i > 0 ? ", " : " at ", target->endpoints[i].host,
                   target->endpoints[i].port);
    return 0;
}

static int set_targets(const struct life *life, const struct certificate_row *certificate,
                       struct fields *ret, struct error *err)
{
    AUTO_BUF struct buf list;

    buf_init(&list, BUF_MAX_RECEIPT);
    int rc = targets_each(life->inventory, certificate->id, add_target, &list, err);
    if (rc == 0 && list.len > 0)
        fields_set(ret, "target", buf_text(&list));
    return rc;
}

/* What a person can do next, and what is still missing, from the renewal in the making. */
static void set_next_step(const struct life *life, const struct certificate_row *certificate,
                          const struct certificate_facts *facts, struct fields *ret)
{
    if (facts->open.received_at != UTC_NEVER && facts->open.exists) {
        fields_set(ret, "missing", "the authority's intermediate certificates");
        fields_printf(ret, "next", "Put the authority's intermediate certificates into %s.",
                      life->drop_shown);
    } else if (facts->open.exists && facts->open.handed_over_at != UTC_NEVER) {
        fields_set(ret, "missing",
                   "the certificate that the authority issues for the signing request (CSR)");
        fields_printf(ret, "next",
                      "Order the certificate with the signing request (CSR) and put what the "
                      "authority sends into %s.",
                      life->drop_shown);
    } else if (facts->open.exists) {
        fields_set(ret, "missing", "the key and the signing request (CSR), which are being made");
        fields_set(ret, "next", "The signing request (CSR) comes with the next mail.");
    } else if (facts->deployment_count > 0 && facts->not_after != facts->live_not_after) {
        fields_set(ret, "missing", "the installation of the new certificate, which is here");
        fields_printf(ret, "next",
                      "It is tried again by itself; \"unlapse explain %s\" says what keeps it.",
                      certificate->name);
    } else {
        fields_set(ret, "missing", "a renewal: none has begun");
        fields_printf(ret, "next", "Run \"unlapse renew %s\" on %s.", certificate->name,
                      life->host);
    }
}

static int set_request(const struct life *life, const struct certificate_row *certificate,
                       struct fields *ret, struct error *err)
{
    AUTO_RENEWAL struct renewal_row open = {0};
    AUTO_BUF struct buf pem;
    int rc = renewals_open(life->inventory, certificate->id, &open, err);

    buf_init(&pem, BUF_MAX_PEM);
    if (rc == E_NOT_FOUND || (rc == 0 && open.csr.len == 0))
        return 0;
    if (rc == 0) {
        pem_write(&pem, "CERTIFICATE REQUEST", blob_span(&open.csr));
        fields_set(ret, "csr", buf_text(&pem));
        fields_set(ret, "reason", open.reason);
    }
    return rc;
}

void notice_old_leaf(struct fields *fields, const struct cert *leaf)
{
    char text[UTC_TEXT_MAX], hex[2 * SHA256_LEN + 1];

    fields_set(fields, "old_not_after", utc_format_plain(leaf->not_after, text));
    fields_set(fields, "old_serial", leaf->serial);
    fields_set(fields, "old_fingerprint", text_hex(leaf->sha256, SHA256_LEN, hex));
}

static void set_live(struct life *life, const struct certificate_row *certificate,
                     const struct certificate_facts *facts, struct fields *ret)
{
    AUTO_CERT struct cert live = {0};
    char left[SECONDS_TEXT_MAX];
    utc_t now = life->world->now(life->world->self);

    if (facts->live_not_after == UTC_NEVER || life_live_leaf(life, certificate, &live, NULL) < 0)
        return;
    fields_set(ret, "left",
               now > live.not_after ? "expired" : seconds_format(live.not_after - now, left));
    fields_set(ret, "issuer", live.issuer);
    notice_old_leaf(ret, &live);
}

/* As a person types them into an authority's form. */
static char *plain_names(const struct names *names)
{
    AUTO_BUF struct buf list;

    buf_init(&list, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < names->count; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", names->items[i].text);
    return mem_strdup(buf_text(&list));
}

int notice_begin(struct life *life, const struct certificate_row *certificate,
                 const struct policy *policy, struct fields *ret, struct error *err)
{
    AUTO_FREE char *names = plain_names(&certificate->names);
    struct certificate_facts facts;
    int rc = life_facts(life->inventory, certificate, &facts, err);

    notice_fields_init(ret);
    if (rc < 0)
        return rc;
    fields_set(ret, "certificate", certificate->name);
    fields_set(ret, "names", names);
    fields_set(ret, "host", life->host);
    fields_set(ret, "policy", policy->name);
    fields_set(ret, "drop", life->drop_shown);
    fields_set(ret, "key_type", key_type_text(policy->key_type));
    fields_printf(ret, "request_files", "%s/%s.csr and %s.txt", life->requests, certificate->name,
                  certificate->name);
    fields_printf(ret, "commands", "unlapse explain %s", certificate->name);
    set_next_step(life, certificate, &facts, ret);
    set_live(life, certificate, &facts, ret);
    rc = set_targets(life, certificate, ret, err);
    return rc == 0 ? set_request(life, certificate, ret, err) : rc;
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

/* One row a recipient, each told who else hears of it. */
static int queue_for(struct life *life, const struct text_list *to, struct notice_row *row,
                     struct fields *fields, struct error *err)
{
    AUTO_BUF struct buf everybody;

    buf_init(&everybody, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < to->count; i++)
        buf_printf(&everybody, "%s%s", i > 0 ? ", " : "", to->items[i]);
    fields_set(fields, "recipients", buf_text(&everybody));
    row->fields = *fields;
    for (size_t i = 0; i < to->count; i++) {
        row->recipient = to->items[i];
        int rc = notices_add(life->inventory, row, NULL, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int notice_queue(struct life *life, const struct certificate_row *certificate,
                 const struct policy *policy, int64_t renewal_id, enum notice_kind kind,
                 const char *stage, struct fields *fields, struct error *err)
{
    const struct text_list *to =
        policy->recipients.count > 0 ? &policy->recipients : life->recipients;
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
    return queue_for(life, to, &row, fields, err);
}

/* A folder that fills with rubbish must not fill mailboxes: past this many files an hour one mail
 * says that more came. Each has its receipt and its event all the same. */
enum { HOUR = 3600, UNUSABLE_AN_HOUR = 20, REFUSED_AN_HOUR = 20 };

int notice_queue_bounded(struct life *life, const struct certificate_row *certificate,
                         const struct policy *policy, int64_t renewal_id, enum notice_kind kind,
                         const char *stage, const char *reason_field, struct fields *fields,
                         struct error *err)
{
    utc_t now = life->world->now(life->world->self);
    int64_t lately = 0;
    int rc = notices_count_stages(life->inventory, certificate->id, notice_kind_text(kind),
                                  utc_add(now, -HOUR), &lately, err);

    if (rc < 0)
        return rc;
    if (lately < REFUSED_AN_HOUR)
        return notice_queue(life, certificate, policy, renewal_id, kind, stage, fields, err);
    AUTO_FREE char *more =
        mem_printf("%s-more-%lld", notice_kind_text(kind), (long long)(now / HOUR));
    fields_printf(fields, reason_field,
                  "%s; and this is one of more than %d such mails for it within an hour: the "
                  "others of this hour are not sent, look into the folders \"accepted\" and "
                  "\"rejected\" below the drop folder",
                  fields_get(fields, reason_field), REFUSED_AN_HOUR);
    /* One for all its requests. */
    return notice_queue(life, certificate, policy, 0, kind, more, fields, err);
}

int notice_queue_general(struct life *life, enum notice_kind kind, const char *stage,
                         struct fields *fields, struct error *err)
{
    struct notice_row row = {
        .kind = (char *)(uintptr_t)notice_kind_text(kind),
        .stage = (char *)(uintptr_t)stage,
        .created_at = life->world->now(life->world->self),
    };
    int rc = 0;

    if (life->recipients->count > 0)
        return queue_for(life, life->recipients, &row, fields, err);
    /* Nobody is named for all: whoever hears of any certificate hears of this, once. */
    for (size_t i = 0; rc == 0 && i < policies_count(life->policies); i++)
        rc = queue_for(life, &policies_at(life->policies, i)->recipients, &row, fields, err);
    return rc;
}

int notice_queue_unusable(struct life *life, const char *file, const char *hash,
                          const char *receipt, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    AUTO_FREE char *stage = NULL;
    utc_t now = life->world->now(life->world->self);
    int64_t lately = 0;
    int rc = notices_count_stages(life->inventory, 0, notice_kind_text(NOTICE_UNUSABLE),
                                  utc_add(now, -HOUR), &lately, err);

    if (rc < 0)
        return rc;
    bool flood = lately >= UNUSABLE_AN_HOUR;
    stage = flood ? mem_printf("unusable-more-%lld", (long long)(now / HOUR))
                  : mem_printf("unusable-%s", hash);
    notice_fields_init(&fields);
    fields_set(&fields, "file", flood ? "more files" : file);
    fields_set(&fields, "host", life->host);
    fields_set(&fields, "drop", life->drop_shown);
    fields_set(&fields, "report",
               flood
                   ? "More than twenty files were rejected within an hour. The others of this hour "
                     "are not mailed one by\n"
                     "one: look into the folder \"rejected\" below the drop folder, where each "
                     "lies with a note beside it."
                   : receipt);
    fields_set(&fields, "commands", "unlapse list");
    return notice_queue_general(life, NOTICE_UNUSABLE, stage, &fields, err);
}

int notice_in_service(struct life *life, int64_t certificate_id, struct error *err)
{
    static const enum notice_kind kinds[] = {NOTICE_EXPIRES, NOTICE_EXPIRED, NOTICE_ROLLED_BACK,
                                             NOTICE_FAILED};
    utc_t now = life->world->now(life->world->self);

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int rc =
            notices_drop(life->inventory, certificate_id, notice_kind_text(kinds[i]), now, err);
        if (rc < 0)
            return rc;
    }
    return certificates_set_told(life->inventory, certificate_id, 0, UTC_NEVER, err);
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
    return rc < 0 ? rc : life->world->parse_cert(life->world->self, blob_span(&leaf), ret, err);
}
