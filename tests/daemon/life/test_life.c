#include "daemon/life/life.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/daemon/life/scene.h"

enum { DAY = AUTHORITY_DAY };

static struct scene scene;

/* Due at once: the lead time is 10 days. */
static void open_due(void)
{
    scene_open(&scene, 6 * DAY, "");
}

/* As far as the daemon gets alone: the request is out, the authority's answer is awaited. */
static void open_asked(void)
{
    open_due();
    scene_add(&scene);
    scene_run(&scene);
}

static void close_scene(void)
{
    scene_done(&scene);
}

START_TEST(the_whole_road)
{
    ck_assert_str_eq(scene_state(&scene), "handed over");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 1);
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_int_eq(scene_mails(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_mails(&scene, "deployed"), 1);
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 0);
}
END_TEST

START_TEST(nothing_is_due_while_the_lead_time_is_far)
{
    scene_add(&scene);
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_int_eq(scene_events(&scene, "started"), 0);
    scene_later(&scene, 20 * DAY - 1);
    ck_assert_int_eq(scene_events(&scene, "started"), 0);
    scene_later(&scene, 1);
    ck_assert_int_eq(scene_events(&scene, "started"), 1);
}
END_TEST

START_TEST(leaf_waits_for_its_chain_in_any_order)
{
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(other, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "CN=New Issuing"));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
    scene_later(&scene, 600);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(other)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "completed the certificate www"));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(an_untrusted_chain_is_told_at_once_and_taken_when_trusted)
{
    struct error err = {0};
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Strange Root", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    for (int i = 0; i < 2; i++) {
        scene.now += i * 600;
        ck_assert(scene_deliver(&scene, "root.cer", authority_der(root)));
        ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "not trusted: \"CN=Strange Root\""));
        scene_run(&scene);
    }
    scene_later(&scene, 600);
    ck_assert_str_eq(scene_state(&scene), "waiting chain");
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 1);
    ck_assert(scene_serves(&scene, scene.old_leaf));

    AUTO_FREE char *file = mem_printf("%s/strange-root.pem", scene.dir);
    ck_ok(file_replace(file, span_text(authority_pem(root)), FILE_PUBLIC, &err));
    anchors_free(scene.anchors);
    ck_ok(anchors_open((const char *const[]){file}, 1, false, &scene.anchors, &err));
    scene_plan_all(&scene);
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_leaf_that_waited_too_long_replaces_nothing_better)
{
    struct error err = {0};
    int64_t id = 0;
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *shorter = authority_make(
        other, &(struct authority_plan){.csr = blob_span(&csr), .not_after = scene.now + 40 * DAY});

    ck_assert(scene_deliver(&scene, "shorter.cer", authority_der(shorter)));
    ck_ok(life_renew(&scene.life, "www", true, "uid 0", &id, &err));
    scene_run(&scene);
    const struct authority *leaf = scene_sign(&scene, NULL);
    ck_assert(scene_deliver_all(&scene, leaf));
    /* The chain of the first one comes before the second one is in service. */
    ck_assert(scene_deliver(&scene, "ca.cer", authority_der(other)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 0);
}
END_TEST

static int refusals_told(void)
{
    return scene_mails(&scene, "rejected") + scene_mails(&scene, "unusable") +
           scene_mails(&scene, "key-disclosed");
}

/* Drops something wrong and looks that the live service and the open request are as before. */
static void expect_refusal(const char *what, struct span data, const char *reason)
{
    int mails = refusals_told();
    AUTO_BLOB struct blob before = scene_csr(&scene);

    ck_assert_msg(!scene_deliver(&scene, what, data), "%s was accepted: %s", what,
                  scene_receipt(&scene));
    ck_assert_msg(strstr(scene_receipt(&scene), reason), "%s: wanted \"%s\" in: %s", what, reason,
                  scene_receipt(&scene));
    scene_run(&scene);
    AUTO_BLOB struct blob after = scene_csr(&scene);
    ck_assert_msg(span_equal(blob_span(&before), blob_span(&after)),
                  "%s: another request is open now", what);
    ck_assert_msg(scene_serves(&scene, scene.old_leaf), "%s changed what is served", what);
    ck_assert_msg(refusals_told() == mails + 1, "%s: nobody was told, or twice", what);
}

START_TEST(wrong_deliveries_are_refused_with_their_reason)
{
    const struct authority *foreign =
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com"});
    const struct authority *self =
        authority_make(NULL, &(struct authority_plan){.subject = "www.example.com",
                                                      .names = "DNS:www.example.com"});
    const struct authority *self_ca =
        authority_make(NULL, &(struct authority_plan){.subject = "www.example.com", .ca = true});
    const struct authority *expired =
        scene_sign(&scene, &(struct authority_plan){.not_before = scene.now - 3 * DAY,
                                                    .not_after = scene.now - DAY});
    const struct authority *shorter =
        scene_sign(&scene, &(struct authority_plan){.not_after = scene.now + DAY});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    AUTO_FREE char *truncated = mem_strdup(authority_pem(scene_sign(&scene, NULL)));

    truncated[strlen(truncated) / 2] = '\0';
    expect_refusal("foreign.pem", authority_der(foreign), "belongs to no request");
    expect_refusal("self.pem", authority_der(self), "self-signed");
    expect_refusal("self-ca.pem", authority_der(self_ca), "self-signed");
    expect_refusal("expired.pem", authority_der(expired), "expired");
    expect_refusal("shorter.pem", authority_der(shorter), "no-downgrade");
    expect_refusal("truncated.pem", span_text(truncated), "END");
    expect_refusal("request.csr", blob_span(&csr), "goes to the authority");
    expect_refusal("login.html",
                   span_text("<!DOCTYPE html><html><body>Please log in</body></html>"), "HTML");
    expect_refusal("empty", span_text(""), "empty");
    expect_refusal("key.pem", span_text(authority_key_pem(foreign)), "disclosed");
}
END_TEST

/* The certificate itself is damaged, its chain is whole: nobody shall wait for what never comes. */
START_TEST(a_broken_leaf_beside_a_whole_chain_is_refused)
{
    const struct authority *leaf = scene_sign(&scene, NULL);
    const char *pem = authority_pem(leaf);
    AUTO_FREE char *bundle =
        mem_printf("%.*s\n%s", (int)strlen(pem) / 2, pem, authority_pem(scene.issuing));

    expect_refusal("bundle.pem", span_text(bundle), "the END line is missing");
    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(a_missing_name_is_refused_and_a_better_one_is_welcome)
{
    /* Same key, other name: what an authority returns that was asked for something else. */
    const struct authority *leaf = scene_sign(&scene, NULL);
    const struct authority *other =
        scene_sign(&scene, &(struct authority_plan){.subject = "mail.example.com",
                                                    .names = "DNS:mail.example.com"});

    expect_refusal("other.pem", authority_der(other), "dns:www.example.com");
    ck_assert_str_eq(scene_state(&scene), "rejected");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(an_untrusted_root_is_refused)
{
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "Other Root", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)});
    AUTO_FREE char *pem = mem_printf("%s%s", authority_pem(root), authority_pem(leaf));

    expect_refusal("bundle.pem", span_text(pem), "not trusted");
}
END_TEST

