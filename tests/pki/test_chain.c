#include "pki/chain.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "tests/pki/authority.h"
#include "tests/testing.h"

#define DAYS(count) (AUTHORITY_NOW + (int64_t)(count)*AUTHORITY_DAY)

/* What the pool holds, and how often it was asked. */
static struct {
    const struct authority *authority;
    uint8_t subject_sha256[SHA256_LEN];
} known[9700];
static size_t known_count, asked;
static struct error err;

static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *ret_err)
{
    asked++;
    if (self)
        return error_set(ret_err, E_IO, "inventory: cannot be read");
    for (size_t i = 0; i < known_count; i++)
        if (memcmp(known[i].subject_sha256, subject_sha256, SHA256_LEN) == 0)
            blobs_add(ret, authority_der(known[i].authority));
    return 0;
}

static const struct chain_pool pool = {NULL, find};

static const struct authority *knows(const struct authority *authority)
{
    AUTO_CERT struct cert cert = {0};

    ck_assert_uint_lt(known_count, COUNT_OF(known));
    ck_assert_int_eq(0, cert_parse(authority_der(authority), &cert, NULL));
    known[known_count].authority = authority;
    memcpy(known[known_count++].subject_sha256, cert.subject_sha256, SHA256_LEN);
    return authority;
}

static const struct authority *ca(const struct authority *issuer, const char *name)
{
    return authority_make(issuer, &(struct authority_plan){.subject = name, .ca = true});
}

static const struct authority *leaf_without_key_id(const struct authority *issuer)
{
    return authority_make(
        issuer,
        &(struct authority_plan){.subject = "w", .names = "DNS:w.example", .no_key_ids = true});
}

static const struct authority *leaf_of(const struct authority *issuer)
{
    return authority_make(
        issuer, &(struct authority_plan){.subject = "www", .names = "DNS:www.example.com"});
}

/* Another certificate for the name and key of a CA. */
static const struct authority *cross_sign(const struct authority *of, const char *name,
                                          const struct authority *by)
{
    return authority_make(by, &(struct authority_plan){.subject = name, .key_of = of, .ca = true});
}

static struct anchors *trust(size_t count, const struct authority *const authorities[])
{
    AUTO_FREE char *path = testing_path("anchors.pem");
    struct buf text;
    struct anchors *anchors = NULL;

    buf_init(&text, BUF_MAX_PEM);
    for (size_t i = 0; i < count; i++)
        buf_add_text(&text, authority_pem(authorities[i]));
    ck_ok(file_replace(path, span_text(buf_text(&text)), FILE_PUBLIC, &err));
    buf_done(&text);
    ck_ok(anchors_open((const char *const[]){path}, 1, false, &anchors, &err));
    return anchors;
}

static int build_with(struct span leaf, const struct chain_pool *from,
                      const struct anchors *anchors, utc_t at, struct chain *ret)
{
    const struct chain_request request = {.leaf = leaf, .pool = from, .anchors = anchors, .at = at};

    return chain_build(&request, ret, &err);
}

static int build_at(const struct authority *leaf, const struct authority *anchor, utc_t at,
                    struct chain *ret)
{
    struct anchors *anchors = trust(1, &anchor);
    int rc = build_with(authority_der(leaf), &pool, anchors, at, ret);

    anchors_free(anchors);
    return rc;
}

static int build(const struct authority *leaf, const struct authority *anchor, struct chain *ret)
{
    return build_at(leaf, anchor, AUTHORITY_NOW, ret);
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

START_TEST(test_plain_chain)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *middle = knows(ca(root, "Middle"));
    const struct authority *issuing = knows(authority_make(
        middle, &(struct authority_plan){.subject = "Issuing", .ca = true, .not_after = DAYS(30)}));
    uint8_t sha256[SHA256_LEN];

    knows(root); /* known twice: as a hint and as an anchor */
    knows(middle);
    knows(leaf_of(issuing));
    ck_ok(build(leaf_of(issuing), root, &chain));
    CHAIN_IS(chain, issuing, middle);
    ck_assert_str_eq("CN=Root", chain.anchor);
    sha256_of(authority_der(root), sha256);
    ck_assert_mem_eq(sha256, chain.anchor_sha256, SHA256_LEN);
    ck_assert_int_eq(DAYS(30), chain.earliest_not_after);
}
END_TEST

