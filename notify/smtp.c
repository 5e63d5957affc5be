#include "notify/smtp.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "notify/mail.h"

enum { DEFAULT_TIMEOUT = 60, PASSWORD_MAX = 4096, REPLY_MAX = 512 };

void smtp_settings_done(struct smtp_settings *settings)
{
    free(settings->host);
    free(settings->ca_file);
    free(settings->user);
    free(settings->password_file);
    free(settings->from);
    *settings = (struct smtp_settings){0};
}

/* One transaction as it runs. */
struct session {
    CURL *curl;
    struct span left; /* of the message */
    char verb[5];     /* of the last command sent before QUIT */
    bool quitting;
    int code;              /* of the last reply, 0 before the first */
    char reply[REPLY_MAX]; /* its last line, as the server wrote it */
    char text[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t read_message(char *to, size_t size, size_t count, void *self)
{
    struct session *session = self;
    size_t len = size * count < session->left.len ? size * count : session->left.len;

    if (len > 0)
        memcpy(to, session->left.data, len);
    session->left.data += len;
    session->left.len -= len;
    return len;
}

/* Replies come line by line. The one to QUIT says nothing of the mail. */
static size_t hear_reply(char *line, size_t size, size_t count, void *self)
{
    struct session *session = self;
    size_t len = size * count;
    size_t kept = len < sizeof session->reply - 1 ? len : sizeof session->reply - 1;

    if (session->quitting || len < 3)
        return len;
    memcpy(session->reply, line, kept);
    session->reply[kept] = '\0';
    session->reply[strcspn(session->reply, "\r\n")] = '\0';
    if (isdigit((unsigned char)line[0]) && isdigit((unsigned char)line[1]) &&
        isdigit((unsigned char)line[2]))
        session->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    return len;
}

/* Only the verb of a command is kept: an answer to AUTH holds the password. */
static int note_command(CURL *curl, curl_infotype type, char *data, size_t size, void *self)
{
    struct session *session = self;

    (void)curl;
    if (type != CURLINFO_HEADER_OUT || size < sizeof session->verb - 1)
        return 0;
    session->quitting = memcmp(data, "QUIT", 4) == 0;
    if (!session->quitting)
        memcpy(session->verb, data, sizeof session->verb - 1);
    return 0;
}

/* Letters, digits, dots and hyphens, or an IPv6 address: nothing that means something in a URL. */
static bool is_host(const char *host)
{
    size_t len = strlen(host);

    return len > 0 && len < 256 &&
           (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
                len ||
            (strchr(host, ':') && strspn(host, "0123456789abcdefABCDEF:.") == len));
}

/* Every line ends in CRLF and nothing else: a bare LF may hide a second message behind "." from one
 * server and not from the next. */
static bool is_message(struct span message)
{
    size_t line = 0;

    if (message.len < 2 || message.data[message.len - 1] != '\n')
        return false;
    for (size_t i = 0; i < message.len; i++) {
        bool lf_after = i + 1 < message.len && message.data[i + 1] == '\n';
        bool cr_before = i > 0 && message.data[i - 1] == '\r';

        if (message.data[i] == '\0' || (message.data[i] == '\r' && !lf_after) ||
            (message.data[i] == '\n' && !cr_before))
            return false;
        line = message.data[i] == '\n' ? 0 : line + 1;
        if (line > 999)
            return false;
    }
    return true;
}

static int check(const struct smtp_settings *settings, const char *recipient, struct span message,
                 struct error *err)
{
    if (!settings->host)
        return error_set(err, E_CONFIG, "mail: there is no mail server in the configuration");
    if (!is_host(settings->host) || settings->port < 1 || settings->port > 65535)
        return error_set(err, E_CONFIG, "mail server %s:%d: wanted a host name and a port",
                         settings->host, settings->port);
    if (settings->user && settings->tls == SMTP_TLS_NONE)
        return error_set(err, E_CONFIG,
                         "mail server %s: wanted TLS for the user's password, got "
                         "none",
                         settings->host);
    if (settings->user && !settings->password_file)
        return error_set(err, E_CONFIG, "mail server %s: user %s: wanted a password file, got none",
                         settings->host, settings->user);
    if (!settings->from)
        return error_set(err, E_CONFIG, "mail server %s: wanted a sender, got none",
                         settings->host);
    int rc = mail_address_check(settings->from, err);
    if (rc == 0)
        rc = mail_address_check(recipient, err);
    if (rc == 0 && !is_message(message))
        rc = error_set(err, E_INPUT, "mail to %s: wanted lines of at most 998 bytes ended by CRLF",
                       recipient);
    return rc;
}

static int add_credentials(CURL *curl, const struct smtp_settings *settings, struct error *err)
{
    AUTO_SECRET struct blob password = {0};
    int rc = file_read(settings->password_file, PASSWORD_MAX, &password, err);

    if (rc < 0)
        return error_wrap(err, E_CONFIG, "mail server %s: password file", settings->host);
    /* file_read leaves room for a NUL. */
    size_t len = password.len;
    while (len > 0 && (password.data[len - 1] == '\n' || password.data[len - 1] == '\r'))
        password.data[--len] = '\0';
    if (len == 0 || memchr(password.data, '\0', len))
        return error_set(err, E_CONFIG, "mail server %s: password file %s: wanted one line of text",
                         settings->host, settings->password_file);
    curl_easy_setopt(curl, CURLOPT_USERNAME, settings->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, (const char *)password.data);
    return 0;
}

static void add_tls(CURL *curl, const struct smtp_settings *settings)
{
    long use = CURLUSESSL_ALL;

    switch (settings->tls) {
    case SMTP_TLS_REQUIRED:
    case SMTP_TLS_IMPLICIT:
        break;
    case SMTP_TLS_NONE:
        use = CURLUSESSL_NONE;
        break;
    case SMTP_TLS_OPPORTUNISTIC:
        /* "Try" falls back to clear text when STARTTLS is stripped: not with a password. */
        use = settings->user ? CURLUSESSL_ALL : CURLUSESSL_TRY;
        if (!settings->user && !settings->ca_file) {
            curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
            curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
        }
        break;
    }
    curl_easy_setopt(curl, CURLOPT_USE_SSL, use);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca_file);
        /* Debian's libcurl would look into /etc/ssl/certs as well. */
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

static void set_up(struct session *session, const struct smtp_settings *settings)
{
    CURL *curl = session->curl;
    long timeout = settings->timeout > 0 ? settings->timeout : DEFAULT_TIMEOUT;
    bool ipv6 = strchr(settings->host, ':');
    AUTO_FREE char *url =
        mem_printf("%s://%s%s%s:%d", settings->tls == SMTP_TLS_IMPLICIT ? "smtps" : "smtp",
                   ipv6 ? "[" : "", settings->host, ipv6 ? "]" : "", settings->port);
    AUTO_FREE char *from = mem_printf("<%s>", settings->from);

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not even one from the environment */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, timeout);
    /* CURLOPT_TIMEOUT does not bound the wait for the reply to QUIT: that would take 120 s. */
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, session->text);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, session);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)session->left.len);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, hear_reply);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, session);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L); /* for note_command; nothing is printed */
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, note_command);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, session);
    add_tls(curl, settings);
}

