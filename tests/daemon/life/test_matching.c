/* Every answer to a leaf: by the state of the renewal that its key belongs to, by what the leaf is,
 * and whatever the order in which files come. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "daemon/life/life.h"
#include "store/authorities.h"
#include "store/events.h"
#include "store/quarantine.h"
#include "store/statement.h"
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

static void close_scene(void)
{
    scene_done(&scene);
}

enum standing { OPEN, SUPERSEDED, ANSWERED, WITHDRAWN, LIVE, REPLACED, RETIRED, STATES };
static const char *const states[] = {"open",
                                     "superseded by a newer request",
                                     "answered by a newer one",
                                     "withdrawn",
                                     "live",
                                     "replaced",
                                     "retired"};
enum other_open { NONE, DUE, ASKED, OTHER_OPENS };

/* One row of the table. */
struct row {
    enum standing state;
    bool same, earlier, uncovered;
    enum other_open open;
};

/* What stands when the leaf comes: the CSR of its key, what is served, and whose end it is measured
 * by. */
static struct blob csr;
static const struct authority *served;
static utc_t measure;

static const struct authority *sign(struct span request, const char *names, utc_t not_after)
{
    return authority_make(scene.issuing, &(struct authority_plan){.csr = request,
                                                                  .subject = "www.example.com",
                                                                  .names = names,
                                                                  .not_after = not_after});
}

static void renew(bool again)
{
    int64_t id = 0;

    scene_later(&scene, 60);
    ck_ok(life_renew(&scene.life, "www", again, "uid 7", &id, &err));
    scene_run(&scene);
}

/* The open request is answered, and its certificate is in service. */
static void answer(utc_t not_after)
{
    AUTO_BLOB struct blob open = scene_csr(&scene);

    served = sign(blob_span(&open), NULL, not_after);
    measure = not_after;
    ck_assert_msg(scene_deliver_all(&scene, served), "%s", scene_receipt(&scene));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, served));
}

static void withdraw(void)
{
    AUTO_RENEWAL struct renewal_row open = scene_open_request(&scene);

    open.withdrawn_at = scene.now;
    ck_ok(renewals_update(scene.life.inventory, &open, &err));
    ck_ok(events_add(scene.life.inventory, scene.now, open.certificate_id, open.id, "uid 7",
                     "withdrawn", "not needed any more", &err));
    scene_plan_all(&scene);
}

/* Another request, on top of what stands. */
static void open_another(enum other_open open)
{
    if (open == ASKED)
        renew(false);
    if (open == DUE)
        scene_later(&scene, measure - scene.now - 9 * DAY);
}

static void stand(const struct row *row)
{
    csr = scene_csr(&scene);
    served = scene.old_leaf;
    measure = scene.now + 6 * DAY;
    switch (row->state) {
    case OPEN:
        break;
    case SUPERSEDED:
        renew(true);
        break;
    case ANSWERED:
        renew(true);
        answer(scene.now + 60 * DAY);
        break;
    case WITHDRAWN:
        withdraw();
        break;
    case LIVE:
        answer(scene.now + 60 * DAY);
        break;
    case REPLACED:
        answer(scene.now + 60 * DAY);
        renew(false);
        answer(scene.now + 80 * DAY);
        break;
    case RETIRED:
        answer(scene.now + 60 * DAY);
        scene_retire(&scene);
        break;
    case STATES:
        ck_abort();
    }
    if (row->state == LIVE || row->state == REPLACED)
        open_another(row->open);
}

/* What the receipt must say; NULL ends the list. */
struct wanted {
    bool accepted, installed;
    const char *says[4];
};

/* One that nothing speaks against. */
static struct wanted expect_accepted(const struct row *row)
{
    switch (row->state) {
    case OPEN:
        return (struct wanted){
            true,
            true,
            {"It answers the CSR of 2026-11-22", "Accepted for", "nothing is left for you to do"}};
    case SUPERSEDED:
        return (struct wanted){true,
                               true,
                               {"It belongs to the CSR of 2026-11-22", "superseded on 2026-11-22",
                                "asked for by uid 7.\n",
                                "stays open, since uid 7 asked for it on purpose"}};
    case LIVE:
        return (struct wanted){true,
                               true,
                               {"this is a reissue, which ends later than",
                                "since it is valid and covers all names",
                                row->open == DUE     ? "is answered by it, too"
                                : row->open == ASKED ? "stays open, since uid 7 asked for it"
                                                     : NULL}};
    case ANSWERED:
    case WITHDRAWN:
    case REPLACED:
    case RETIRED:
    case STATES:
        break;
    }
    ck_abort();
    return (struct wanted){0};
}

