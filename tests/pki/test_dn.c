#include "pki/dn.h"

#include <string.h>

#include "tests/testing.h"

enum { ENTRIES = 3 };

struct entry {
    int nid, type;
    const char *text;
    size_t len;  /* 0: of the text */
    bool joined; /* to the attribute before it, in one RelativeDistinguishedName */
};

/* Pairs of names; whether they are one is X509_NAME_cmp's to say, and said here once more. */
static const struct {
    const char *what;
    struct entry one[ENTRIES], other[ENTRIES];
    bool equal;
} pairs[] = {
    {"itself",
     {{NID_commonName, V_ASN1_UTF8STRING, "Root"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "Root"}},
     true},
    {"another type",
     {{NID_commonName, V_ASN1_UTF8STRING, "Root CA 1"}},
     {{NID_commonName, V_ASN1_PRINTABLESTRING, "Root CA 1"}},
     true},
    {"two bytes a letter",
     {{NID_commonName, V_ASN1_UTF8STRING, "\303\204"}},
     {{NID_commonName, V_ASN1_BMPSTRING, "\0\304", 2}},
     true},
    {"capitals",
     {{NID_commonName, V_ASN1_UTF8STRING, "ROOT"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "root"}},
     true},
    {"capitals beyond ASCII",
     {{NID_commonName, V_ASN1_UTF8STRING, "\303\204"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "\303\244"}},
     false},
    {"blanks",
     {{NID_commonName, V_ASN1_UTF8STRING, "  Root \t CA "}},
     {{NID_commonName, V_ASN1_PRINTABLESTRING, "Root CA"}},
     true},
    {"a blank more",
     {{NID_commonName, V_ASN1_UTF8STRING, "Root CA"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "RootCA"}},
     false},
    {"another attribute",
     {{NID_commonName, V_ASN1_UTF8STRING, "Root"}},
     {{NID_organizationName, V_ASN1_UTF8STRING, "Root"}},
     false},
    {"the other order",
     {{NID_commonName, V_ASN1_UTF8STRING, "a"}, {NID_organizationName, V_ASN1_UTF8STRING, "b"}},
     {{NID_organizationName, V_ASN1_UTF8STRING, "b"}, {NID_commonName, V_ASN1_UTF8STRING, "a"}},
     false},
    {"the other order in one set",
     {{NID_commonName, V_ASN1_UTF8STRING, "a"},
      {NID_organizationName, V_ASN1_UTF8STRING, "b", 0, true}},
     {{NID_organizationName, V_ASN1_UTF8STRING, "B"},
      {NID_commonName, V_ASN1_UTF8STRING, "A", 0, true}},
     true},
    {"one set or two",
     {{NID_commonName, V_ASN1_UTF8STRING, "a"},
      {NID_organizationName, V_ASN1_UTF8STRING, "b", 0, true}},
     {{NID_commonName, V_ASN1_UTF8STRING, "a"}, {NID_organizationName, V_ASN1_UTF8STRING, "b"}},
     false},
    {"cut elsewhere",
     {{NID_commonName, V_ASN1_UTF8STRING, "ab"}, {NID_commonName, V_ASN1_UTF8STRING, "c"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "a"}, {NID_commonName, V_ASN1_UTF8STRING, "bc"}},
     false},
    {"no text",
     {{NID_commonName, V_ASN1_NUMERICSTRING, "1  2"}},
     {{NID_commonName, V_ASN1_NUMERICSTRING, "1 2"}},
     false},
    {"no text and text",
     {{NID_commonName, V_ASN1_NUMERICSTRING, "1 2"}},
     {{NID_commonName, V_ASN1_UTF8STRING, "1 2"}},
     false},
    {"nothing", {{0}}, {{0}}, true},
    {"nothing and an empty text", {{0}}, {{NID_commonName, V_ASN1_UTF8STRING, ""}}, false},
    {"blanks alone",
     {{NID_commonName, V_ASN1_UTF8STRING, "  "}},
     {{NID_commonName, V_ASN1_UTF8STRING, ""}},
     true},
};

static X509_NAME *make(const struct entry entries[ENTRIES])
{
    X509_NAME *name = X509_NAME_new();
    uint8_t *der = NULL;

    for (size_t i = 0; i < ENTRIES && entries[i].text; i++) {
        const struct entry *entry = &entries[i];
        int len = entry->len ? (int)entry->len : (int)strlen(entry->text);

        ck_assert(X509_NAME_add_entry_by_NID(name, entry->nid, entry->type,
                                             (const uint8_t *)entry->text, len, -1,
                                             entry->joined ? -1 : 0));
    }
    /* As one that was read. */
    int len = i2d_X509_NAME(name, &der);
    const uint8_t *at = der;
    X509_NAME_free(name);
    name = d2i_X509_NAME(NULL, &at, len);
    OPENSSL_free(der);
    ck_assert_ptr_nonnull(name);
    return name;
}

START_TEST(test_pair)
{
    X509_NAME *one = make(pairs[_i].one), *other = make(pairs[_i].other);
    uint8_t a[SHA256_LEN], b[SHA256_LEN];

    ck_assert_msg((X509_NAME_cmp(one, other) == 0) == pairs[_i].equal, "%s: OpenSSL says otherwise",
                  pairs[_i].what);
    ck_assert_msg(dn_hash(one, a) && dn_hash(other, b), "%s: cannot be hashed", pairs[_i].what);
    ck_assert_msg((memcmp(a, b, SHA256_LEN) == 0) == pairs[_i].equal, "%s", pairs[_i].what);
    X509_NAME_free(one);
    X509_NAME_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/dn");
    TCase *names = tcase_create("names");

    tcase_add_loop_test(names, test_pair, 0, (int)COUNT_OF(pairs));
    suite_add_tcase(suite, names);
    return testing_run(suite);
}
