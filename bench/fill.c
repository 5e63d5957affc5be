/*
 * Fills a new inventory with certificates that are in service, as years of work would leave it:
 * each with an accepted renewal, its chain, a target and the deployment that was verified there,
 * and its plan. Of each the keys and fingerprints are random; the leaf and its issuer are one
 * file's.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/life/life.h"
#include "store/certificates.h"
#include "store/deployments.h"
#include "store/events.h"
#include "store/inventory.h"
#include "store/renewals.h"
#include "store/targets.h"

enum {
    DAY = 86400,
    LIFETIME = 90 * DAY,
    DUE_LEFT = 20 * DAY,   /* a third of 90 days is the lead */
    LEAST_LEFT = 35 * DAY, /* not due */
    AT_A_TIME = 10000,     /* rows of certificates in a transaction */
    SEALED_LEN = 200,
    CSR_LEN = 350
};

struct filling {
    struct inventory *inventory;
    const char *policy;
    struct blob leaf, issuer;
    int64_t count, due;
    utc_t now;
    uint64_t seed;
};

static utc_t now_of(void *self)
{
    return ((const struct filling *)self)->now;
}

/* https://prng.di.unimi.it/splitmix64.c: the same inventory for the same numbers. */
static uint64_t any(struct filling *filling)
{
    uint64_t z = (filling->seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct blob any_bytes(struct filling *filling, size_t len)
{
    struct blob blob = {.data = mem_alloc(len, 1), .len = len};

    for (size_t i = 0; i < len; i++)
        blob.data[i] = (uint8_t)any(filling);
    return blob;
}

static void any_hash(struct filling *filling, uint8_t ret[SHA256_LEN])
{
    AUTO_BLOB struct blob bytes = any_bytes(filling, SHA256_LEN);

    memcpy(ret, bytes.data, SHA256_LEN);
}

static int add_certificate(struct filling *filling, int64_t number, struct certificate_row *row,
                           struct error *err)
{
    static const char *const kinds[] = {"web", "db", "mail", "ldap", "api"};
    AUTO_FREE char *host = mem_printf("%s-%07" PRId64 ".example.com", kinds[number % 5], number);
    AUTO_FREE char *tagged = mem_printf("dns:%s", host);

    row->name = mem_printf("%s-%07" PRId64, kinds[number % 5], number);
    row->policy = mem_strdup(filling->policy);
    row->added_at = filling->now - 400 * (int64_t)DAY;
    int rc = names_add_tagged(&row->names, tagged, err);
    return rc < 0 ? rc : certificates_add(filling->inventory, row, &row->id, err);
}

static int add_renewal(struct filling *filling, const struct certificate_row *certificate,
                       utc_t not_after, int64_t *ret_id, struct error *err)
{
    AUTO_RENEWAL struct renewal_row row = {0};
    const struct renewal_row fresh = {.certificate_id = certificate->id,
                                      .reason = (char *)(uintptr_t) "the certificate ends in 30 d",
                                      .created_at = not_after - LIFETIME - DAY,
                                      .names = certificate->names};
    struct blobs chain = {.items = &filling->issuer, .count = 1};
    int rc = renewals_add(filling->inventory, &fresh, ret_id, err);

    if (rc == 0)
        rc = renewals_get(filling->inventory, *ret_id, &row, err);
    if (rc < 0)
        return rc;
    row.key.sealed = any_bytes(filling, SEALED_LEN);
    any_hash(filling, row.key.spki_sha256);
    any_hash(filling, row.leaf_sha256);
    row.csr = any_bytes(filling, CSR_LEN);
    row.leaf = blob_copy(blob_span(&filling->leaf));
    row.not_before = not_after - LIFETIME;
    row.not_after = not_after;
    row.chain_not_after = not_after;
    row.requested_at = row.handed_over_at = row.created_at;
    row.received_at = row.accepted_at = row.not_before + 60;
    rc = renewals_update(filling->inventory, &row, err);
    return rc < 0 ? rc : renewals_set_chain(filling->inventory, *ret_id, &chain, err);
}

static int add_target(struct filling *filling, const struct certificate_row *certificate,
                      int64_t renewal_id, utc_t at, struct error *err)
{
    AUTO_TARGET struct target_row target = {.certificate_id = certificate->id,
                                            .service = mem_strdup("files"),
                                            .added_at = certificate->added_at};
    AUTO_DEPLOYMENT struct deployment_row row = {0};
    int64_t id = 0;

    target.files[BUNDLE_KEY] = mem_printf("/srv/bench/%s.key", certificate->name);
    target.files[BUNDLE_FULLCHAIN] = mem_printf("/srv/bench/%s.crt", certificate->name);
    int rc = targets_add(filling->inventory, &target, &id, err);
    if (rc == 0)
        rc = deployments_add(filling->inventory, renewal_id, id, at, err);
    if (rc == 0)
        rc = deployments_find(filling->inventory, renewal_id, id, &row, err);
    if (rc < 0)
        return rc;
    row.staged_at = row.swap_begun_at = row.swapped_at = row.reloaded_at = row.verified_at =
        row.cleaned_at = at;
    row.report = mem_strdup("files are in place");
    return deployments_update(filling->inventory, &row, err);
}

static int add_one(struct filling *filling, int64_t number, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row certificate = {0};
    int64_t renewal_id = 0;
    /* Those that are due lie scattered among the others. */
    bool due = filling->due > 0 && number % (filling->count / filling->due) == 0;
    utc_t not_after = filling->now + (due ? DUE_LEFT + (int64_t)(any(filling) % DAY)
                                          : LEAST_LEFT + (int64_t)(any(filling) % (50 * DAY)));
    int rc = add_certificate(filling, number, &certificate, err);

    if (rc == 0)
        rc = add_renewal(filling, &certificate, not_after, &renewal_id, err);
    if (rc == 0)
        rc = add_target(filling, &certificate, renewal_id, not_after - LIFETIME + 120, err);
    if (rc == 0)
        rc = events_add(filling->inventory, not_after - LIFETIME + 120, certificate.id, renewal_id,
                        "daemon", "verified", "files: files are in place", err);
    return rc;
}

static int fill(struct filling *filling, struct error *err)
{
    int rc = 0;

    for (int64_t i = 0; rc == 0 && i < filling->count;) {
        rc = inventory_begin(filling->inventory, err);
        for (int64_t end = i + AT_A_TIME; rc == 0 && i < end && i < filling->count; i++)
            rc = add_one(filling, i, err);
        if (rc == 0)
            rc = inventory_commit(filling->inventory, err);
    }
    return rc;
}

static int plan(struct filling *filling, struct error *err)
{
    const struct world world = {.self = filling, .now = now_of};
    struct policies *policies = policies_open();
    struct life life = {.inventory = filling->inventory, .world = &world, .policies = policies};
    int rc = life_plan_begin(&life, true, err);

    while (rc == 0)
        rc = life_plan_more(&life, err);
    policies_free(policies);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int usage(void)
{
    fprintf(stderr, "usage: fill --inventory FILE --count N [--due N] [--policy NAME]"
                    " --leaf DER --issuer DER\n");
    return 2;
}

static int run(struct filling *filling, const char *path, const char *leaf, const char *issuer,
               struct error *err)
{
    int rc = file_read(leaf, 1 << 16, &filling->leaf, err);

    if (rc == 0)
        rc = file_read(issuer, 1 << 16, &filling->issuer, err);
    if (rc == 0)
        rc = inventory_open(path, &filling->inventory, err);
    if (rc == 0)
        rc = fill(filling, err);
    if (rc == 0)
        rc = plan(filling, err);
    inventory_close(filling->inventory);
    blob_done(&filling->leaf);
    blob_done(&filling->issuer);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"inventory", required_argument, NULL, 'i'},
                                            {"count", required_argument, NULL, 'c'},
                                            {"due", required_argument, NULL, 'd'},
                                            {"policy", required_argument, NULL, 'p'},
                                            {"leaf", required_argument, NULL, 'l'},
                                            {"issuer", required_argument, NULL, 's'},
                                            {0}};
    struct filling filling = {.policy = "default", .now = clock_now(), .seed = 1};
    const char *path = NULL, *leaf = NULL, *issuer = NULL;
    struct error err = {0};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'i':
            path = optarg;
            break;
        case 'c':
        case 'd':
            if (!text_number(optarg, 1, 100000000, option == 'c' ? &filling.count : &filling.due))
                return usage();
            break;
        case 'p':
            filling.policy = optarg;
            break;
        case 'l':
            leaf = optarg;
            break;
        case 's':
            issuer = optarg;
            break;
        default:
            return usage();
        }
    }
    if (!path || !leaf || !issuer || filling.count == 0 || filling.due > filling.count)
        return usage();
    log_open(LOG_LEVEL_WARN, false);
    if (run(&filling, path, leaf, issuer, &err) < 0) {
        fprintf(stderr, "fill: %s\n", err.text);
        return 1;
    }
    return 0;
}
