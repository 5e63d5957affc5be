#include "tests/daemon/life/scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/life/doctor.h"
#include "store/deliveries.h"

static struct error err;
static char *last_receipt;

/* Counts a call to the world, and dies where the test wants it. */
/* Keys are made by several threads at once. */
static void tick(struct scene *scene)
{
    if (__atomic_add_fetch(&scene->calls, 1, __ATOMIC_SEQ_CST) == scene->die_at)
        kill(getpid(), SIGKILL);
}

static utc_t now(void *self)
{
    return ((const struct scene *)self)->now;
}

/* Wraps a call so that the process can die just before and just after it. */
#define TICKED(scene, call) \
    do {                    \
        tick(scene);        \
        int rc_ = (call);   \
        tick(scene);        \
        return rc_;         \
    } while (0)

static int make_request(void *self, int64_t id, const struct key_request *request,
                        struct sealed_key *ret_key, struct blob *ret_csr, struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_make_request(scene->keeper, id, request, ret_key, ret_csr, ret_err));
}

static int seal(void *self, int64_t id, struct span key, struct sealed_key *ret,
                struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_seal(scene->keeper, id, key, ret, ret_err));
}

static int reseal(void *self, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                  struct blob *ret, struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_reseal(scene->keeper, from_id, from, to_id, ret, ret_err));
}

static int sealing_ids(void *self, struct sealing_ids *ret, struct error *ret_err)
{
    const struct scene *scene = self;

    (void)ret_err;
    keeper_ids(scene->keeper, ret);
    return 0;
}

static int rotate(void *self, struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_rotate(scene->keeper, ret_err));
}

static int build_bundle(void *self, int64_t id, const struct sealed_key *key, struct span leaf,
                        const struct blobs *chain, struct bundle *ret, struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_build_bundle(scene->keeper, id, key, leaf, chain, ret, ret_err));
}

static int check_key(void *self, int64_t id, const struct sealed_key *key, struct span csr,
                     struct span cert, struct error *ret_err)
{
    const struct scene *scene = self;

    return keeper_check(scene->keeper, id, key, csr, cert, ret_err);
}

static int sign_off(void *self, struct span message, uint8_t ret_mac[SHA256_LEN],
                    struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_sign_off(scene->keeper, message, ret_mac, ret_err));
}

static int signed_off(void *self, struct span message, const uint8_t mac[SHA256_LEN], bool *ret,
                      struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, keeper_signed_off(scene->keeper, message, mac, ret, ret_err));
}

static int read_delivery(void *self, struct span file, struct delivery_objects *ret,
                         struct error *ret_err)
{
    const struct scene *scene = self;
    const struct delivery_options options = {.keep_keys = policies_take_keys(scene->policies)};
    int rc = delivery_read(file, &options, ret, ret_err);

    for (size_t i = 0; rc == 0 && scene->reader_lies && i < ret->count; i++)
        ret->items[i].cert.not_after += (seconds_t)365 * AUTHORITY_DAY;
    return rc;
}

static int parse_cert(void *self, struct span der, struct cert *ret, struct error *ret_err)
{
    (void)self;
    return cert_parse(der, ret, ret_err);
}

static int build_chain(void *self, const struct chain_order *order, struct chain *ret,
                       struct error *ret_err)
{
    const struct scene *scene = self;
    const struct chain_request request = {
        .leaf = order->leaf,
        .pool = order->pool,
        .anchors = scene->anchors,
        .added_anchors = order->added_anchors,
        .at = order->at,
        .purpose = order->purpose,
    };

    return chain_build(&request, ret, ret_err);
}

static int find_gap(void *self, const struct chain_order *order, struct blob *ret,
                    struct error *ret_err)
{
    const struct scene *scene = self;
    const struct chain_request request = {.leaf = order->leaf,
                                          .pool = order->pool,
                                          .anchors = scene->anchors,
                                          .added_anchors = order->added_anchors,
                                          .at = order->at,
                                          .purpose = order->purpose};

