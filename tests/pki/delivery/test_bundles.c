/*
 * What authorities really send, rebuilt with the tools they and their customers use: from each the
 * leaf and the certificates of its chain come out.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/pki/authority.h"
#include "tests/pki/delivery/making.h"
#include "tests/testing.h"

static struct error err;
static const struct authority *root, *inter, *leaf;

static void put(const char *name, const char *text)
{
    AUTO_FREE char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
}

static void setup(void)
{
    root = authority_make(NULL, &(struct authority_plan){.subject = "Example Root", .ca = true});
    inter =
        authority_make(root, &(struct authority_plan){.subject = "Example Issuing CA", .ca = true});
    leaf = authority_make(inter,
                          &(struct authority_plan){.subject = "www.example.com",
                                                   .names = "DNS:www.example.com,DNS:example.com"});
    put("leaf.pem", authority_pem(leaf));
    put("leaf.key", authority_key_pem(leaf));
    put("inter.pem", authority_pem(inter));
    put("root.pem", authority_pem(root));
}

enum { LEAF = 1, INTER = 2, ROOT = 4, KEY = 8, ALL = LEAF | INTER | ROOT };

static const struct bundle_row {
    const char *who, *script;
    unsigned wanted;
} rows[] = {
    {"DigiCert, ZIP",
     "mkdir d && cp leaf.pem d/your_domain_name.crt && cp inter.pem d/DigiCertCA.crt && "
     "cp root.pem d/TrustedRoot.crt && cd d && zip -q ../x *",
     ALL},
    {"DigiCert, ZIP with folder and CRLF",
     "mkdir -p d/example_com_1234 && cd d && for f in leaf inter root; do sed 's/$/\\r/' "
     "../$f.pem >example_com_1234/$f.crt; done && echo 'Install it so' >INSTALL_INSTRUCTIONS.txt "
     "&& "
     "zip -q -r ../x .",
     ALL},
    {"DigiCert, pem_all", "cat leaf.pem inter.pem root.pem >x", ALL},
    {"DigiCert, p7b",
     "openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile inter.pem -certfile root.pem -out x",
     ALL},
    {"Sectigo reseller, ZIP with folders and a text",
     "mkdir -p 'd/CER - CRT Files' 'd/Plain Text Files' && cd d && for k in 'CER - CRT Files' "
     "'Plain Text Files'; do cp ../leaf.pem \"$k/www_example_com.crt\"; cp ../inter.pem "
     "\"$k/Sectigo"
     "RSADomainValidationSecureServerCA.crt\"; cp ../root.pem \"$k/USERTrustRSAAAACA.crt\"; done "
     "&& "
     "echo 'Use the files of the first folder for IIS' >'READ ME FIRST.txt' && zip -q -r ../x .",
     ALL},
    {"Sectigo, ZIP with ca-bundle",
     "cp leaf.pem www_example_com.crt && cat inter.pem root.pem >www_example_com.ca-bundle && "
     "zip -q x.zip www_example_com.crt www_example_com.ca-bundle && mv x.zip x",
     ALL},
    {"Sectigo SCM, x509IOR", "cat root.pem inter.pem >x", INTER | ROOT},
    {"Sectigo SCM, bin",
     "openssl crl2pkcs7 -nocrl -certfile root.pem -certfile inter.pem -certfile leaf.pem "
     "-outform DER -out x",
     ALL},
    {"GoDaddy, ZIP: the leaf twice",
     "cp leaf.pem 4f2a9c1d7be05a11.crt && cp leaf.pem 4f2a9c1d7be05a11.pem && "
     "cat inter.pem root.pem >gd_bundle-g2-g1.crt && "
     "zip -q x.zip 4f2a9c1d7be05a11.* gd_bundle-g2-g1.crt && mv x.zip x",
     ALL},
    {"GoDaddy for IIS, ZIP with p7b",
     "cp leaf.pem 4f2a9c1d7be05a11.crt && openssl crl2pkcs7 -nocrl -certfile inter.pem "
     "-certfile root.pem -out gd-g2_iis_intermediates.p7b && "
     "zip -q x.zip 4f2a9c1d7be05a11.crt gd-g2_iis_intermediates.p7b && mv x.zip x",
     ALL},
    {"Entrust, ZIP for Apache",
     "cp leaf.pem ServerCertificate.crt && cat root.pem inter.pem >ChainBundle2.crt && "
     "zip -q x.zip ServerCertificate.crt ChainBundle2.crt && mv x.zip x",
     ALL},
    {"GlobalSign, pasted from a mail",
     "{ echo 'Dear Customer,'; echo; echo 'your certificate is below.'; echo; sed 's/^/  /' "
     "leaf.pem; echo; echo 'The intermediate certificate:'; sed 's/^/> /' inter.pem; echo; "
     "echo '-- '; echo 'Support'; } | sed 's/$/ \\r/' >x",
     LEAF | INTER},
    {"SSL.com, ZIP with everything",
     "cp leaf.pem www_example_com.crt && cat inter.pem root.pem >www_example_com.ca-bundle && "
     "cat leaf.pem inter.pem root.pem >www_example_com.chained.crt && openssl crl2pkcs7 -nocrl "
     "-certfile www_example_com.chained.crt -outform DER -out www_example_com.p7b && "
     "zip -q x.zip www_example_com.* && mv x.zip x",
     ALL},
    {"AD CS, certnew.cer in DER", "openssl x509 -in leaf.pem -outform DER -out x", LEAF},
    {"AD CS, certnew.p7b in DER",
     "openssl crl2pkcs7 -nocrl -certfile root.pem -certfile inter.pem -certfile leaf.pem "
     "-outform DER -out x",
     ALL},
    {"AD CS, certnew.p7b in Base64",
     "openssl crl2pkcs7 -nocrl -certfile root.pem -certfile inter.pem -certfile leaf.pem | "
     "sed 's/PKCS7/CERTIFICATE/; s/$/\\r/' >x",
     ALL},
    {"IdenTrust, under the label of a request",
     "sed 's/CERTIFICATE/CERTIFICATE REQUEST/' leaf.pem >x", LEAF},
    {"private CA, PKCS#12",
     "cat inter.pem root.pem >ca && openssl pkcs12 -export -inkey leaf.key -in leaf.pem -certfile "
     "ca "
     "-passout pass:geheim -out x",
     ALL | KEY},
    {"a colleague's PFX of old Windows",
     "cat inter.pem root.pem >ca && openssl pkcs12 -export -legacy -inkey leaf.key -in leaf.pem "
     "-certfile ca -passout pass:geheim -out x",
     ALL | KEY},
    {"a ZIP with a PFX and its CA",
     "openssl pkcs12 -export -inkey leaf.key -in leaf.pem -passout pass:geheim -out export.pfx && "
     "openssl x509 -in inter.pem -outform DER -out ca.cer && zip -q x.zip export.pfx ca.cer && "
     "mv x.zip x",
     LEAF | INTER | KEY},
    {"a saved mail with the ZIP",
     "cat inter.pem root.pem >ca.crt && zip -q d.zip leaf.pem ca.crt && { printf 'From: ca@example."
     "net\\r\\nSubject: Your certificate\\r\\nMIME-Version: 1.0\\r\\nContent-Type: "
     "multipart/mixed; "
     "boundary=\"b1\"\\r\\n\\r\\n--b1\\r\\nContent-Type: text/plain\\r\\n\\r\\nPlease find it "
     "attached.\\r\\n--b1\\r\\nContent-Type: application/zip; name=\"d.zip\"\\r\\nContent-Transfer-"
     "Encoding: base64\\r\\nContent-Disposition: attachment; filename=\"d.zip\"\\r\\n\\r\\n'; "
     "base64 "
     "d.zip; printf '\\r\\n--b1--\\r\\n'; } >x",
     ALL},
};

static bool is_of(const struct object *object, const struct authority *authority)
{
    return object->kind == OBJECT_CERTIFICATE &&
           span_equal(blob_span(&object->der), authority_der(authority));
}

static unsigned found_in(const struct delivery_objects *objects)
{
    unsigned found = 0;

    for (size_t i = 0; i < objects->count; i++) {
        const struct object *item = &objects->items[i];

        found |= is_of(item, leaf) ? LEAF : 0U;
        found |= is_of(item, inter) ? INTER : 0U;
        found |= is_of(item, root) ? ROOT : 0U;
        found |= item->kind == OBJECT_PRIVATE_KEY && item->has_spki ? KEY : 0U;
    }
    return found;
}

START_TEST(test_bundle)
{
    static const char *const words[] = {"geheim"};
    const struct bundle_row *row = &rows[_i];

    making(row->script);
    AUTO_FREE char *zipped = testing_path("x.zip"), *plain = testing_path("x");
    rename(zipped, plain);
    AUTO_BLOB struct blob file = made("x");
    AUTO_OBJECTS struct delivery_objects objects =
        making_read(blob_span(&file), &(struct delivery_options){words, COUNT_OF(words), false});
    AUTO_FREE char *told = making_told(&objects);
    ck_assert_msg(found_in(&objects) == row->wanted, "%s: wanted %u, got %u: %s: %s", row->who,
                  row->wanted, found_in(&objects), objects.summary, told);
    /* Nothing of it is taken for damage, and each is listed once. */
    for (size_t i = 0; i < objects.count; i++)
        ck_assert_msg(objects.items[i].kind != OBJECT_BROKEN, "%s: %s", row->who, told);
    ck_assert_msg((size_t)__builtin_popcount(row->wanted) <= objects.count &&
                      objects.count <= (size_t)__builtin_popcount(row->wanted) + 1,
                  "%s: %s", row->who, told);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/bundles");
    TCase *tcase = tcase_create("bundles");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, authority_done);
    tcase_add_loop_test(tcase, test_bundle, 0, (int)COUNT_OF(rows));
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
