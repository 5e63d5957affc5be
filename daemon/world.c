#include "daemon/world.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "notify/mail.h"
#include "daemon/fetch/fetch.h"
#include "daemon/life/sealing.h"
#include "daemon/read/reader.h"

enum { IDLE_MS = 30000 }; /* of a reader or keeper, before it ends */

/* The anchors of one policy, by their number among the reader's; policies that name the same ones
 * share them, since the system's store takes 20 ms to read. */
struct policy_anchors {
    const struct policy *policy;
    size_t set;
};

struct real_world {
    struct world functions;
    const struct config *config;
    struct keep *keeper;
    struct reader *reader;
    struct policy_anchors *anchors;
    size_t anchor_count;
};

static utc_t now(void *self)
{
    (void)self;
    return clock_now();
}

static int make_request(void *self, int64_t renewal_id, const struct key_request *request,
                        struct sealed_key *ret_key, struct blob *ret_csr, struct error *err)
{
    const struct real_world *world = self;

    return keep_make_request(world->keeper, renewal_id, request, ret_key, ret_csr, err);
}

static int seal(void *self, int64_t renewal_id, struct span key, struct sealed_key *ret,
                struct error *err)
{
    const struct real_world *world = self;

    return keep_seal(world->keeper, renewal_id, key, ret, err);
}

static int reseal(void *self, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                  struct blob *ret, struct error *err)
{
    const struct real_world *world = self;

    return keep_reseal(world->keeper, from_id, from, to_id, ret, err);
}

/* A damaged inventory is read without one. */
static int want_keeper(const struct real_world *world, struct error *err)
{
    return world->keeper
               ? 0
               : error_set(err, E_COMMAND, "the sealing key is not opened for a damaged inventory");
}

static int sealing_ids(void *self, struct sealing_ids *ret, struct error *err)
{
    const struct real_world *world = self;
    int rc = want_keeper(world, err);

    if (rc == 0)
        keep_ids(world->keeper, ret);
    return rc;
}

static int rotate(void *self, struct error *err)
{
    const struct real_world *world = self;

    if (world->config->sealing_key_given)
        return error_set(err, E_REFUSED,
                         "sealing key %s: is a systemd credential, which unlapsed cannot replace: "
                         "give a new one under that name, the present one as "
                         "sealing-key-previous, and restart unlapsed",
                         world->config->sealing_key);
    return keep_rotate(world->keeper, err);
}

static int build_bundle(void *self, int64_t renewal_id, const struct sealed_key *key,
                        struct span leaf, const struct blobs *chain, struct bundle *ret,
                        struct error *err)
{
    const struct real_world *world = self;

    return keep_build_bundle(world->keeper, renewal_id, key, leaf, chain, ret, err);
}

static int check_key(void *self, int64_t renewal_id, const struct sealed_key *key, struct span csr,
                     struct span cert, struct error *err)
{
    const struct real_world *world = self;

    return keep_check(world->keeper, renewal_id, key, csr, cert, err);
}

static int sign_off(void *self, struct span message, uint8_t ret_mac[SHA256_LEN], struct error *err)
{
    const struct real_world *world = self;

    return keep_sign_off(world->keeper, message, ret_mac, err);
}

static int signed_off(void *self, struct span message, const uint8_t mac[SHA256_LEN], bool *ret,
                      struct error *err)
{
    const struct real_world *world = self;
    int rc = want_keeper(world, err);

    return rc < 0 ? rc : keep_signed_off(world->keeper, message, mac, ret, err);
}

static int read_delivery(void *self, struct span file, struct delivery_objects *ret,
                         struct error *err)
{
    const struct real_world *world = self;

    return reader_read_delivery(world->reader, file, ret, err);
}

static int read_alone(void *self, struct span file, struct delivery_objects *ret, struct error *err)
{
    const struct real_world *world = self;

    return reader_read_alone(world->reader, file, ret, err);
}

static int parse_cert(void *self, struct span der, struct cert *ret, struct error *err)
{
    const struct real_world *world = self;

    return reader_parse_cert(world->reader, der, ret, err);
}

/* The anchors are named by their number among the reader's. */
static int make_chain_request(const struct real_world *world, const struct chain_order *order,
                              struct chain_request *ret, size_t *ret_anchors, struct error *err)
{
    *ret = (struct chain_request){
        .leaf = order->leaf,
        .pool = order->pool,
        .added_anchors = order->added_anchors,
        .preferred_root = order->policy->preferred_root,
        .at = order->at,
        .purpose = order->purpose,
    };

    for (size_t i = 0; i < world->anchor_count; i++) {
        if (world->anchors[i].policy != order->policy)
            continue;
        *ret_anchors = world->anchors[i].set;
        return 0;
    }
    return error_set(err, E_CONFIG, "policy %s: has no trust anchors", order->policy->name);
}

static int build_chain(void *self, const struct chain_order *order, struct chain *ret,
                       struct error *err)
{
    const struct real_world *world = self;
    struct chain_request request;
    size_t anchors = 0;
    int rc = make_chain_request(world, order, &request, &anchors, err);

