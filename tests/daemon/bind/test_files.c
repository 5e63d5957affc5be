#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"
#include "daemon/bind/live.h"
#include "tests/daemon/bind/site.h"

static struct error err;
static struct service service;
static struct deploy_order order;
static struct pair before, after;
static uint8_t previous[SHA256_LEN];

static void setup(void)
{
    service = site_service();
    pair_make("old.example.com", &before);
    pair_make("new.example.com", &after);
    site_order(&service, "key fullchain", &order);
}

static void teardown(void)
{
    site_order_done(&order);
    pair_done(&before);
    pair_done(&after);
    authority_done();
}

static bool is_hash_of(const uint8_t hash[SHA256_LEN], const struct pair *pair)
{
    uint8_t wanted[SHA256_LEN];

    sha256_of(authority_der(pair->leaf), wanted);
    return memcmp(hash, wanted, SHA256_LEN) == 0;
}

static bool is_zero(const uint8_t hash[SHA256_LEN])
{
    static const uint8_t none[SHA256_LEN];

    return memcmp(hash, none, SHA256_LEN) == 0;
}

/* ---- the road without accidents ---- */

START_TEST(forward)
{
    site_install(&order, &before.bundle);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    ck_assert_msg(site_is_clean(), "a check leaves nothing");
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_assert(is_hash_of(previous, &before));
    ck_assert(site_holds(&order, &before.bundle));
    ck_ok(deployer_swap(&order, &err));
    ck_assert(site_holds(&order, &after.bundle));
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_holds(&order, &after.bundle));
    ck_assert(site_is_clean());
}
END_TEST

START_TEST(every_step_twice)
{
    site_install(&order, &before.bundle);
    for (int i = 0; i < 2; i++)
        ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    for (int i = 0; i < 2; i++)
        ck_ok(deployer_swap(&order, &err));
    /* What is live now is new: it must not become what is gone back to. */
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_assert(is_hash_of(previous, &before));
    ck_ok(deployer_swap(&order, &err));
    for (int i = 0; i < 2; i++)
        ck_ok(deployer_restore(&order, &err));
    ck_assert(site_holds(&order, &before.bundle));
    for (int i = 0; i < 2; i++)
        ck_ok(deployer_clean(&order, &err));
    ck_assert(site_holds(&order, &before.bundle));
    ck_assert(site_is_clean());
}
END_TEST

START_TEST(where_nothing_was)
{
    memset(previous, 1, sizeof previous);
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_assert(is_zero(previous));
    ck_assert(site_holds(&order, NULL));
    ck_ok(deployer_swap(&order, &err));
    ck_assert(site_holds(&order, &after.bundle));
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_restore(&order, &err));
    ck_assert(site_holds(&order, NULL));
    ck_ok(deployer_restore(&order, &err));
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_is_clean());
}
END_TEST

START_TEST(all_parts_and_an_empty_chain)
{
    site_order_done(&order);
    site_order(&service, "key leaf chain fullchain combined", &order);
    blob_done(&after.bundle.parts[BUNDLE_CHAIN]);
    site_install(&order, &before.bundle);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_assert(is_hash_of(previous, &before));
    ck_ok(deployer_swap(&order, &err));
    ck_assert(site_holds(&order, &after.bundle));
}
END_TEST

START_TEST(what_was_there_may_be_anything)
{
    ck_ok(file_replace(order.files[BUNDLE_FULLCHAIN], span_text("no certificate"), FILE_PUBLIC,
                       &err));
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_assert(is_zero(previous));
    ck_ok(deployer_swap(&order, &err));
    ck_ok(deployer_restore(&order, &err));
    AUTO_BLOB struct blob data = {0};
    ck_ok(file_read(order.files[BUNDLE_FULLCHAIN], 100, &data, &err));
    ck_assert(span_equal(blob_span(&data), span_text("no certificate")));
    ck_assert_int_ne(access(order.files[BUNDLE_KEY], F_OK), 0);
}
END_TEST

