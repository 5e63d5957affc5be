/* What fails must not be lost, take others with it, or keep people from hearing what they must. */
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "daemon/life/internal.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;

static void open_asked(void)
{
    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
}

static void open_far(void)
{
    scene_open(&scene, 60 * DAY, "");
}

static void open_taking_keys(void)
{
    scene_open(&scene, 6 * DAY, "    delivered-keys: take\n");
    scene_add(&scene);
    scene_run(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

static const struct authority *new_issuing(void)
{
    return authority_make(scene.root,
                          &(struct authority_plan){.subject = "New Issuing", .ca = true});
}

/* A leaf of an authority whose certificate has not come yet waits for it. */
static const struct authority *deliver_waiting(const struct authority *by)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(by, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "waits.cer", authority_der(leaf)));
    return leaf;
}

static int no_parser(void *self, struct span der, struct cert *ret, struct error *ret_err)
{
    (void)self;
    (void)der;
    (void)ret;
    return error_set(ret_err, E_COMMAND, "reader: cannot be started");
}

/* Fails when a chain is about to be built, but not for what is read before. */
static int no_builder(void *self, const struct chain_order *order, struct chain *ret,
                      struct error *ret_err)
{
    (void)self;
    (void)order;
    (void)ret;
    return error_set(ret_err, E_COMMAND, "reader: cannot be started");
}

START_TEST(a_chain_that_cannot_be_built_now_is_not_forgotten)
{
    const struct authority *by = new_issuing(), *leaf = deliver_waiting(by);
    struct life_verdict verdict = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(authority_der(by), hash);
    const struct world works = scene.world;
    scene.world.build_chain = no_builder;
    ck_assert_int_eq(
        life_intake(&scene.life, "ca.cer", authority_der(by), hash, NULL, &verdict, &err),
        E_COMMAND);
    scene.world = works;
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(by)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(people_are_not_told_that_a_chain_is_missing_when_nobody_looked)
{
    deliver_waiting(new_issuing());
    const struct world works = scene.world;
    scene.world.build_chain = no_builder;
    testing_expect_log("verb-failed");
    scene_later(&scene, DAY);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 0);
    scene.world = works;
    scene_later(&scene, 60);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
}
END_TEST

START_TEST(without_a_reader_the_daemon_starts_and_plans)
{
    deliver_waiting(new_issuing());
    scene.world.parse_cert = no_parser;
    testing_expect_log("not-looked-again");
    ck_ok(life_plan_all(&scene.life, &err));
}
END_TEST

START_TEST(the_end_is_told_whatever_else_fails)
{
    deliver_waiting(new_issuing());
    int told = scene_mails(&scene, "expires");
    scene.world.parse_cert = no_parser;
    testing_expect_log("verb-failed");
    scene_later(&scene, 5 * DAY + DAY / 2);
    ck_assert_int_gt(scene_mails(&scene, "expires"), told);
    scene_later(&scene, DAY);
    ck_assert_int_eq(scene_mails(&scene, "expired"), 1);
    scene_later(&scene, 60);
    ck_assert_int_eq(scene_mails(&scene, "expired"), 1);
}
END_TEST

/* The first file for a CSR is wrong, the second one waits, the third one is wrong again; then
 * somebody asks for another CSR. */
START_TEST(a_refusal_does_not_end_the_waiting_of_another_leaf)
{
    const struct authority *by = new_issuing();
    const struct authority *wrong =
        scene_sign(&scene, &(struct authority_plan){.names = "DNS:other.example.com"});
    const struct authority *wrong_too =
        scene_sign(&scene, &(struct authority_plan){.names = "DNS:third.example.com"});
    int64_t id = 0;

    ck_assert(!scene_deliver(&scene, "wrong.cer", authority_der(wrong)));
    const struct authority *leaf = deliver_waiting(by);
    if (_i == 1)
        ck_assert(!scene_deliver(&scene, "third.cer", authority_der(wrong_too)));
    ck_assert(scene_deliver(&scene, "again.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "still waits for its chain"));
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "What keeps it"));
    scene_later(&scene, 60);
    ck_ok(life_renew(&scene.life, "www", true, "uid 7", &id, &err));
    scene_run(&scene);
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(by)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

static void write_pair(const char *crt, const struct authority *chain)
{
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(scene.old_leaf), authority_pem(chain));

    ck_ok(file_replace(crt, span_text(pem), FILE_PUBLIC, &err));
}

/* Two targets with the same certificate, and only the first one's chain ends early. */
START_TEST(the_chain_of_every_adopted_target_counts)
{
    char host[] = "127.0.0.1", service[] = "plain";
    AUTO_FREE char *folder = testing_path("second"), *crt = testing_path("second/www.crt");
    AUTO_FREE char *key = testing_path("second/www.key");
    AUTO_BLOB struct blob text = {0};
    AUTO_NAMES struct names names = {0};
    struct endpoint_row endpoint = {.host = host, .port = 443};
    struct target_row targets[2] = {
        {.service = service, .endpoints = &endpoint, .endpoint_count = 1}, {.service = service}};
    const struct authority *ending =
        authority_make(scene.root, &(struct authority_plan){.subject = "Example Issuing",
                                                            .ca = true,
                                                            .key_of = scene.issuing,
                                                            .not_after = scene.now + 30 * DAY});
    int64_t id = 0;

    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_ok(file_read(scene.key_file, BUF_MAX_PEM, &text, &err));
    ck_ok(file_replace(key, blob_span(&text), FILE_PRIVATE, &err));
    write_pair(scene.crt_file, ending);
    write_pair(crt, scene.issuing);
    targets[0].files[BUNDLE_KEY] = scene.key_file;
    targets[0].files[BUNDLE_FULLCHAIN] = scene.crt_file;
    targets[1].files[BUNDLE_KEY] = key;
    targets[1].files[BUNDLE_FULLCHAIN] = crt;
    ck_ok(life_add(&scene.life,
                   &(struct life_add){.name = "www",
                                      .policy = "test",
                                      .names = &names,
                                      .targets = targets,
                                      .target_count = 2,
                                      .actor = "uid 0"},
                   &id, &err));
    scene_later(&scene, 10 * DAY);
    ck_assert_int_eq(scene_events(&scene, "rechained"), 1);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves_chain(&scene, scene.old_leaf, scene.issuing));
}
END_TEST