/* The rules, once more and in the order in which they count. */
static struct wanted expect(const struct row *row)
{
    if (row->same && row->state == REPLACED)
        return (struct wanted){true, false, {"Already have it", "a newer one took its place on"}};
    if (row->same && row->state == RETIRED)
        return (struct wanted){true, false, {"Already have it", "retired on", "not installed"}};
    if (row->same)
        return (struct wanted){true, false, {"Already have it", "accepted before, on 2026-11-22"}};
    if (row->state == RETIRED)
        return (struct wanted){false,
                               false,
                               {"It belongs to the CSR of 2026-11-22", "was retired on 2026-11-22",
                                "Kept, not installed", "unlapse add"}};
    if (row->state == WITHDRAWN)
        return (struct wanted){
            false, false, {"withdrawn on 2026-11-22", "called off by uid 7", "unlapse renew www"}};
    if (row->uncovered)
        return (struct wanted){false, false, {"names: wanted dns:www.example.com"}};
    if (row->state == ANSWERED)
        return (struct wanted){false,
                               false,
                               {"superseded on 2026-11-22",
                                "by the certificate that was accepted on", "no-downgrade",
                                "the certificate that is here stays"}};
    if (row->state == REPLACED)
        return (struct wanted){
            false, false, {"whose place one with a newer key took", "no-downgrade"}};
    if (row->state == LIVE && row->earlier)
        return (struct wanted){false,
                               false,
                               {"accepted on 2026-11-22",
                                "this is a reissue, which ends earlier than", "no-downgrade"}};
    if (row->earlier)
        return (struct wanted){false, false, {"no-downgrade", "The request stays open"}};
    return expect_accepted(row);
}

/* All rows but those that say nothing of their own: only what was taken once can come again, and
 * other requests matter where the key has had its certificate. */
static bool make_row(int index, struct row *ret)
{
    *ret = (struct row){.state = (enum standing)(index / 24),
                        .same = index / 12 % 2,
                        .earlier = index / 6 % 2,
                        .uncovered = index / 3 % 2,
                        .open = (enum other_open)(index % 3)};
    if (ret->same && (ret->earlier || ret->uncovered || ret->state < LIVE))
        return false;
    return ret->open == NONE || ret->state == LIVE || ret->state == REPLACED;
}

static const struct authority *make_leaf(const struct row *row, const struct authority *first)
{
    return row->same ? first
                     : sign(blob_span(&csr),
                            row->uncovered ? "DNS:mail.example.com" : "DNS:www.example.com",
                            row->earlier ? measure - 4 * DAY : measure + 30 * DAY);
}

START_TEST(every_state_has_its_verdict_and_its_sentence)
{
    struct row row;
    AUTO_FREE char *name = NULL;

    if (!make_row(_i, &row))
        return;
    stand(&row);
    name = mem_printf("%s,%s%s%s, open %d", states[row.state], row.same ? " same" : " other",
                      row.earlier ? " earlier" : " later", row.uncovered ? " uncovered" : "",
                      (int)row.open);
    AUTO_BLOB struct blob first = {0};
    const struct authority *leaf = make_leaf(&row, served);
    struct span der = authority_der(leaf);
    if (row.same && row.state == REPLACED) {
        /* What was accepted before that. */
        AUTO_RENEWAL struct renewal_row old = {0};
        ck_ok(renewals_get(scene.life.inventory, 2, &old, &err));
        first = blob_take(&old.leaf);
        der = blob_span(&first);
    }
    struct wanted wanted = expect(&row);
    bool accepted = scene_deliver(&scene, "it.cer", der);
    const char *receipt = scene_receipt(&scene);
    ck_assert_msg(accepted == wanted.accepted, "%s: got %s", name, receipt);
    for (size_t i = 0; i < COUNT_OF(wanted.says) && wanted.says[i]; i++)
        ck_assert_msg(strstr(receipt, wanted.says[i]), "%s: wanted \"%s\", got %s", name,
                      wanted.says[i], receipt);
    scene_run(&scene);
    ck_assert_msg(scene_serves(&scene, wanted.installed ? leaf : served),
                  "%s: the wrong certificate is served", name);
    blob_done(&csr);
}
END_TEST

/* Files of one certificate and around it, in any order. */
enum file { LEAF, TWIN, ISSUING, SECOND_ISSUING, STRANGER, ROOT, LATE, FILES };
static struct span files[FILES];

static void make_files(void)
{
    AUTO_BLOB struct blob old = scene_csr(&scene);
    const struct authority *second =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});

    renew(true);
    files[LEAF] = files[TWIN] = authority_der(scene_sign(&scene, NULL));
    files[ISSUING] = authority_der(scene.issuing);
    files[SECOND_ISSUING] = authority_der(second);
    files[STRANGER] = authority_der(
        authority_make(scene.issuing, &(struct authority_plan){.subject = "www.example.com",
                                                               .names = "DNS:www.example.com"}));
    files[ROOT] = authority_der(scene.root);
    /* The answer to the older request even ends later. */
    files[LATE] = authority_der(
        authority_make(second, &(struct authority_plan){.csr = blob_span(&old),
                                                        .not_after = scene.now + 190 * DAY}));
}

