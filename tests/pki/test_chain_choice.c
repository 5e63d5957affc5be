/* Which of several paths is taken, whatever the order of the pool, and anchors that are added. */
#include "pki/chain.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

#define DAYS(count) (AUTHORITY_NOW + (int64_t)(count)*AUTHORITY_DAY)

enum { POOL_MAX = 6 };

/* What the pool holds, and in which order it gives them. */
static const struct authority *pool_of[POOL_MAX];
static size_t order[POOL_MAX], pool_count;
static struct error err;

static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *ret_err)
{
    (void)self;
    (void)ret_err;
    for (size_t i = 0; i < pool_count; i++) {
        AUTO_CERT struct cert cert = {0};
        struct span der = authority_der(pool_of[order[i]]);

        ck_assert_int_eq(0, cert_parse(der, &cert, NULL));
        if (memcmp(cert.subject_sha256, subject_sha256, SHA256_LEN) == 0)
            blobs_add(ret, der);
    }
    return 0;
}

static const struct chain_pool pool = {NULL, find};

static const struct authority *knows(const struct authority *authority)
{
    ck_assert_uint_lt(pool_count, POOL_MAX);
    order[pool_count] = pool_count;
    pool_of[pool_count++] = authority;
    return authority;
}

static const struct authority *make(const struct authority *issuer, const char *name,
                                    const struct authority *key_of, utc_t not_after)
{
    return authority_make(
        issuer, &(struct authority_plan){
                    .subject = name, .ca = true, .key_of = key_of, .not_after = not_after});
}

static const struct authority *leaf_of(const struct authority *issuer)
{
    return authority_make(
        issuer, &(struct authority_plan){.subject = "www", .names = "DNS:www.example.com"});
}

/* Nothing in files: all anchors are added ones. */
static int build_from(const struct blobs *added, const struct authority *leaf,
                      const char *preferred, enum chain_purpose purpose, struct chain *ret)
{
    const struct chain_request request = {.leaf = authority_der(leaf),
                                          .pool = &pool,
                                          .added_anchors = added,
                                          .at = AUTHORITY_NOW,
                                          .purpose = purpose,
                                          .preferred_root = preferred};

    return chain_build(&request, ret, &err);
}

/* The chain is exactly these, NULL at the end. */
static void is_chain(const struct chain *chain, const struct authority *const wanted[])
{
    size_t count = 0;

    for (; wanted[count]; count++) {
        ck_assert_uint_lt(count, chain->certs.count);
        ck_assert_msg(
            span_equal(blob_span(&chain->certs.items[count]), authority_der(wanted[count])),
            "another certificate at place %zu", count);
    }
    ck_assert_uint_eq(count, chain->certs.count);
}

#define CHAIN_IS(chain, ...) \
    is_chain(&(chain), (const struct authority *const[]){__VA_ARGS__, NULL})

/* Builds with the pool in every order (Heap's algorithm); each time it must be this chain. */
static void in_every_order(size_t count, const struct blobs *added, const struct authority *leaf,
                           const char *preferred, const struct authority *const wanted[])
{
    if (count <= 1) {
        AUTO_CHAIN struct chain chain = {0};

        ck_ok(build_from(added, leaf, preferred, CHAIN_AS_IT_SAYS, &chain));
        is_chain(&chain, wanted);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        in_every_order(count - 1, added, leaf, preferred, wanted);
        size_t from = count % 2 == 0 ? i : 0, kept = order[from];
        order[from] = order[count - 1];
        order[count - 1] = kept;
    }
}

#define ALWAYS(added, leaf, preferred, ...)               \
    in_every_order(pool_count, &(added), leaf, preferred, \
                   (const struct authority *const[]){__VA_ARGS__, NULL})

static void trusts(struct blobs *anchors, const struct authority *authority)
{
    blobs_add(anchors, authority_der(authority));
}

