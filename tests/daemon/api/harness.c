#include "tests/daemon/api/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "store/deployments.h"

#include "tests/pki/forge.h"

static utc_t harness_now(void *self)
{
    return ((struct harness *)self)->now;
}

static int parse_cert(void *self, struct span der, struct cert *ret, struct error *err)
{
    (void)self;
    return cert_parse(der, ret, err);
}

static int nothing_installed(void *self, const struct deploy_order *order, struct live_pair *ret,
                             struct error *err)
{
    (void)self;
    (void)order;
    (void)ret;
    return error_set(err, E_NOT_FOUND, "nothing is installed");
}

static int read_delivery(void *self, struct span file, struct delivery_objects *ret,
                         struct error *err)
{
    (void)self;
    return delivery_read(file, NULL, ret, err);
}

/* No anchors but the added ones. */
static int build_chain(void *self, const struct chain_order *order, struct chain *ret,
                       struct error *err)
{
    const struct chain_request request = {.leaf = order->leaf,
                                          .pool = order->pool,
                                          .added_anchors = order->added_anchors,
                                          .at = order->at,
                                          .purpose = order->purpose};

    (void)self;
    return chain_build(&request, ret, err);
}

static int sign_off(void *self, struct span message, uint8_t ret_mac[SHA256_LEN], struct error *err)
{
    return keeper_sign_off(((struct harness *)self)->keeper, message, ret_mac, err);
}

static int signed_off(void *self, struct span message, const uint8_t mac[SHA256_LEN], bool *ret,
                      struct error *err)
{
    return keeper_signed_off(((struct harness *)self)->keeper, message, mac, ret, err);
}

/* What the daemon's lanes do when they are poked is here the doctor's work alone. */
static void count_poke(void *self)
{
    struct harness *harness = self;
    struct error err = {0};

    harness->pokes++;
    while (!harness->doctor_rests &&
           doctor_step(harness->doctor, &harness->life, NULL, NULL, &err) == 0)
        ;
}

/* One key of zeros in force, and what a change of it does. */
static int sealing_ids(void *self, struct sealing_ids *ret, struct error *err)
{
    const struct harness *harness = self;

    (void)err;
    *ret = (struct sealing_ids){.count = harness->rotations + 1};
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i][0] = (uint8_t)(harness->rotations - i);
    return 0;
}

static int rotate(void *self, struct error *err)
{
    struct harness *harness = self;

    if (harness->rotation_code < 0)
        return error_set(err, harness->rotation_code, "sealing key: is a systemd credential");
    harness->rotations++;
    return 0;
}

void harness_open(struct harness *harness)
{
    struct error err = {0};
    AUTO_BUF struct buf complaints = {0};
    AUTO_FREE char *path = testing_path("inventory.db");
    AUTO_FREE char *sealing_key = testing_path("sealing.key");

    *harness = (struct harness){.now = HARNESS_NOW};
    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_ok(inventory_open(path, &harness->inventory, &err));
    ck_ok(keeper_open(sealing_key, true, &harness->keeper, &err));
    harness->policies = policies_open();
    ck_ok(policies_finish(harness->policies, &complaints, &err));
    harness->services = services_open();
    ck_ok(services_finish(harness->services, &complaints, &err));
    harness->world = (struct world){.self = harness,
                                    .now = harness_now,
                                    .sealing_ids = sealing_ids,
                                    .rotate = rotate,
                                    .parse_cert = parse_cert,
                                    .read_delivery = read_delivery,
                                    .read_alone = read_delivery,
                                    .build_chain = build_chain,
                                    .sign_off = sign_off,
                                    .signed_off = signed_off,
                                    .live_read = nothing_installed};
    harness->backups = testing_path("backups");
    harness->life = (struct life){
        .inventory = harness->inventory,
        .world = &harness->world,
        .policies = harness->policies,
        .services = harness->services,
        .recipients = &harness->recipients,
        .drop_shown = "/srv/drop",
        .host = "web1",
        .backups = harness->backups,
        .backups_keep = 1,
    };
    harness->config.sealing_key = mem_strdup("/var/lib/unlapsed/sealing.key");
    harness->config.file = mem_strdup("/etc/unlapsed/unlapsed.yaml");
    harness->doctor = doctor_new(NULL, 0, NULL);
    harness->context = (struct api_context){
        .life = &harness->life,
        .config = &harness->config,
        .doctor = harness->doctor,
        .poke = count_poke,
        .self = harness,
        .started_at = HARNESS_NOW - 3600,
    };
    harness->socket = testing_path("run/api.sock");
    ck_ok(api_open(harness->socket, &harness->context, &harness->api, &err));
}