START_TEST(restoring_what_was_never_swapped_touches_nothing)
{
    struct stat was, is;

    site_install(&order, &before.bundle);
    ck_assert_int_eq(stat(order.files[BUNDLE_KEY], &was), 0);
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_restore(&order, &err));
    ck_assert_int_eq(stat(order.files[BUNDLE_KEY], &is), 0);
    ck_assert_uint_eq(was.st_ino, is.st_ino);
    ck_ok(deployer_restore(&order, &err));
    ck_ok(deployer_clean(&order, &err));
    /* And without any transaction at all. */
    ck_ok(deployer_restore(&order, &err));
    ck_assert(site_holds(&order, &before.bundle));
}
END_TEST

START_TEST(swap_with_nothing_staged_and_nothing_live)
{
    ck_fails(deployer_swap(&order, &err), E_CORRUPT, "www.key");
    /* One part missing: the other is not renamed either. */
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    AUTO_FREE char *staged = testing_path(".www.fullchain.unlapsed-staged");
    ck_assert_int_eq(unlink(staged), 0);
    ck_fails(deployer_swap(&order, &err), E_CORRUPT, "www.fullchain");
    ck_assert(site_holds(&order, NULL));
}
END_TEST

/* ---- owner, group and mode ---- */

static struct stat look(const char *path)
{
    struct stat st;

    ck_assert_msg(lstat(path, &st) == 0, "%s", path);
    return st;
}

START_TEST(access_by_default)
{
    umask(0);
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_swap(&order, &err));
    ck_assert_int_eq(look(order.files[BUNDLE_KEY]).st_mode & 07777, 0600);
    ck_assert_int_eq(look(order.files[BUNDLE_FULLCHAIN]).st_mode & 07777, 0644);
}
END_TEST

START_TEST(access_as_found)
{
    site_install(&order, &before.bundle);
    ck_assert_int_eq(chmod(order.files[BUNDLE_KEY], 0640), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(order.files[BUNDLE_KEY], 1234, 5678), 0);
    struct stat was = look(order.files[BUNDLE_KEY]);
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    static const char *const names[] = {".www.key.unlapsed-previous", ".www.key.unlapsed-staged"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = testing_path(names[i]);
        struct stat is = look(path);

        ck_assert_uint_eq(is.st_uid, was.st_uid);
        ck_assert_uint_eq(is.st_gid, was.st_gid);
        ck_assert_uint_eq(is.st_mode, was.st_mode);
    }
    ck_ok(deployer_swap(&order, &err));
    ck_ok(deployer_restore(&order, &err));
    ck_assert_uint_eq(look(order.files[BUNDLE_KEY]).st_uid, was.st_uid);
    ck_assert_uint_eq(look(order.files[BUNDLE_KEY]).st_mode, was.st_mode);
}
END_TEST

START_TEST(access_as_declared)
{
    static char owner[] = "daemon";
    static char group[] = "4321";

    if (geteuid() != 0)
        return;
    service.parts[BUNDLE_KEY] = (struct service_part){
        .allowed = true, .owner = owner, .group = group, .has_mode = true, .mode = 0440};
    site_install(&order, &before.bundle);
    struct stat was = look(order.files[BUNDLE_KEY]);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    ck_ok(deployer_stage(&order, &after.bundle, previous, &err));
    ck_ok(deployer_swap(&order, &err));
    struct stat is = look(order.files[BUNDLE_KEY]);
    ck_assert_uint_eq(is.st_uid, 1);
    ck_assert_uint_eq(is.st_gid, 4321);
    ck_assert_int_eq(is.st_mode & 07777, 0440);
    ck_ok(deployer_restore(&order, &err));
    is = look(order.files[BUNDLE_KEY]);
    ck_assert_uint_eq(is.st_uid, was.st_uid);
    ck_assert_uint_eq(is.st_mode, was.st_mode);
}
END_TEST

/* ---- what is refused beforehand ---- */

START_TEST(parts)
{
    service.parts[BUNDLE_KEY].allowed = false;
    ck_fails(deployer_check(&order, &after.bundle, &err), E_INPUT, "key: service testd");
    service.parts[BUNDLE_KEY].allowed = true;
    blob_wipe(&after.bundle.parts[BUNDLE_FULLCHAIN]);
    ck_fails(deployer_check(&order, &after.bundle, &err), E_INPUT, "fullchain: wanted content");
    struct deploy_order none = {.service = &service};
    ck_fails(deployer_check(&none, &after.bundle, &err), E_INPUT, "at least one file");
    struct deploy_order same = order;
    same.files[BUNDLE_FULLCHAIN] = same.files[BUNDLE_KEY];
    ck_fails(deployer_check(&same, &before.bundle, &err), E_INPUT, "key and fullchain");
}
END_TEST

