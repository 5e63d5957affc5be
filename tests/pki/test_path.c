/* Each rule of RFC 5280 section 6, broken once, at the place where it is to be told. */
#include "pki/path.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "pki/check.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

/* Within the dates of forge.h. */
static const utc_t NOW = INT64_C(1780000000);

/* clang-format off */
#define CA_BASIC {"basicConstraints", "critical,CA:TRUE", {NULL, 0}}
#define CA_USAGE {"keyUsage", "critical,keyCertSign", {NULL, 0}}
#define SAN(names) {"subjectAltName", names, {NULL, 0}}
#define NC(text) {"nameConstraints", "critical," text, {NULL, 0}}
/* clang-format on */

/* Root, Middle, leaf; what a row leaves empty is as it should be. */
struct row {
    const char *what;
    struct forge root, middle, leaf;
    const char *code; /* NULL: the path is good */
    int place;
    enum chain_purpose purpose;
};

static const struct row rows[] = {
    {.what = "good"},
    {.what = "no basic constraints",
     .middle.extensions = {CA_USAGE},
     .code = "basic-constraints",
     .place = 1},
    {.what = "root without basic constraints",
     .root.extensions = {CA_USAGE},
     .code = "basic-constraints",
     .place = 2},
    {.what = "root that cannot be read to its end",
     .root.extensions = {CA_BASIC, CA_USAGE, {"crlDistributionPoints", NULL, BYTES("\x30\x7f")}},
     .code = "malformed",
     .place = 2},
    {.what = "root of version 1", .root = {.version = 1, .extensions = {{"", NULL, {NULL, 0}}}}},
    {.what = "not a CA",
     .middle.extensions = {{"basicConstraints", "critical,CA:FALSE", {NULL, 0}}},
     .code = "basic-constraints",
     .place = 1},
    {.what = "basic constraints not critical",
     .middle.extensions = {{"basicConstraints", "CA:TRUE", {NULL, 0}}, CA_USAGE}},
    {.what = "usage without keyCertSign",
     .middle.extensions = {CA_BASIC, {"keyUsage", "critical,cRLSign", {NULL, 0}}},
     .code = "key-usage",
     .place = 1},
    {.what = "path length",
     .root.extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0", {NULL, 0}}, CA_USAGE},
     .code = "path-length",
     .place = 2},
    {.what = "path length that is enough",
     .root.extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:1", {NULL, 0}}, CA_USAGE}},
    {.what = "CA for clients",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"extendedKeyUsage", "clientAuth", {NULL, 0}}},
     .code = "eku",
     .place = 1},
    {.what = "CA for clients, asked for a client",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"extendedKeyUsage", "clientAuth", {NULL, 0}}},
     .purpose = CHAIN_CLIENT},
    {.what = "root for clients",
     .root.extensions = {CA_BASIC, CA_USAGE, {"extendedKeyUsage", "clientAuth", {NULL, 0}}},
     .code = "eku",
     .place = 2},
    {.what = "CA for any",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"extendedKeyUsage", "anyExtendedKeyUsage", {NULL, 0}}}},
    {.what = "step-up does not stand for serverAuth",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"extendedKeyUsage", "nsSGC,msSGC", {NULL, 0}}},
     .code = "eku",
     .place = 1},
    {.what = "leaf for mail",
     .leaf.extensions = {SAN("DNS:www.example.com"),
                         {"extendedKeyUsage", "emailProtection", {NULL, 0}}},
     .code = "eku"},
    {.what = "leaf that may encipher data alone",
     .leaf.extensions = {SAN("DNS:www.example.com"), {"keyUsage", "dataEncipherment", {NULL, 0}}},
     .code = "key-usage"},
    {.what = "unknown critical extension of a leaf",
     .leaf.extensions = {SAN("DNS:www.example.com"), {"nsComment", "critical,a", {NULL, 0}}},
     .code = "critical-extension"},
    {.what = "unknown critical extension of a CA",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"nsComment", "critical,a", {NULL, 0}}},
     .code = "critical-extension",
     .place = 1},
    {.what = "unknown critical extension of a root",
     .root.extensions = {CA_BASIC, CA_USAGE, {"nsComment", "critical,a", {NULL, 0}}},
     .code = "critical-extension",
     .place = 2},
    {.what = "extension twice",
     .leaf.extensions = {SAN("DNS:www.example.com"),
                         {"nsComment", "a", {NULL, 0}},
                         {"nsComment", "b", {NULL, 0}}},
     .code = "malformed"},
    {.what = "extension twice in a root",
     .root.extensions =
         {CA_BASIC, CA_USAGE, {"nsComment", "a", {NULL, 0}}, {"nsComment", "b", {NULL, 0}}},
     .code = "malformed",
     .place = 2},
    {.what = "extension that cannot be read",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"nameConstraints", NULL, BYTES("\x30\x7f")}},
     .code = "malformed",
     .place = 1},
    {.what = "version 4", .leaf.version = 4, .code = "malformed"},
    {.what = "CA of version 1",
     .middle = {.version = 1, .extensions = {{"", NULL, {NULL, 0}}}},
     .code = "basic-constraints",
     .place = 1},
    {.what = "date in another form", .leaf.not_after = "2701010000Z", .code = "malformed"},
    {.what = "expired root", .root.not_after = "260201000000Z", .code = "expired", .place = 2},
    {.what = "young CA", .middle.not_before = "261201000000Z", .code = "not-yet-valid", .place = 1},
    {.what = "expired leaf", .leaf.not_after = "260201000000Z", .code = "expired"},
    {.what = "SHA-1", .middle.digest = "SHA1", .code = "weak-signature", .place = 1},
    {.what = "SHA-1 of a root by itself", .root.digest = "SHA1"},
    /* RFC 5280 4.2.1.10 */
    {.what = "permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:example.com")}},
    {.what = "not permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:example.org")},
     .code = "name-constraints"},
    {.what = "not permitted by a root",
     .root.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:example.org")},
     .code = "name-constraints"},
    {.what = "not permitted: only the end of the label is equal",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:ww.example.com")},
     .code = "name-constraints"},
    {.what = "excluded",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("excluded;DNS:example.com")},
     .code = "name-constraints"},
    {.what = "excluded wins over permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE,
                           NC("permitted;DNS:example.com,excluded;DNS:www.example.com")},
     .code = "name-constraints"},
    {.what = "wildcard that may be an excluded name",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("excluded;DNS:bar.example.com")},
     .leaf.extensions = {SAN("DNS:*.example.com")},
     .code = "name-constraints"},
    {.what = "wildcard beside an excluded name",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("excluded;DNS:a.bar.example.com")},
     .leaf.extensions = {SAN("DNS:*.example.com")}},
    {.what = "wildcard under an excluded name, in other letters",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("excluded;DNS:EXAMPLE.com")},
     .leaf.extensions = {SAN("DNS:*.example.COM")},
     .code = "name-constraints"},
    {.what = "wildcard wider than what is permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:foo.example.com")},
     .leaf.extensions = {SAN("DNS:*.example.com")},
     .code = "name-constraints"},
    {.what = "dot in front: below it",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:.example.com")}},
    {.what = "dot in front: not itself",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:.www.example.com")},
     .code = "name-constraints"},
    {.what = "dot in front excludes itself too",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("excluded;DNS:.www.example.com")},
     .code = "name-constraints"},
    {.what = "address permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;IP:192.0.2.0/255.255.255.0")},
     .leaf.extensions = {SAN("IP:192.0.2.1")}},
    {.what = "address not permitted",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;IP:192.0.2.0/255.255.255.0")},
     .leaf.extensions = {SAN("IP:192.0.3.1")},
     .code = "name-constraints"},
    {.what = "mask with a hole",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;IP:192.0.2.0/255.0.255.0")},
     .leaf.extensions = {SAN("IP:192.0.2.1")},
     .code = "name-constraints",
     .place = 1},
    {.what = "all mail excluded",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"nameConstraints", NULL, BYTES("\x30\x06\xa1\x04\x30\x02\x81\x00")}},
     .leaf.extensions = {SAN("DNS:www.example.com,email:a@example.com")},
     .code = "name-constraints"},
    {.what = "all URIs excluded",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"nameConstraints", NULL, BYTES("\x30\x06\xa1\x04\x30\x02\x86\x00")}},
     .leaf.extensions = {SAN("DNS:www.example.com,URI:https://example.com/")},
     .code = "name-constraints"},
    {.what = "constraint with a wildcard",
     .middle.extensions = {CA_BASIC, CA_USAGE, NC("permitted;DNS:*.example.com")},
     .code = "name-constraints",
     .place = 1},
    {.what = "constraints that say nothing",
     .middle.extensions = {CA_BASIC, CA_USAGE, {"nameConstraints", NULL, BYTES("\x30\x00")}},
     .code = "name-constraints",
     .place = 1},
    {.what = "constraint with a maximum",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"nameConstraints", NULL,
                            BYTES("\x30\x0d\xa0\x0b\x30\x09\x82\x04w.de\x81\x01\x05")}},
     .code = "name-constraints",
     .place = 1},
    /* RFC 5280 6.1.5: an explicit policy is asked for, and there is none. */
    {.what = "an explicit policy, and any will do",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"policyConstraints", "critical,requireExplicitPolicy:0", {NULL, 0}},
                           {"certificatePolicies", NULL,
                            BYTES("\x30\x07\x30\x05\x06\x03\x2a\x03\x04")}},
     .leaf.extensions = {SAN("DNS:www.example.com"),
                         {"certificatePolicies", NULL,
                          BYTES("\x30\x07\x30\x05\x06\x03\x2a\x03\x04")}}},
    {.what = "no explicit policy",
     .middle.extensions = {CA_BASIC,
                           CA_USAGE,
                           {"policyConstraints", "critical,requireExplicitPolicy:0", {NULL, 0}}},
     .code = "policies"},
};

