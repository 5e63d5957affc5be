#include "daemon/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/testing.h"

/* A socket address of either family; returns its length. */
static size_t make(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        ret->ss_family = AF_INET;
        return sizeof *v4;
    }
    ck_assert_msg(inet_pton(AF_INET6, text, &v6->sin6_addr) == 1, "%s", text);
    ret->ss_family = AF_INET6;
    return sizeof *v6;
}

static const char *problem_of(const char *text)
{
    struct sockaddr_storage address;
    size_t len = make(text, &address);

    return address_problem((const struct sockaddr *)&address, len);
}

/* clang-format off */
static const char *const inner[] = {
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "172.16.0.0",
    "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0",
    "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.254", "255.255.255.255",
    /* IPv6, and IPv4 in its clothes */
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1",
    "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "3fff::1", "3fff:fff::1", "fc00::1", "fd00:ec2::254", "fdff:ffff::1", "fe80::1",
    "febf::1", "fec0::1", "ff02::1", "4000::1", "5f00::1", "1fff::1", "8000::1",
};
static const char *const public[] = {
    "1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
    "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2000::1", "2001:200::1",
    "2001:4860:4860::8888", "2003::1", "2606:4700:4700::1111", "3ffe::1", "2a00:1450::1",
};
/* clang-format on */

START_TEST(inner_addresses_are_refused_to_their_last)
{
    for (size_t i = 0; i < COUNT_OF(inner); i++)
        ck_assert_msg(problem_of(inner[i]), "%s is let through", inner[i]);
    ck_assert_str_eq(problem_of("169.254.169.254"), "is a link-local address");
    ck_assert_str_eq(problem_of("::ffff:10.0.0.1"), "carries an IPv4 address inside");
}
END_TEST

START_TEST(public_addresses_beside_them_are_not)
{
    for (size_t i = 0; i < COUNT_OF(public); i++)
        ck_assert_msg(!problem_of(public[i]), "%s %s", public[i], problem_of(public[i]));
}
END_TEST

START_TEST(what_is_no_internet_address_is_refused)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};

    ck_assert_ptr_nonnull(address_problem((struct sockaddr *)&address, sizeof address));
    make("8.8.8.8", &address);
    ck_assert_ptr_nonnull(address_problem((struct sockaddr *)&address, 4));
    make("2606:4700:4700::1111", &address);
    ck_assert_ptr_nonnull(address_problem((struct sockaddr *)&address, sizeof(struct sockaddr_in)));
}
END_TEST

START_TEST(ranges)
{
    static const struct {
        const char *address, *range;
        bool in;
    } rows[] = {
        {"10.1.2.3", "10.0.0.0/8", true},        {"11.1.2.3", "10.0.0.0/8", false},
        {"10.1.2.3", "10.1.2.3", true},          {"10.1.2.4", "10.1.2.3", false},
        {"10.1.2.4", "10.1.2.0/29", true},       {"10.1.2.8", "10.1.2.0/29", false},
        {"8.8.8.8", "0.0.0.0/0", true},          {"::1", "0.0.0.0/0", false},
        {"fd12::1", "fd00::/8", true},           {"fe12::1", "fd00::/8", false},
        {"::ffff:10.1.2.3", "10.0.0.0/8", true}, {"::ffff:11.1.2.3", "10.0.0.0/8", false},
        {"::ffff:10.1.2.3", "::/0", false},      {"::1", "::1/128", true},
        {"10.1.2.3", "fd00::/8", false},         {"10.1.2.3", "example.com", false},
    };
    static const char *const bad[] = {
        "",          "10.0.0.0/33", "10.0.0.0/", "10.0.0/8",     "10.0.0.0/-1", "fd00::/129",
        "fd00::/8 ", "localhost",   "0x7f.1",    "10.0.0.0/8/8", "/8",          "2130706433"};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sockaddr_storage address;
        size_t len = make(rows[i].address, &address);

        ck_assert_msg(address_in_range((struct sockaddr *)&address, len, rows[i].range) ==
                          rows[i].in,
                      "%s in %s", rows[i].address, rows[i].range);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!address_is_range(bad[i]), "%s", bad[i]);
    ck_assert(address_is_range("10.0.0.0/8") && address_is_range("::/0") &&
              address_is_range("192.0.2.1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/fetch/address");
    TCase *tcase = tcase_create("address");

    tcase_add_test(tcase, inner_addresses_are_refused_to_their_last);
    tcase_add_test(tcase, public_addresses_beside_them_are_not);
    tcase_add_test(tcase, what_is_no_internet_address_is_refused);
    tcase_add_test(tcase, ranges);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}