START_TEST(a_reader_that_lies_is_found_out)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    scene.reader_lies = true;
    ck_assert(!scene_deliver_all(&scene, leaf));
    ck_assert_msg(strstr(scene_receipt(&scene), "two different things"), "%s",
                  scene_receipt(&scene));
    ck_assert_str_ne("ok", scene_state(&scene));
}
END_TEST

START_TEST(the_same_delivery_twice_is_known)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert(scene_deliver(&scene, "again.pem", authority_der(leaf)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Already have it"));
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "verified"), 1);
    ck_assert_int_eq(scene_mails(&scene, "deployed"), 1);
}
END_TEST

START_TEST(a_reissue_for_the_same_key_is_its_own_turn)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);

    ck_assert(scene_deliver_all(&scene, scene_sign(&scene, NULL)));
    scene_run(&scene);
    const struct authority *longer =
        authority_make(scene.issuing, &(struct authority_plan){.csr = blob_span(&csr),
                                                               .not_after = scene.now + 190 * DAY});
    ck_assert(scene_deliver(&scene, "longer.pem", authority_der(longer)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, longer));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_refused_reissue_leaves_nothing_open)
{
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf = scene_sign(&scene, NULL);

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    const struct authority *shorter =
        authority_make(scene.issuing, &(struct authority_plan){.csr = blob_span(&csr),
                                                               .not_after = scene.now + 20 * DAY});
    ck_assert(!scene_deliver(&scene, "shorter.pem", authority_der(shorter)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_broken_configuration_is_left_alone_and_tried_again)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    scene.config_broken = true;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert_int_eq(scene_events(&scene, "staged"), 0);
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 1);
    scene_later(&scene, 60);
    ck_assert_int_eq(scene_events(&scene, "rolled-back"), 2);
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 1);
    scene.config_broken = false;
    scene_later(&scene, 600);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_service_that_ignores_the_reload_is_rolled_back)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    scene.ignores_reload = true;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    ck_assert_int_eq(scene_mails(&scene, "rolled-back"), 1);
    scene.ignores_reload = false;
    scene_later(&scene, 60);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_certificate_of_the_future_is_held)
{
    const struct authority *leaf =
        scene_sign(&scene, &(struct authority_plan){.not_before = scene.now + 3600});

    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "deploying");
    ck_assert(scene_serves(&scene, scene.old_leaf));
    scene_later(&scene, 3600);
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(nobody_renews_and_people_hear_it_climb)
{
    for (int hour = 0; hour < 6 * 24; hour++)
        scene_later(&scene, 3600);
    /* 5, 2.5, 1.25, 0.5 days of the lead of 10 and 1 day, which counts as half of 0.5. */
    ck_assert_int_eq(scene_mails(&scene, "expires"), 5);
    ck_assert_int_eq(scene_mails(&scene, "expired"), 0);
    ck_assert_int_eq(scene_mails(&scene, "reminder"), 2);
    scene_later(&scene, 1);
    ck_assert_str_eq(scene_state(&scene), "expired");
    ck_assert_int_eq(scene_mails(&scene, "expired"), 1);
    for (int day = 0; day < 30; day++)
        scene_later(&scene, DAY);
    ck_assert_int_eq(scene_mails(&scene, "expired"), 11);
    /* Late is not too late. */
    const struct authority *leaf =
        scene_sign(&scene, &(struct authority_plan){.not_before = scene.now - 60,
                                                    .not_after = scene.now + 90 * DAY});
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(scene_serves(&scene, leaf));
}
END_TEST