static const struct pair_row {
    const char *parts;
    enum bundle_part from_before; /* this part comes from the other bundle */
    const char *piece;
} pair_rows[] = {
    {"key fullchain", BUNDLE_KEY, "fullchain: wanted the certificate of the key"},
    {"key fullchain", BUNDLE_FULLCHAIN, "fullchain: wanted the certificate of the key"},
    {"key leaf chain", BUNDLE_LEAF, "leaf: wanted the certificate of the key"},
    {"key leaf fullchain", BUNDLE_FULLCHAIN, "fullchain: wanted the certificate of the key"},
};

START_TEST(a_pair_that_does_not_fit)
{
    const struct pair_row *row = &pair_rows[_i];
    struct blob *part = &after.bundle.parts[row->from_before];

    site_order_done(&order);
    site_order(&service, row->parts, &order);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    blob_wipe(part);
    *part = blob_copy(blob_span(&before.bundle.parts[row->from_before]));
    ck_fails(deployer_check(&order, &after.bundle, &err), E_REFUSED, row->piece);
}
END_TEST

START_TEST(a_combined_file_is_checked_too)
{
    site_order_done(&order);
    site_order(&service, "combined", &order);
    ck_ok(deployer_check(&order, &after.bundle, &err));
    struct blob *part = &after.bundle.parts[BUNDLE_COMBINED];
    AUTO_FREE char *mixed =
        mem_printf("%s%s", authority_pem(after.leaf), authority_key_pem(before.leaf));
    blob_wipe(part);
    *part = blob_copy(span_text(mixed));
    ck_fails(deployer_check(&order, &after.bundle, &err), E_REFUSED, "combined");
    /* nginx and others compare the key with the first certificate. */
    AUTO_FREE char *wrong_order =
        mem_printf("%s%s%s", authority_pem(after.intermediate), authority_pem(after.leaf),
                   authority_key_pem(after.leaf));
    blob_wipe(part);
    *part = blob_copy(span_text(wrong_order));
    ck_fails(deployer_check(&order, &after.bundle, &err), E_REFUSED, "combined");
    blob_wipe(part);
    *part = blob_copy(span_text("nothing of use"));
    ck_fails(deployer_check(&order, &after.bundle, &err), E_FORMAT, "combined");
}
END_TEST

START_TEST(places)
{
    struct deploy_order wrong = order;
    AUTO_FREE char *missing = testing_path("no/such/www.key");
    AUTO_FREE char *folder = testing_path("folder");
    char name[256];

    wrong.files[BUNDLE_KEY] = missing;
    ck_fails(deployer_check(&wrong, &after.bundle, &err), E_NOT_FOUND, "no/such");
    wrong.files[BUNDLE_KEY] = "relative";
    ck_fails(deployer_check(&wrong, &after.bundle, &err), E_INPUT, "absolute");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    wrong.files[BUNDLE_KEY] = folder;
    ck_fails(deployer_check(&wrong, &after.bundle, &err), E_REFUSED, "regular file");
    memset(name, 'k', sizeof name);
    name[240] = '\0';
    AUTO_FREE char *longer = testing_path(name);
    wrong.files[BUNDLE_KEY] = longer;
    ck_fails(deployer_check(&wrong, &after.bundle, &err), E_INPUT, "shorter name");
    name[230] = '\0';
    AUTO_FREE char *fits = testing_path(name);
    wrong.files[BUNDLE_KEY] = fits;
    ck_ok(deployer_check(&wrong, &after.bundle, &err));
    ck_ok(deployer_stage(&wrong, &after.bundle, previous, &err));
    wrong.files[BUNDLE_KEY] = "/proc/www.key";
    ck_assert_int_lt(deployer_check(&wrong, &after.bundle, &err), 0);
}
END_TEST

START_TEST(folders_one_may_not_write)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    int rc = deployer_check(&order, &after.bundle, &err);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(rc, E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot write to its folder"));
}
END_TEST

