#include "pki/delivery/pem.h"

#include <stdio.h>
#include <string.h>

#include "tests/pki/authority.h"
#include "tests/pki/delivery/sample.h"
#include "tests/pki/forge.h"
#include "tests/testing.h"

/* The markers themselves. */
START_TEST(test_markers)
{
    static const char *const rows[][2] = {
        {"-----", "----"},
        {"-----", "--"},
        {"-----", "-"},
        {"-----", "--------"},
        {"+", "-"},
        {"/", "_"},
        {"-----B", "----- B"},
        {"E-----", "E  -----"},
        {"CERTIFICATE", "certificate"},
        {"BEGIN CERTIFICATE", "Begin Certificate"},
        {"BEGIN ", "BEGIN_"},
        {"BEGIN ", "BEGIN"},
        {"BEGIN ", "BEGIN   "},
        {"BEGIN ", "BEGIN\n"},
        {"CERTIFICATE-----\nMI", "CERTIFICATE\nMI"},
        {"END CERTIFICATE-----", "END CERTIFICATE"},
        {"END CERTIFICATE", "END"},
        {"END CERTIFICATE", "END X509 CRL"},
        {"-----END CERTIFICATE-----\n", ""},
        {"CERTIFICATE-----\n-----", "CERTIFICATE-----"},
        {"-----\n", "-----\nProc-Type: 4,CLEAR\nComment: a\n\n"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = sample_replaced(sample_pem(), rows[i][0], rows[i][1]);

        ck_assert_str_ne(text, sample_pem());
        sample_holds_pem(text, rows[i][1]);
    }
}
END_TEST

/* The content decides, whatever the label. */
START_TEST(test_labels)
{
    static const char *const labels[] = {
        "X509 CERTIFICATE",
        "X.509 CERTIFICATE",
        "TRUSTED CERTIFICATE",
        "PKCS7",
        "PKCS #7 SIGNED DATA",
        "PKCS#7",
        "CMS",
        "CERTIFICATE CHAIN",
        "CERTIFICATE REQUEST",
        "TLS CERTIFICATE",
        "CERT",
        "WHATEVER",
        "X509 CRL",
        "NEW CERTIFICATE REQUEST",
    };

    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        AUTO_FREE char *text = sample_replaced(sample_pem(), "CERTIFICATE", labels[i]);

        sample_holds_pem(text, labels[i]);
    }
}
END_TEST

/* A key under a certificate's label, and the reverse, are told. */
START_TEST(test_wrong_label)
{
    const struct authority *other = authority_make(NULL, &(struct authority_plan){0});
    AUTO_FREE char *key = sample_replaced(authority_key_pem(other), "PRIVATE KEY", "CERTIFICATE");
    AUTO_FREE char *leaf = sample_replaced(sample_leaf_pem(), "CERTIFICATE", "PRIVATE KEY");

    sample_only(span_text(key), OBJECT_PRIVATE_KEY, "under the label CERTIFICATE");
    sample_only(span_text(leaf), OBJECT_CERTIFICATE, "under the label PRIVATE KEY");
    sample_only(span_text(authority_key_pem(other)), OBJECT_PRIVATE_KEY, "a private key");
}
END_TEST