    return rc < 0 ? rc : reader_build_chain(world->reader, anchors, &request, ret, err);
}

static int find_gap(void *self, const struct chain_order *order, struct blob *ret,
                    struct error *err)
{
    const struct real_world *world = self;
    struct chain_request request;
    size_t anchors = 0;
    int rc = make_chain_request(world, order, &request, &anchors, err);

    return rc < 0 ? rc : reader_find_gap(world->reader, anchors, &request, ret, err);
}

static int fetch(void *self, const char *url, struct blob *ret, struct error *err)
{
    const struct config *config = ((const struct real_world *)self)->config;
    const struct fetch_rules rules = {
        .allow = (const char *const *)config->aia_allow.items,
        .allow_count = config->aia_allow.count,
        .ports = config->aia_ports,
        .port_count = config->aia_port_count,
    };

    return fetch_get(&rules, url, ret, err);
}

static int write_requests(void *self, const struct request_file *files, size_t count,
                          struct error *err)
{
    static const char *const suffixes[] = {"csr", "txt"};
    const struct real_world *world = self;
    const char *folder = world->config->requests;
    AUTO_FREE struct file_new *all = mem_alloc(count * COUNT_OF(suffixes), sizeof *all);
    size_t made = 0;
    AUTO_FD int dir = -1;
    int rc = file_open_dir(folder, &dir, err);

    for (size_t i = 0; i < count * COUNT_OF(suffixes); i++)
        all[made++] = (struct file_new){
            .name = mem_printf("%s.%s", files[i / COUNT_OF(suffixes)].name,
                               suffixes[i % COUNT_OF(suffixes)]),
            .data = files[i / COUNT_OF(suffixes)].csr_pem,
        };
    /* One alone is not worth syncing whatever else is written on this file system. */
    if (rc == 0 && count > 1)
        rc = file_replace_many_at(dir, folder, all, made, FILE_PUBLIC, err);
    for (size_t i = 0; rc == 0 && count == 1 && i < made; i++)
        rc = file_replace_at(dir, all[i].name, all[i].data, FILE_PUBLIC, err);
    for (size_t i = 0; i < made; i++)
        free((char *)(uintptr_t)all[i].name);
    return rc < 0 ? error_wrap(err, rc, "requests folder %s", folder) : 0;
}

static int live_pair_read(void *self, const struct deploy_order *order, struct live_pair *ret,
                          struct error *err)
{
    (void)self;
    return live_read(order, ret, err);
}

static int check(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 struct error *err)
{
    (void)self;
    return deployer_check(order, bundle, err);
}

static int stage(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 uint8_t ret_previous[SHA256_LEN], struct error *err)
{
    (void)self;
    return deployer_stage(order, bundle, ret_previous, err);
}

static int verify(void *self, const struct deploy_order *order, const struct expectation *expected,
                  struct buf *report, struct error *err)
{
    (void)self;
    return deployer_verify(order, expected, report, err);
}

/* The steps that only take an order. */
#define ORDER_STEP(name)                                                             \
    static int name(void *self, const struct deploy_order *order, struct error *err) \
    {                                                                                \
        (void)self;                                                                  \
        return deployer_##name(order, err);                                          \
    }
ORDER_STEP(test)
ORDER_STEP(swap)
ORDER_STEP(reload)
ORDER_STEP(restore)
ORDER_STEP(clean)

static int send_mail(void *self, const struct notice_row *notice, struct span csr_pem,
                     struct error *err)
{
    const struct real_world *world = self;
    const struct config *config = world->config;
    const char *certificate =
        notice->certificate_id != 0 ? fields_get(&notice->fields, "certificate") : NULL;
    AUTO_FREE char *csr_name = mem_printf("%s.csr", certificate ? certificate : "request");
    AUTO_FREE char *text_name = mem_printf("%s.txt", certificate ? certificate : "request");
    const struct mail_attachment attachments[] = {{csr_name, "application/pkcs10", csr_pem},
                                                  {text_name, "text/plain", csr_pem}};
    char id[48], thread[48];
    AUTO_BLOB struct blob message = {0};
    enum notice_kind kind;

    if (!config->mail.host)
        return error_set(err, E_CONFIG, "mail: no server is configured");
    if (!notice_kind_parse(notice->kind, &kind))
        return error_set(err, E_INPUT, "notice %lld: unknown kind %s", (long long)notice->id,
                         notice->kind);
    snprintf(id, sizeof id, "notice-%lld-%lld", (long long)notice->id,
             (long long)notice->created_at);
    snprintf(thread, sizeof thread, "renewal-%lld", (long long)notice->renewal_id);
    const struct mail_envelope envelope = {
        .from = config->mail.from,
        .recipient = notice->recipient,
        .host = config->host,
        .message_id = id,
        .thread_id = notice->renewal_id ? thread : NULL,
        .date = clock_now(),
        .certificate = certificate,
    };
    int rc = mail_render(kind, &envelope, &notice->fields, attachments,
                         csr_pem.len > 0 ? COUNT_OF(attachments) : 0, &message, err);
    return rc < 0 ? rc : smtp_send(&config->mail, notice->recipient, blob_span(&message), err);
}