static int count_renewal(void *self, const struct renewal_row *row, struct error *walk_err)
{
    (void)row;
    (void)walk_err;
    ++*(int *)self;
    return 0;
}

/* What is so in the end, in one line; owned by the caller. */
static char *end_state(void)
{
    AUTO_RENEWAL struct renewal_row accepted = {0}, open = scene_open_request(&scene);
    AUTO_QUARANTINE struct quarantine_row kept = {0};
    AUTO_BLOBS struct blobs chain = {0};
    uint8_t hash[SHA256_LEN];
    int64_t authorities = 0;
    int waiting = 0;
    const char *which = "none";

    if (renewals_accepted(scene.life.inventory, scene_certificate(&scene), &accepted, &err) == 0) {
        which = span_equal(blob_span(&accepted.leaf), files[LEAF])   ? "the leaf"
                : span_equal(blob_span(&accepted.leaf), files[LATE]) ? "the late one"
                                                                     : "the old one";
        ck_ok(renewals_chain(scene.life.inventory, accepted.id, &chain, &err));
    }
    sha256_of(files[STRANGER], hash);
    bool is_kept = quarantine_find(scene.life.inventory, hash, &kept, &err) == 0;
    ck_ok(authorities_count(scene.life.inventory, &authorities, &err));
    ck_ok(renewals_waiting_chain(scene.life.inventory, count_renewal, &waiting, &err));
    return mem_printf("accepted: %s, chain of %zu, open: %s, waiting: %d, stranger %s, "
                      "%ld authorities, state %s",
                      which, chain.count, open.id != 0 ? "yes" : "no", waiting,
                      is_kept ? "kept" : "lost", (long)authorities, scene_state(&scene));
}

/* What each file is told, whatever came before it. */
static const char *const told[FILES][4] = {
    [LEAF] = {"Accepted for the certificate www", "Its chain is not complete yet",
              "Already have it"},
    [TWIN] = {"Accepted for the certificate www", "Its chain is not complete yet",
              "Already have it"},
    [ISSUING] = {"Known already: nothing to do", "Kept as material for chains"},
    [SECOND_ISSUING] = {"Kept as material for chains"},
    [STRANGER] = {"belongs to no request made here"},
    [ROOT] = {"It is a trust anchor already"},
    [LATE] = {"superseded on 2026-11-22"},
};

static void deliver(enum file file)
{
    bool said = false;
    AUTO_FREE char *name = mem_printf("file-%d", file);

    scene_deliver(&scene, name, files[file]);
    for (size_t i = 0; i < COUNT_OF(told[file]) && told[file][i]; i++)
        said = said || strstr(scene_receipt(&scene), told[file][i]);
    ck_assert_msg(said, "%s: got %s", name, scene_receipt(&scene));
}

/* The next order of these files; false after the last. */
static bool next_order(enum file order[], int count)
{
    int i = count - 2, j = count - 1;

    while (i >= 0 && order[i] >= order[i + 1])
        i--;
    if (i < 0)
        return false;
    while (order[j] <= order[i])
        j--;
    enum file swap = order[i];
    order[i] = order[j];
    order[j] = swap;
    for (int a = i + 1, b = count - 1; a < b; a++, b--) {
        swap = order[a];
        order[a] = order[b];
        order[b] = swap;
    }
    return true;
}

static void copy_file(const char *from, const char *to)
{
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_read(from, 64 << 20, &data, &err));
    FILE *file = fopen(to, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data.data, 1, data.len, file), data.len);
    ck_assert_int_eq(fclose(file), 0);
}

/* Thousands of orders need not be on the disk. */
static void reopen_quickly(void)
{
    AUTO_STATEMENT struct statement statement = {0};

    scene_reopen(&scene);
    ck_ok(statement_open(scene.life.inventory, "PRAGMA synchronous = OFF", &statement, &err));
    ck_ok(statement_run(&statement, &err));
}

static bool twin_comes_first(const enum file order[])
{
    for (int i = 0; i < FILES; i++)
        if (order[i] == LEAF || order[i] == TWIN)
            return order[i] == TWIN;
    return false;
}

static void deliver_all(const enum file order[])
{
    AUTO_FREE char *way = mem_printf("%d%d%d%d%d%d%d", order[0], order[1], order[2], order[3],
                                     order[4], order[5], order[6]);

    for (int i = 0; i < FILES; i++)
        deliver(order[i]);
    AUTO_FREE char *got = end_state();
    ck_assert_msg(strcmp(got, "accepted: the leaf, chain of 1, open: no, waiting: 0, stranger "
                              "kept, 3 authorities, state deploying") == 0,
                  "order %s: got %s", way, got);
}