static struct error err;

static struct forge filled(const struct forge *plan, const char *name, const char *issuer,
                           bool authority)
{
    static const struct forge_extension ca[] = {CA_BASIC, CA_USAGE};
    struct forge forge = *plan;

    forge.common_name = name;
    forge.issuer_name = issuer;
    if (forge.extensions[0].name && forge.extensions[0].name[0] == '\0')
        forge.extensions[0].name = NULL;
    else if (!forge.extensions[0].name && authority)
        memcpy(forge.extensions, ca, sizeof ca);
    else if (!forge.extensions[0].name)
        forge.extensions[0] = (struct forge_extension)SAN("DNS:www.example.com");
    return forge;
}

static struct anchors *trust(const struct blob *root)
{
    AUTO_FREE char *path = testing_path("root.der");
    struct anchors *anchors = NULL;

    ck_ok(file_replace(path, blob_span(root), FILE_PUBLIC, &err));
    ck_ok(anchors_open((const char *const[]){path}, 1, false, &anchors, &err));
    return anchors;
}

static bool tells(const struct check_report *report, const char *code, int place)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (report->findings[i].severity == CHECK_BAD && report->findings[i].place == place &&
            strcmp(report->findings[i].code, code) == 0)
            return true;
    return false;
}

static char *all_of(const struct check_report *report)
{
    AUTO_BUF struct buf out;

    buf_init(&out, BUF_MAX_RECEIPT);
    for (size_t i = 0; i < report->finding_count; i++)
        buf_printf(&out, "%s %s (%d): %s\n", check_severity_text(report->findings[i].severity),
                   report->findings[i].code, report->findings[i].place, report->findings[i].text);
    return mem_strdup(buf_text(&out));
}