START_TEST(test_leaf_under_root)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *leaf = leaf_of(root);
    struct anchors *anchors = trust(1, &root);

    /* also without a pool */
    ck_ok(build_with(authority_der(leaf), NULL, anchors, AUTHORITY_NOW, &chain));
    ck_assert_uint_eq(0, chain.certs.count);
    ck_assert_int_eq(DAYS(90), chain.earliest_not_after);
    anchors_free(anchors);
}
END_TEST

START_TEST(test_missing_intermediate)
{
    struct chain chain = {.earliest_not_after = 42};
    const struct authority *root = ca(NULL, "Root"), *middle = ca(root, "Middle");
    const struct authority *issuing = ca(middle, "Issuing, one");

    ck_fails(build(leaf_of(issuing), root, &chain), E_NO_CHAIN,
             "wanted the certificate of \"CN=Issuing\\, one\", which neither");
    knows(issuing);
    ck_fails(build(leaf_of(issuing), root, &chain), E_NO_CHAIN,
             "wanted the certificate of \"CN=Middle\"");
    ck_assert_int_eq(42, chain.earliest_not_after);
    knows(middle);
    ck_ok(build(leaf_of(issuing), root, &chain));
    chain_done(&chain);
}
END_TEST

static int gap(const struct authority *leaf, const struct authority *anchor, struct blob *ret)
{
    struct anchors *anchors = trust(1, &anchor);
    const struct chain_request request = {
        .leaf = authority_der(leaf), .pool = &pool, .anchors = anchors, .at = AUTHORITY_NOW};
    int rc = chain_find_gap(&request, ret, &err);

    anchors_free(anchors);
    return rc;
}

START_TEST(test_gap)
{
    const struct authority *root = ca(NULL, "Root"), *middle = ca(root, "Middle");
    const struct authority *issuing = ca(middle, "Issuing"), *leaf = leaf_of(issuing);
    const struct authority *lacking[] = {leaf, issuing, NULL};

    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        AUTO_BLOB struct blob link = {0};

        if (lacking[i])
            ck_ok(gap(leaf, root, &link));
        else
            ck_fails(gap(leaf, root, &link), E_NOT_FOUND, "no issuer is missing");
        if (lacking[i])
            ck_assert(span_equal(blob_span(&link), authority_der(lacking[i])));
        knows(i == 0 ? issuing : middle);
        /* What did not sign it is no part of the way up. */
        knows(authority_make(ca(NULL, "Evil"),
                             &(struct authority_plan){.subject = "Issuing", .ca = true}));
    }
    AUTO_BLOB struct blob none = {0};
    knows(root);
    ck_fails(gap(leaf, ca(NULL, "Other"), &none), E_NOT_FOUND, "no issuer is missing");
}
END_TEST

START_TEST(test_untrusted_root)
{
    struct chain chain = {0};
    const struct authority *mine = ca(NULL, "Mine"), *other = knows(ca(NULL, "Other"));
    const struct authority *issuing = knows(ca(other, "Issuing"));

    ck_fails(build(leaf_of(issuing), mine, &chain), E_REFUSED,
             "root that is not trusted: \"CN=Other\"; if it is yours");
    /* A root of the same name as an anchor is not the anchor. */
    ck_fails(build(leaf_of(issuing), ca(NULL, "Other"), &chain), E_REFUSED,
             "root that is not trusted: \"CN=Other\"");
    ck_fails(build(mine, mine, &chain), E_REFUSED, "signed by its own key");
    ck_ok(build(leaf_of(issuing), other, &chain));
    chain_done(&chain);
}
END_TEST