    return chain_find_gap(&request, ret, ret_err);
}

/* The web: what each URL has, or nothing. */
static int act_fetch(struct scene *scene, const char *url, struct blob *ret, struct error *ret_err)
{
    scene->fetches++;
    for (size_t i = 0; i < SCENE_PAGES; i++) {
        if (!scene->pages[i].url || strcmp(scene->pages[i].url, url) != 0)
            continue;
        *ret = blob_copy(scene->pages[i].body);
        return 0;
    }
    return error_set(ret_err, E_NETWORK, "fetch: connection refused");
}

static int fetch(void *self, const char *url, struct blob *ret, struct error *ret_err)
{
    TICKED((struct scene *)self, act_fetch(self, url, ret, ret_err));
}

static int act_write_requests(const struct scene *scene, const struct request_file *files,
                              size_t count, struct error *ret_err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s.csr", scene->dir, files[i].name);
        rc = file_replace(path, files[i].csr_pem, FILE_PUBLIC, ret_err);
    }
    return rc;
}

static int write_requests(void *self, const struct request_file *files, size_t count,
                          struct error *ret_err)
{
    struct scene *scene = self;

    TICKED(scene, act_write_requests(scene, files, count, ret_err));
}

static int live_pair_read(void *self, const struct deploy_order *order, struct live_pair *ret,
                          struct error *ret_err)
{
    (void)self;
    return live_read(order, ret, ret_err);
}

static int check(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 struct error *ret_err)
{
    TICKED((struct scene *)self, deployer_check(order, bundle, ret_err));
}

static int stage(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 uint8_t ret_previous[SHA256_LEN], struct error *ret_err)
{
    TICKED((struct scene *)self, deployer_stage(order, bundle, ret_previous, ret_err));
}

/* As nginx does: a configuration that names a file which is not there is broken. */
static int act_test(struct scene *scene, struct error *ret_err)
{
    if (access(scene->crt_file, F_OK) != 0)
        return error_set(ret_err, E_COMMAND, "the service's test: cannot load certificate");
    return scene->config_broken
               ? error_set(ret_err, E_COMMAND, "the service's test: unknown directive")
               : 0;
}

static int test(void *self, const struct deploy_order *order, struct error *ret_err)
{
    (void)order;
    TICKED((struct scene *)self, act_test(self, ret_err));
}

static int swap(void *self, const struct deploy_order *order, struct error *ret_err)
{
    TICKED((struct scene *)self, deployer_swap(order, ret_err));
}

/* The leaf that the live file holds, and what follows it. */
static int installed_pair(const struct scene *scene, struct blob *ret_leaf, struct blobs *ret_chain,
                          struct error *ret_err)
{
    AUTO_BLOB struct blob file = {0};
    AUTO_OBJECTS struct delivery_objects objects = {0};
    int rc = file_read(scene->crt_file, BUF_MAX_PEM, &file, ret_err);

    if (rc == 0)
        rc = delivery_read(blob_span(&file), NULL, &objects, ret_err);
    for (size_t i = 1; rc == 0 && i < objects.count; i++)
        blobs_add(ret_chain, blob_span(&objects.items[i].der));
    if (rc == 0 && objects.count > 0)
        *ret_leaf = blob_take(&objects.items[0].der);
    return rc;
}

/* What stands for a served pair: the hash of the leaf, then that of the chain. */
static void fingerprint(struct span leaf, const struct blobs *chain, uint8_t ret[2 * SHA256_LEN])
{
    AUTO_BUF struct buf all;

    buf_init(&all, BUF_MAX_PEM);
    for (size_t i = 0; i < chain->count; i++)
        buf_add(&all, chain->items[i].data, chain->items[i].len);
    sha256_of(leaf, ret);
    sha256_of(span_of(all.data, all.len), ret + SHA256_LEN);
}

