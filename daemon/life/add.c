/* A certificate enters the inventory: its targets are looked at, and what is installed there now is
 * adopted. */
#include "daemon/life/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* What was found on one target before anything is written. */
struct found {
    bool present;
    struct live_pair pair;
    struct cert leaf;
};

/* The whole addition in hand. */
struct addition {
    struct life *life;
    const struct life_add *asked;
    struct certificate_row row;
    struct found *found; /* one for each target */
    bool new_authority;  /* the pool knows one more since */
};

static void addition_done(struct addition *in)
{
    for (size_t i = 0; in->found && i < in->asked->target_count; i++) {
        live_pair_done(&in->found[i].pair);
        cert_done(&in->found[i].leaf);
    }
    free(in->found);
    certificate_row_done(&in->row);
}

/* The name becomes a file name in the requests folder. */
static int check_name(const char *name, struct error *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > 64 || name[0] == '.' || name[0] == '-')
        return error_set(
            err, E_INPUT,
            "certificate name \"%s\": wanted 1 to 64 characters, not beginning with \".\" or \"-\"",
            name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return error_set(
                err, E_INPUT,
                "certificate name \"%s\": wanted letters, digits, \".\", \"_\" and \"-\"", name);
    return 0;
}

static int check_target(const struct life *life, const struct target_row *target, struct error *err)
{
    const struct service *service = services_get(life->services, target->service);
    bool any = false;

    if (!service)
        return error_set(err, E_NOT_FOUND, "service %s: not configured", target->service);
    for (size_t i = 0; i < BUNDLE_PARTS; i++) {
        if (!target->files[i])
            continue;
        any = true;
        if (!service->parts[i].allowed)
            return error_set(err, E_INPUT, "service %s: does not take the part %s", target->service,
                             bundle_part_text((enum bundle_part)i));
        if (target->files[i][0] != '/')
            return error_set(err, E_INPUT, "%s=%s: wanted an absolute path",
                             bundle_part_text((enum bundle_part)i), target->files[i]);
    }
    return any ? 0
               : error_set(err, E_INPUT, "target of service %s: wanted at least one file",
                           target->service);
}

/* Reads the installed pair; that there is none is no error. */
static int look_at(struct addition *in, const struct target_row *target, struct found *ret,
                   struct error *err)
{
    struct life *life = in->life;
    struct deploy_order order;
    struct bind_endpoint *endpoints = NULL;
    int rc = order_make(life, target, &in->row, policies_get(life->policies, in->row.policy),
                        &order, &endpoints, err);

    if (rc == 0)
        rc = life->world->live_read(life->world->self, &order, &ret->pair, err);
    free(endpoints);
    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = cert_parse(blob_span(&ret->pair.leaf), &ret->leaf, err);
    if (rc < 0)
        return error_wrap(err, rc, "target of service %s: what is installed there now",
                          target->service);
    ret->present = true;
    return 0;
}

static int look_around(struct addition *in, struct error *err)
{
    in->found = mem_alloc(in->asked->target_count, sizeof *in->found);
    for (size_t i = 0; i < in->asked->target_count; i++) {
        int rc = check_target(in->life, &in->asked->targets[i], err);

        if (rc == 0)
            rc = look_at(in, &in->asked->targets[i], &in->found[i], err);
        if (rc < 0)
            return rc;
        if (in->row.names.count == 0 && in->found[i].present)
            names_copy(&in->found[i].leaf.names, &in->row.names);
    }
    if (in->row.names.count == 0)
        return error_set(err, E_INPUT,
                         "certificate %s: wanted at least one name (no target has a certificate to "
                         "take them from)",
                         in->row.name);
    return 0;
}

/* The first end among a leaf and what leads up from it in the order it is sent: what stands beside
 * the path does not count. */