/* The class of a refusal (RFC 5321 4.2.1, RFC 4954 6): which side has to change something. */
static int reply_code(const struct session *session)
{
    bool about_mail = strcmp(session->verb, "RCPT") == 0 || strcmp(session->verb, "DATA") == 0;

    if (session->code >= 400 && session->code < 500)
        return E_NETWORK;
    if (session->code == 530 || session->code == 534 || session->code == 535 ||
        session->code == 538)
        return E_CONFIG;
    /* A 5xx to greeting, EHLO or MAIL refuses this machine or its sender, not the recipient. */
    return about_mail ? E_REFUSED : E_CONFIG;
}

static int result_code(const struct session *session, CURLcode rc)
{
    switch ((int)rc) {
    case CURLE_OPERATION_TIMEDOUT:
        return E_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
        return E_CONFIG;
    default:
        if (session->code >= 400)
            return reply_code(session);
        return rc == CURLE_LOGIN_DENIED || rc == CURLE_USE_SSL_FAILED ? E_CONFIG : E_NETWORK;
    }
}

static int finish(const struct session *session, const struct smtp_settings *settings,
                  const char *recipient, CURLcode rc, struct error *err)
{
    const char *text = session->text[0] != '\0' ? session->text : curl_easy_strerror(rc);

    if (rc == CURLE_OK)
        return 0;
    int code = result_code(session, rc);
    if (session->code >= 400)
        return error_set(err, code, "mail to %s: server %s:%d: %s: it said: %s", recipient,
                         settings->host, settings->port, text, session->reply);
    return error_set(err, code, "mail to %s: server %s:%d: %s", recipient, settings->host,
                     settings->port, text);
}

int smtp_send(const struct smtp_settings *settings, const char *recipient, struct span message,
              struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct session session = {.left = message};
    int rc = check(settings, recipient, message, err);

    if (rc < 0)
        return rc;
    pthread_once(&once, init_curl);
    session.curl = curl_easy_init();
    if (!session.curl)
        return error_set(err, E_IO, "mail: libcurl does not start");
    set_up(&session, settings);
    AUTO_FREE char *to = mem_printf("<%s>", recipient);
    struct curl_slist *recipients = curl_slist_append(NULL, to);
    curl_easy_setopt(session.curl, CURLOPT_MAIL_RCPT, recipients);
    if (settings->user)
        rc = add_credentials(session.curl, settings, err);
    if (rc == 0)
        rc = finish(&session, settings, recipient, curl_easy_perform(session.curl), err);
    curl_easy_cleanup(session.curl);
    curl_slist_free_all(recipients);
    return rc;
}