static int installed(const struct scene *scene, uint8_t ret[2 * SHA256_LEN], struct error *ret_err)
{
    AUTO_BLOB struct blob leaf = {0};
    AUTO_BLOBS struct blobs chain = {0};
    int rc = installed_pair(scene, &leaf, &chain, ret_err);

    if (rc == 0)
        fingerprint(blob_span(&leaf), &chain, ret);
    return rc;
}

static int act_reload(struct scene *scene, struct error *ret_err)
{
    uint8_t hash[2 * SHA256_LEN];
    int rc = installed(scene, hash, ret_err);

    if (rc < 0 || scene->ignores_reload)
        return rc;
    return file_replace(scene->served_file, span_of(hash, sizeof hash), FILE_PUBLIC, ret_err);
}

static int reload(void *self, const struct deploy_order *order, struct error *ret_err)
{
    (void)order;
    TICKED((struct scene *)self, act_reload(self, ret_err));
}

static int act_verify(struct scene *scene, const struct expectation *expected, struct buf *report,
                      struct error *ret_err)
{
    AUTO_BLOB struct blob served = {0};
    int rc = file_read(scene->served_file, 2 * SHA256_LEN, &served, ret_err);

    if (rc < 0)
        return rc;
    if (memcmp(served.data, expected->leaf_sha256, SHA256_LEN) != 0)
        return error_set(ret_err, E_NOT_SERVED, "127.0.0.1:443: serves the old certificate");
    if (expected->chain) {
        uint8_t hash[2 * SHA256_LEN];

        fingerprint(span_text(""), expected->chain, hash);
        if (memcmp(served.data + SHA256_LEN, hash + SHA256_LEN, SHA256_LEN) != 0)
            return error_set(ret_err, E_NOT_SERVED, "127.0.0.1:443: serves the old chain");
    }
    if (report)
        buf_add_text(report, "127.0.0.1:443: as expected\n");
    return 0;
}

static int verify(void *self, const struct deploy_order *order, const struct expectation *expected,
                  struct buf *report, struct error *ret_err)
{
    (void)order;
    TICKED((struct scene *)self, act_verify(self, expected, report, ret_err));
}

static int act_restore(struct scene *scene, const struct deploy_order *order, struct error *ret_err)
{
    if (scene->restore_fails)
        return error_set(ret_err, E_DENIED, "www.crt: read-only file system");
    return deployer_restore(order, ret_err);
}

static int restore(void *self, const struct deploy_order *order, struct error *ret_err)
{
    TICKED((struct scene *)self, act_restore(self, order, ret_err));
}

static int clean(void *self, const struct deploy_order *order, struct error *ret_err)
{
    TICKED((struct scene *)self, deployer_clean(order, ret_err));
}

/* The mailbox is a file: one line a mail. */
static int act_send(struct scene *scene, const struct notice_row *notice, struct error *ret_err)
{
    if (scene->mail_is_dead)
        return error_set(ret_err, E_NETWORK, "mail: connection refused");
    if (scene->mail_is_refused)
        return error_set(ret_err, E_REFUSED, "mail: 550 no such user");
    FILE *file = fopen(scene->mail_file, "a");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s %s %s\n", notice->kind, notice->stage, notice->recipient);
    ck_assert_int_eq(fclose(file), 0);
    return 0;
}

static int send_mail(void *self, const struct notice_row *notice, struct span csr_pem,
                     struct error *ret_err)
{
    (void)csr_pem;
    TICKED((struct scene *)self, act_send(self, notice, ret_err));
}

static const struct world functions = {
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
    .read_alone = read_delivery,
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
    .send = send_mail,
};

static void write_file(const char *path, const char *text)
{
    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
}