static utc_t chain_end(const struct found *found)
{
    utc_t end = found->leaf.not_after;
    uint8_t wanted[SHA256_LEN];

    memcpy(wanted, found->leaf.issuer_sha256, SHA256_LEN);
    for (size_t i = 0; i < found->pair.chain.count; i++) {
        AUTO_CERT struct cert cert = {0};

        if (cert_parse(blob_span(&found->pair.chain.items[i]), &cert, NULL) < 0 ||
            cert.self_signed || memcmp(cert.subject_sha256, wanted, SHA256_LEN) != 0)
            continue;
        end = utc_min(end, cert.not_after);
        memcpy(wanted, cert.issuer_sha256, SHA256_LEN);
    }
    return end;
}

/* Targets that serve one leaf are adopted one by one, and the last one speaks for all. */
static utc_t first_chain_end(const struct addition *in, const struct found *found)
{
    utc_t end = chain_end(found);

    for (size_t i = 0; i < in->asked->target_count; i++)
        if (in->found[i].present &&
            memcmp(in->found[i].leaf.sha256, found->leaf.sha256, SHA256_LEN) == 0)
            end = utc_min(end, chain_end(&in->found[i]));
    return end;
}

static int keep_chain(struct addition *in, const struct found *found, struct error *err)
{
    for (size_t i = 0; i < found->pair.chain.count; i++) {
        AUTO_CERT struct cert cert = {0};
        bool is_new;
        struct span der = blob_span(&found->pair.chain.items[i]);

        if (cert_parse(der, &cert, NULL) < 0 || !cert.is_ca)
            continue;
        int rc = authority_take(in->life, der, &cert, &is_new, err);
        if (rc < 0)
            return rc;
        in->new_authority = in->new_authority || is_new;
    }
    return 0;
}

/* The key is sealed too, where it can be read and fits: then even the first roll-back can be made
 * from the inventory. When no keeper can be had now the whole addition fails, and may be repeated.
 */
static int adopt_key(struct life *life, const struct found *found, struct renewal_row *renewal,
                     struct error *err)
{
    struct error why = {0};

    if (found->pair.key.len == 0)
        log_warn("key-not-adopted",
                 "the installed key stays where it is, unknown to the inventory: %s",
                 found->pair.key_reason);
    else if (!key_fits_cert(blob_span(&found->pair.key), blob_span(&found->pair.leaf)))
        log_warn("key-not-adopted", "the installed key does not fit the installed certificate");
    else if (life->world->seal(life->world->self, renewal->id, blob_span(&found->pair.key),
                               &renewal->key, &why) < 0) {
        if (code_retry(why.code) == RETRY_TRANSIENT)
            return error_set(err, why.code, "%s", why.text);
        log_warn("key-not-adopted", "%s", why.text);
    }
    return 0;
}

