#include "daemon/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

enum { V4_LEN = 4, V6_LEN = 16, RANGE_TEXT_MAX = 64 };

/* Bits of an address, and how many of them there are. */
struct bits {
    uint8_t bytes[V6_LEN];
    size_t len; /* in bytes */
};

/* A row of a table: everything that begins with these bits. */
struct block {
    uint8_t prefix[V6_LEN];
    int bits;
    const char *problem;
};

static const char inner[] = "is a private address";
static const char reserved[] = "is a reserved address";
static const char wrapped[] = "carries an IPv4 address inside";

/* clang-format off */
static const struct block v4_blocks[] = {
    {{0}, 8, "is \"this network\""},
    {{10}, 8, inner},
    {{100, 64}, 10, "is a carrier's private address"},
    {{127}, 8, "is a loopback address"},
    {{169, 254}, 16, "is a link-local address"}, /* the clouds' metadata, too */
    {{172, 16}, 12, inner},
    {{192, 0, 0}, 24, reserved},
    {{192, 0, 2}, 24, "is a documentation address"},
    {{192, 31, 196}, 24, reserved},
    {{192, 52, 193}, 24, reserved},
    {{192, 88, 99}, 24, wrapped}, /* 6to4 relays */
    {{192, 168}, 16, inner},
    {{192, 175, 48}, 24, reserved},
    {{198, 18}, 15, "is a benchmark's address"},
    {{198, 51, 100}, 24, "is a documentation address"},
    {{203, 0, 113}, 24, "is a documentation address"},
    {{224}, 4, "is a multicast address"},
    {{255, 255, 255, 255}, 32, "is the broadcast address"},
    {{240}, 4, reserved},
};

/* Of IPv6 only 2000::/3 is given out at all, so the rest needs no rows but for its reasons. */
static const struct block v6_blocks[] = {
    {{0}, 127, "is a loopback address or none"}, /* :: and ::1 */
    {{[10] = 0xFF, [11] = 0xFF}, 96, wrapped},
    {{0}, 96, wrapped},
    {{0x00, 0x64, 0xFF, 0x9B}, 32, wrapped}, /* NAT64, well-known and local */
    {{0xFC}, 7, inner},
    {{0xFE, 0x80}, 10, "is a link-local address"},
    {{0xFE, 0xC0}, 10, inner},
    {{0xFF}, 8, "is a multicast address"},
    {{0x20, 0x01, 0x0D, 0xB8}, 32, "is a documentation address"},
    {{0x20, 0x01}, 23, reserved}, /* Teredo, ORCHID, benchmarks */
    {{0x20, 0x02}, 16, wrapped}, /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4F, 0x80}, 48, reserved},
    {{0x3F, 0xFF}, 20, "is a documentation address"},
};
/* clang-format on */

static bool begins_with(const uint8_t *bytes, const uint8_t *prefix, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    if (memcmp(bytes, prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool read_address(const struct sockaddr *address, size_t len, struct bits *ret)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *ret = (struct bits){0};
    if (len >= sizeof v4 && address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        memcpy(ret->bytes, &v4.sin_addr, V4_LEN);
        ret->len = V4_LEN;
    } else if (len >= sizeof v6 && address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        memcpy(ret->bytes, &v6.sin6_addr, V6_LEN);
        ret->len = V6_LEN;
    }
    return ret->len > 0;
}

static const char *look_up(const struct bits *bits, const struct block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins_with(bits->bytes, blocks[i].prefix, blocks[i].bits))
            return blocks[i].problem;
    return NULL;
}

const char *address_problem(const struct sockaddr *address, size_t len)
{
    static const uint8_t global[V6_LEN] = {0x20};
    struct bits bits;

    if (!read_address(address, len, &bits))
        return "is no IPv4 or IPv6 address";
    if (bits.len == V4_LEN)
        return look_up(&bits, v4_blocks, COUNT_OF(v4_blocks));
    const char *problem = look_up(&bits, v6_blocks, COUNT_OF(v6_blocks));
    return problem || begins_with(bits.bytes, global, 3) ? problem : reserved;
}

/* The range's first bits and their number. */
static bool read_range(const char *text, struct bits *ret, int *ret_bits)
{
    char address[RANGE_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    int64_t bits = 0;

    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    *ret = (struct bits){0};
    if (inet_pton(AF_INET, address, ret->bytes) == 1)
        ret->len = V4_LEN;
    else if (inet_pton(AF_INET6, address, ret->bytes) == 1)
        ret->len = V6_LEN;
    else
        return false;
    bits = (int64_t)ret->len * 8;
    if (slash && !text_number(slash + 1, 0, bits, &bits))
        return false;
    *ret_bits = (int)bits;
    return true;
}

bool address_is_range(const char *text)
{
    struct bits bits;
    int count;

    return read_range(text, &bits, &count);
}

bool address_in_range(const struct sockaddr *address, size_t len, const char *range)
{
    static const uint8_t mapped[V6_LEN] = {[10] = 0xFF, [11] = 0xFF};
    struct bits have, wanted;
    int count = 0;

    if (!read_address(address, len, &have) || !read_range(range, &wanted, &count))
        return false;
    if (have.len == V6_LEN && begins_with(have.bytes, mapped, 96)) {
        memmove(have.bytes, have.bytes + 12, V4_LEN);
        have.len = V4_LEN;
    }
    return have.len == wanted.len && begins_with(have.bytes, wanted.bytes, count);
}