/* Both under one name: whichever the pool gives first, the one whose key signed is found. */
START_TEST(test_same_name_other_key)
{
    const struct authority *root = ca(NULL, "Root");
    struct authority_plan plan = {.subject = "Issuing", .ca = true, .no_key_ids = true};
    const struct authority *one = knows(authority_make(root, &plan));

    plan.not_after = DAYS(5000);
    const struct authority *other = authority_make(root, &plan);
    for (int i = 0; i < 2; i++) {
        AUTO_CHAIN struct chain chain = {0};
        const struct authority *by = i == 0 ? one : other;
        const struct authority *leaf = leaf_without_key_id(by);

        if (i == 1)
            ck_fails(build(leaf, root, &chain), E_NO_CHAIN, "got 1 of that name with another key");
        knows(other);
        ck_ok(build(leaf, root, &chain));
        CHAIN_IS(chain, by);
        known_count = 1;
    }
}
END_TEST

START_TEST(test_cross_sign)
{
    const struct authority *old_root = ca(NULL, "Old Root"),
                           *new_root = knows(ca(NULL, "New Root"));
    const struct authority *cross = knows(cross_sign(new_root, "New Root", old_root));
    const struct authority *issuing = knows(ca(new_root, "Issuing")), *leaf = leaf_of(issuing);
    AUTO_CHAIN struct chain by_old = {0};
    AUTO_CHAIN struct chain by_new = {0};
    AUTO_CHAIN struct chain by_both = {0};

    ck_ok(build(leaf, old_root, &by_old));
    CHAIN_IS(by_old, issuing, cross);
    ck_assert_str_eq("CN=Old Root", by_old.anchor);
    ck_ok(build(leaf, new_root, &by_new));
    CHAIN_IS(by_new, issuing);
    /* As long-lived, but shorter. */
    struct anchors *both = trust(2, (const struct authority *const[]){old_root, new_root});
    ck_ok(build_with(authority_der(leaf), &pool, both, AUTHORITY_NOW, &by_both));
    CHAIN_IS(by_both, issuing);
    anchors_free(both);
}
END_TEST

/* AddTrust 2020: the expired cross-sign must neither be chosen nor stand in the way. */
START_TEST(test_expired_cross_sign)
{
    const struct authority *old_root = ca(NULL, "Old Root"), *new_root = ca(NULL, "New Root");
    struct authority_plan plan = {.subject = "New Root",
                                  .key_of = new_root,
                                  .ca = true,
                                  .not_before = DAYS(-900),
                                  .not_after = DAYS(-1)};
    struct chain chain = {0};

    knows(authority_make(old_root, &plan));
    const struct authority *issuing = knows(ca(new_root, "Issuing")), *leaf = leaf_of(issuing);
    ck_fails(build(leaf, old_root, &chain), E_REFUSED,
             "\"CN=New Root\": validity: wanted a certificate valid on 2026-11-22 12:00:00 UTC, "
             "this one ended on 2026-11-21");
    ck_ok(build(leaf, new_root, &chain));
    CHAIN_IS(chain, issuing);
    chain_done(&chain);
    plan.not_after = DAYS(100);
    const struct authority *fresh = knows(authority_make(old_root, &plan));
    ck_ok(build(leaf, old_root, &chain));
    CHAIN_IS(chain, issuing, fresh);
    chain_done(&chain);
}
END_TEST

/* The path whose first link ends later wins, although it is longer. */
START_TEST(test_longest_life_wins)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *long_root = ca(NULL, "Long"), *issuing = ca(long_root, "Issuing");
    const struct authority *short_root = authority_make(
        NULL, &(struct authority_plan){.subject = "Short", .ca = true, .not_after = DAYS(9)});
    const struct authority *middle = knows(ca(long_root, "Middle"));
    const struct authority *by_short = knows(cross_sign(issuing, "Issuing", short_root));
    const struct authority *by_middle = knows(cross_sign(issuing, "Issuing", middle));
    struct anchors *both = trust(2, (const struct authority *const[]){short_root, long_root});

    (void)by_short;
    ck_ok(build_with(authority_der(leaf_of(issuing)), &pool, both, AUTHORITY_NOW, &chain));
    CHAIN_IS(chain, by_middle, middle);
    anchors_free(both);
}
END_TEST