/* R46 itself, by USERTrust, by AAA; all of it twice in the pool for good measure. */
struct sectigo {
    const struct authority *r46, *user, *aaa, *by_user, *by_aaa, *issuing, *leaf;
};

static struct sectigo sectigo(utc_t aaa_ends)
{
    struct sectigo made = {
        .r46 = make(NULL, "Public Server Authentication Root R46", NULL, DAYS(7000)),
        .user = make(NULL, "USERTrust RSA Certification Authority", NULL, DAYS(4000)),
        .aaa = make(NULL, "AAA Certificate Services", NULL, aaa_ends),
    };

    made.by_user = make(made.user, "Public Server Authentication Root R46", made.r46, DAYS(3000));
    made.by_aaa = make(made.aaa, "Public Server Authentication Root R46", made.r46, DAYS(600));
    made.issuing = make(made.r46, "DV R36", NULL, DAYS(2000));
    made.leaf = leaf_of(made.issuing);
    knows(made.by_aaa);
    knows(made.r46);
    knows(made.by_user);
    knows(made.issuing);
    return made;
}

START_TEST(test_three_tops)
{
    struct sectigo s = sectigo(DAYS(800));
    AUTO_BLOBS struct blobs all = {0};
    AUTO_BLOBS struct blobs old = {0};
    AUTO_BLOBS struct blobs oldest = {0};

    trusts(&all, s.aaa);
    trusts(&all, s.r46);
    trusts(&all, s.user);
    ALWAYS(all, s.leaf, NULL, s.issuing);
    ALWAYS(all, s.leaf, "R46", s.issuing);
    ALWAYS(all, s.leaf, "USERTrust", s.issuing, s.by_user);
    ALWAYS(all, s.leaf, "CN=AAA Certificate Services", s.issuing, s.by_aaa);
    /* A wish that cannot be granted changes nothing. */
    ALWAYS(all, s.leaf, "Nobody's Root", s.issuing);
    trusts(&old, s.user);
    trusts(&old, s.aaa);
    ALWAYS(old, s.leaf, NULL, s.issuing, s.by_user);
    ALWAYS(old, s.leaf, "R46", s.issuing, s.by_user);
    trusts(&oldest, s.aaa);
    ALWAYS(oldest, s.leaf, "USERTrust", s.issuing, s.by_aaa);
}
END_TEST

/* The preferred root has ended, and its cross-sign with it. */
START_TEST(test_preferred_has_ended)
{
    struct sectigo s = sectigo(DAYS(-1));
    AUTO_BLOBS struct blobs all = {0};

    trusts(&all, s.aaa);
    trusts(&all, s.user);
    ALWAYS(all, s.leaf, "AAA", s.issuing, s.by_user);
}
END_TEST

/* AddTrust 2020: an expired cross-sign beside a good path. */
START_TEST(test_expired_cross_sign)
{
    const struct authority *old = make(NULL, "Old", NULL, DAYS(-1)),
                           *root = make(NULL, "New", NULL, 0);
    const struct authority *expired =
        authority_make(old, &(struct authority_plan){.subject = "New",
                                                     .ca = true,
                                                     .key_of = root,
                                                     .not_before = DAYS(-900),
                                                     .not_after = DAYS(-1)});
    const struct authority *issuing = make(root, "Issuing", NULL, 0), *leaf = leaf_of(issuing);
    AUTO_BLOBS struct blobs both = {0};

    knows(expired);
    knows(root);
    knows(issuing);
    knows(old);
    trusts(&both, old);
    trusts(&both, root);
    ALWAYS(both, leaf, NULL, issuing);
    ALWAYS(both, leaf, "CN=Old", issuing);
}
END_TEST

