/* Files of the drop folder taken together, and what people hear of the folder. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "daemon/life/internal.h"
#include "store/deliveries.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;
static struct life_batch *batch;

static void open_asked(void)
{
    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
    batch = life_batch_new(&scene.life);
}

static void close_scene(void)
{
    life_batch_free(batch);
    scene_done(&scene);
}

static void add(const char *name, struct span data)
{
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    ck_ok(life_batch_add(batch, name, data, hash, NULL, &err));
}

static void ck_says(size_t at, const char *piece)
{
    const char *receipt = life_batch_verdict(batch, at)->receipt;

    ck_assert_msg(strstr(receipt, piece), "wanted \"%s\" in: %s", piece, receipt);
}

/* Whatever the order within the batch: the leaf is accepted with its chain. */
START_TEST(a_leaf_and_its_chain)
{
    const struct authority *issuing =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(issuing, &(struct authority_plan){.csr = blob_span(&csr)});
    struct span parts[2] = {authority_der(leaf), authority_der(issuing)};
    static const char *const names[2] = {"leaf.cer", "chain.cer"};
    int first = _i;

    add("before.txt", span_text("rubbish"));
    add(names[first], parts[first]);
    add("between.txt", span_text("more rubbish"));
    add(names[!first], parts[!first]);
    ck_ok(life_batch_take(batch, &err));
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(life_batch_verdict(batch, i)->failed, 0);
        ck_assert_int_eq(life_batch_verdict(batch, i)->accepted, i % 2 == 1);
    }
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    if (first == 0) {
        /* What is written beside the leaf tells how its story went on, and who brought that. */
        ck_says(1, "with chain.cer: its chain is complete, accepted");
        ck_says(3, "This completed the certificate www: it is accepted.");
    }
}
END_TEST

static int (*real_build)(void *self, const struct chain_order *order, struct chain *ret,
                         struct error *fn_err);
static struct span watched;
static int looks;

static int counting_build(void *self, const struct chain_order *order, struct chain *ret,
                          struct error *fn_err)
{
    looks += span_equal(order->leaf, watched);
    return real_build(self, order, ret, fn_err);
}