/* Of two paths that last as long as the leaf the shorter is sent, in whatever order they turn up.
 */
START_TEST(test_shorter_wins)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *middle = knows(ca(root, "Middle"));
    const struct authority *issuing = ca(root, "Issuing");
    struct authority_plan plan = {
        .subject = "Issuing", .key_of = issuing, .ca = true, .not_after = DAYS(4000)};

    knows(authority_make(middle, &plan));
    knows(issuing);
    ck_ok(build(leaf_of(issuing), root, &chain));
    CHAIN_IS(chain, issuing);
}
END_TEST

/* Of two ends the one further up is told. */
START_TEST(test_furthest_end_is_told)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *issuing = ca(root, "Issuing");
    const struct authority *near = ca(NULL, "Near"), *far = ca(NULL, "Far");
    const struct authority *middle = knows(ca(far, "Middle"));
    struct authority_plan plan = {.subject = "Issuing", .key_of = issuing, .ca = true};

    for (int i = 0; i < 2; i++) {
        known_count = 1;
        plan.not_after = DAYS(1000 + i);
        knows(authority_make(near, &plan));
        plan.not_after = DAYS(1001 - i);
        knows(authority_make(middle, &plan));
        ck_fails(build(leaf_of(issuing), root, &chain), E_NO_CHAIN, "certificate of \"CN=Far\"");
    }
}
END_TEST

START_TEST(test_circle)
{
    struct chain chain = {0};
    const struct authority *a = ca(NULL, "A"), *b = ca(NULL, "B"), *c = ca(NULL, "C");
    const struct authority *a_by_b = knows(cross_sign(a, "A", b));

    knows(cross_sign(b, "B", a));
    ck_fails(build(leaf_of(a), c, &chain), E_NO_CHAIN, "only sign each other");
    /* Twice as many cross-signs are not walked round and round. */
    knows(cross_sign(a, "A", b));
    knows(cross_sign(b, "B", a));
    asked = 0;
    ck_fails(build(leaf_of(a), c, &chain), E_NO_CHAIN, "only sign each other");
    ck_assert_uint_eq(1 + 2 * (1 + 2), asked);
    known_count = 2;
    ck_ok(build(leaf_of(a), b, &chain));
    CHAIN_IS(chain, a_by_b);
    chain_done(&chain);
}
END_TEST

START_TEST(test_too_long)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *at = root, *eighth = NULL;
    char name[16];

    for (int i = 1; i <= 8; i++) {
        snprintf(name, sizeof name, "CA %d", i);
        at = knows(ca(at, name));
        if (i == 7)
            eighth = at;
    }
    ck_ok(build(leaf_of(eighth), root, &chain));
    ck_assert_uint_eq(7, chain.certs.count);
    chain_done(&chain);
    ck_fails(build(leaf_of(at), root, &chain), E_REFUSED, "at most 8 certificates above the leaf");
}
END_TEST

/* Puts as many self-made certificates into the pool, each with a key of its own. */
static void flood_with(size_t count, const struct authority_plan *plan)
{
    for (size_t i = 0; i < count; i++)
        knows(authority_make(NULL, plan));
}

/* Strangers that name no key cost a bounded number of signatures. */
START_TEST(test_flood_of_names)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root");
    struct authority_plan plan = {.subject = "Issuing", .ca = true, .no_key_ids = true};
    const struct authority *issuing = authority_make(root, &plan);
    const struct authority *leaf = leaf_without_key_id(issuing);

    plan.not_before = DAYS(1);
    plan.not_after = DAYS(9000);
    flood_with(2048, &plan);
    knows(issuing);
    ck_fails(build_at(leaf, root, DAYS(2), &chain), E_NO_CHAIN, "gave up: wanted at most 2048");
    /* Those not valid now wait, an anchor comes first, the same ones over and over are one. */
    ck_ok(build(leaf, root, &chain));
    CHAIN_IS(chain, issuing);
    chain_done(&chain);
    ck_ok(build_at(leaf, issuing, DAYS(2), &chain));
    chain_done(&chain);
    known[0] = known[1] = known[2]; /* two less: the root is looked at too */
    ck_ok(build_at(leaf, root, DAYS(2), &chain));
    chain_done(&chain);
    for (size_t i = 1; i < 2049; i++)
        known[i] = known[0];
    while (known_count < COUNT_OF(known) - 1)
        known[known_count++] = known[0];
    knows(issuing);
    ck_fails(build(leaf, root, &chain), E_NO_CHAIN, "gave up");
}
END_TEST

