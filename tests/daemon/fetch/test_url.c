#include "daemon/fetch/url.h"

#include <string.h>

#include "tests/testing.h"

static struct error err;

START_TEST(what_it_says)
{
    static const struct {
        const char *url, *host;
        int port;
        bool tls;
    } rows[] = {
        {"http://ca.example/x.cer", "ca.example", 80, false},
        {"HTTPS://CA.Example", "ca.example", 443, true},
        {"http://ca.example:8080/a?b=c", "ca.example", 8080, false},
        {"http://ca.example./", "ca.example.", 80, false},
        {"http://192.0.2.1/", "192.0.2.1", 80, false},
        {"http://[2001:DB8::1]:81/", "2001:db8::1", 81, false},
        {"http://ca.example?x=user@host", "ca.example", 80, false},
        /* Other spellings of an address are an address. */
        {"http://2130706433/", "127.0.0.1", 80, false},
        {"http://0x7f.1/", "127.0.0.1", 80, false},
        {"http://0177.0.0.1/", "127.0.0.1", 80, false},
        {"http://127.1/", "127.0.0.1", 80, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fetch_url url;

        ck_ok(fetch_url_read(rows[i].url, &url, &err));
        ck_assert_msg(strcmp(url.host, rows[i].host) == 0, "%s: %s", rows[i].url, url.host);
        ck_assert_int_eq(url.port, rows[i].port);
        ck_assert_int_eq(url.tls, rows[i].tls);
    }
}
END_TEST

START_TEST(what_is_refused)
{
    static const char *const rows[] = {
        "",
        "ca.example",
        "ftp://ca.example/",
        "file:///etc/passwd",
        "gopher://ca.example:70/x",
        "ldap://ca.example/cn=x",
        "dict://ca.example/",
        "http:/ca.example/",
        "http:ca.example",
        "http://",
        "http:///x",
        "https://",
        "http://user@ca.example/",
        "http://u:p@ca.example/",
        "http://@ca.example/",
        "http://ca.example@127.0.0.1/",
        "http://ca.example/#x",
        "http://ca.example#@127.0.0.1/",
        "http://ca.example\\@127.0.0.1/",
        "http://ca example/",
        "http://ca.example/\r\nX: y",
        "http://ca.example/\n",
        "http://ca.example/\x7f",
        "http://t\xc3\xbcr.example/",
        "http://ca.example:0/",
        "http://ca.example:65536/",
        "http://ca.example:80:80/",
        "http://ca.example:x/",
        "http://[::1/",
        "http://::1/",
        "http://[fe80::1%25lo]/",
        "http://[fe80::1%lo]/",
        "http://[ca.example]/",
        "http://[]/",
        "http://ca%2eexample/",
        "http://127.0.0.1%00.ca.example/",
        "http://a,b/",
        "http://a;b/",
        "http://a'b/",
        "http://$(id)/",
        " http://ca.example/",
        "jar:http://ca.example/",
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fetch_url url = {.port = 42};
        int rc = fetch_url_read(rows[i], &url, &err);

        ck_assert_msg(rc == E_INPUT, "\"%s\": %d, host %s", rows[i], rc, url.host);
        ck_assert_int_eq(url.port, 42);
    }
}
END_TEST

START_TEST(not_longer_than_its_limit)
{
    char text[FETCH_URL_MAX + 2];
    struct fetch_url url;

    memset(text, 'x', sizeof text);
    memcpy(text, "http://ca.example/", 18);
    text[FETCH_URL_MAX + 1] = '\0';
    ck_fails(fetch_url_read(text, &url, &err), E_INPUT, "at most 1024 bytes");
    text[FETCH_URL_MAX] = '\0';
    ck_ok(fetch_url_read(text, &url, &err));
    memset(text + 7, 'x', 300);
    text[7 + 256] = '\0';
    ck_fails(fetch_url_read(text, &url, &err), E_INPUT, "a host name or an address");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/fetch/url");
    TCase *tcase = tcase_create("url");

    tcase_add_test(tcase, what_it_says);
    tcase_add_test(tcase, what_is_refused);
    tcase_add_test(tcase, not_longer_than_its_limit);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
