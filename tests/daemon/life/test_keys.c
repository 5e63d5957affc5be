/* Private keys in the drop folder: disclosed, unless a policy takes them with their certificate. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/life/life.h"
#include "store/deliveries.h"
#include "store/notices.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;
static struct error err;

static void open_refusing(void)
{
    scene_open(&scene, 6 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
}

static void open_far(void)
{
    scene_open(&scene, 30 * DAY, "");
    scene_add(&scene);
    scene_run(&scene);
}

static void open_lenient(void)
{
    scene_open(&scene, 6 * DAY, "    gates: {disclosed-key: warn}\n");
    scene_add(&scene);
    scene_run(&scene);
}

static void open_taking(void)
{
    scene_open(&scene, 6 * DAY, "    delivered-keys: take\n");
    scene_add(&scene);
    scene_run(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

/* No secret may be in anything that people read. */
static int look_for_key(void *self, const struct notice_row *row, struct error *walk_err)
{
    (void)self;
    (void)walk_err;
    for (size_t i = 0; i < row->fields.count; i++)
        ck_assert_ptr_null(strstr(row->fields.items[i].value, "PRIVATE KEY-----"));
    return 0;
}

static void expect_no_key_told(void)
{
    ck_ok(notices_by_certificate(scene.life.inventory, 0, look_for_key, NULL, &err));
    ck_ok(notices_by_certificate(scene.life.inventory, scene_certificate(&scene), look_for_key,
                                 NULL, &err));
    ck_assert_ptr_null(strstr(scene_receipt(&scene), "PRIVATE KEY-----"));
}

static bool was_secret(struct span data)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    uint8_t hash[SHA256_LEN];

    sha256_of(data, hash);
    ck_ok(deliveries_find(scene.life.inventory, hash, &row, &err));
    return row.secret;
}

/* The newest receipt with its lines joined: where they break does not matter. */
static bool receipt_says(const char *piece)
{
    AUTO_FREE char *text = mem_strdup(scene_receipt(&scene));
    char *to = text;

    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\n' && (*from != ' ' || to == text || to[-1] != ' '))
            *to++ = *from;
    *to = '\0';
    return strstr(text, piece) != NULL;
}

static void ck_says(const char *piece)
{
    ck_assert_msg(receipt_says(piece), "wanted \"%s\" in:\n%s", piece, scene_receipt(&scene));
}

static void ck_lines_fit(void)
{
    const char *line = strstr(scene_receipt(&scene), "NOT TAKEN");

    ck_assert_ptr_nonnull(line);
    for (; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 100, "%s", line);
}

START_TEST(the_key_in_service_is_urgent)
{
    struct span key = span_text(authority_key_pem(scene.old_leaf));

    ck_assert(!scene_deliver(&scene, "www.key", key));
    ck_says("NOT TAKEN. URGENT: This is the key of the certificate www that is in use");
    ck_says("must be considered disclosed. No certificate for this key is taken from now on");
    ck_says("revoke the old one (serial ");
    ck_lines_fit();
    ck_assert(was_secret(key));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 1);
    ck_assert_int_eq(scene_mails(&scene, "unusable"), 0);
    ck_assert_int_eq(scene_events(&scene, "key-disclosed"), 1);
    expect_no_key_told();
    /* Once for a key. */
    AUTO_FREE char *twice = mem_printf("once more\n%s", authority_key_pem(scene.old_leaf));
    ck_assert(!scene_deliver(&scene, "www2.key", span_text(twice)));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 1);
    ck_assert_int_eq(scene_events(&scene, "key-disclosed"), 1);
}
END_TEST

static void drop_old_key(void)
{
    static int copies;
    AUTO_FREE char *file = mem_printf("copy %d\n%s", copies++, authority_key_pem(scene.old_leaf));

    ck_assert(!scene_deliver(&scene, "www.key", span_text(file)));
    ck_lines_fit();
}

static int (*honest)(void *self, struct span file, struct delivery_objects *ret,
                     struct error *fn_err);