static void load_rules(struct scene *scene, const char *more)
{
    static const char service[] =
        "services:\n  plain:\n    files: {key: {mode: 0600}, fullchain: {mode: 0644}}\n";
    AUTO_BUF struct buf complaints;
    AUTO_FREE char *policy = mem_printf("policies:\n  test:\n    lead: 10d\n    retry: [1m, 10m]\n "
                                        "   recipients: [a@example.com]\n%s",
                                        more);

    buf_init(&complaints, BUF_MAX_CONFIG);
    scene->policies = policies_open();
    scene->services = services_open();
    ck_ok(policies_load(scene->policies, "test.yaml", policy, strlen(policy), &complaints, &err));
    ck_ok(policies_finish(scene->policies, &complaints, &err));
    ck_ok(services_load(scene->services, "test.yaml", service, strlen(service), &complaints, &err));
    ck_ok(services_finish(scene->services, &complaints, &err));
}

static void install_old_pair(struct scene *scene, seconds_t left)
{
    uint8_t hash[2 * SHA256_LEN];

    scene->old_leaf = authority_make(
        scene->issuing,
        &(struct authority_plan){.subject = "www.example.com",
                                 .names = "DNS:www.example.com",
                                 .not_before = scene->now - 85 * (utc_t)AUTHORITY_DAY,
                                 .not_after = scene->now + left});
    AUTO_FREE char *chain =
        mem_printf("%s%s", authority_pem(scene->old_leaf), authority_pem(scene->issuing));
    write_file(scene->key_file, authority_key_pem(scene->old_leaf));
    write_file(scene->crt_file, chain);
    ck_ok(installed(scene, hash, &err));
    ck_ok(file_replace(scene->served_file, span_of(hash, sizeof hash), FILE_PUBLIC, &err));
}

static void open_inventory(struct scene *scene)
{
    AUTO_FREE char *sealing = mem_printf("%s/sealing.key", scene->dir);
    static const seconds_t mail_retry[] = {60, 300};
    struct inventory *inventory = NULL;

    ck_ok(keeper_open(sealing, true, &scene->keeper, &err));
    ck_ok(inventory_open(scene->inventory_file, &inventory, &err));
    scene->world = functions;
    scene->world.self = scene;
    scene->life = (struct life){.inventory = inventory,
                                .world = &scene->world,
                                .policies = scene->policies,
                                .services = scene->services,
                                .recipients = &scene->recipients,
                                .drop_shown = "/drop",
                                .requests = "/requests",
                                .host = "host.example.com",
                                .mail_retry = mail_retry,
                                .mail_retry_count = 2,
                                .mail_give_up = 3 * AUTHORITY_DAY};
}

void scene_open(struct scene *scene, seconds_t left, const char *more)
{
    AUTO_FREE char *root = testing_path("root.pem");
    const char *files[] = {root};

    *scene = (struct scene){.now = AUTHORITY_NOW, .dir = testing_dir()};
    scene->key_file = testing_path("www.key");
    scene->crt_file = testing_path("www.crt");
    scene->served_file = testing_path("served");
    scene->mail_file = testing_path("mails");
    scene->inventory_file = testing_path("inventory.db");
    scene->root =
        authority_make(NULL, &(struct authority_plan){.subject = "Example Root", .ca = true});
    scene->issuing = authority_make(
        scene->root, &(struct authority_plan){.subject = "Example Issuing", .ca = true});
    write_file(root, authority_pem(scene->root));
    write_file(scene->mail_file, "");
    ck_ok(anchors_open(files, 1, false, &scene->anchors, &err));
    load_rules(scene, more);
    install_old_pair(scene, left);
    open_inventory(scene);
}

void scene_stop(struct scene *scene)
{
    inventory_close(scene->life.inventory);
    keeper_free(scene->keeper);
    scene->life.inventory = NULL;
    scene->keeper = NULL;
}

void scene_reopen(struct scene *scene)
{
    open_inventory(scene);
}

void scene_plan_all(struct scene *scene)
{
    int rc = 0;

    life_look_at_anchors(&scene->life);
    ck_ok(life_plan_begin(&scene->life, true, &err));
    while (rc == 0)
        rc = life_plan_more(&scene->life, &err);
    ck_assert_int_eq(rc, E_NOT_FOUND);
}