START_TEST(a_dead_mail_server_delays_and_loses_nothing)
{
    testing_expect_log("mail-failed");
    scene.mail_is_dead = true;
    scene_add(&scene);
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 0);
    scene_later(&scene, 60);
    scene_restart(&scene);
    scene_later(&scene, 600);
    scene.mail_is_dead = false;
    scene_later(&scene, 300);
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 1);
    ck_assert_int_eq(scene_events(&scene, "mailed"), 1);
}
END_TEST

START_TEST(a_refused_address_is_told_and_not_tried_again)
{
    testing_expect_log("mail-failed");
    scene.mail_is_refused = true;
    scene_add(&scene);
    scene_run(&scene);
    ck_assert_int_eq(scene_events(&scene, "mail-lost"), 1);
    scene.mail_is_refused = false;
    scene_later(&scene, 3600);
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 0);
}
END_TEST

START_TEST(a_request_that_is_overtaken_is_not_mailed_any_more)
{
    testing_expect_log("mail-failed");
    scene.mail_is_dead = true;
    scene_add(&scene);
    scene_run(&scene);
    ck_assert(scene_deliver_all(&scene, scene_sign(&scene, NULL)));
    scene.mail_is_dead = false;
    scene_later(&scene, 3600);
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 0);
    ck_assert_int_eq(scene_mails(&scene, "deployed"), 1);
}
END_TEST