/* Gives each policy its set of anchors; sets has room for one a policy. Returns how many there are.
 */
static size_t assign_anchors(struct real_world *world, struct reader_anchors *sets)
{
    size_t count = 0;

    for (size_t i = 0; i < policies_count(world->config->policies); i++) {
        const struct policy *policy = policies_at(world->config->policies, i);
        struct policy_anchors *slot = &world->anchors[world->anchor_count];

        *slot = (struct policy_anchors){policy, count};
        for (size_t k = 0; k < world->anchor_count && slot->set == count; k++)
            if (policy_has_same_anchors(world->anchors[k].policy, policy))
                slot->set = world->anchors[k].set;
        world->anchor_count++;
        if (slot->set == count)
            sets[count++] = (struct reader_anchors){
                .name = policy->name,
                .files = (const char *const *)policy->anchors.items,
                .file_count = policy->anchors.count,
                .system = policy->system_anchors,
            };
    }
    return count;
}

static void tell(void *self, const char *text)
{
    (void)self;
    log_warn("reader-ended", "%s", text);
}

/* A machine that cannot confine a reader still watches its certificates and warns of their end;
 * only what is delivered waits. */
static int open_reader(struct real_world *world, struct error *err)
{
    AUTO_FREE struct reader_anchors *sets =
        mem_alloc(policies_count(world->config->policies), sizeof *sets);
    const struct config *config = world->config;
    const struct reader_options options = {
        .delivery = {.passwords = (const char *const *)config->drop_passwords.items,
                     .password_count = config->drop_passwords.count,
                     .keep_keys = policies_take_keys(config->policies)},
        .anchors = sets,
        .anchor_count = assign_anchors(world, sets),
        .tell = tell,
    };
    struct error why = {0};
    int rc = reader_open(&options, &world->reader, err);

    if (rc < 0)
        return rc;
    rc = reader_try(world->reader, &why);
    if (rc == E_CONFIG)
        return error_set(err, rc, "%s", why.text);
    if (rc < 0)
        log_error("no-reader", "%s; nothing that is delivered can be read", why.text);
    return 0;
}

static void tell_of_keeper(void *self, const char *text)
{
    (void)self;
    log_warn("keeper-ended", "%s", text);
}

int world_open_keeper(const struct config *config, struct inventory *inventory, struct keep **ret,
                      struct error *err)
{
    AUTO_FREE char *id = NULL;
    bool none = false;
    int rc = life_seal_expected(inventory, &none, &id, err);

    if (rc < 0)
        return rc;
    const struct keep_options options = {
        .path = config->sealing_key,
        .previous = config->sealing_key_previous,
        .create = none,
        .tell = tell_of_keeper,
    };
    rc = keep_open(&options, ret, err);
    if (rc == E_NOT_FOUND && !none)
        return error_set(err, rc,
                         "sealing key %s: is not there, and nothing in inventory %s opens without "
                         "it: wanted the one with the id %s: put it back",
                         config->sealing_key, config->inventory, id);
    return rc;
}

int world_open(const struct config *config, struct keep *keeper, struct real_world **ret,
               struct error *err)
{
    struct real_world *world = mem_alloc(1, sizeof *world);
    size_t count = policies_count(config->policies);
    int rc = file_make_dirs(config->requests, 0755, err);

    *world = (struct real_world){
        .functions = {.self = world,
                      .now = now,
                      .make_request = make_request,
                      .seal = seal,
                      .reseal = reseal,
                      .sealing_ids = sealing_ids,
                      .rotate = rotate,
                      .build_bundle = build_bundle,
                      .check_key = check_key,
                      .sign_off = sign_off,
                      .signed_off = signed_off,
                      .read_delivery = read_delivery,
                      .read_alone = read_alone,
                      .parse_cert = parse_cert,
                      .build_chain = build_chain,
                      .find_gap = find_gap,
                      .fetch = fetch,
                      .write_requests = write_requests,
                      .live_read = live_pair_read,
                      .check = check,
                      .stage = stage,
                      .test = test,
                      .swap = swap,
                      .reload = reload,
                      .verify = verify,
                      .restore = restore,
                      .clean = clean,
                      .send = send_mail},
        .config = config,
        .keeper = keeper,
        .anchors = mem_alloc(count, sizeof *world->anchors),
    };
    if (rc == 0)
        rc = open_reader(world, err);
    if (rc < 0) {
        world_close(world);
        return rc;
    }
    *ret = world;
    return 0;
}

void world_close(struct real_world *world)
{
    if (!world)
        return;
    reader_close(world->reader);
    free(world->anchors);
    free(world);
}

bool world_tidy(struct real_world *world)
{
    bool readers = reader_tidy(world->reader, IDLE_MS);

    return (world->keeper && keep_tidy(world->keeper, IDLE_MS)) || readers;
}

const struct world *world_functions(const struct real_world *world)
{
    return &world->functions;
}