/* No keeper can be had, and no renewal is the worse for it. */

static int lost(struct error *ret_err)
{
    return error_set(ret_err, E_COMMAND, "the keeper ended by signal 9 (Killed)");
}

static int lost_request(void *self, int64_t id, const struct key_request *request,
                        struct sealed_key *ret_key, struct blob *ret_csr, struct error *ret_err)
{
    (void)self;
    (void)id;
    (void)request;
    (void)ret_key;
    (void)ret_csr;
    return lost(ret_err);
}

static int lost_seal(void *self, int64_t id, struct span key, struct sealed_key *ret,
                     struct error *ret_err)
{
    (void)self;
    (void)id;
    (void)key;
    (void)ret;
    return lost(ret_err);
}

static int lost_bundle(void *self, int64_t id, const struct sealed_key *key, struct span leaf,
                       const struct blobs *chain, struct bundle *ret, struct error *ret_err)
{
    (void)self;
    (void)id;
    (void)key;
    (void)leaf;
    (void)chain;
    (void)ret;
    return lost(ret_err);
}

START_TEST(without_a_keeper_the_certificate_is_renewed_later)
{
    scene_add(&scene);
    const struct world works = scene.world;
    scene.world.make_request = lost_request;
    scene_later(&scene, 55 * DAY);
    ck_assert_str_eq(scene_state(&scene), "due");
    ck_assert_int_eq(scene_mails(&scene, "failed"), 1);
    scene.world = works;
    scene_later(&scene, 60);
    ck_assert_str_eq(scene_state(&scene), "handed over");
    const struct authority *leaf = scene_sign(&scene, NULL);
    scene.world.build_bundle = lost_bundle;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, scene.old_leaf));
    scene.world = works;
    scene_later(&scene, 60);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

/* The key of what is installed is not left out for ever because nobody could seal it today. */
START_TEST(without_a_keeper_nothing_is_added)
{
    const struct world works = scene.world;

    scene.world.seal = lost_seal;
    ck_fails(scene_try_add(&scene, &err), E_COMMAND, "the keeper ended by signal 9");
    ck_assert_int_eq(scene_count(&scene), 0);
    scene.world = works;
    scene_add(&scene);
    AUTO_RENEWAL struct renewal_row renewal = {0};
    ck_ok(renewals_accepted(scene.life.inventory, scene_certificate(&scene), &renewal, &err));
    ck_assert_uint_gt(renewal.key.sealed.len, 0);
}
END_TEST

START_TEST(without_a_keeper_a_delivered_key_waits)
{
    const struct authority *leaf =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com"});
    AUTO_FREE char *both = mem_printf("%s%s%s", authority_pem(leaf), authority_key_pem(leaf),
                                      authority_pem(scene.issuing));
    const struct world works = scene.world;
    struct life_verdict verdict = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(span_text(both), hash);
    scene.world.seal = lost_seal;
    ck_fails(life_intake(&scene.life, "both.pem", span_text(both), hash, NULL, &verdict, &err),
             E_COMMAND, "the keeper ended by signal 9");
    scene.world = works;
    ck_assert(scene_deliver(&scene, "both.pem", span_text(both)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/failing");
    TCase *asked = tcase_create("asked"), *far = tcase_create("far");
    TCase *taking = tcase_create("taking");

    tcase_add_checked_fixture(asked, open_asked, close_scene);
    tcase_add_checked_fixture(far, open_far, close_scene);
    tcase_add_checked_fixture(taking, open_taking_keys, close_scene);
    tcase_set_timeout(asked, TESTING_SLOW_SECONDS);
    tcase_set_timeout(far, TESTING_SLOW_SECONDS);
    tcase_set_timeout(taking, TESTING_SLOW_SECONDS);
    tcase_add_test(asked, a_chain_that_cannot_be_built_now_is_not_forgotten);
    tcase_add_test(asked, people_are_not_told_that_a_chain_is_missing_when_nobody_looked);
    tcase_add_test(asked, without_a_reader_the_daemon_starts_and_plans);
    tcase_add_test(asked, the_end_is_told_whatever_else_fails);
    tcase_add_loop_test(asked, a_refusal_does_not_end_the_waiting_of_another_leaf, 0, 2);
    tcase_add_test(far, the_chain_of_every_adopted_target_counts);
    tcase_add_test(far, without_a_keeper_the_certificate_is_renewed_later);
    tcase_add_test(far, without_a_keeper_nothing_is_added);
    tcase_add_test(taking, without_a_keeper_a_delivered_key_waits);
    suite_add_tcase(suite, asked);
    suite_add_tcase(suite, far);
    suite_add_tcase(suite, taking);
    return testing_run(suite);
}