static int adopt_renewal(struct addition *in, const struct found *found, const char *reason,
                         int64_t *ret_id, struct error *err)
{
    struct life *life = in->life;
    AUTO_RENEWAL struct renewal_row renewal = {0};
    utc_t now = life->world->now(life->world->self);
    int64_t id = 0;
    int rc = renewal_create(life, &in->row, reason, NULL, &id, err);

    if (rc == 0)
        rc = renewals_get(life->inventory, id, &renewal, err);
    if (rc < 0)
        return rc;
    rc = adopt_key(life, found, &renewal, err);
    if (rc < 0)
        return rc;
    memcpy(renewal.key.spki_sha256, found->leaf.spki_sha256, SHA256_LEN);
    renewal.leaf = blob_copy(blob_span(&found->pair.leaf));
    memcpy(renewal.leaf_sha256, found->leaf.sha256, SHA256_LEN);
    renewal.not_before = found->leaf.not_before;
    renewal.not_after = found->leaf.not_after;
    renewal.received_at = renewal.accepted_at = now;
    renewal.chain_not_after = first_chain_end(in, found);
    rc = renewals_update(life->inventory, &renewal, err);
    if (rc == 0)
        rc = renewals_set_chain(life->inventory, id, &found->pair.chain, err);
    if (rc == 0)
        rc = keep_chain(in, found, err);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

/* What is installed counts as in service: it was there before us. */
static int mark_installed(struct life *life, int64_t renewal_id, int64_t target_id,
                          struct error *err)
{
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    utc_t now = life->world->now(life->world->self);
    int rc = deployments_add(life->inventory, renewal_id, target_id, now, err);

    if (rc == 0)
        rc = deployments_find(life->inventory, renewal_id, target_id, &row, err);
    if (rc < 0)
        return rc;
    row.verified_at = row.cleaned_at = now;
    row.report = mem_strdup("found installed when the certificate was added");
    return deployments_update(life->inventory, &row, err);
}

static int adopt(struct addition *in, size_t index, int64_t target_id, struct error *err)
{
    const struct found *found = &in->found[index];
    int64_t renewal_id = 0;
    char reason[128], at[UTC_TEXT_MAX];

    if (!found->present)
        return 0;
    snprintf(reason, sizeof reason, "adopted as it was found on %s",
             in->asked->targets[index].service);
    int rc = adopt_renewal(in, found, reason, &renewal_id, err);
    if (rc == 0)
        rc = mark_installed(in->life, renewal_id, target_id, err);
    if (rc == 0)
        rc = life_event_change(
            in->life,
            &(struct life_change){in->row.id, renewal_id, "adopted", NULL, found->leaf.sha256},
            "%s serves serial %s, valid until %s", in->asked->targets[index].service,
            found->leaf.serial, utc_format(found->leaf.not_after, at));
    return rc;
}

static int add_targets(struct addition *in, struct error *err)
{
    for (size_t i = 0; i < in->asked->target_count; i++) {
        struct target_row target = in->asked->targets[i]; /* borrows */
        int64_t target_id = 0;

        target.certificate_id = in->row.id;
        target.added_at = in->row.added_at;
        int rc = targets_add(in->life->inventory, &target, &target_id, err);
        if (rc == 0)
            rc = adopt(in, i, target_id, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What came for these keys before they were known, and what waits for the authorities beside them,
 * once everything is there that it is for. */
static int look_again(struct addition *in, struct error *err)
{
    AUTO_FREE char *why = mem_printf("the certificate %s, which was added", in->row.name);
    AUTO_BUF struct buf unused;
    int rc = 0;

    buf_init(&unused, BUF_MAX_RECEIPT);

    for (size_t i = 0; rc == 0 && i < in->asked->target_count; i++)
        if (in->found[i].present)
            rc = look_again_for_key(in->life, in->found[i].leaf.spki_sha256, why, err);
    return rc == 0 && in->new_authority ? chains_complete(in->life, why, &unused, err) : rc;
}

static int write_down(struct addition *in, struct error *err)
{
    struct life *life = in->life;
    AUTO_FREE char *names = names_join(&in->row.names);
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = certificates_add(life->inventory, &in->row, &in->row.id, err);
    if (rc == 0)
        rc = events_add(life->inventory, in->row.added_at, in->row.id, 0, in->asked->actor, "added",
                        names, err);
    if (rc == 0)
        rc = add_targets(in, err);
    if (rc == 0)
        rc = look_again(in, err);
    return life_end_planned(life, in->row.id, rc, err);
}

int life_add(struct life *life, const struct life_add *add, int64_t *ret_id, struct error *err)
{
    __attribute__((cleanup(addition_done))) struct addition in = {.life = life, .asked = add};
    const char *policy = add->policy ? add->policy : "default";
    int rc = check_name(add->name, err);

    if (rc < 0)
        return rc;
    if (!policies_get(life->policies, policy))
        return error_set(err, E_NOT_FOUND, "policy %s: not configured", policy);
    LOG_CONTEXT("certificate=%s", add->name);
    ACT_OF(life, add->actor);
    in.row = (struct certificate_row){
        .name = mem_strdup(add->name),
        .policy = mem_strdup(policy),
        .added_at = life->world->now(life->world->self),
        .retired_at = UTC_NEVER,
        .expired_told_at = UTC_NEVER,
    };
    in.row.next_at = in.row.added_at;
    names_copy(add->names, &in.row.names);
    rc = look_around(&in, err);
    if (rc == 0)
        rc = write_down(&in, err);
    if (rc == 0)
        *ret_id = in.row.id;
    return rc;
}