/* Longer-lived CAs of the name of the real one, which anybody can make and drop: with a key
 * identifier of their own, without, and with a copy of the real one. */
START_TEST(test_poisoned_pool)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *issuing = ca(root, "Issuing");
    const struct authority *leaf = leaf_of(issuing);
    struct authority_plan plan = {.subject = "Issuing", .ca = true, .not_after = DAYS(9000)};

    flood_with(1100, &plan);
    ck_fails(build(leaf, root, &chain), E_NO_CHAIN, "got 1100 of that name with another key");
    while (known_count < COUNT_OF(known) - 1501) /* as many as may be parsed */
        known[known_count++] = known[0];
    plan.key_id_of = issuing;
    flood_with(600, &plan);
    plan.key_id_of = NULL;
    plan.no_key_ids = true;
    flood_with(900, &plan);
    knows(issuing);
    ck_ok(build(leaf, root, &chain));
    CHAIN_IS(chain, issuing);
}
END_TEST

/* Whose key identifier fits has its turn before those that have none. */
START_TEST(test_key_id_first)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *issuing = knows(ca(root, "Issuing"));

    flood_with(2048,
               &(struct authority_plan){
                   .subject = "Issuing", .ca = true, .no_key_ids = true, .not_after = DAYS(9000)});
    ck_ok(build(leaf_of(issuing), root, &chain));
    CHAIN_IS(chain, issuing);
}
END_TEST

static const struct {
    const char *what;
    struct authority_plan issuing, leaf;
    const char *reason;
} broken[] = {
    {"path length", {.subject = "Issuing", .ca = true}, {0}, "\"CN=Middle\": path length"},
    {"names",
     {.subject = "Issuing", .ca = true, .constraints = "critical,permitted;DNS:example.org"},
     {0},
     "permitted subtree violation"},
    {"excluded",
     {.subject = "Issuing", .ca = true, .constraints = "critical,excluded;DNS:example.com"},
     {0},
     "in an excluded subtree"},
    {"no CA", {.subject = "Issuing", .ca = true, .basic = "CA:FALSE"}, {0}, "\"CN=Issuing\": "},
    {"key usage",
     {.subject = "Issuing", .ca = true, .key_usage = "digitalSignature"},
     {0},
     "\"CN=Issuing\": key usage: wanted one that may sign"},
    {"purpose",
     {.subject = "Issuing", .ca = true, .extended_key = "clientAuth"},
     {0},
     "\"CN=Issuing\": extended key usage: wanted serverAuth"},
    {"weak key", {.subject = "Issuing", .ca = true, .rsa_bits = 1024}, {0}, "key too weak"},
    {"weak leaf", {.subject = "Issuing", .ca = true}, {.rsa_bits = 1024}, "key too weak"},
    {"SHA-1", {.subject = "Issuing", .ca = true, .sha1 = true}, {0}, "digest algorithm too weak"},
    {"expired leaf",
     {.subject = "Issuing", .ca = true},
     {.not_before = DAYS(-9), .not_after = DAYS(-1)},
     "\"CN=www\": validity"},
    {"young leaf",
     {.subject = "Issuing", .ca = true},
     {.not_before = DAYS(1)},
     "this one begins on 2026-11-23 12:00:00 UTC"},
    {"young issuer",
     {.subject = "Issuing", .ca = true, .not_before = DAYS(1)},
     {0},
     "\"CN=Issuing\": validity"},
};

