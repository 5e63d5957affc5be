#include "pki/names.h"

#include <stdio.h>
#include <string.h>

#include "tests/pki/forge.h"
#include "tests/testing.h"

static struct error err;

/* What names_add makes of one text; NULL when it is refused. */
static const char *added(enum name_type type, const char *text)
{
    static char kept[512];
    AUTO_NAMES struct names names = {0};

    if (names_add(&names, type, text, &err) < 0) {
        ck_assert_uint_eq(names.count, 0);
        return NULL;
    }
    ck_assert_uint_eq(names.count, 1);
    ck_assert_int_eq(names.items[0].type, type);
    snprintf(kept, sizeof kept, "%s", names.items[0].text);
    return kept;
}

static const struct row {
    enum name_type type;
    const char *text;
    const char *kept; /* NULL: refused */
} rows[] = {
    {NAME_DNS, "www.example.com", "www.example.com"},
    {NAME_DNS, "WWW.Example.COM.", "www.example.com"},
    {NAME_DNS, "*.example.com", "*.example.com"},
    {NAME_DNS, "host", "host"},
    {NAME_DNS, "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {NAME_DNS, "3com.example", "3com.example"},
    {NAME_DNS, "123456789-123456789-123456789-123456789-123456789-123456789-123.example",
     "123456789-123456789-123456789-123456789-123456789-123456789-123.example"},
    {NAME_DNS, "123456789-123456789-123456789-123456789-123456789-123456789-1234.example", NULL},
    {NAME_DNS, "", NULL},
    {NAME_DNS, ".", NULL},
    {NAME_DNS, "*", NULL},
    {NAME_DNS, "*.", NULL},
    {NAME_DNS, ".example.com", NULL},
    {NAME_DNS, "a..b", NULL},
    {NAME_DNS, "a.b..", NULL},
    {NAME_DNS, "w*.example.com", NULL},
    {NAME_DNS, "www.*.com", NULL},
    {NAME_DNS, "*.*.example.com", NULL},
    {NAME_DNS, "my_host.example.com", NULL},
    {NAME_DNS, "-a.example", NULL},
    {NAME_DNS, "a-.example", NULL},
    {NAME_DNS, "a b.example", NULL},
    {NAME_DNS, "a.example\n", NULL},
    {NAME_DNS,
     "b\xc3\xbc"
     "cher.example",
     NULL},
    {NAME_DNS, "192.0.2.300", NULL},
    {NAME_DNS, "https://www.example.com", NULL},
    {NAME_IP, "192.0.2.1", "192.0.2.1"},
    {NAME_IP, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {NAME_IP, "::1", "::1"},
    {NAME_IP, "192.0.2.300", NULL},
    {NAME_IP, "192.0.2.1/24", NULL},
    {NAME_IP, "192.0.2", NULL},
    {NAME_IP, "[::1]", NULL},
    {NAME_IP, "fe80::1%eth0", NULL},
    {NAME_IP, "", NULL},
    {NAME_EMAIL, "Admin@Example.COM", "Admin@example.com"},
    {NAME_EMAIL, "o'neil+x@example.com", "o'neil+x@example.com"},
    {NAME_EMAIL, "admin", NULL},
    {NAME_EMAIL, "@example.com", NULL},
    {NAME_EMAIL, "admin@", NULL},
    {NAME_EMAIL, "a@b@example.com", NULL},
    {NAME_EMAIL, "a b@example.com", NULL},
    {NAME_EMAIL, "<a@example.com>", NULL},
    {NAME_EMAIL, "a@example.com\r\nBcc:x", NULL},
    {NAME_EMAIL, "a@*.example.com", NULL},
    {NAME_URI, "HTTPS://User@WWW.Example.com:8443/Path?Q",
     "https://User@www.example.com:8443/Path?Q"},
    {NAME_URI, "spiffe://example.org/ns/Prod", "spiffe://example.org/ns/Prod"},
    {NAME_URI, "urn:uuid:1", NULL},
    {NAME_URI, "://host", NULL},
    {NAME_URI, "1a://host", NULL},
    {NAME_URI, "https://", NULL},
    {NAME_URI, "https:///path", NULL},
    {NAME_URI, "https://:443", NULL},
    {NAME_URI, "https://user@/x", NULL},
    {NAME_URI, "https://host/a b", NULL},
    {NAME_URI, "https://host/\"", NULL},
};

START_TEST(test_add)
{
    const struct row *row = &rows[_i];
    const char *kept = added(row->type, row->text);

    if (row->kept) {
        ck_assert_msg(kept, "%s: %s", row->text, err.text);
        ck_assert_str_eq(kept, row->kept);
    } else {
        ck_assert_msg(!kept, "%s: accepted as %s", row->text, kept);
        ck_assert_int_eq(err.code, E_INPUT);
        ck_assert_msg(strstr(err.text, "wanted"), "%s", err.text);
    }
}
END_TEST

START_TEST(test_add_longest)
{
    char text[300];
    AUTO_NAMES struct names names = {0};

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 50 == 49 ? '.' : 'a';
    text[253] = '\0';
    ck_ok(names_add(&names, NAME_DNS, text, &err));
    text[253] = 'a', text[254] = '\0';
    ck_fails(names_add(&names, NAME_DNS, text, &err), E_INPUT, "253");
    memcpy(text, "*.", 2); /* the wildcard's two characters count too */
    ck_fails(names_add(&names, NAME_DNS, text, &err), E_INPUT, "253");
}
END_TEST

START_TEST(test_add_says_what)
{
    AUTO_NAMES struct names names = {0};

    ck_fails(names_add(&names, NAME_EMAIL, "a@b@example.com", &err), E_INPUT, "exactly one \"@\"");
    ck_fails(names_add(&names, NAME_DNS, "a_b", &err), E_INPUT, "letters, digits");
    ck_fails(names_add(&names, NAME_DNS, "x.1", &err), E_INPUT, "a number");
    ck_fails(names_add(&names, NAME_IP, "x", &err), E_INPUT, "ip name \"x\"");
    ck_fails(names_add(&names, NAME_URI, "x", &err), E_INPUT, "scheme");
}
END_TEST

START_TEST(test_add_once)
{
    AUTO_NAMES struct names names = {0};

    ck_ok(names_add(&names, NAME_DNS, "a.example", &err));
    ck_ok(names_add(&names, NAME_DNS, "A.EXAMPLE.", &err));
    ck_ok(names_add(&names, NAME_IP, "::1", &err));
    ck_ok(names_add(&names, NAME_IP, "0::1", &err));
    ck_ok(names_add(&names, NAME_DNS, "b.example", &err));
    AUTO_FREE char *joined = names_join(&names);
    ck_assert_str_eq(joined, "dns:a.example, ip:::1, dns:b.example");
}
END_TEST

static const struct {
    const char *text;
    const char *joined; /* NULL: refused */
} tagged[] = {
    {"dns:www.example.com", "dns:www.example.com"},
    {"DNS:www.example.com", "dns:www.example.com"},
    {"www.example.com", "dns:www.example.com"},
    {"*.example.com", "dns:*.example.com"},
    {"192.0.2.1", "ip:192.0.2.1"},
    {"ip:2001:db8::0:1", "ip:2001:db8::1"},
    {"2001:db8::1", "ip:2001:db8::1"},
    {"admin@example.com", "email:admin@example.com"},
    {"email:admin@example.com", "email:admin@example.com"},
    {"https://user@example.com/", "uri:https://user@example.com/"},
    {"uri:spiffe://a/b", "uri:spiffe://a/b"},
    {"ip:www.example.com", NULL},
    {"dns:192.0.2.1", NULL},
    {"dns:", NULL},
    {"", NULL},
    {"host:443", NULL},
};

START_TEST(test_add_tagged)
{
    AUTO_NAMES struct names names = {0};
    int rc = names_add_tagged(&names, tagged[_i].text, &err);
    AUTO_FREE char *joined = names_join(&names);

    ck_assert_int_eq(rc, tagged[_i].joined ? 0 : E_INPUT);
    ck_assert_str_eq(joined, tagged[_i].joined ? tagged[_i].joined : "");
}
END_TEST

static const struct {
    const char *have;
    const char *wanted;
    bool covered;
} covers[] = {
    {"dns:www.example.com", "dns:www.example.com", true},
    {"dns:www.example.com", "dns:example.com", false},
    {"dns:*.example.com", "dns:www.example.com", true},
    {"dns:*.example.com", "dns:example.com", false},
    {"dns:*.example.com", "dns:a.b.example.com", false},
    {"dns:*.example.com", "dns:*.example.com", true},
    {"dns:*.example.com", "dns:www.example.org", false},
    {"dns:*.example.com", "dns:*.www.example.com", false},
    {"dns:www.example.com", "dns:*.example.com", false},
    {"dns:*.com", "dns:*.example.com", false},
    {"ip:192.0.2.1", "ip:192.0.2.1", true},
    {"ip:192.0.2.1", "ip:192.0.2.2", false},
    {"email:a@example.com", "email:a@EXAMPLE.com", true},
    {"email:a@example.com", "email:A@example.com", false},
    {"uri:https://a/", "uri:https://A/", true},
    {"uri:https://a/", "uri:https://a/b", false},
};

START_TEST(test_cover)
{
    AUTO_NAMES struct names have = {0}, wanted = {0};

    ck_ok(names_add_tagged(&have, "dns:other.example", &err));
    ck_ok(names_add_tagged(&have, covers[_i].have, &err));
    ck_ok(names_add_tagged(&wanted, "dns:other.example", &err));
    ck_ok(names_add_tagged(&wanted, covers[_i].wanted, &err));
    ck_assert_msg(names_cover(&have, &wanted.items[wanted.count - 1]) == covers[_i].covered,
                  "%s for %s", covers[_i].have, covers[_i].wanted);
    const struct name *missing = names_first_missing(&have, &wanted);
    ck_assert_ptr_eq(missing, covers[_i].covered ? NULL : &wanted.items[1]);
}
END_TEST

/* Names of one certificate may be held against another's: then the wanted ones are odd as well. */
START_TEST(test_cover_odd)
{
    AUTO_NAMES struct names have = {0}, wanted = {0};

    ck_ok(names_add(&have, NAME_DNS, "*.example.com", &err));
    ck_assert(names_add_found(&have, NAME_DNS, span_text("*.")));
    ck_assert(names_add_found(&wanted, NAME_DNS, span_text(".example.com")));
    ck_assert(names_add_found(&wanted, NAME_DNS, span_text("www.")));
    ck_assert(!names_cover(&have, &wanted.items[0]));
    ck_assert(!names_cover(&have, &wanted.items[1]));
}
END_TEST

/* The type keeps names apart that read the same. */
START_TEST(test_cover_type)
{
    AUTO_NAMES struct names have = {0}, wanted = {0};

    ck_assert(names_add_found(&have, NAME_DNS, span_text("192.0.2.1")));
    ck_assert(names_add_found(&have, NAME_EMAIL, span_text("*.example.com")));
    ck_ok(names_add(&wanted, NAME_IP, "192.0.2.1", &err));
    ck_ok(names_add(&wanted, NAME_DNS, "a.example.com", &err));
    ck_assert(!names_cover(&have, &wanted.items[0]));
    ck_assert(!names_cover(&have, &wanted.items[1]));
}
END_TEST

static const struct {
    enum name_type type;
    struct span raw;
    const char *joined; /* NULL: refused */
} found[] = {
    {NAME_DNS, BYTES("My_Host.Example"), "dns:my_host.example"},
    {NAME_DNS, BYTES("w*.Example.com"), "dns:w*.example.com"},
    {NAME_DNS, BYTES("a.example."), "dns:a.example."},
    {NAME_DNS, BYTES("a\x1b[2J\r\n \\\xff"), "dns:a\\x1b[2j\\x0d\\x0a\\x20\\x5c\\xff"},
    {NAME_DNS, BYTES(""), "dns:"},
    {NAME_DNS, BYTES("a.example\0.evil"), NULL},
    {NAME_EMAIL, BYTES("A@B\0"), NULL},
    {NAME_URI, BYTES("\0"), NULL},
    {NAME_EMAIL, BYTES("Root@Example"), "email:Root@example"},
    {NAME_EMAIL, BYTES("Root"), "email:Root"},
    {NAME_URI, BYTES("LDAP://Host/CN=X"), "uri:ldap://host/CN=X"},
    {NAME_URI, BYTES("urn:X"), "uri:urn:X"},
    {NAME_IP, BYTES("\xc0\x00\x02\x01"), "ip:192.0.2.1"},
    {NAME_IP, BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "ip:2001:db8::1"},
    {NAME_IP, BYTES("\xc0\x00\x02\x01\xff\xff\xff\x00"), ""},
    {NAME_IP, BYTES(""), ""},
};

START_TEST(test_add_found)
{
    AUTO_NAMES struct names names = {0};
    bool ok = names_add_found(&names, found[_i].type, found[_i].raw);
    AUTO_FREE char *joined = names_join(&names);

    ck_assert(ok == (found[_i].joined != NULL));
    ck_assert_str_eq(joined, found[_i].joined ? found[_i].joined : "");
}
END_TEST

/* Clients refuse these, so they must not count as covering (RFC 9525 6.3). */
START_TEST(test_found_odd_cover_nothing)
{
    static const char *const odd[] = {"w*.example.com",
                                      "*",
                                      "*.",
                                      "www.example.com.",
                                      "*w.example.com",
                                      "**.example.com",
                                      "*.*.com",
                                      "*.*.example.com"};
    AUTO_NAMES struct names have = {0}, wanted = {0};

    for (size_t i = 0; i < COUNT_OF(odd); i++)
        ck_assert(names_add_found(&have, NAME_DNS, span_text(odd[i])));
    ck_ok(names_add(&wanted, NAME_DNS, "www.example.com", &err));
    ck_ok(names_add(&wanted, NAME_DNS, "a.www.example.com", &err));
    ck_ok(names_add(&wanted, NAME_DNS, "com", &err));
    for (size_t i = 0; i < wanted.count; i++)
        ck_assert_msg(!names_cover(&have, &wanted.items[i]), "%s", wanted.items[i].text);
}
END_TEST

START_TEST(test_copy)
{
    AUTO_NAMES struct names from = {0}, to = {0}, none = {0};

    names_copy(&none, &to);
    ck_assert_uint_eq(to.count, 0);
    ck_ok(names_add_tagged(&from, "a.example", &err));
    ck_ok(names_add_tagged(&from, "::1", &err));
    names_copy(&from, &to);
    names_done(&from);
    AUTO_FREE char *joined = names_join(&to);
    ck_assert_str_eq(joined, "dns:a.example, ip:::1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/names");
    TCase *tcase = tcase_create("names");

    tcase_add_loop_test(tcase, test_add, 0, COUNT_OF(rows));
    tcase_add_test(tcase, test_add_longest);
    tcase_add_test(tcase, test_add_says_what);
    tcase_add_test(tcase, test_add_once);
    tcase_add_loop_test(tcase, test_add_tagged, 0, COUNT_OF(tagged));
    tcase_add_loop_test(tcase, test_cover, 0, COUNT_OF(covers));
    tcase_add_test(tcase, test_cover_odd);
    tcase_add_test(tcase, test_cover_type);
    tcase_add_loop_test(tcase, test_add_found, 0, COUNT_OF(found));
    tcase_add_test(tcase, test_found_odd_cover_nothing);
    tcase_add_test(tcase, test_copy);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