static uint8_t claimed[SHA256_LEN];

static int claiming_reader(void *self, struct span file, struct delivery_objects *ret,
                           struct error *fn_err)
{
    int rc = honest(self, file, ret, fn_err);

    for (size_t i = 0; rc == 0 && i < ret->count; i++)
        memcpy(ret->items[i].spki_sha256, claimed, SHA256_LEN);
    return rc;
}

/* The key of the open request, which never leaves the keeper: the reader only says that it is. */
static void drop_open_key(void)
{
    AUTO_RENEWAL struct renewal_row open = scene_open_request(&scene);
    const struct authority *any =
        authority_make(NULL, &(struct authority_plan){.subject = "www.example.com"});

    honest = scene.world.read_delivery;
    memcpy(claimed, open.key.spki_sha256, SHA256_LEN);
    scene.world.read_delivery = claiming_reader;
    ck_assert(!scene_deliver(&scene, "open.key", span_text(authority_key_pem(any))));
    scene.world.read_delivery = honest;
    ck_lines_fit();
}

/* A new request is asked for only where none with another key is open. */
START_TEST(what_to_order_with)
{
    int64_t id = 0;

    drop_old_key();
    ck_says(
        "Run \"unlapse renew www\" on host.example.com now and order with the new CSR; when its "
        "certificate is in service");
    ck_ok(life_renew(&scene.life, "www", false, "uid 7", &id, &err));
    drop_old_key();
    ck_says("A request with a new key is open already: order with its CSR, which comes with the "
            "next mail");
    scene_run(&scene);
    drop_old_key();
    ck_says("Order with the CSR of 2026-11-22 12:00:00 UTC, if that is not done yet (\"unlapse "
            "request www\" on host.example.com shows it): its key is another one; when its");
    drop_open_key();
    ck_says("This is the key of the CSR of");
    ck_says("Run \"unlapse renew www --again\" on host.example.com now and order with the new CSR; "
            "what was ordered with the old one must be cancelled");
    drop_old_key();
    ck_says("Run \"unlapse renew www --again\" on host.example.com now");
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 2);
}
END_TEST

/* Whoever has the key could use the certificate as we do. */
START_TEST(a_certificate_for_a_disclosed_key_is_refused)
{
    const struct authority *leaf =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com",
                                                               .key_of = scene.old_leaf});
    AUTO_FREE char *both =
        mem_printf("%s%s%s", authority_pem(leaf), authority_key_pem(scene.old_leaf),
                   authority_pem(scene.issuing));

    ck_assert(!scene_deliver(&scene, "both.pem", span_text(both)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "disclosed-key: wanted a key that nobody "
                                                        "else can have"));
    ck_says("Only another key helps. Order with the CSR of 2026-11-22 12:00:00 UTC");
    ck_assert(!receipt_says("a better certificate"));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert(!scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "disclosed-key"));
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 1);
}
END_TEST

/* Nobody can have read it, and the policy says so. */
START_TEST(a_policy_may_let_it_pass)
{
    const struct authority *leaf =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com",
                                                               .key_of = scene.old_leaf});

    drop_old_key();
    ck_assert(!receipt_says("No certificate for this key is taken"));
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_says("Warning: disclosed-key: wanted a key that nobody else can have");
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(a_key_of_nobody_is_told_to_all)
{
    const struct authority *other =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "mail.example.net",
                                                               .names = "DNS:mail.example.net"});
    AUTO_FREE char *both = mem_printf("%s%s", authority_pem(other), authority_key_pem(other));

    ck_assert(!scene_deliver(&scene, "other.pem", span_text(both)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "must be considered disclosed"));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 1);
    ck_assert_int_eq(scene_events(&scene, "key-disclosed"), 0);
    expect_no_key_told();
}
END_TEST