START_TEST(folders_others_steer)
{
    AUTO_FREE char *link = testing_path("link");
    AUTO_FREE char *file = testing_path("link/www.key");
    struct deploy_order linked = order;

    ck_assert_int_eq(chmod(testing_dir(), 0777), 0);
    ck_fails(deployer_check(&order, &after.bundle, &err), E_DENIED, "run: chmod o-w /tmp/");
    ck_fails(deployer_stage(&order, &after.bundle, previous, &err), E_DENIED, "mode 0777");
    ck_assert_int_eq(chmod(testing_dir(), 0700), 0);
    ck_assert_int_eq(symlink(testing_dir(), link), 0);
    linked.files[BUNDLE_KEY] = file;
    ck_ok(deployer_check(&linked, &after.bundle, &err));
    if (geteuid() != 0) {
        printf("# skipped: only root can give a link away\n");
        return;
    }
    ck_assert_int_eq(lchown(link, 12345, 0), 0);
    ck_fails(deployer_check(&linked, &after.bundle, &err), E_DENIED, "symbolic link of uid 12345");
    ck_fails(deployer_stage(&linked, &after.bundle, previous, &err), E_DENIED, "uid 12345");
}
END_TEST

START_TEST(accounts)
{
    static char nobody[] = "no-such-user";

    service.parts[BUNDLE_KEY].owner = nobody;
    ck_fails(deployer_check(&order, &after.bundle, &err), E_NOT_FOUND, "user no-such-user");
    ck_fails(deployer_stage(&order, &after.bundle, previous, &err), E_NOT_FOUND, "no-such-user");
    service.parts[BUNDLE_KEY].owner = NULL;
    service.parts[BUNDLE_KEY].group = nobody;
    ck_fails(deployer_check(&order, &after.bundle, &err), E_NOT_FOUND, "group no-such-user");
}
END_TEST

START_TEST(links)
{
    AUTO_FREE char *real = testing_path("real.key");
    struct live_pair pair;

    site_install(&order, &before.bundle);
    ck_assert_int_eq(rename(order.files[BUNDLE_KEY], real), 0);
    ck_assert_int_eq(symlink("real.key", order.files[BUNDLE_KEY]), 0);
    ck_fails(deployer_check(&order, &after.bundle, &err), E_REFUSED, "symbolic link to real.key");
    ck_fails(deployer_stage(&order, &after.bundle, previous, &err), E_REFUSED, "real file");
    ck_assert_int_eq(look(order.files[BUNDLE_KEY]).st_mode & S_IFMT, S_IFLNK);
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_is_clean());

    AUTO_FREE char *chain = testing_path("real.fullchain");
    ck_assert_int_eq(rename(order.files[BUNDLE_FULLCHAIN], chain), 0);
    ck_assert_int_eq(symlink(chain, order.files[BUNDLE_FULLCHAIN]), 0);
    ck_fails(live_read(&order, &pair, &err), E_REFUSED, "real.fullchain");
}
END_TEST

START_TEST(links_among_our_own_names)
{
    AUTO_FREE char *victim = testing_path("victim");
    static const char *const names[] = {".www.key.unlapsed-staged", ".www.key.unlapsed-previous",
                                        ".www.key.unlapsed-absent", ".www.key.unlapsed-writing"};
    AUTO_FREE char *path = testing_path(names[_i]);

    site_install(&order, &before.bundle);
    ck_ok(file_replace(victim, span_text("untouched"), FILE_PUBLIC, &err));
    ck_assert_int_eq(symlink(victim, path), 0);
    /* Refused or replaced, but never followed. */
    int rc = deployer_stage(&order, &after.bundle, previous, &err);
    if (rc == 0)
        rc = deployer_swap(&order, &err);
    ck_assert_msg(rc == 0 || rc == E_REFUSED, "%s: %s", names[_i], err.text);
    AUTO_BLOB struct blob data = {0};
    ck_ok(file_read(victim, 100, &data, &err));
    ck_assert(span_equal(blob_span(&data), span_text("untouched")));
    ck_ok(deployer_clean(&order, &err));
    ck_assert(site_is_clean());
}
END_TEST

/* ---- what is live ---- */

