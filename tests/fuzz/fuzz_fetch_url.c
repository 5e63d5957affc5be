/* Any bytes: as a URL of a stranger, as a range of the configuration, as an address. */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/fetch/address.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came through has no more than it says. */
static void check_url(const char *text)
{
    struct fetch_url url;
    struct error err = {0};

    if (fetch_url_read(text, &url, &err) < 0) {
        assert(err.code == E_INPUT && err.text[0] != '\0');
        return;
    }
    assert(strlen(text) <= FETCH_URL_MAX && url.port >= 1 && url.port <= 65535);
    assert(url.host[0] != '\0' && strlen(url.host) <= FETCH_HOST_MAX);
    assert(!strpbrk(url.host, "@/\\%?# [],;'\"$ABCXYZ"));
    assert(!memchr(text, '@', strcspn(text + 8, "/?#") + 8));
}

/* Only these bits may be let through, and of an inner network nothing. */
static void check_address(const uint8_t *data, size_t size)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memcpy(&v4.sin_addr, data, size < 4 ? size : 4);
    memcpy(&v6.sin6_addr, data, size < 16 ? size : 16);
    const uint8_t *four = (const uint8_t *)&v4.sin_addr, *six = v6.sin6_addr.s6_addr;
    if (!address_problem((const struct sockaddr *)&v4, sizeof v4))
        assert(four[0] != 0 && four[0] != 10 && four[0] != 127 && four[0] < 224 &&
               !(four[0] == 169 && four[1] == 254) && !(four[0] == 192 && four[1] == 168) &&
               !(four[0] == 172 && (four[1] & 0xF0u) == 16));
    if (!address_problem((const struct sockaddr *)&v6, sizeof v6))
        assert((six[0] & 0xE0u) == 0x20 && !(six[0] == 0x20 && six[1] == 0x02));
    assert(address_in_range((const struct sockaddr *)&v4, sizeof v4, "0.0.0.0/0"));
    assert(!address_in_range((const struct sockaddr *)&v4, sizeof v4, "::/0"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = mem_alloc(size + 1, 1);
    struct sockaddr_in any = {.sin_family = AF_INET};

    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_url(text);
    check_address(data, size);
    fetch_is_allowance(text);
    if (!address_is_range(text))
        assert(!address_in_range((const struct sockaddr *)&any, sizeof any, text));
    return 0;
}