START_TEST(made_up_keys_do_not_fill_mailboxes)
{
    for (int i = 0; i < 40; i++) {
        AUTO_FREE char *name = mem_printf("%d.pem", i);
        const struct authority *made =
            authority_make(NULL, &(struct authority_plan){.subject = "www.example.com",
                                                          .names = "DNS:www.example.com"});
        AUTO_FREE char *both =
            mem_printf("%s%s", i % 2 ? authority_pem(made) : "", authority_key_pem(made));
        ck_assert(!scene_deliver(&scene, name, span_text(both)));
    }
    scene_run(&scene);
    ck_assert_int_ge(scene_mails(&scene, "key-disclosed"), 20);
    ck_assert_int_le(scene_mails(&scene, "key-disclosed"), 40);
    ck_assert_int_le(scene_mails(&scene, "unusable"), 21);
}
END_TEST

static const struct authority *make_leaf(const char *names)
{
    return authority_make(scene.issuing,
                          &(struct authority_plan){.subject = "www.example.com", .names = names});
}

static char *pem_with_key(const struct authority *leaf)
{
    return mem_printf("%s%s%s", authority_key_pem(leaf), authority_pem(leaf),
                      authority_pem(scene.issuing));
}

START_TEST(a_key_with_its_certificate_becomes_a_renewal)
{
    const struct authority *leaf = make_leaf("DNS:www.example.com,DNS:example.com");
    AUTO_FREE char *file = pem_with_key(leaf);

    ck_assert_msg(scene_deliver(&scene, "www.pem", span_text(file)), "%s", scene_receipt(&scene));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "names the certificate www"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Taken for the certificate www: it is "
                                                        "sealed in the inventory"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "is answered by it, too"));
    ck_assert(was_secret(span_text(file)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 0);
    expect_no_key_told();
    /* The same again is known, and no leak. */
    AUTO_FREE char *again = mem_printf("again\n%s", file);
    ck_assert(scene_deliver(&scene, "www2.pem", span_text(again)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Already have it"));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 0);
}
END_TEST

/* Its chain comes later; the key is sealed meanwhile. */
START_TEST(a_key_whose_chain_comes_later_is_completed)
{
    const struct authority *by =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *leaf = authority_make(
        by, &(struct authority_plan){.subject = "www.example.com", .names = "DNS:www.example.com"});
    AUTO_FREE char *file = mem_printf("%s%s", authority_key_pem(leaf), authority_pem(leaf));

    ck_assert(scene_deliver(&scene, "www.pem", span_text(file)));
    /* Anybody can make such a file: it does not stand in for the CSR that was handed over. */
    ck_assert_str_eq(scene_state(&scene), "handed over");
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "the open request stays as it is"));
    ck_assert(scene_deliver(&scene, "ca.pem", span_text(authority_pem(by))));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_delivered_certificate_passes_the_gates_or_leaves_nothing)
{
    const struct authority *expired =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com",
                                                               .not_after = scene.now + DAY});
    AUTO_FREE char *file = pem_with_key(expired);
    AUTO_RENEWAL struct renewal_row before = scene_open_request(&scene);

    ck_assert(!scene_deliver(&scene, "old.pem", span_text(file)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "no-downgrade"));
    scene_run(&scene);
    AUTO_RENEWAL struct renewal_row after = scene_open_request(&scene);
    ck_assert_int_eq(before.id, after.id);
    ck_assert(scene_serves(&scene, scene.old_leaf));
}
END_TEST

START_TEST(a_key_that_is_for_none_or_for_several_is_not_taken)
{
    const struct authority *none = make_leaf("DNS:mail.example.net");
    AUTO_FREE char *file = pem_with_key(none);
    AUTO_NAMES struct names names = {0};
    int64_t id = 0;

    ck_assert(!scene_deliver(&scene, "none.pem", span_text(file)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "The private key beside it is not taken: "
                                                        "no certificate whose policy takes"));
    ck_ok(names_add(&names, NAME_DNS, "shop.example.com", &err));
    ck_ok(life_add(
        &scene.life,
        &(struct life_add){.name = "shop", .policy = "test", .names = &names, .actor = "uid 0"},
        &id, &err));
    const struct authority *both = make_leaf("DNS:*.example.com");
    AUTO_FREE char *wild = pem_with_key(both);
    ck_assert(!scene_deliver(&scene, "wild.pem", span_text(wild)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "got several (www, shop)"));
    /* With one of them retired it is clear. */
    ck_ok(certificates_set_retired(scene.life.inventory, id, scene.now, &err));
    AUTO_FREE char *again = mem_printf("again\n%s", wild);
    ck_assert(scene_deliver(&scene, "wild2.pem", span_text(again)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, both));
}
END_TEST

