#include "daemon/cli/check_look.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/text.h"

enum { CONNECT_MS = 3000, WHOLE_MS = 5000, HEADER_BYTES_MAX = 64 << 10 };

/* What the headers of one answer say. */
struct answer {
    size_t bytes;
    long status;
    bool hsts;
    char location[512];
};

static size_t take_header(char *data, size_t size, size_t count, void *self)
{
    static const char hsts[] = "Strict-Transport-Security:", to[] = "Location:";
    struct answer *answer = self;
    size_t len = size * count;

    answer->bytes += len;
    if (answer->bytes > HEADER_BYTES_MAX)
        return 0;
    if (len > sizeof hsts && strncasecmp(data, hsts, sizeof hsts - 1) == 0)
        answer->hsts = true;
    if (len > sizeof to && strncasecmp(data, to, sizeof to - 1) == 0) {
        size_t at = sizeof to - 1;

        while (at < len && data[at] == ' ')
            at++;
        size_t keep = len - at < sizeof answer->location ? len - at : sizeof answer->location - 1;
        memcpy(answer->location, data + at, keep);
        answer->location[keep] = '\0';
    }
    return len;
}

/* The body is of no interest: the transfer ends with its first byte. */
static size_t refuse_body(const char *data, size_t size, size_t count, void *self)
{
    (void)data;
    (void)size;
    (void)count;
    (void)self;
    return 0;
}

/* One GET, no redirect followed, no certificate judged (that is done elsewhere), no proxy. */
static bool ask(const char *scheme, const char *host, int port, struct answer *ret)
{
    CURL *curl = curl_easy_init();
    AUTO_FREE char *url =
        mem_printf(strchr(host, ':') ? "%s://[%s]:%d/" : "%s://%s:%d/", scheme, host, port);

    if (!curl)
        return false;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "unlapse/" UNLAPSED_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, refuse_body);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_easy_cleanup(curl);
    return ret->status > 0;
}

void check_http(const char *host, int https_port, int http_port, struct check_report *report)
{
    struct answer secure = {0}, plain = {0};

    if (ask("https", host, https_port, &secure) && !secure.hsts)
        check_add(report, CHECK_WARNING, "no-hsts", CHECK_NO_PLACE,
                  "send Strict-Transport-Security when all of the site is reached by https",
                  "the web server does not tell browsers to stay with https (HSTS)");
    if (http_port == 0 || !ask("http", host, http_port, &plain))
        return;
    if (plain.status < 300 || plain.status > 399 || strncasecmp(plain.location, "https:", 6) != 0)
        check_add(
            report, CHECK_WARNING, "no-redirect", CHECK_NO_PLACE, "let port 80 redirect to https",
            "port %d answers with status %ld and does not lead to https", http_port, plain.status);
}