START_TEST(files_that_cannot_be_put_back_are_told_and_do_not_stop_others)
{
    const struct authority *leaf = scene_sign(&scene, NULL);

    testing_expect_log("deployment-failed");
    testing_expect_log("not-restored");
    scene.ignores_reload = true;
    scene.restore_fails = true;
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert_int_eq(scene_mails(&scene, "failed"), 1);
    for (int hour = 0; hour < 8 * 24; hour++)
        scene_later(&scene, 3600);
    ck_assert_int_ge(scene_mails(&scene, "failed"), 8);
    ck_assert_int_ge(scene_mails(&scene, "expired"), 1);
    scene.restore_fails = false;
    scene_later(&scene, 3600);
    ck_assert(scene_serves(&scene, scene.old_leaf));
    scene.ignores_reload = false;
    scene_later(&scene, 3600);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(the_newest_request_wins_over_one_that_ends_later)
{
    struct error err = {0};
    int64_t id = 0;
    scene.config_broken = true;
    testing_expect_log("deployment-failed");
    ck_assert(scene_deliver_all(
        &scene, scene_sign(&scene, &(struct authority_plan){.not_after = scene.now + 190 * DAY})));
    scene_run(&scene);
    ck_ok(life_renew(&scene.life, "www", false, "uid 0", &id, &err));
    scene_later(&scene, 1);
    const struct authority *newest = scene_sign(&scene, NULL);
    ck_assert(scene_deliver(&scene, "newest.cer", authority_der(newest)));
    scene.config_broken = false;
    scene_later(&scene, 600);
    ck_assert(scene_serves(&scene, newest));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_leaf_that_waits_does_not_push_another_aside)
{
    const struct authority *good =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *evil_root =
        authority_make(NULL, &(struct authority_plan){.subject = "Evil Root", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(good, &(struct authority_plan){.csr = blob_span(&csr)});

    ck_assert(scene_deliver(&scene, "good.cer", authority_der(leaf)));
    for (int i = 0; i < 12; i++) {
        AUTO_FREE char *name = mem_printf("Evil Issuing %d", i);
        const struct authority *evil =
            authority_make(evil_root, &(struct authority_plan){.subject = name, .ca = true});
        const struct authority *other =
            authority_make(evil, &(struct authority_plan){.csr = blob_span(&csr)});
        bool accepted = scene_deliver(&scene, name, authority_der(other));
        /* Up to a bound they wait side by side. */
        ck_assert_msg(accepted == (i < 7), "%s: %s", name, scene_receipt(&scene));
    }
    ck_assert(scene_deliver(&scene, "chain.cer", authority_der(good)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

/* However many strangers made for the same CSR before it came. */
START_TEST(a_crowd_that_waits_does_not_keep_the_right_one_out)
{
    const struct authority *good =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    const struct authority *evil =
        authority_make(NULL, &(struct authority_plan){.subject = "Evil Root", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(good, &(struct authority_plan){.csr = blob_span(&csr)});

    for (int i = 0; i < 12; i++) {
        const struct authority *other =
            authority_make(evil, &(struct authority_plan){.csr = blob_span(&csr)});
        scene_deliver(&scene, "evil.cer", authority_der(other));
    }
    ck_assert(!scene_deliver(&scene, "good.cer", authority_der(leaf)));
    ck_assert_msg(strstr(scene_receipt(&scene), "It is kept and looked at again"), "%s",
                  scene_receipt(&scene));
    ck_assert(scene_deliver(&scene, "chain.cer", authority_der(good)));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

/* A CSR is no secret: anybody can make certificates for it. */
START_TEST(refusals_do_not_fill_mailboxes)
{
    for (int i = 0; i < 60; i++) {
        const struct authority *wrong =
            scene_sign(&scene, &(struct authority_plan){.names = "DNS:other.example.com"});
        ck_assert(!scene_deliver(&scene, "wrong.cer", authority_der(wrong)));
        ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "names: wanted"));
    }
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "rejected"), 21);
    ck_assert_int_eq(scene_mails(&scene, "unusable"), 0);
}
END_TEST

START_TEST(rubbish_does_not_fill_mailboxes)
{
    for (int i = 0; i < 60; i++) {
        AUTO_FREE char *rubbish = mem_printf("rubbish %d", i);
        ck_assert(!scene_deliver(&scene, "rubbish.txt", span_text(rubbish)));
    }
    scene_run(&scene);
    ck_assert_int_eq(scene_mails(&scene, "unusable"), 21);
}
END_TEST

START_TEST(a_first_installation_onto_nothing)
{
    ck_assert_int_eq(unlink(scene.key_file), 0);
    ck_assert_int_eq(unlink(scene.crt_file), 0);
    testing_expect_log("deployment-failed");
    scene.ignores_reload = true;
    scene_add(&scene);
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "handed over");
    const struct authority *leaf = scene_sign(&scene, NULL);

    /* Taken back, there is nothing again. */
    ck_assert(scene_deliver_all(&scene, leaf));
    scene_run(&scene);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert_int_ne(access(scene.key_file, F_OK), 0);
    ck_assert_int_ne(access(scene.crt_file, F_OK), 0);
    ck_assert_int_eq(scene_leftovers(&scene), 0);
    scene.ignores_reload = false;
    scene_later(&scene, 60);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

/* What only damage brings about: the verb fails, and its certificate alone waits for it. */
START_TEST(a_verb_that_fails_puts_off_its_own_certificate)
{
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob csr = scene_csr(&scene);
    const struct authority *leaf =
        authority_make(other, &(struct authority_plan){.csr = blob_span(&csr)});
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_RENEWAL struct renewal_row open = {0};
    struct error err = {0};

    ck_assert(scene_deliver(&scene, "leaf.cer", authority_der(leaf)));
    ck_ok(certificates_find(scene.life.inventory, "www", &row, &err));
    ck_ok(renewals_open(scene.life.inventory, row.id, &open, &err));
    blob_done(&open.leaf);
    open.leaf = blob_copy(span_text("damaged"));
    ck_ok(renewals_update(scene.life.inventory, &open, &err));
    testing_expect_log("verb-failed");
    scene_later(&scene, 600);
    certificate_row_done(&row);
    ck_ok(certificates_find(scene.life.inventory, "www", &row, &err));
    ck_assert_int_eq(row.next_at, scene.now + 60);
    ck_assert_int_eq(scene_mails(&scene, "waiting-chain"), 0);
    scene_stop(&scene); /* the doctor would find the damage */
}
END_TEST

/* Whatever has happened before: goes on to the end of the road. */
static void finish(void)
{
    if (scene_count(&scene) == 0)
        scene_add(&scene);
    scene_run(&scene);
    if (strcmp(scene_state(&scene), "handed over") == 0)
        scene_deliver_all(&scene, scene_sign(&scene, NULL));
    scene_run(&scene);
}

enum { CRASH_CALLS = 32, UNDO_CALLS = 38 };

/* The road in a child that is killed at one call to the world. */
static void die_at_call(int call)
{
    int status = 0;

    scene_stop(&scene);
    pid_t pid = fork();
    if (pid == 0) {
        scene_start(&scene);
        scene.die_at = call;
        finish();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "call %d: not killed, status %x", call, status);
    scene_start(&scene);
}

/* Nothing was lost, nothing was done twice. */
static void expect_finished(int call)
{
    ck_assert_str_eq(scene_state(&scene), "ok");
    ck_assert(!scene_serves(&scene, scene.old_leaf));
    ck_assert_msg(scene_pair_fits(&scene), "call %d: the installed key does not fit", call);
    ck_assert_int_eq(scene_events(&scene, "verified"), 1);
    ck_assert_int_eq(scene_events(&scene, "accepted"), 1);
    ck_assert_int_eq(scene_events(&scene, "requested"), 1);
    ck_assert_int_eq(scene_leftovers(&scene), 0);
    /* At least once; twice only for the one that was being sent when the process was killed. */
    int mails = scene_mails(&scene, "csr-ready") + scene_mails(&scene, "accepted") +
                scene_mails(&scene, "deployed");
    ck_assert_msg(mails == 3 || mails == 4, "call %d: %d mails", call, mails);
}

START_TEST(killed_at_any_call_it_resumes_and_finishes_once)
{
    die_at_call(_i);
    finish();
    expect_finished(_i);
}
END_TEST

START_TEST(killed_at_any_call_of_a_roll_back_it_resumes)
{
    testing_expect_log("deployment-failed");
    scene.ignores_reload = true;
    die_at_call(_i);
    finish();
    scene_later(&scene, 60);
    ck_assert_str_eq(scene_state(&scene), "rolled back");
    ck_assert_msg(scene_serves(&scene, scene.old_leaf), "call %d: the old pair is not back", _i);
    scene.ignores_reload = false;
    scene_later(&scene, 600);
    expect_finished(_i);
}
END_TEST

START_TEST(the_calls_of_a_roll_back_are_all_there_are)
{
    testing_expect_log("deployment-failed");
    scene.ignores_reload = true;
    finish();
    ck_assert_int_eq(scene.calls, UNDO_CALLS);
}
END_TEST

START_TEST(the_calls_that_are_killed_are_all_there_are)
{
    finish();
    ck_assert_int_eq(scene.calls, CRASH_CALLS);
}
END_TEST

static void open_far(void)
{
    scene_open(&scene, 30 * DAY, "");
}

int main(void)
{
    Suite *suite = suite_create("daemon/life");
    TCase *due = tcase_create("due"), *asked = tcase_create("asked"), *far = tcase_create("far"),
          *crash = tcase_create("crash");

    tcase_add_checked_fixture(due, open_due, close_scene);
    tcase_add_checked_fixture(far, open_far, close_scene);
    tcase_add_checked_fixture(crash, open_due, close_scene);
    tcase_set_timeout(due, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(asked, open_asked, close_scene);
    tcase_set_timeout(asked, TESTING_SLOW_SECONDS);
    suite_add_tcase(suite, asked);
    tcase_add_test(asked, the_whole_road);
    tcase_add_test(asked, leaf_waits_for_its_chain_in_any_order);
    tcase_add_test(asked, an_untrusted_chain_is_told_at_once_and_taken_when_trusted);
    tcase_add_test(asked, a_leaf_that_waited_too_long_replaces_nothing_better);
    tcase_add_test(asked, wrong_deliveries_are_refused_with_their_reason);
    tcase_add_test(asked, a_broken_leaf_beside_a_whole_chain_is_refused);
    tcase_add_test(asked, a_missing_name_is_refused_and_a_better_one_is_welcome);
    tcase_add_test(asked, an_untrusted_root_is_refused);
    tcase_add_test(asked, a_reader_that_lies_is_found_out);
    tcase_add_test(asked, the_same_delivery_twice_is_known);
    tcase_add_test(asked, a_reissue_for_the_same_key_is_its_own_turn);
    tcase_add_test(asked, a_refused_reissue_leaves_nothing_open);
    tcase_add_test(asked, a_broken_configuration_is_left_alone_and_tried_again);
    tcase_add_test(asked, a_service_that_ignores_the_reload_is_rolled_back);
    tcase_add_test(asked, a_certificate_of_the_future_is_held);
    tcase_add_test(asked, nobody_renews_and_people_hear_it_climb);
    tcase_add_test(due, a_first_installation_onto_nothing);
    tcase_add_test(due, a_dead_mail_server_delays_and_loses_nothing);
    tcase_add_test(due, a_refused_address_is_told_and_not_tried_again);
    tcase_add_test(due, a_request_that_is_overtaken_is_not_mailed_any_more);
    tcase_add_test(asked, files_that_cannot_be_put_back_are_told_and_do_not_stop_others);
    tcase_add_test(asked, the_newest_request_wins_over_one_that_ends_later);
    tcase_add_test(asked, a_leaf_that_waits_does_not_push_another_aside);
    tcase_add_test(asked, a_verb_that_fails_puts_off_its_own_certificate);
    tcase_add_test(asked, a_crowd_that_waits_does_not_keep_the_right_one_out);
    tcase_add_test(asked, refusals_do_not_fill_mailboxes);
    tcase_add_test(asked, rubbish_does_not_fill_mailboxes);
    tcase_add_test(far, nothing_is_due_while_the_lead_time_is_far);
    tcase_add_loop_test(crash, killed_at_any_call_it_resumes_and_finishes_once, 1, CRASH_CALLS + 1);
    tcase_add_test(crash, the_calls_that_are_killed_are_all_there_are);
    tcase_add_loop_test(crash, killed_at_any_call_of_a_roll_back_it_resumes, 1, UNDO_CALLS + 1);
    tcase_add_test(crash, the_calls_of_a_roll_back_are_all_there_are);
    suite_add_tcase(suite, due);
    suite_add_tcase(suite, far);
    suite_add_tcase(suite, crash);
    return testing_run(suite);
}