void scene_start(struct scene *scene)
{
    open_inventory(scene);
    ck_ok(inventory_check(scene->life.inventory, &err));
    ck_ok(life_seal_start(&scene->life, "sealing.key", &err));
    scene_plan_all(scene);
}

void scene_restart(struct scene *scene)
{
    scene_stop(scene);
    scene_start(scene);
}

static void ck_outcome(void *self, const struct doctor_outcome *outcome)
{
    (void)self;
    ck_assert_msg(outcome->result == DOCTOR_GOOD, "%s: %s: %s (%d): %s", outcome->check->name,
                  outcome->check->means, doctor_result_text(outcome->result),
                  (int)outcome->told.broken, outcome->told.count > 0 ? outcome->told.items[0] : "");
}

void scene_examine(struct scene *scene)
{
    struct doctor *doctor = doctor_new(NULL, 0, NULL);
    struct doctor_run run;
    struct world world = functions; /* also where the test has put another one */
    struct life life = scene->life;

    world.self = scene;
    life.world = &world;
    doctor_ask(doctor, false, scene->now);
    while (doctor_step(doctor, &life, NULL, NULL, &err) == 0)
        ;
    doctor_read(doctor, &run, ck_outcome, NULL);
    ck_assert(!run.running);
    doctor_free(doctor);
}

int64_t scene_trail(struct scene *scene)
{
    struct trail_proof proof = {.more = true};
    int64_t first = -1;

    while (proof.more) {
        struct trail_mark after = proof.to;

        ck_ok(trail_prove(scene->life.inventory, &after, 100, &proof, &err));
        ck_assert_msg(proof.broken_id == 0, "event %ld: %s", (long)proof.broken_id, proof.wrong);
        first = first < 0 ? proof.from.id : first;
    }
    return proof.to.id - first;
}

void scene_done(struct scene *scene)
{
    if (scene->life.inventory) {
        scene_examine(scene);
        scene_trail(scene);
    }
    inventory_close(scene->life.inventory);
    keeper_free(scene->keeper);
    anchors_free(scene->anchors);
    policies_free(scene->policies);
    services_free(scene->services);
    free(scene->key_file);
    free(scene->crt_file);
    free(scene->served_file);
    free(scene->mail_file);
    free(scene->inventory_file);
    free(last_receipt);
    last_receipt = NULL;
    authority_done();
}

int scene_try_add(struct scene *scene, struct error *ret_err)
{
    AUTO_NAMES struct names names = {0};
    char host[] = "127.0.0.1", service[] = "plain";
    struct endpoint_row endpoint = {.host = host, .port = 443};
    struct target_row target = {.service = service, .endpoints = &endpoint, .endpoint_count = 1};
    int64_t id = 0;

    target.files[BUNDLE_KEY] = scene->key_file;
    target.files[BUNDLE_FULLCHAIN] = scene->crt_file;
    ck_ok(names_add(&names, NAME_DNS, "www.example.com", &err));
    return life_add(&scene->life,
                    &(struct life_add){.name = "www",
                                       .policy = "test",
                                       .names = &names,
                                       .targets = &target,
                                       .target_count = 1,
                                       .actor = "uid 0"},
                    &id, ret_err);
}

void scene_add(struct scene *scene)
{
    ck_ok(scene_try_add(scene, &err));
}

static int prune(struct life *life, bool deploy, utc_t *ret_at, struct error *ret_err)
{
    (void)deploy;
    return life_prune(life, ret_at, ret_err);
}

static int send_one(struct life *life, bool deploy, utc_t *ret_at, struct error *ret_err)
{
    (void)deploy;
    return life_send(life, ret_at, ret_err);
}