START_TEST(a_key_alone_is_never_taken)
{
    const struct authority *leaf = make_leaf("DNS:www.example.com");
    AUTO_FREE char *file = pem_with_key(leaf);

    ck_assert(!scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert(!scene_deliver(&scene, "key.pem", span_text(authority_key_pem(leaf))));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "only together with its certificate"));
    ck_assert(scene_deliver(&scene, "both.pem", span_text(file)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

/* A key that was made here has no business in any folder, whatever the policy. */
START_TEST(a_key_that_was_made_here_is_a_leak_under_any_policy)
{
    AUTO_SECRET struct blob key = {0};
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_ok(file_read(scene.key_file, BUF_MAX_PEM, &key, &err));
    ck_assert(!scene_deliver(&scene, "copy.key", blob_span(&key)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "URGENT"));
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "key-disclosed"), 1);
    ck_assert_int_eq(scene_events(&scene, "key-disclosed"), 1);
}
END_TEST

START_TEST(the_receipt_says_when_the_content_is_erased)
{
    ck_assert(!scene_deliver(&scene, "a.key", span_text(authority_key_pem(scene.old_leaf))));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "readable for its owner alone"));
    scene.life.erase_keys = true;
    AUTO_FREE char *twice = mem_printf("b\n%s", authority_key_pem(scene.old_leaf));
    ck_assert(!scene_deliver(&scene, "b.key", span_text(twice)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "was erased after it was read"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "SHA-256 of the file: "));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/keys");
    TCase *refusing = tcase_create("refusing"), *taking = tcase_create("taking");

    tcase_add_checked_fixture(refusing, open_refusing, close_scene);
    tcase_add_checked_fixture(taking, open_taking, close_scene);
    tcase_set_timeout(refusing, TESTING_SLOW_SECONDS);
    tcase_set_timeout(taking, TESTING_SLOW_SECONDS);
    tcase_add_test(refusing, the_key_in_service_is_urgent);
    tcase_add_test(refusing, a_certificate_for_a_disclosed_key_is_refused);
    tcase_add_test(refusing, a_key_of_nobody_is_told_to_all);
    tcase_add_test(refusing, made_up_keys_do_not_fill_mailboxes);
    tcase_add_test(refusing, the_receipt_says_when_the_content_is_erased);
    tcase_add_test(taking, a_key_with_its_certificate_becomes_a_renewal);
    tcase_add_test(taking, a_key_whose_chain_comes_later_is_completed);
    tcase_add_test(taking, a_delivered_certificate_passes_the_gates_or_leaves_nothing);
    tcase_add_test(taking, a_key_that_is_for_none_or_for_several_is_not_taken);
    tcase_add_test(taking, a_key_alone_is_never_taken);
    tcase_add_test(taking, a_key_that_was_made_here_is_a_leak_under_any_policy);
    suite_add_tcase(suite, refusing);
    suite_add_tcase(suite, taking);
    TCase *far = tcase_create("far"), *lenient = tcase_create("lenient");
    tcase_add_checked_fixture(far, open_far, close_scene);
    tcase_add_checked_fixture(lenient, open_lenient, close_scene);
    tcase_add_test(far, what_to_order_with);
    tcase_add_test(lenient, a_policy_may_let_it_pass);
    suite_add_tcase(suite, far);
    suite_add_tcase(suite, lenient);
    return testing_run(suite);
}
