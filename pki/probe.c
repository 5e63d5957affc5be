#include "pki/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/file.h"
#include "pki/crypto.h"

UL_AUTO_DEFINE(SSL, SSL_free)

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((struct probe_address){0}.storage),
               "a probe_address holds any socket address");

/* How much of what follows the handshake is read away before the connection is closed. */
enum { DRAIN_MAX = 16 };

static pthread_once_t shared_once = PTHREAD_ONCE_INIT;
static SSL_CTX *shared;
static int asked_index; /* of a bool that says: the server asked for a certificate of ours */

static int skip_verification(X509_STORE_CTX *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 1;
}

static int offer_no_certificate(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    bool *asked = SSL_get_ex_data(ssl, asked_index);

    (void)cert;
    (void)key;
    *asked = true;
    return 0;
}

/* One context for all probes, without a trust store: parsing the system's costs 20 ms. */
static void make_shared(void)
{
    shared = SSL_CTX_new(TLS_client_method());
    asked_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (!shared)
        return;
    /* What is served is wanted, however old or weak: it is judged elsewhere. */
    SSL_CTX_set_min_proto_version(shared, TLS1_VERSION);
    SSL_CTX_set_cipher_list(shared, "ALL:!aNULL:!eNULL:@SECLEVEL=0");
    SSL_CTX_set_options(shared, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_verify(shared, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(shared, skip_verification, NULL);
    SSL_CTX_set_client_cert_cb(shared, offer_no_certificate);
    SSL_CTX_set_session_cache_mode(shared, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(shared, 256 << 10);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One connection being tried; the deadline counts on the monotonic clock. */
struct attempt {
    const struct probe_address *address;
    int timeout_ms;
    int64_t deadline;
    int fd;
};

static int wait_for(const struct attempt *attempt, short events, struct error *err)
{
    struct pollfd one = {.fd = attempt->fd, .events = events};

    for (;;) {
        int64_t left = attempt->deadline - now_ms();
        int got = left > 0 ? poll(&one, 1, (int)left) : 0;

        if (got > 0)
            return 0;
        if (got == 0)
            return error_set(err, E_TIMEOUT, "probe %s: wanted an answer within %d ms, got none",
                             attempt->address->text, attempt->timeout_ms);
        if (errno != EINTR)
            return error_set_errno(err, errno, "probe %s: cannot wait", attempt->address->text);
    }
}

static int network_error(const struct attempt *attempt, int errnum, struct error *err)
{
    char reason[128];

    return error_set(err, E_NETWORK, "probe %s: cannot connect: %s", attempt->address->text,
                     strerror_r(errnum, reason, sizeof reason));
}

static int connect_to(struct attempt *attempt, struct error *err)
{
    struct sockaddr_storage to;
    int failed = 0;
    socklen_t size = sizeof failed;

    if (attempt->address->len > sizeof to)
        return error_set(err, E_INPUT, "probe %s: wanted a socket address", attempt->address->text);
    memcpy(&to, attempt->address->storage, attempt->address->len);
    attempt->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0)
        return network_error(attempt, errno, err);
    if (connect(attempt->fd, (struct sockaddr *)&to, (socklen_t)attempt->address->len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return network_error(attempt, errno, err);
    int rc = wait_for(attempt, POLLOUT, err);
    if (rc < 0)
        return rc;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
        failed = errno;
    return failed != 0 ? network_error(attempt, failed, err) : 0;
}

/* SNI carries DNS names only and no final dot (RFC 6066 3). */
static bool set_server_name(SSL *ssl, const char *name)
{
    uint8_t address[16];
    char text[TLSEXT_MAXLEN_host_name + 1];
    size_t len = name ? strlen(name) : 0;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof text || inet_pton(AF_INET, name, address) == 1 ||
        inet_pton(AF_INET6, name, address) == 1)
        return true;
    memcpy(text, name, len);
    text[len] = '\0';
    return SSL_set_tlsext_host_name(ssl, text) == 1;
}

static int handshake_error(const struct attempt *attempt, int kind, int errnum, struct error *err)
{
    unsigned long last = ERR_peek_last_error();
    char reason[128];
    const char *text = ERR_reason_error_string(last);

    ERR_clear_error();
    if (ERR_GET_LIB(last) == ERR_LIB_SSL && (ERR_GET_REASON(last) == SSL_R_WRONG_VERSION_NUMBER ||
                                             ERR_GET_REASON(last) == SSL_R_HTTP_REQUEST))
        return error_set(err, E_NETWORK, "probe %s: wanted TLS, got an answer that is none",
                         attempt->address->text);
    if (kind == SSL_ERROR_SYSCALL && last == 0)
        text = errnum != 0 ? strerror_r(errnum, reason, sizeof reason) : "connection closed";
    if (kind == SSL_ERROR_ZERO_RETURN)
        text = "connection closed";
    return error_set(err, E_NETWORK, "probe %s: handshake: %s", attempt->address->text,
                     text ? text : "failed");
}

/*
 * A server that insists on a certificate of the client's ends a TLS 1.2 handshake only after it has
 * shown its own and proved that the key is there: all that a probe asks.
 */
static int shake_hands(const struct attempt *attempt, SSL *ssl, const bool *asked,
                       struct error *err)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int done = SSL_connect(ssl);
        int errnum = errno;
        int kind = SSL_get_error(ssl, done);
        int rc;

        if (done == 1)
            return 0;
        if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
            rc = wait_for(attempt, kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, err);
        else if (*asked && SSL_get_peer_cert_chain(ssl))
            return 0;
        else
            rc = handshake_error(attempt, kind, errnum, err);
        if (rc < 0)
            return rc;
    }
}

static int collect(const struct attempt *attempt, SSL *ssl, struct probe_result *ret,
                   struct error *err)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl); /* with the leaf, on a client's side */
    struct probe_result result = {0};

    if (!sent || sk_X509_num(sent) == 0)
        return error_set(err, E_NETWORK, "probe %s: the server sent no certificate",
                         attempt->address->text);
    for (int i = 0; i < sk_X509_num(sent); i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(sk_X509_value(sent, i), &der);

        if (len > 0)
            blobs_add(&result.sent, span_of(der, (size_t)len));
        OPENSSL_free(der);
    }
    snprintf(result.protocol, sizeof result.protocol, "%s", SSL_get_version(ssl));
    *ret = result;
    return 0;
}