/* One lane until nothing is due; true when it did something. */
static bool run_lane(struct scene *scene, int lane)
{
    int (*const lanes[])(struct life *, bool, utc_t *, struct error *) = {life_step, life_step,
                                                                          send_one, prune};
    bool any = false;

    for (int rounds = 0;; rounds++) {
        utc_t at = 0;
        int rc = lanes[lane](&scene->life, lane == 1, &at, &err);

        if (lane == 0 && rc == E_NOT_FOUND)
            rc = life_rest(&scene->life, &err);

        ck_assert_msg(rc == 0 || rc == E_NOT_FOUND, "%s", err.text);
        ck_assert_msg(rounds < 100, "lane %d never comes to rest", lane);
        if (rc == E_NOT_FOUND)
            return any;
        any = true;
    }
}

void scene_run(struct scene *scene)
{
    for (bool any = true; any;) {
        any = run_lane(scene, 0);
        any = run_lane(scene, 1) || any;
        any = run_lane(scene, 2) || any;
        any = run_lane(scene, 3) || any;
    }
}

void scene_later(struct scene *scene, seconds_t length)
{
    scene->now += length;
    scene_run(scene);
}

void scene_retire(struct scene *scene)
{
    ck_ok(certificates_set_retired(scene->life.inventory, scene_certificate(scene), scene->now,
                                   &err));
}

char *scene_receipt_of(struct scene *scene, struct span data)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    ck_ok(deliveries_find(scene->life.inventory, hash, &row, &err));
    return TAKE(row.receipt);
}

const struct authority *scene_sign(struct scene *scene, const struct authority_plan *plan)
{
    AUTO_BLOB struct blob csr = scene_csr(scene);
    struct authority_plan full = plan ? *plan : (struct authority_plan){0};

    full.csr = blob_span(&csr);
    return authority_make(scene->issuing, &full);
}

bool scene_deliver(struct scene *scene, const char *name, struct span data)
{
    struct life_verdict verdict = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    ck_ok(life_intake(&scene->life, name, data, hash, NULL, &verdict, &err));
    ck_ok(life_filed(&scene->life, &(struct life_filing){verdict.delivery_id, name}, 1, &err));
    free(last_receipt);
    last_receipt = verdict.receipt;
    return verdict.accepted;
}

const char *scene_receipt(const struct scene *scene)
{
    (void)scene;
    return last_receipt;
}

bool scene_deliver_all(struct scene *scene, const struct authority *leaf)
{
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(scene->issuing), authority_pem(leaf));

    return scene_deliver(scene, "bundle.pem", span_text(pem));
}

bool scene_serves(struct scene *scene, const struct authority *leaf)
{
    AUTO_BLOB struct blob served = {0};
    AUTO_SECRET struct blob key = {0};
    uint8_t live[2 * SHA256_LEN], wanted[SHA256_LEN];

    sha256_of(authority_der(leaf), wanted);
    ck_ok(installed(scene, live, &err));
    ck_ok(file_read(scene->served_file, 2 * SHA256_LEN, &served, &err));
    ck_ok(file_read(scene->key_file, BUF_MAX_PEM, &key, &err));
    return memcmp(live, wanted, SHA256_LEN) == 0 &&
           key_fits_cert(blob_span(&key), authority_der(leaf)) &&
           span_equal(blob_span(&served), span_of(live, sizeof live));
}

bool scene_serves_chain(struct scene *scene, const struct authority *leaf,
                        const struct authority *intermediate)
{
    AUTO_BLOB struct blob found = {0};
    AUTO_BLOBS struct blobs chain = {0};

    ck_ok(installed_pair(scene, &found, &chain, &err));
    return scene_serves(scene, leaf) && chain.count == 1 &&
           span_equal(blob_span(&chain.items[0]), authority_der(intermediate));
}

bool scene_pair_fits(const struct scene *scene)
{
    AUTO_BLOB struct blob leaf = {0};
    AUTO_BLOBS struct blobs chain = {0};
    AUTO_SECRET struct blob key = {0};

    ck_ok(installed_pair(scene, &leaf, &chain, &err));
    ck_ok(file_read(scene->key_file, BUF_MAX_PEM, &key, &err));
    return key_fits_cert(blob_span(&key), blob_span(&leaf));
}
