#include "daemon/fetch/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/text.h"

static int refuse(struct error *err, const char *why)
{
    return error_set(err, E_INPUT, "URL: wanted %s", why);
}

/* Before anybody parses it: programs disagree about what is outside of this. */
static int check_bytes(const char *url, struct error *err)
{
    size_t len = strlen(url);

    if (len > FETCH_URL_MAX)
        return refuse(err, "at most 1024 bytes");
    for (size_t i = 0; i < len; i++)
        if (url[i] <= 0x20 || url[i] >= 0x7F || url[i] == '\\')
            return refuse(err, "printable ASCII without spaces and backslashes");
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return refuse(err, "http:// or https:// in front");
    const char *host = strstr(url, "://") + 3;
    size_t end = strcspn(host, "/?#");
    if (host[0] == '/')
        return refuse(err, "two slashes in front of the host");
    if (memchr(host, '%', end))
        return refuse(err, "no percent sign in the host");
    if (memchr(host, '@', end))
        return refuse(err, "no user and no password");
    return strchr(url, '#') ? refuse(err, "no fragment") : 0;
}

static bool has(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return there;
}

/* A name, or an address in brackets, which fall. */
static bool take_host(const char *text, struct fetch_url *ret)
{
    size_t len = strlen(text);
    bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    const char *allowed = brackets ? "0123456789abcdefABCDEF:."
                                   : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789.-_";

    if (brackets)
        text++, len -= 2;
    if (len == 0 || len > FETCH_HOST_MAX || strspn(text, allowed) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        ret->host[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    ret->host[len] = '\0';
    return true;
}

static int take_parts(CURLU *parsed, struct fetch_url *ret, struct error *err)
{
    char *host = NULL, *port = NULL, *scheme = NULL;
    int64_t number = 0;
    int rc = 0;

    if (has(parsed, CURLUPART_USER) || has(parsed, CURLUPART_PASSWORD))
        rc = refuse(err, "no user and no password");
    else if (has(parsed, CURLUPART_ZONEID))
        rc = refuse(err, "no zone in an IPv6 address");
    else if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK || !take_host(host, ret))
        rc = refuse(err, "a host name or an address");
    else if (curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
             !text_number(port, 1, 65535, &number))
        rc = refuse(err, "a port from 1 to 65535");
    else if (curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        rc = refuse(err, "a scheme");
    else
        ret->tls = strcasecmp(scheme, "https") == 0;
    ret->port = (int)number;
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
    return rc;
}

int fetch_url_read(const char *url, struct fetch_url *ret, struct error *err)
{
    struct fetch_url parts = {0};
    int rc = check_bytes(url, err);

    if (rc < 0)
        return rc;
    CURLU *parsed = curl_url();
    if (!parsed)
        return error_set(err, E_IO, "URL: libcurl has no memory");
    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK)
        rc = refuse(err, "one that can be read");
    else
        rc = take_parts(parsed, &parts, err);
    curl_url_cleanup(parsed);
    if (rc == 0)
        *ret = parts;
    return rc;
}