START_TEST(test_other_blocks)
{
    static const struct {
        const char *label;
        bool is_key;
        const char *note;
    } rows[] = {
        {"OPENSSH PRIVATE KEY", true, "an OpenSSH private key"},
        {"PGP PRIVATE KEY BLOCK", true, "a PGP private key block"},
        {"SSH2 ENCRYPTED PRIVATE KEY", true, "an SSH private key"},
        {"OpenVPN Static key V1", true, "OpenVPN"},
        {"PGP PUBLIC KEY BLOCK", false, "a PGP public key block"},
        {"PGP MESSAGE", false, "a PGP message"},
        {"SSH2 PUBLIC KEY", false, "an SSH public key"},
        {"PUBLIC KEY", false, "a public key"},
        {"DH PARAMETERS", false, "parameters"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text =
            mem_printf("-----BEGIN %s-----\nVersion: x\n\nAAAA\n=abcd\n-----END %s-----\n",
                       rows[i].label, rows[i].label);
        AUTO_FREE char *beside = mem_printf("%s%s", text, sample_leaf_pem());

        if (rows[i].is_key)
            sample_only(span_text(text), OBJECT_PRIVATE_KEY, rows[i].note);
        else
            sample_nothing(span_text(text), rows[i].note);
        if (!rows[i].is_key)
            sample_holds(span_text(beside), 1, rows[i].label);
    }
    sample_only((struct span)BYTES("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n"),
                OBJECT_PRIVATE_KEY, "PuTTY");
}
END_TEST

/* Words with dashes around them are no markers. */
START_TEST(test_prose)
{
    static const char *const rows[] = {
        "- begin with this -\n",       "--- end of the mail ---\n",
        "----- BEGIN -----\n",         "-----END-----BEGIN \n------\n---",
        "the -BEGIN- and the -END-\n", "-----BEGIN\n\nCERTIFICATE\n",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = mem_printf("%s%s%s", rows[i], sample_pem(), rows[i]);

        sample_holds(span_text(text), 2, rows[i]);
        sample_nothing(span_text(rows[i]), "plain text");
    }
}
END_TEST

/* A certificate whose end is missing is not made whole by what happens to stand behind it. */
START_TEST(test_cut)
{
    static const char *const behind[] = {"", "\n\nRegards\n", "\nAAAAAAAAAAAAAAAA\n",
                                         " AAAA BBBB "};
    const char *text = sample_leaf_pem();
    size_t whole = (size_t)(strstr(text, "\n-----END") - text);

    for (size_t i = 0; i < COUNT_OF(behind); i++)
        for (size_t len = 28; len < whole; len++) {
            if (text[len] == '\n' || text[len - 1] == '\n')
                continue; /* where a line ended nobody can tell */
            AUTO_FREE char *cut = mem_printf("%.*s%s", (int)len, text, behind[i]);
            AUTO_OBJECTS struct delivery_objects objects = sample_read(span_text(cut));

            for (size_t k = 0; k < objects.count; k++)
                ck_assert_msg(objects.items[k].kind != OBJECT_CERTIFICATE ||
                                  span_equal(blob_span(&objects.items[k].der), sample_leaf()),
                              "%zu bytes and \"%s\" made another certificate", len, behind[i]);
        }
}
END_TEST

START_TEST(test_reader)
{
    static const char text[] =
        "before\n-----BEGIN A B-----\nX: y\n\nAAAA\n-----END A B-----\nafter";
    struct pem_reader reader;
    AUTO_PEM_BLOCK struct pem_block block = {0};

    pem_reader_init(&reader, span_text(text));
    ck_assert(pem_next(&reader, &block));
    ck_assert_str_eq(block.label, "A B");
    ck_assert_uint_eq(block.line, 2);
    ck_assert_int_eq(block.state, PEM_WHOLE);
    ck_assert(span_equal(block.gap, span_text("before\n")));
    ck_assert(span_equal(block.head, span_text("\nX: y")));
    ck_assert_uint_eq(block.der.len, 3);
    ck_assert(!pem_next(&reader, &(struct pem_block){0}));
    ck_assert(span_equal(pem_rest(&reader), span_text("\nafter")));
}
END_TEST

/* Dashes that belong to two markers, and blanks within them. */
START_TEST(test_shared_dashes)
{
    static const char text[] =
        "-----BEGIN A-----AAAA-----END A-----BEGIN B-----AAAA----- END  B ---"
        "-----BEGIN C-----AAAA-----END C-----";
    static const char *const labels[] = {"A", "B", "C"};
    struct pem_reader reader;

    pem_reader_init(&reader, span_text(text));
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        AUTO_PEM_BLOCK struct pem_block block = {0};

        ck_assert(pem_next(&reader, &block));
        ck_assert_str_eq(block.label, labels[i]);
        ck_assert_int_eq(block.state, PEM_WHOLE);
        ck_assert_uint_eq(block.gap.len, 0);
    }
    ck_assert(!pem_next(&reader, &(struct pem_block){0}));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/pem");
    TCase *tcase = tcase_create("pem");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, sample_make, sample_done);
    tcase_add_test(tcase, test_markers);
    tcase_add_test(tcase, test_labels);
    tcase_add_test(tcase, test_wrong_label);
    tcase_add_test(tcase, test_other_blocks);
    tcase_add_test(tcase, test_prose);
    tcase_add_test(tcase, test_cut);
    tcase_add_test(tcase, test_reader);
    tcase_add_test(tcase, test_shared_dashes);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