char *harness_actor(void)
{
    const struct passwd *user = getpwuid(geteuid());

    return user ? mem_printf("uid %u (%s)", geteuid(), user->pw_name)
                : mem_printf("uid %u", geteuid());
}

void harness_close(struct harness *harness)
{
    keeper_free(harness->keeper);
    api_close(harness->api);
    doctor_free(harness->doctor);
    inventory_close(harness->inventory);
    policies_free(harness->policies);
    services_free(harness->services);
    free(harness->config.file);
    free(harness->config.sealing_key);
    free(harness->backups);
    free(harness->socket);
}

bool harness_turn_for(struct harness *harness, int fd)
{
    for (int i = 0; i < 500; i++) {
        struct pollfd fds[] = {{.fd = api_fd(harness->api), .events = POLLIN},
                               {.fd = fd, .events = POLLIN}};
        int wait = api_timeout_ms(harness->api);

        poll(fds, 2, wait < 0 || wait > 10 ? 10 : wait);
        if (fds[1].revents != 0)
            return true;
        api_turn(harness->api);
    }
    return false;
}

void answer_done(struct answer *answer)
{
    free(answer->head);
    json_decref(answer->json);
}

static int connect_to(const char *path, int flags)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s: %s", path,
                  strerror(errno));
    return fd;
}

int harness_connect(const struct harness *harness)
{
    return connect_to(harness->socket, SOCK_NONBLOCK);
}

static struct answer parse(const struct buf *reply)
{
    struct answer answer = {0};
    const char *text = buf_text(reply), *end = strstr(text, "\r\n\r\n");

    /* The reply that counts is the last one: "100 Continue" may stand before it. */
    while (end && strncmp(text, "HTTP/1.1 100", 12) == 0) {
        text = end + 4;
        end = strstr(text, "\r\n\r\n");
    }
    if (!end)
        return answer;
    answer.head = mem_printf("%.*s", (int)(end - text), text);
    ck_assert_int_eq(sscanf(text, "HTTP/1.%*d %d", &answer.status), 1);
    answer.json = json_loads(end + 4, JSON_REJECT_DUPLICATES, NULL);
    return answer;
}

struct answer harness_send(struct harness *harness, const char *bytes, size_t len)
{
    AUTO_BUF struct buf reply = {0};
    AUTO_FD int fd = harness_connect(harness);
    size_t sent = 0;

    buf_init(&reply, BUF_MAX_REPLY);
    for (;;) {
        char piece[4096];
        ssize_t got = recv(fd, piece, sizeof piece, 0);

        if (got > 0) {
            buf_add(&reply, piece, (size_t)got);
            continue;
        }
        if (got == 0 || errno != EAGAIN)
            break;
        ssize_t put = sent < len ? send(fd, bytes + sent, len - sent, MSG_NOSIGNAL) : 0;
        if (put > 0)
            sent += (size_t)put;
        api_turn(harness->api);
        if (sent == len)
            ck_assert_msg(harness_turn_for(harness, fd), "no reply");
    }
    return parse(&reply);
}

static char *request_of(const char *method, const char *path, const char *body)
{
    if (!body)
        return mem_printf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    return mem_printf(
        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method,
        path, strlen(body), body);
}

struct answer harness_ask(struct harness *harness, const char *method, const char *path,
                          const char *body)
{
    AUTO_FREE char *request = request_of(method, path, body);

    return harness_send(harness, request, strlen(request));
}

static void be_client(const char *socket, uid_t uid, gid_t gid, const char *request, int out)
{
    char piece[4096];
    ssize_t got;

    if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
        _exit(2);
    int fd = connect_to(socket, 0);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        _exit(3);
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0)
        if (write(out, piece, (size_t)got) != got)
            _exit(4);
    _exit(0);
}

