#include "daemon/cli/client.h"

#include <string.h>

#include <curl/curl.h>

#include "daemon/cli/reply.h"

enum { CONNECT_MS = 5000, WHOLE_MS = 60000, SCHEMA_VERSION = 1 };

void reply_done(struct reply *reply)
{
    json_decref(reply->json);
    reply->json = NULL;
    buf_done(&reply->raw);
}

char *client_path(const char *before, const char *name, const char *after)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    AUTO_FREE char *encoded = mem_alloc(strlen(name) * 3 + 1, 1);
    char *at = encoded;

    for (const unsigned char *in = (const unsigned char *)name; *in; in++) {
        static const char digits[] = "0123456789ABCDEF";

        if (strchr(plain, *in)) {
            *at++ = (char)*in;
        } else {
            *at++ = '%';
            *at++ = digits[*in >> 4];
            *at++ = digits[*in & 15];
        }
    }
    return mem_printf("%s%s%s", before, encoded, after);
}

static size_t collect(char *data, size_t size, size_t count, void *self)
{
    struct buf *raw = self;

    buf_add(raw, data, size * count);
    return raw->full ? 0 : size * count;
}

static int prepare(CURL *curl, const char *socket, const char *path, const char *method,
                   const char *body, struct reply *ret)
{
    AUTO_FREE char *url = mem_printf("http://unlapsed%s", path);
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);

    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (rc == CURLE_OK && body)
        rc = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body);
    if (rc == CURLE_OK && method)
        rc = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->raw);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
    return rc == CURLE_OK ? 0 : -1;
}

/* The daemon's code by its name; E_FORMAT for a name of a later version. */
static int code_of(const char *name)
{
#define X(code, value, retry, text) \
    if (strcmp(name, #code) == 0)   \
        return code;
    CODE_TABLE(X)
#undef X
    return E_IO;
}

static int read_error(const json_t *json, long status, struct error *err)
{
    struct error bad = {0};
    const json_t *error = reply_object(json, "error", &bad);
    const char *code = reply_text(error, "code", &bad);
    const char *message = reply_text(error, "message", &bad);

    if (bad.code != 0)
        return error_set(err, E_FORMAT, "the daemon answered with status %ld and no reason",
                         status);
    return error_set(err, code_of(code), "%s", message);
}

static int read_reply(long status, struct reply *ret, struct error *err)
{
    json_error_t where;
    struct error bad = {0};

    ret->json = json_loadb(buf_text(&ret->raw), ret->raw.len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(ret->json))
        return error_set(err, E_FORMAT, "the daemon's reply: wanted a JSON object, got: %s",
                         ret->json ? "something else" : where.text);
    if (status < 200 || status > 299)
        return read_error(ret->json, status, err);
    if (reply_number(ret->json, "schema_version", &bad) != SCHEMA_VERSION)
        return error_set(err, E_FORMAT,
                         "the daemon's reply: wanted schema_version %d: are unlapse "
                         "and unlapsed of the same version?",
                         SCHEMA_VERSION);
    return 0;
}

static int perform(CURL *curl, const char *socket, struct reply *ret, struct error *err)
{
    long status = 0, errnum = 0;
    CURLcode done = curl_easy_perform(curl);

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (done == CURLE_OK)
        return read_reply(status, ret, err);
    if (ret->raw.full)
        return error_set(err, E_TOO_LARGE, "the daemon's reply: larger than %d bytes",
                         BUF_MAX_REPLY);
    ret->unreachable = true;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
    return error_set(err, E_NETWORK, "%s: cannot reach the daemon: %s", socket,
                     errnum != 0 ? strerror((int)errnum) : curl_easy_strerror(done));
}

/* method NULL: GET without a body, else POST. */
static int call(const char *socket, const char *path, const char *method, const json_t *body,
                struct reply *ret, struct error *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CURL *curl = curl_easy_init();
    int rc;

    *ret = (struct reply){0};
    buf_init(&ret->raw, BUF_MAX_REPLY);
    if (curl && prepare(curl, socket, path, method, text, ret) == 0)
        rc = perform(curl, socket, ret, err);
    else
        rc = error_set(err, E_INPUT, "%s: not a path of a socket", socket);
    curl_easy_cleanup(curl);
    free(text);
    return rc;
}

int client_call(const char *socket, const char *path, const json_t *body, struct reply *ret,
                struct error *err)
{
    return call(socket, path, NULL, body, ret, err);
}

int client_delete(const char *socket, const char *path, struct reply *ret, struct error *err)
{
    return call(socket, path, "DELETE", NULL, ret, err);
}