START_TEST(test_broken_rule)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root");
    const char *basic = _i == 0 ? "critical,CA:TRUE,pathlen:0" : NULL;
    const struct authority *middle = knows(authority_make(
        root, &(struct authority_plan){.subject = "Middle", .ca = true, .basic = basic}));
    const struct authority *issuing = knows(authority_make(middle, &broken[_i].issuing));
    struct authority_plan plan = broken[_i].leaf;

    plan.subject = "www";
    plan.names = "DNS:www.example.com";
    ck_fails(build(authority_make(issuing, &plan), root, &chain), E_REFUSED, broken[_i].reason);
}
END_TEST

/* A broken path does not hide a good one. */
START_TEST(test_good_beside_broken)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *issuing = ca(root, "Issuing");
    struct authority_plan narrow = {.subject = "Issuing",
                                    .key_of = issuing,
                                    .ca = true,
                                    .not_after = DAYS(4000),
                                    .constraints = "critical,permitted;DNS:example.org"};

    knows(authority_make(root, &narrow));
    knows(issuing);
    ck_ok(build(leaf_of(issuing), root, &chain));
    CHAIN_IS(chain, issuing);
}
END_TEST

/* notAfter is inclusive to the second (RFC 5280 4.1.2.5). */
START_TEST(test_last_second)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *leaf = leaf_of(root);

    ck_ok(build_at(leaf, root, DAYS(90), &chain));
    ck_ok(build_at(leaf, root, DAYS(-1), &chain));
    ck_fails(build_at(leaf, root, DAYS(90) + 1, &chain), E_REFUSED, "this one ended on");
    ck_fails(build_at(leaf, root, DAYS(-1) - 1, &chain), E_REFUSED, "this one begins on");
}
END_TEST

START_TEST(test_intermediate_as_anchor)
{
    const struct authority *root = ca(NULL, "Root"), *middle = ca(root, "Middle");
    const struct authority *issuing = knows(ca(middle, "Issuing")), *leaf = leaf_of(issuing);
    AUTO_CHAIN struct chain alone = {0};
    AUTO_CHAIN struct chain with_root = {0};

    /* It ends the path, and is sent: only a root may be left out. */
    ck_ok(build(leaf, middle, &alone));
    CHAIN_IS(alone, issuing, middle);
    ck_assert_str_eq("CN=Middle", alone.anchor);
    /* A whole bundle among the anchors must not shorten what clients get. */
    struct anchors *all = trust(3, (const struct authority *const[]){issuing, middle, root});
    known_count = 0;
    ck_ok(build_with(authority_der(leaf), &pool, all, AUTHORITY_NOW, &with_root));
    CHAIN_IS(with_root, issuing, middle);
    ck_assert_str_eq("CN=Root", with_root.anchor);
    anchors_free(all);
}
END_TEST

START_TEST(test_not_a_server)
{
    AUTO_CHAIN struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root");
    const struct authority *leaf = authority_make(
        root, &(struct authority_plan){.subject = "client", .extended_key = "clientAuth"});

    ck_ok(build(leaf, root, &chain));
}
END_TEST

START_TEST(test_hints_that_fail)
{
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root");
    struct anchors *anchors = trust(1, &root);
    struct chain_pool failing = {&failing, find};

    ck_fails(build_with(authority_der(leaf_of(root)), &failing, anchors, AUTHORITY_NOW, &chain),
             E_IO, "chain: cannot look up an issuer: inventory");
    ck_fails(build_with(span_text("no certificate"), &pool, anchors, AUTHORITY_NOW, &chain),
             E_FORMAT, "leaf: wanted one certificate");
    anchors_free(anchors);
}
END_TEST

static int open_text(const char *text, struct anchors **ret)
{
    AUTO_FREE char *path = testing_path("some.pem");

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
    return anchors_open((const char *const[]){path}, 1, false, ret, &err);
}