static const struct blobs *known;

static int find_known(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                      struct error *ret_err)
{
    (void)self;
    (void)subject_sha256;
    (void)ret_err;
    for (size_t i = 1; i < known->count; i++)
        blobs_add(ret, blob_span(&known->items[i]));
    return 0;
}

/* The chain builder must refuse what the check calls bad here. */
static int build(const struct blobs *sent, struct anchors *anchors, enum chain_purpose purpose,
                 struct chain *ret)
{
    const struct chain_pool pool = {NULL, find_known};
    const struct chain_request request = {.leaf = blob_span(&sent->items[0]),
                                          .pool = &pool,
                                          .anchors = anchors,
                                          .at = NOW,
                                          .purpose = purpose};

    known = sent;
    return chain_build(&request, ret, &err);
}

START_TEST(test_rule)
{
    const struct row *row = &rows[_i];
    enum chain_purpose purpose = row->purpose ? row->purpose : CHAIN_SERVER;
    EVP_PKEY *root_key = EVP_EC_gen("P-256"), *middle_key = EVP_EC_gen("P-256");
    struct forge root = filled(&row->root, "Root", "Root", true);
    struct forge middle = filled(&row->middle, "Middle", "Root", true);
    struct forge leaf = filled(&row->leaf, "leaf", "Middle", false);
    AUTO_BLOBS struct blobs sent = {0};
    AUTO_CHECK struct check_report report = {0};
    AUTO_CHAIN struct chain chain = {0};

    root.key = root_key;
    middle.key = middle_key;
    middle.signer = root_key;
    leaf.signer = middle_key;
    AUTO_BLOB struct blob root_der = forge_certificate(&root);
    AUTO_BLOB struct blob middle_der = forge_certificate(&middle);
    AUTO_BLOB struct blob leaf_der = forge_certificate(&leaf);
    struct anchors *anchors = trust(&root_der);
    blobs_add(&sent, blob_span(&leaf_der));
    blobs_add(&sent, blob_span(&middle_der));
    const struct check_request request = {
        .sent = &sent, .anchors = anchors, .at = NOW, .purpose = purpose};

    ck_ok(check_run(&request, &report, &err));
    AUTO_FREE char *all = all_of(&report);
    int rc = build(&sent, anchors, purpose, &chain);
    if (row->code) {
        ck_assert_msg(tells(&report, row->code, row->place), "%s: wanted %s (%d), got\n%s",
                      row->what, row->code, row->place, all);
        ck_assert_msg(rc < 0, "%s: the chain builder takes it", row->what);
    } else {
        ck_assert_msg(check_is_good(&report) && report.complete, "%s:\n%s", row->what, all);
        ck_assert_msg(rc == 0, "%s: %s", row->what, err.text);
    }
    anchors_free(anchors);
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(middle_key);
}
END_TEST