/* Intermediates of one name and three keys, without key identifiers to tell them apart. */
START_TEST(test_same_name_other_keys)
{
    const struct authority *root = make(NULL, "Root", NULL, 0), *issuing[3];
    AUTO_BLOBS struct blobs anchors = {0};

    for (size_t i = 0; i < COUNT_OF(issuing); i++) {
        const struct authority_plan plan = {
            .subject = "Issuing", .ca = true, .no_key_ids = true, .not_after = DAYS(300 + i)};

        issuing[i] = knows(authority_make(root, &plan));
    }
    trusts(&anchors, root);
    for (size_t i = 0; i < COUNT_OF(issuing); i++) {
        const struct authority_plan plan = {
            .subject = "w", .names = "DNS:w.example", .no_key_ids = true};

        ALWAYS(anchors, authority_make(issuing[i], &plan), NULL, issuing[i]);
    }
}
END_TEST

/* The same key and name, other dates: the one that lives longest; one that begins later waits. */
START_TEST(test_reissued)
{
    const struct authority *root = make(NULL, "Root", NULL, 0);
    const struct authority *first = knows(make(root, "Issuing", NULL, DAYS(30)));
    const struct authority *second = knows(make(root, "Issuing", first, DAYS(400)));
    const struct authority_plan later = {.subject = "Issuing",
                                         .ca = true,
                                         .key_of = first,
                                         .not_before = DAYS(1),
                                         .not_after = DAYS(900)};
    AUTO_BLOBS struct blobs anchors = {0};

    knows(authority_make(root, &later));
    knows(root);
    trusts(&anchors, root);
    ALWAYS(anchors, leaf_of(first), NULL, second);
}
END_TEST

/* Leaf first upward, whatever the order they came in. */
START_TEST(test_two_levels)
{
    const struct authority *root = make(NULL, "Root", NULL, 0);
    const struct authority *upper = make(root, "Upper", NULL, 0),
                           *lower = make(upper, "Lower", NULL, 0);
    AUTO_BLOBS struct blobs anchors = {0};

    knows(upper);
    knows(lower);
    knows(root);
    knows(leaf_of(lower));
    knows(upper); /* twice */
    trusts(&anchors, root);
    ALWAYS(anchors, leaf_of(lower), NULL, lower, upper);
}
END_TEST

START_TEST(test_added_beside_files)
{
    AUTO_FREE char *path = testing_path("anchors.pem");
    const struct authority *filed = make(NULL, "Root", NULL, 0),
                           *added = make(NULL, "Root", NULL, 0);
    const struct authority *leaf = leaf_of(added);
    struct anchors *anchors = NULL;
    AUTO_BLOBS struct blobs ders = {0};
    struct chain_request request = {
        .leaf = authority_der(leaf), .at = AUTHORITY_NOW, .added_anchors = &ders};
    AUTO_CHAIN struct chain chain = {0};
    AUTO_CHAIN struct chain by_file = {0};

    ck_ok(file_replace(path, span_text(authority_pem(filed)), FILE_PUBLIC, &err));
    ck_ok(anchors_open((const char *const[]){path}, 1, false, &anchors, &err));
    request.anchors = anchors;
    ck_fails(chain_build(&request, &chain, &err), E_NO_CHAIN, "certificate of \"CN=Root\"");
    blobs_add(&ders, span_text("no certificate"));
    trusts(&ders, added);
    trusts(&ders, filed); /* also in a file */
    trusts(&ders, added);
    ck_ok(chain_build(&request, &chain, &err));
    ck_assert_uint_eq(0, chain.certs.count);
    request.leaf = authority_der(leaf_of(filed));
    ck_ok(chain_build(&request, &by_file, &err));
    anchors_free(anchors);
}
END_TEST

START_TEST(test_too_many_added)
{
    AUTO_BLOBS struct blobs ders = {0};
    struct chain chain = {0};
    const struct authority *root = make(NULL, "Root", NULL, 0);

    for (size_t i = 0; i < CHAIN_ADDED_MAX; i++)
        trusts(&ders, root);
    ck_ok(build_from(&ders, leaf_of(root), NULL, CHAIN_ANY, &chain));
    chain_done(&chain);
    trusts(&ders, root);
    ck_fails(build_from(&ders, leaf_of(root), NULL, CHAIN_ANY, &chain), E_TOO_LARGE,
             "at most 256 added anchors, got 257");
}
END_TEST