/* A leaf that waits, under an authority that nobody has brought yet. */
static const struct authority *await_issuer(const struct authority **ret_issuing)
{
    const struct authority *issuing =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(issuing, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    watched = authority_der(leaf);
    real_build = scene.world.build_chain;
    scene.world.build_chain = counting_build;
    *ret_issuing = issuing;
    return leaf;
}

static int looks_for(const struct authority *brought)
{
    looks = 0;
    ck_assert(scene_deliver(&scene, "some.cer", authority_der(brought)));
    return looks;
}

/* What waits is looked at for what is new, and for copies now and then. */
START_TEST(copies_cost_nothing)
{
    const struct authority *issuing = NULL;
    const struct authority *leaf = await_issuer(&issuing);
    const struct authority *other = authority_make(
        scene.root, &(struct authority_plan){.subject = "Other Issuing", .ca = true});

    ck_assert_int_eq(looks_for(other), 1);
    ck_assert_int_eq(looks_for(other), 0);
    ck_assert_int_eq(looks_for(scene.issuing), 0);
    scene.now += 599;
    ck_assert_int_eq(looks_for(other), 0);
    scene.now += 1;
    ck_assert_int_eq(looks_for(other), 1);
    ck_assert_int_eq(looks_for(other), 0);
    /* Also when the clock is set right. */
    scene.now -= DAY;
    ck_assert_int_eq(looks_for(other), 1);
    ck_assert_int_eq(looks_for(issuing), 1);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* Its own file comes as a copy, and still it helps. */
START_TEST(what_joined_unseen_is_new)
{
    AUTO_CERT struct cert cert = {0};
    const struct authority *issuing = NULL;
    const struct authority *leaf = await_issuer(&issuing);
    const struct authority *other = authority_make(
        scene.root, &(struct authority_plan){.subject = "Other Issuing", .ca = true});
    bool is_new = false;

    ck_assert_int_eq(looks_for(other), 1);
    ck_ok(cert_parse(authority_der(issuing), &cert, &err));
    ck_ok(life_begin(&scene.life, &err));
    ck_ok(authority_keep(&scene.life, authority_der(issuing), &cert, &is_new, &err));
    ck_ok(life_end(&scene.life, 0, &err));
    ck_assert_int_eq(looks_for(issuing), 1);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* It stands beside what another certificate has installed. */
START_TEST(what_is_adopted_completes_others)
{
    const struct authority *issuing = NULL;
    const struct authority *leaf = await_issuer(&issuing);
    const struct authority *mail =
        authority_make(issuing, &(struct authority_plan){.subject = "mail.example.com",
                                                         .names = "DNS:mail.example.com"});
    AUTO_FREE char *crt = testing_path("mail.crt");
    AUTO_FREE char *key = testing_path("mail.key");
    AUTO_FREE char *chain = mem_printf("%s%s", authority_pem(mail), authority_pem(issuing));
    AUTO_NAMES struct names names = {0};
    char service[] = "plain";
    struct target_row target = {.service = service};
    int64_t id = 0;

    ck_ok(file_replace(crt, span_text(chain), FILE_PUBLIC, &err));
    ck_ok(file_replace(key, span_text(authority_key_pem(mail)), FILE_PRIVATE, &err));
    target.files[BUNDLE_KEY] = key;
    target.files[BUNDLE_FULLCHAIN] = crt;
    ck_ok(life_add(&scene.life,
                   &(struct life_add){.name = "mail",
                                      .policy = "test",
                                      .names = &names,
                                      .targets = &target,
                                      .target_count = 1,
                                      .actor = "uid 0"},
                   &id, &err));
    ck_assert_int_eq(scene_events(&scene, "accepted"), 1);
    AUTO_FREE char *receipt = scene_receipt_of(&scene, authority_der(leaf));
    ck_assert_ptr_nonnull(strstr(receipt,
                                 "with the certificate mail, which was added: its chain is "
                                 "complete, accepted"));
}
END_TEST

START_TEST(the_verdict_stands_until_it_is_filed)
{
    int64_t id[2];

    for (int round = 0; round < 2; round++) {
        add("a.txt", span_text("rubbish"));
        add("b.txt", span_text("rubbish"));
        ck_ok(life_batch_take(batch, &err));
        for (size_t i = 0; i < 2; i++) {
            if (round == 0)
                id[i] = life_batch_verdict(batch, i)->delivery_id;
            ck_assert_int_eq(life_batch_verdict(batch, i)->delivery_id, id[i]);
            ck_says(i, i == 0 ? "a.txt, taken on" : "b.txt, taken on");
        }
        life_batch_clear(batch);
    }
    ck_assert_int_ne(id[0], id[1]);
    ck_assert_int_eq(scene_events(&scene, "delivery-rejected"), 2);
    struct life_filing filed[2] = {{id[0], "a.txt"}, {id[1], "b.txt"}};
    ck_ok(life_filed(&scene.life, filed, 2, &err));
    add("a.txt", span_text("rubbish"));
    ck_ok(life_batch_take(batch, &err));
    ck_assert_int_ne(life_batch_verdict(batch, 0)->delivery_id, id[0]);
}
END_TEST

static int (*real_reseal)(void *self, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                          struct blob *ret, struct error *fn_err);
static int reseal_code;

static int failing_reseal(void *self, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                          struct blob *ret, struct error *fn_err)
{
    if (reseal_code < 0)
        return error_set(fn_err, reseal_code, "as the test wants");
    return real_reseal(self, from_id, from, to_id, ret, fn_err);
}

/* What ails one file is its own; what ails the inventory leaves all of them as they were. */
START_TEST(a_failure_of_one_file)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    struct authority_plan plan = {.csr = blob_span(&csr)};
    const struct authority *first = authority_make(scene.issuing, &plan);
    const struct authority *leaf = authority_make(scene.issuing, &plan);

    ck_assert(scene_deliver_all(&scene, first));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    /* A second certificate for the key needs the key sealed once more. */
    real_reseal = scene.world.reseal;
    scene.world.reseal = failing_reseal;
    reseal_code = E_CRYPTO;
    add("before.txt", span_text("rubbish"));
    add("leaf.cer", authority_der(leaf));
    add("after.txt", span_text("more rubbish"));
    ck_ok(life_batch_take(batch, &err));
    ck_assert_int_eq(life_batch_verdict(batch, 1)->failed, E_CRYPTO);
    ck_assert_ptr_nonnull(strstr(life_batch_verdict(batch, 1)->reason, "as the test wants"));
    ck_says(0, "REJECTED");
    ck_says(2, "REJECTED");
    ck_assert_int_eq(scene_events(&scene, "delivery-rejected"), 2);
    /* What it had begun is undone. */
    ck_ok(life_plan_all(&scene.life, &err));
    ck_assert_str_eq(scene_state(&scene), "ok");
    life_batch_clear(batch);

    reseal_code = E_FULL;
    add("x.txt", span_text("rubbish x"));
    add("leaf.cer", authority_der(leaf));
    ck_fails(life_batch_take(batch, &err), E_FULL, "as the test wants");
    ck_assert_int_eq(scene_events(&scene, "delivery-rejected"), 2);
    life_batch_clear(batch);

    reseal_code = 0;
    add("leaf.cer", authority_der(leaf));
    ck_ok(life_batch_take(batch, &err));
    ck_assert(life_batch_verdict(batch, 0)->accepted);
}
END_TEST

START_TEST(a_batch_has_an_end)
{
    for (int i = 0; i < LIFE_BATCH_FILES; i++) {
        AUTO_FREE char *name = mem_printf("%d.txt", i);

        ck_assert(!life_batch_is_full(batch));
        add(name, span_text(name));
    }
    ck_assert(life_batch_is_full(batch));
    ck_assert_uint_eq(life_batch_count(batch), LIFE_BATCH_FILES);
    ck_ok(life_batch_take(batch, &err));
}
END_TEST

static void trouble(const char *text)
{
    ck_ok(life_folder_trouble(&scene.life, text, &err));
    scene_run(&scene);
}

static void ck_state(const char *text, utc_t since)
{
    struct folder_state state;

    ck_ok(life_folder_state(scene.life.inventory, &state, &err));
    ck_assert_pstr_eq(state.trouble, text);
    ck_assert_int_eq(state.since, since);
    folder_state_done(&state);
}

START_TEST(the_folder_is_told_once)
{
    testing_expect_log("drop-trouble");
    utc_t since = scene.now;

    trouble(NULL);
    ck_state(NULL, UTC_NEVER);
    trouble("it is gone; put it back");
    trouble("it is gone; put it back");
    ck_state("it is gone; put it back", since);
    ck_assert_int_eq(scene_events(&scene, "drop-trouble"), 1);
    scene_later(&scene, 599);
    trouble("it is gone; put it back");
    ck_assert_int_eq(scene_mails(&scene, "drop-trouble"), 0);
    scene_later(&scene, 1);
    scene_restart(&scene);
    trouble("a file stands there");
    ck_state("a file stands there", since);
    ck_assert_int_eq(scene_mails(&scene, "drop-trouble"), 1);
    scene_later(&scene, DAY);
    trouble("a file stands there");
    ck_assert_int_eq(scene_mails(&scene, "drop-trouble"), 1);
    ck_assert_int_eq(scene_mails(&scene, "drop-well"), 0);
    trouble(NULL);
    trouble(NULL);
    ck_state(NULL, UTC_NEVER);
    ck_assert_int_eq(scene_mails(&scene, "drop-well"), 1);
    ck_assert_int_eq(scene_events(&scene, "drop-works"), 1);
    /* A short one is nobody's mail. */
    trouble("it is gone; put it back");
    trouble(NULL);
    ck_assert_int_eq(scene_mails(&scene, "drop-trouble"), 1);
    ck_assert_int_eq(scene_mails(&scene, "drop-well"), 1);
}
END_TEST

START_TEST(where_it_is_mounted)
{
    ck_assert(!life_folder_was_mount(scene.life.inventory, "/srv/drop"));
    ck_ok(life_folder_mount(&scene.life, "/srv/drop", true, &err));
    ck_assert(life_folder_was_mount(scene.life.inventory, "/srv/drop"));
    ck_assert(!life_folder_was_mount(scene.life.inventory, "/srv/other"));
    ck_ok(life_folder_mount(&scene.life, "/srv/drop", false, &err));
    ck_assert(!life_folder_was_mount(scene.life.inventory, "/srv/drop"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/batch");
    TCase *tcase = tcase_create("batch");

    tcase_add_checked_fixture(tcase, open_asked, close_scene);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(tcase, a_leaf_and_its_chain, 0, 2);
    tcase_add_test(tcase, copies_cost_nothing);
    tcase_add_test(tcase, what_joined_unseen_is_new);
    tcase_add_test(tcase, what_is_adopted_completes_others);
    tcase_add_test(tcase, the_verdict_stands_until_it_is_filed);
    tcase_add_test(tcase, a_failure_of_one_file);
    tcase_add_test(tcase, a_batch_has_an_end);
    tcase_add_test(tcase, the_folder_is_told_once);
    tcase_add_test(tcase, where_it_is_mounted);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