struct answer harness_ask_as(struct harness *harness, uid_t uid, gid_t gid, const char *method,
                             const char *path, const char *body)
{
    AUTO_FREE char *request = request_of(method, path, body);
    AUTO_BUF struct buf reply = {0};
    int ends[2], status;
    char piece[4096];
    ssize_t got;

    buf_init(&reply, BUF_MAX_REPLY);
    ck_assert_int_eq(chmod(testing_dir(), 0711), 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        be_client(harness->socket, uid, gid, request, ends[1]);
    close(ends[1]);
    do {
        ck_assert_msg(harness_turn_for(harness, ends[0]), "no reply");
        got = read(ends[0], piece, sizeof piece);
        if (got > 0)
            buf_add(&reply, piece, (size_t)got);
    } while (got > 0);
    close(ends[0]);
    waitpid(child, &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "client: status %d", status);
    return parse(&reply);
}

const json_t *at(const json_t *json, const char *path)
{
    AUTO_FREE char *copy = mem_strdup(path);
    char *rest = copy, *key;

    while ((key = strsep(&rest, "."))) {
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
                                   : json_object_get(json, key);
        ck_assert_msg(json, "%s: no \"%s\" in the reply", path, key);
    }
    return json;
}

/* The leaf that is in service, as if it had gone its whole way. */
static void accept_leaf(struct harness *harness, int64_t renewal_id)
{
    static const struct forge forge = {
        .common_name = "www.example.com",
        .issuer_name = "Example CA",
        .not_before = "20261216080000Z",
        .not_after = "20270316080000Z",
        .extensions = {{.name = "subjectAltName", .text = "DNS:www.example.com"}},
    };
    struct error err = {0};
    AUTO_RENEWAL struct renewal_row row = {0};
    AUTO_CERT struct cert cert = {0};

    ck_ok(renewals_get(harness->inventory, renewal_id, &row, &err));
    row.leaf = forge_certificate(&forge);
    ck_ok(cert_parse(blob_span(&row.leaf), &cert, &err));
    memcpy(row.leaf_sha256, cert.sha256, SHA256_LEN);
    memcpy(row.key.spki_sha256, cert.spki_sha256, SHA256_LEN);
    row.not_before = cert.not_before;
    row.not_after = row.chain_not_after = cert.not_after;
    row.requested_at = row.handed_over_at = row.received_at = row.accepted_at = HARNESS_NOW - 86400;
    ck_ok(renewals_update(harness->inventory, &row, &err));
}

void harness_plan(struct harness *harness)
{
    struct error err = {0};

    ck_ok(life_plan_begin(&harness->life, true, &err));
    ck_ok(life_plan_more(&harness->life, &err));
}

int64_t harness_www(struct harness *harness)
{
    struct error err = {0};
    AUTO_NAMES struct names names = {0};
    struct endpoint_row endpoint = {.host = (char *)(uintptr_t) "::1", .port = 443};
    AUTO_DEPLOYMENT struct deployment_row deployment = {0};
    int64_t id, target_id, renewal_id;

    ck_ok(names_add_tagged(&names, "dns:www.example.com", &err));
    struct certificate_row row = {.name = (char *)(uintptr_t) "www",
                                  .policy = (char *)(uintptr_t) "default",
                                  .names = names,
                                  .added_at = HARNESS_NOW - 30 * 86400};
    ck_ok(certificates_add(harness->inventory, &row, &id, &err));
    struct target_row target = {.certificate_id = id,
                                .service = (char *)(uintptr_t) "files",
                                .files = {[BUNDLE_FULLCHAIN] = (char *)(uintptr_t) "/srv/www.pem",
                                          [BUNDLE_KEY] = (char *)(uintptr_t) "/srv/www.key"},
                                .endpoints = &endpoint,
                                .endpoint_count = 1,
                                .added_at = row.added_at};
    ck_ok(targets_add(harness->inventory, &target, &target_id, &err));
    struct renewal_row renewal = {.certificate_id = id,
                                  .reason = (char *)(uintptr_t) "expiring",
                                  .created_at = HARNESS_NOW - 2 * 86400,
                                  .names = names};
    ck_ok(renewals_add(harness->inventory, &renewal, &renewal_id, &err));
    accept_leaf(harness, renewal_id);
    ck_ok(deployments_add(harness->inventory, renewal_id, target_id, HARNESS_NOW - 86400, &err));
    ck_ok(deployments_find(harness->inventory, renewal_id, target_id, &deployment, &err));
    deployment.verified_at = deployment.cleaned_at = HARNESS_NOW - 86000;
    deployment.report = mem_strdup("[::1]:443 serves it");
    ck_ok(deployments_update(harness->inventory, &deployment, &err));
    harness_plan(harness);
    return id;
}

static char *make(const char *name, const char *basic)
{
    AUTO_BLOB struct blob der =
        forge_certificate(&(struct forge){.common_name = name,
                                          .not_before = "20260101000000Z",
                                          .not_after = "20400101000000Z",
                                          .extensions = {{"basicConstraints", basic, {0}}}});

    return forge_pem("CERTIFICATE", blob_span(&der));
}

char *harness_root(const char *name)
{
    return make(name, "critical,CA:TRUE");
}

char *harness_leaf(const char *name)
{
    return make(name, "critical,CA:FALSE");
}