static EVP_PKEY *make_explicit_curve(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    ck_assert(EVP_PKEY_set_utf8_string_param(key, "encoding", "explicit"));
    return key;
}

START_TEST(test_explicit_curve)
{
    EVP_PKEY *key = make_explicit_curve(), *good = EVP_EC_gen("P-256");
    struct forge root = filled(&(struct forge){0}, "Root", "Root", true);
    struct forge leaf = filled(&(struct forge){0}, "leaf", "Root", false);
    AUTO_BLOBS struct blobs sent = {0};
    AUTO_CHECK struct check_report report = {0};

    root.key = _i == 0 ? key : good;
    leaf.signer = root.key;
    leaf.key = _i == 1 ? key : NULL;
    AUTO_BLOB struct blob root_der = forge_certificate(&root);
    AUTO_BLOB struct blob leaf_der = forge_certificate(&leaf);
    struct anchors *anchors = trust(&root_der);
    blobs_add(&sent, blob_span(&leaf_der));
    ck_ok(check_run(
        &(struct check_request){
            .sent = &sent, .anchors = anchors, .at = NOW, .purpose = CHAIN_SERVER},
        &report, &err));
    AUTO_FREE char *all = all_of(&report);
    ck_assert_msg(tells(&report, "weak-key", _i == 0 ? 1 : 0), "%s", all);
    anchors_free(anchors);
    EVP_PKEY_free(key);
    EVP_PKEY_free(good);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/path");
    TCase *tcase = tcase_create("path");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(tcase, test_rule, 0, COUNT_OF(rows));
    tcase_add_loop_test(tcase, test_explicit_curve, 0, 2);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