/* Every order that begins with this file, each from the same inventory. The leaf and its twin are
 * the same bytes: which of the two comes first is one order. */
/* Sanitizers take ten times as long: every order is walked without them. */
#ifdef __SANITIZE_ADDRESS__
enum { ORDERS_APART = 12 };
#else
enum { ORDERS_APART = 1 };
#endif

START_TEST(order_of_arrival_never_matters)
{
    enum file order[FILES] = {(enum file)_i};
    AUTO_FREE char *snapshot = mem_printf("%s/snapshot.db", scene.dir);
    int done = 0;
    const int orders = _i == LEAF ? 720 : _i == TWIN ? 0 : 360;

    make_files();
    scene_stop(&scene);
    copy_file(scene.inventory_file, snapshot);
    for (int i = 0, at = 1; i < FILES; i++)
        if (i != _i)
            order[at++] = (enum file)i;
    do {
        if (twin_comes_first(order) || done++ % ORDERS_APART != 0)
            continue;
        copy_file(snapshot, scene.inventory_file);
        reopen_quickly();
        deliver_all(order);
        scene_stop(&scene);
    } while (next_order(order + 1, FILES - 1));
    ck_assert_int_eq(done, orders);
    scene_reopen(&scene);
}
END_TEST

START_TEST(the_answer_to_a_superseded_request_is_taken)
{
    const struct authority *late = scene_sign(&scene, NULL);

    renew(true);
    ck_assert_int_eq(scene_mails(&scene, "csr-ready"), 2);
    ck_assert(scene_deliver_all(&scene, late));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, late));
    /* What somebody asked for on purpose is still asked for. */
    ck_assert_str_eq(scene_state(&scene), "handed over");
    const struct authority *leaf =
        scene_sign(&scene, &(struct authority_plan){.not_after = scene.now + 60 * DAY});
    ck_assert(scene_deliver_all(&scene, leaf));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "Warning: no-downgrade"));
    scene_run(&scene);
    ck_assert(scene_serves(&scene, leaf));
    ck_assert_str_eq(scene_state(&scene), "ok");
}
END_TEST

START_TEST(a_superseded_leaf_that_waits_is_completed_or_set_aside)
{
    const struct authority *other =
        authority_make(scene.root, &(struct authority_plan){.subject = "New Issuing", .ca = true});
    AUTO_BLOB struct blob first = scene_csr(&scene);
    const struct authority *waits = authority_make(
        other, &(struct authority_plan){.csr = blob_span(&first),
                                        .not_after = scene.now + (_i ? 190 : 40) * DAY});

    ck_assert(scene_deliver(&scene, "waits.cer", authority_der(waits)));
    renew(true);
    if (_i == 0) {
        ck_assert(scene_deliver_all(&scene, scene_sign(&scene, NULL)));
        scene_run(&scene);
    }
    ck_assert(scene_deliver(&scene, "chain.cer", authority_der(other)));
    scene_run(&scene);
    AUTO_FREE char *receipt = scene_receipt_of(&scene, authority_der(waits));
    ck_assert_ptr_nonnull(
        strstr(receipt, _i ? "its chain is complete, accepted" : "not taken: no-downgrade"));
    ck_assert(scene_serves(&scene, waits) == (_i == 1));
    ck_assert_str_eq(scene_state(&scene), _i ? "handed over" : "ok");
}
END_TEST

START_TEST(the_receipt_of_a_request_says_whose_it_is)
{
    AUTO_BLOB struct blob ours = scene_csr(&scene);

    ck_assert(!scene_deliver(&scene, "www.csr", blob_span(&ours)));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene),
                                 "It is the CSR of 2026-11-22 12:00:00 UTC for the "
                                 "certificate www"));
    ck_assert_ptr_nonnull(strstr(scene_receipt(&scene), "goes to the authority"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/life/matching");
    TCase *asked = tcase_create("asked");

    tcase_add_checked_fixture(asked, open_asked, close_scene);
    tcase_set_timeout(asked, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(asked, every_state_has_its_verdict_and_its_sentence, 0, STATES * 24);
    tcase_add_loop_test(asked, order_of_arrival_never_matters, 0, FILES);
    tcase_add_test(asked, the_answer_to_a_superseded_request_is_taken);
    tcase_add_loop_test(asked, a_superseded_leaf_that_waits_is_completed_or_set_aside, 0, 2);
    tcase_add_test(asked, the_receipt_of_a_request_says_whose_it_is);
    suite_add_tcase(suite, asked);
    return testing_run(suite);
}