START_TEST(reads_what_is_live)
{
    struct live_pair pair;

    ck_fails(live_read(&order, &pair, &err), E_NOT_FOUND, "www.fullchain");
    site_install(&order, &before.bundle);
    ck_ok(live_read(&order, &pair, &err));
    ck_assert(span_equal(blob_span(&pair.leaf), authority_der(before.leaf)));
    ck_assert_uint_eq(pair.chain.count, 1);
    ck_assert(span_equal(blob_span(&pair.chain.items[0]), authority_der(before.intermediate)));
    ck_assert(span_equal(blob_span(&pair.key), blob_span(&before.bundle.parts[BUNDLE_KEY])));
    ck_assert_str_eq(pair.key_reason, "");
    live_pair_done(&pair);

    ck_assert_int_eq(unlink(order.files[BUNDLE_KEY]), 0);
    ck_ok(live_read(&order, &pair, &err));
    ck_assert_uint_eq(pair.key.len, 0);
    ck_assert_ptr_nonnull(strstr(pair.key_reason, "there is none"));
    live_pair_done(&pair);
    ck_ok(file_replace(order.files[BUNDLE_KEY], blob_span(&after.bundle.parts[BUNDLE_KEY]),
                       FILE_PRIVATE, &err));
    ck_ok(live_read(&order, &pair, &err));
    ck_assert_uint_eq(pair.key.len, 0);
    ck_assert_ptr_nonnull(strstr(pair.key_reason, "belongs to the certificate"));
    live_pair_done(&pair);
    ck_ok(file_replace(order.files[BUNDLE_FULLCHAIN], span_text("junk"), FILE_PUBLIC, &err));
    ck_fails(live_read(&order, &pair, &err), E_REFUSED, "wanted a certificate");
}
END_TEST

START_TEST(reads_other_layouts)
{
    struct live_pair pair;

    site_order_done(&order);
    site_order(&service, "key leaf chain", &order);
    site_install(&order, &before.bundle);
    ck_ok(live_read(&order, &pair, &err));
    ck_assert_uint_eq(pair.chain.count, 1);
    ck_assert_uint_gt(pair.key.len, 0);
    live_pair_done(&pair);
    ck_assert_int_eq(unlink(order.files[BUNDLE_CHAIN]), 0);
    ck_ok(live_read(&order, &pair, &err));
    ck_assert_uint_eq(pair.chain.count, 0);
    live_pair_done(&pair);

    struct deploy_order combined;
    site_order(&service, "combined", &combined);
    site_install(&combined, &before.bundle);
    ck_ok(live_read(&combined, &pair, &err));
    ck_assert(span_equal(blob_span(&pair.leaf), authority_der(before.leaf)));
    ck_assert_uint_eq(pair.chain.count, 1);
    ck_assert_uint_gt(pair.key.len, 0);
    live_pair_done(&pair);
    site_order_done(&combined);

    struct deploy_order chain_only;
    site_order(&service, "chain", &chain_only);
    ck_fails(live_read(&chain_only, &pair, &err), E_NOT_FOUND, "no file of it holds a leaf");
    site_order_done(&chain_only);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/bind/files");
    TCase *road = tcase_create("road");
    TCase *refusals = tcase_create("refusals");

    tcase_add_checked_fixture(road, setup, teardown);
    tcase_add_test(road, forward);
    tcase_add_test(road, every_step_twice);
    tcase_add_test(road, where_nothing_was);
    tcase_add_test(road, all_parts_and_an_empty_chain);
    tcase_add_test(road, what_was_there_may_be_anything);
    tcase_add_test(road, restoring_what_was_never_swapped_touches_nothing);
    tcase_add_test(road, swap_with_nothing_staged_and_nothing_live);
    tcase_add_test(road, access_by_default);
    tcase_add_test(road, access_as_found);
    tcase_add_test(road, access_as_declared);
    tcase_add_test(road, reads_what_is_live);
    tcase_add_test(road, reads_other_layouts);
    suite_add_tcase(suite, road);
    tcase_add_checked_fixture(refusals, setup, teardown);
    tcase_add_test(refusals, parts);
    tcase_add_loop_test(refusals, a_pair_that_does_not_fit, 0, COUNT_OF(pair_rows));
    tcase_add_test(refusals, a_combined_file_is_checked_too);
    tcase_add_test(refusals, places);
    tcase_add_test(refusals, folders_one_may_not_write);
    tcase_add_test(refusals, folders_others_steer);
    tcase_add_test(refusals, accounts);
    tcase_add_test(refusals, links);
    tcase_add_loop_test(refusals, links_among_our_own_names, 0, 4);
    suite_add_tcase(suite, refusals);
    return testing_run(suite);
}