START_TEST(test_anchor_files)
{
    struct anchors *anchors = NULL;
    const struct authority *root = ca(NULL, "Root");
    AUTO_FREE char *der = testing_path("root.der");
    AUTO_FREE char *cut = mem_strdup(authority_pem(root));
    AUTO_FREE char *half = NULL;
    AUTO_CHAIN struct chain chain = {0};

    ck_fails(open_text("", &anchors), E_FORMAT, "some.pem: wanted certificates, found none");
    ck_fails(open_text(authority_key_pem(root), &anchors), E_FORMAT, "found none");
    memcpy(cut + 100, "AAAAAAAA", 8);
    half = mem_printf("%s%s", authority_pem(root), cut);
    ck_fails(open_text(cut, &anchors), E_FORMAT, "some.pem");
    cut[200] = '\0';
    free(half);
    half = mem_printf("%s%s", authority_pem(root), cut);
    ck_fails(open_text(half, &anchors), E_FORMAT, "cannot be read");
    ck_fails(anchors_open((const char *const[]){"/nowhere/x.pem"}, 1, false, &anchors, &err),
             E_NOT_FOUND, "/nowhere/x.pem");
    ck_assert_ptr_null(anchors);

    ck_ok(file_replace(der, authority_der(root), FILE_PUBLIC, &err));
    ck_ok(anchors_open((const char *const[]){der}, 1, false, &anchors, &err));
    ck_ok(build_with(authority_der(leaf_of(root)), &pool, anchors, AUTHORITY_NOW, &chain));
    anchors_free(anchors);
    anchors_free(NULL);
}
END_TEST

/* What the environment says must not change what is trusted. */
START_TEST(test_system_store)
{
    struct anchors *anchors = NULL;
    struct chain chain = {0};
    const struct authority *root = ca(NULL, "Root"), *leaf = leaf_of(root);
    AUTO_FREE char *path = testing_path("mine.pem");

    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0)
        return;
    ck_ok(file_replace(path, span_text(authority_pem(root)), FILE_PUBLIC, &err));
    ck_assert_int_eq(0, setenv("SSL_CERT_FILE", path, 1));
    ck_ok(anchors_open(NULL, 0, true, &anchors, &err));
    ck_fails(build_with(authority_der(leaf), &pool, anchors, AUTHORITY_NOW, &chain), E_NO_CHAIN,
             "wanted the certificate of \"CN=Root\"");
    anchors_free(anchors);
    ck_ok(anchors_open((const char *const[]){path}, 1, true, &anchors, &err));
    ck_ok(build_with(authority_der(leaf), &pool, anchors, AUTHORITY_NOW, &chain));
    chain_done(&chain);
    anchors_free(anchors);
}
END_TEST

static void setup(void)
{
    known_count = asked = 0;
}

int main(void)
{
    Suite *suite = suite_create("pki/chain");
    TCase *tcase = tcase_create("chain");

    tcase_add_checked_fixture(tcase, setup, authority_done);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, test_plain_chain);
    tcase_add_test(tcase, test_leaf_under_root);
    tcase_add_test(tcase, test_missing_intermediate);
    tcase_add_test(tcase, test_gap);
    tcase_add_test(tcase, test_untrusted_root);
    tcase_add_test(tcase, test_same_name_other_key);
    tcase_add_test(tcase, test_cross_sign);
    tcase_add_test(tcase, test_expired_cross_sign);
    tcase_add_test(tcase, test_longest_life_wins);
    tcase_add_test(tcase, test_shorter_wins);
    tcase_add_test(tcase, test_furthest_end_is_told);
    tcase_add_test(tcase, test_circle);
    tcase_add_test(tcase, test_too_long);
    tcase_add_test(tcase, test_flood_of_names);
    tcase_add_test(tcase, test_poisoned_pool);
    tcase_add_test(tcase, test_key_id_first);
    tcase_add_loop_test(tcase, test_broken_rule, 0, COUNT_OF(broken));
    tcase_add_test(tcase, test_good_beside_broken);
    tcase_add_test(tcase, test_last_second);
    tcase_add_test(tcase, test_intermediate_as_anchor);
    tcase_add_test(tcase, test_not_a_server);
    tcase_add_test(tcase, test_hints_that_fail);
    tcase_add_test(tcase, test_anchor_files);
    tcase_add_test(tcase, test_system_store);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
