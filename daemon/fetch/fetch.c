#include "daemon/fetch/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/probe.h"
#include "daemon/fetch/address.h"
#include "daemon/fetch/url.h"

/* One transfer as it runs. */
struct transfer {
    const struct fetch_rules *rules;
    struct fetch_url url;
    bool host_allowed; /* by name */
    struct probe_addresses addresses;
    char refused[PROBE_ADDRESS_TEXT_MAX + 64]; /* by the socket's own check */
    struct buf body;
    char text[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_host_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= FETCH_HOST_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

/* The same name, with or without its final dot. */
static bool is_same_host(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);

    a_len -= a_len > 1 && a[a_len - 1] == '.';
    b_len -= b_len > 1 && b[b_len - 1] == '.';
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

bool fetch_is_allowance(const char *text)
{
    /* What only has digits and dots is meant as an address. */
    return address_is_range(text) ||
           (is_host_name(text) && strspn(text, "0123456789.") != strlen(text));
}

static const char *problem_of(const struct transfer *transfer, const struct sockaddr *address,
                              size_t len)
{
    const struct fetch_rules *rules = transfer->rules;

    for (size_t i = 0; i < rules->allow_count; i++)
        if (address_in_range(address, len, rules->allow[i]))
            return NULL;
    return transfer->host_allowed ? NULL : address_problem(address, len);
}

/* A name is looked up once, here; libcurl gets what came and asks nobody. One bad address spoils
 * all: no public server has one. */
static int resolve(struct transfer *transfer, struct error *err)
{
    struct fetch_url *url = &transfer->url;
    int rc = probe_resolve(url->host, url->port, PROBE_RESOLVE_MS, &transfer->addresses, err);

    if (rc < 0)
        return error_wrap(err, rc, "fetch");
    for (size_t i = 0; i < transfer->addresses.count; i++) {
        const struct probe_address *item = &transfer->addresses.items[i];
        struct sockaddr_storage address = {0};

        memcpy(&address, item->storage, sizeof address);
        const char *problem = problem_of(transfer, (const struct sockaddr *)&address, item->len);
        if (problem)
            return error_set(err, E_REFUSED,
                             "fetch: %s: wanted a public address, %s %s; aia.allow of the "
                             "configuration can make exceptions",
                             url->host, item->text, problem);
    }
    return 0;
}

static int check_rules(struct transfer *transfer, struct error *err)
{
    const struct fetch_rules *rules = transfer->rules;
    int port = transfer->url.port;
    bool allowed = port == 80 || port == 443;

    for (size_t i = 0; i < rules->port_count; i++)
        allowed |= port == rules->ports[i];
    if (!allowed)
        return error_set(err, E_REFUSED,
                         "fetch: %s: wanted port 80 or 443, got %d; aia.ports of the configuration "
                         "can make exceptions",
                         transfer->url.host, port);
    for (size_t i = 0; i < rules->allow_count; i++)
        if (!address_is_range(rules->allow[i]) && is_same_host(rules->allow[i], transfer->url.host))
            transfer->host_allowed = true;
    return 0;
}

/* libcurl's last word: whatever it was told, and whatever it made of it, this is where it goes. */
static curl_socket_t open_socket(void *self, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = self;
    const char *problem = problem_of(transfer, &address->addr, address->addrlen);

    if (purpose != CURLSOCKTYPE_IPCXN)
        problem = "is not for a connection";
    if (problem) {
        snprintf(transfer->refused, sizeof transfer->refused, "the address to connect to %s",
                 problem);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *self)
{
    struct transfer *transfer = self;

    buf_add(&transfer->body, data, size * count);
    return transfer->body.full ? 0 : size * count;
}

/* "HOST:PORT:ADDRESS,ADDRESS" for libcurl's own cache of names. */
static struct curl_slist *pin(const struct transfer *transfer)
{
    const struct probe_addresses *addresses = &transfer->addresses;
    AUTO_BUF struct buf line;
    bool literal = strchr(transfer->url.host, ':') != NULL;

    buf_init(&line, BUF_MAX_RECEIPT);
    buf_printf(&line, "%s%s%s:%d:", literal ? "[" : "", transfer->url.host, literal ? "]" : "",
               transfer->url.port);
    for (size_t i = 0; i < addresses->count; i++) {
        const char *text = addresses->items[i].text;

        /* Without the port. */
        buf_printf(&line, "%s%.*s", i > 0 ? "," : "", (int)(strrchr(text, ':') - text), text);
    }
    return curl_slist_append(NULL, buf_text(&line));
}

static void set_up(struct transfer *transfer, CURL *curl, const char *url)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not even one from the environment */
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_NONE);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "unlapsed");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)FETCH_SECONDS);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)FETCH_BODY_MAX);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->text);
}

static int finish(const struct transfer *transfer, CURL *curl, CURLcode result, struct error *err)
{
    const char *host = transfer->url.host;
    const char *text = transfer->text[0] != '\0' ? transfer->text : curl_easy_strerror(result);
    char safe[CURL_ERROR_SIZE];
    long status = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->refused[0] != '\0')
        return error_set(err, E_REFUSED, "fetch: %s: %s", host, transfer->refused);
    if (transfer->body.full || result == CURLE_FILESIZE_EXCEEDED)
        return error_set(err, E_TOO_LARGE, "fetch: %s: wanted at most %d bytes, got more", host,
                         FETCH_BODY_MAX);
    if (result == CURLE_OPERATION_TIMEDOUT)
        return error_set(err, E_TIMEOUT, "fetch: %s: wanted an answer within %d s", host,
                         FETCH_SECONDS);
    if (result != CURLE_OK)
        return error_set(err, E_NETWORK, "fetch: %s: %s", host,
                         text_escape(text, safe, sizeof safe));
    if (status != 200)
        return error_set(err, E_REFUSED, "fetch: %s: wanted the status 200, got %ld%s", host,
                         status,
                         status >= 300 && status < 400 ? ": redirects are not followed" : "");
    return 0;
}

static int perform(struct transfer *transfer, const char *url, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_curl);
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, E_IO, "fetch: libcurl does not start");
    struct curl_slist *pinned = pin(transfer);
    set_up(transfer, curl, url);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, pinned);
    int rc = finish(transfer, curl, curl_easy_perform(curl), err);
    curl_easy_cleanup(curl);
    curl_slist_free_all(pinned);
    return rc;
}

int fetch_get(const struct fetch_rules *rules, const char *url, struct blob *ret, struct error *err)
{
    struct transfer transfer = {.rules = rules};
    int rc = fetch_url_read(url, &transfer.url, err);

    buf_init(&transfer.body, FETCH_BODY_MAX);
    if (rc == 0)
        rc = check_rules(&transfer, err);
    if (rc == 0)
        rc = resolve(&transfer, err);
    if (rc == 0)
        rc = perform(&transfer, url, err);
    if (rc == 0)
        *ret = buf_take(&transfer.body);
    buf_done(&transfer.body);
    return rc;
}