/* An intermediate ends the path, and is sent. */
START_TEST(test_added_intermediate)
{
    const struct authority *root = make(NULL, "Root", NULL, 0);
    const struct authority *middle = make(root, "Middle", NULL, 0);
    const struct authority *issuing = knows(make(middle, "Issuing", NULL, 0));
    AUTO_BLOBS struct blobs anchors = {0};
    AUTO_CHAIN struct chain chain = {0};

    trusts(&anchors, middle);
    ck_ok(build_from(&anchors, leaf_of(issuing), NULL, CHAIN_AS_IT_SAYS, &chain));
    CHAIN_IS(chain, issuing, middle);
    ck_assert_str_eq("CN=Middle", chain.anchor);
}
END_TEST

START_TEST(test_untrusted_root_names_the_command)
{
    const struct authority *root = knows(make(NULL, "Root", NULL, 0));
    AUTO_BLOBS struct blobs none = {0};
    struct chain chain = {0};

    ck_fails(
        build_from(&none, leaf_of(root), NULL, CHAIN_AS_IT_SAYS, &chain), E_REFUSED,
        "ends in a root that is not trusted: \"CN=Root\"; if it is yours, an administrator can "
        "trust it with \"unlapse trust add FILE\"");
}
END_TEST

/* An authority's own certificate, for any purpose: where it leads. */
START_TEST(test_authority)
{
    const struct authority *root = make(NULL, "Root", NULL, 0),
                           *other = make(NULL, "Root", NULL, 0);
    const struct authority *upper = knows(make(root, "Upper", NULL, 0));
    const struct authority *lower = make(upper, "Lower", NULL, 0);
    AUTO_BLOBS struct blobs anchors = {0};
    struct chain chain = {0};

    trusts(&anchors, root);
    ck_ok(build_from(&anchors, lower, NULL, CHAIN_ANY, &chain));
    CHAIN_IS(chain, upper);
    chain_done(&chain);
    /* An anchor leads to itself; a root of its name is still no anchor. */
    ck_ok(build_from(&anchors, root, NULL, CHAIN_ANY, &chain));
    ck_assert_uint_eq(0, chain.certs.count);
    ck_assert_str_eq("CN=Root", chain.anchor);
    chain_done(&chain);
    ck_fails(build_from(&anchors, other, NULL, CHAIN_ANY, &chain), E_REFUSED, "its own key");
    ck_fails(build_from(&anchors, root, NULL, CHAIN_AS_IT_SAYS, &chain), E_REFUSED, "its own key");
    /* Who is no authority cannot make one. */
    ck_fails(build_from(&anchors, make(knows(leaf_of(upper)), "Stranger", NULL, 0), NULL, CHAIN_ANY,
                        &chain),
             E_REFUSED, "\"CN=www\": ");
}
END_TEST

static void setup(void)
{
    pool_count = 0;
}

int main(void)
{
    Suite *suite = suite_create("pki/chain choice");
    TCase *tcase = tcase_create("choice");

    tcase_add_checked_fixture(tcase, setup, authority_done);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_three_tops);
    tcase_add_test(tcase, test_preferred_has_ended);
    tcase_add_test(tcase, test_expired_cross_sign);
    tcase_add_test(tcase, test_same_name_other_keys);
    tcase_add_test(tcase, test_reissued);
    tcase_add_test(tcase, test_two_levels);
    tcase_add_test(tcase, test_added_beside_files);
    tcase_add_test(tcase, test_too_many_added);
    tcase_add_test(tcase, test_added_intermediate);
    tcase_add_test(tcase, test_untrusted_root_names_the_command);
    tcase_add_test(tcase, test_authority);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