/* close_notify; then what has arrived is read away, since closing over unread data (session
 * tickets) sends a reset, which servers log as an error of ours. */
static void say_goodbye(SSL *ssl, int fd)
{
    char ignored[4096];

    SSL_shutdown(ssl);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < DRAIN_MAX && recv(fd, ignored, sizeof ignored, MSG_DONTWAIT) > 0; i++)
        continue;
    ERR_clear_error();
}

static int read_plain(void *self, uint8_t *data, size_t max, size_t *ret, struct error *err)
{
    const struct attempt *attempt = self;

    for (;;) {
        ssize_t got = recv(attempt->fd, data, max, 0);

        if (got > 0) {
            *ret = (size_t)got;
            return 0;
        }
        if (got == 0)
            return error_set(err, E_NETWORK, "connection closed before TLS");
        if (errno != EAGAIN && errno != EINTR)
            return error_set_errno(err, errno, "cannot read");
        int rc = wait_for(attempt, POLLIN, err);
        if (rc < 0)
            return rc;
    }
}

static int write_plain(void *self, struct span data, struct error *err)
{
    const struct attempt *attempt = self;

    while (data.len > 0) {
        ssize_t sent = send(attempt->fd, data.data, data.len, MSG_NOSIGNAL);

        if (sent >= 0)
            data = span_of(data.data + sent, data.len - (size_t)sent);
        else if (errno != EAGAIN && errno != EINTR)
            return error_set_errno(err, errno, "cannot write");
        else if (wait_for(attempt, POLLOUT, err) < 0)
            return err ? err->code : E_TIMEOUT;
    }
    return 0;
}

static int talk_first(struct attempt *attempt, enum starttls protocol, const char *host,
                      struct error *err)
{
    const struct starttls_line line = {attempt, read_plain, write_plain};
    int rc = starttls_talk(&line, protocol, host, err);

    return rc < 0 && rc != E_TIMEOUT ? error_wrap(err, rc, "probe %s", attempt->address->text) : rc;
}

int probe_handshake(const struct probe_address *address, const char *server_name, int timeout_ms,
                    struct probe_result *ret, struct error *err)
{
    return probe_starttls(address, server_name, STARTTLS_NONE, timeout_ms, ret, err);
}

int probe_starttls(const struct probe_address *address, const char *server_name,
                   enum starttls protocol, int timeout_ms, struct probe_result *ret,
                   struct error *err)
{
    struct attempt attempt = {address, timeout_ms, now_ms() + timeout_ms, -1};
    AUTO_OF(SSL) SSL *ssl = NULL;
    bool asked = false;

    pthread_once(&shared_once, make_shared);
    ERR_clear_error();
    if (shared)
        ssl = SSL_new(shared);
    if (!ssl || !SSL_set_ex_data(ssl, asked_index, &asked) || !set_server_name(ssl, server_name))
        return crypto_error(err, E_CRYPTO, "probe %s: cannot prepare", address->text);
    int rc = connect_to(&attempt, err);
    AUTO_FD int fd = attempt.fd;
    if (rc == 0)
        rc = talk_first(&attempt, protocol, server_name, err);
    if (rc < 0)
        return rc;
    if (!SSL_set_fd(ssl, fd))
        return crypto_error(err, E_CRYPTO, "probe %s: cannot prepare", address->text);
    rc = shake_hands(&attempt, ssl, &asked, err);
    if (rc == 0)
        rc = collect(&attempt, ssl, ret, err);
    if (rc == 0)
        say_goodbye(ssl, fd);
    ERR_clear_error();
    return rc;
}

void probe_result_done(struct probe_result *result)
{
    blobs_done(&result->sent);
    *result = (struct probe_result){0};
}
