#include "pki/starttls.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* All that a server may say, and the lines of one answer. */
enum { SAID_MAX = 16 << 10, LINE_MAX_BYTES = 2048, LINES_MAX = 128, SHOWN_MAX = 120 };

struct talk {
    const struct starttls_line *line;
    enum starttls protocol;
    const char *host;
    struct error *err;
    uint8_t data[SAID_MAX];
    size_t len; /* what came */
    size_t at;  /* what of it was read */
    char text[LINE_MAX_BYTES];
};

bool starttls_find(const char *text, enum starttls *ret)
{
#define X(name, word, port)          \
    if (strcasecmp(text, word) == 0) \
        return *ret = name, true;
    STARTTLS_TABLE(X)
#undef X
    return false;
}

const char *starttls_text(enum starttls protocol)
{
    switch (protocol) {
    case STARTTLS_NONE:
        return "none";
#define X(name, word, port) \
    case name:              \
        return word;
        STARTTLS_TABLE(X)
#undef X
    }
    return "none";
}

int starttls_port(enum starttls protocol)
{
    switch (protocol) {
    case STARTTLS_NONE:
        return 443;
#define X(name, word, port) \
    case name:              \
        return port;
        STARTTLS_TABLE(X)
#undef X
    }
    return 443;
}

static int refuse(struct talk *talk, const char *wanted, const char *got)
{
    char shown[SHOWN_MAX];

    return error_set(talk->err, E_NETWORK, "%s: wanted %s, got \"%s\"",
                     starttls_text(talk->protocol), wanted, text_escape(got, shown, sizeof shown));
}

static int fill(struct talk *talk)
{
    size_t got = 0;

    if (talk->len == sizeof talk->data)
        return error_set(talk->err, E_NETWORK, "%s: wanted at most %d bytes, got more",
                         starttls_text(talk->protocol), SAID_MAX);
    int rc = talk->line->read(talk->line->self, talk->data + talk->len,
                              sizeof talk->data - talk->len, &got, talk->err);
    if (rc == 0)
        talk->len += got;
    return rc;
}

static int need(struct talk *talk, size_t count)
{
    int rc = 0;

    while (rc == 0 && talk->len - talk->at < count)
        rc = fill(talk);
    return rc;
}

static int say(struct talk *talk, const char *text)
{
    return talk->line->write(talk->line->self, span_text(text), talk->err);
}

/* The next line without its end in talk->text; NULs become blanks. */
static int read_line(struct talk *talk)
{
    const uint8_t *end = NULL;
    size_t looked = talk->at;
    int rc = 0;

    for (;;) {
        end = memchr(talk->data + looked, '\n', talk->len - looked);
        if (end)
            break;
        looked = talk->len;
        rc = fill(talk);
        if (rc < 0)
            return rc;
    }
    size_t len = (size_t)(end - talk->data) - talk->at, kept = len;
    if (kept >= sizeof talk->text)
        kept = sizeof talk->text - 1;
    for (size_t i = 0; i < kept; i++)
        talk->text[i] = talk->data[talk->at + i] ? (char)talk->data[talk->at + i] : ' ';
    if (kept > 0 && talk->text[kept - 1] == '\r')
        kept--;
    talk->text[kept] = '\0';
    talk->at += len + 1;
    return 0;
}

/* A reply in the manner of SMTP and FTP: "220-..." goes on, "220 ..." ends. ret_offers may be NULL,
 * else it tells whether a line of it is the word. */
static int read_reply(struct talk *talk, const char *code, const char *word, bool *ret_offers)
{
    for (int i = 0; i < LINES_MAX; i++) {
        int rc = read_line(talk);

        if (rc < 0)
            return rc;
        if (strncmp(talk->text, code, 3) != 0) {
            /* FTP lets lines between the first and the last be anything. */
            if (i > 0 && talk->protocol == STARTTLS_FTP)
                continue;
            return refuse(talk, code, talk->text);
        }
        if (word && talk->text[3] != '\0' && strcasecmp(talk->text + 4, word) == 0)
            *ret_offers = true;
        if (talk->text[3] != '-')
            return 0;
    }
    return refuse(talk, "an answer that ends", talk->text);
}

static int talk_smtp(struct talk *talk)
{
    bool offers = false;
    int rc = read_reply(talk, "220", NULL, NULL);

    if (rc == 0)
        rc = say(talk, "EHLO localhost\r\n");
    if (rc == 0)
        rc = read_reply(talk, "250", "STARTTLS", &offers);
    if (rc == 0 && !offers)
        return refuse(talk, "STARTTLS among what it offers", talk->text);
    if (rc == 0)
        rc = say(talk, "STARTTLS\r\n");
    return rc == 0 ? read_reply(talk, "220", NULL, NULL) : rc;
}

static int talk_ftp(struct talk *talk)
{
    int rc = read_reply(talk, "220", NULL, NULL);

    if (rc == 0)
        rc = say(talk, "AUTH TLS\r\n");
    return rc == 0 ? read_reply(talk, "234", NULL, NULL) : rc;
}

/* Lines up to one that begins with `good`; anything that begins with `bad` refuses. */
static int read_until(struct talk *talk, const char *good, const char *bad, const char *word,
                      bool *ret_offers)
{
    for (int i = 0; i < LINES_MAX; i++) {
        int rc = read_line(talk);

        if (rc < 0)
            return rc;
        if (word && strcasestr(talk->text, word))
            *ret_offers = true;
        if (strncasecmp(talk->text, good, strlen(good)) == 0)
            return 0;
        if (bad && strncasecmp(talk->text, bad, strlen(bad)) == 0)
            break;
    }
    return refuse(talk, good, talk->text);
}

static int talk_imap(struct talk *talk)
{
    int rc = read_line(talk);

    if (rc == 0 && strncasecmp(talk->text, "* OK", 4) != 0)
        return refuse(talk, "* OK", talk->text);
    if (rc == 0)
        rc = say(talk, "a STARTTLS\r\n");
    return rc == 0 ? read_until(talk, "a OK", "a ", NULL, NULL) : rc;
}

static int talk_pop3(struct talk *talk)
{
    int rc = read_until(talk, "+OK", "", NULL, NULL);

    if (rc == 0)
        rc = say(talk, "STLS\r\n");
    return rc == 0 ? read_until(talk, "+OK", "", NULL, NULL) : rc;
}

static int talk_sieve(struct talk *talk)
{
    bool offers = false;
    int rc = read_until(talk, "OK", "NO", "\"STARTTLS\"", &offers);

    if (rc == 0 && !offers)
        return refuse(talk, "STARTTLS among what it offers", talk->text);
    if (rc == 0)
        rc = say(talk, "STARTTLS\r\n");
    return rc == 0 ? read_until(talk, "OK", "", NULL, NULL) : rc;
}

/* One length of BER, definite and of at most two more bytes; false for others. */
static bool read_length(const uint8_t *data, size_t *at, size_t end, size_t *ret)
{
    if (*at >= end)
        return false;
    size_t first = data[(*at)++];
    if (first < 0x80) {
        *ret = first;
        return true;
    }
    size_t more = first & 0x7F, value = 0;
    if (more == 0 || more > 4 || end - *at < more)
        return false;
    for (size_t i = 0; i < more; i++)
        value = value << 8 | data[(*at)++];
    *ret = value;
    return true;
}

/* LDAPMessage { 1, extendedResp { resultCode success, ... } } (RFC 4511 4.2, 4.12). */
static bool is_ldap_success(const uint8_t *data, size_t len)
{
    size_t at = 0, part;

    if (len < 3 || memcmp(data, "\x02\x01\x01", 3) != 0)
        return false;
    at = 3;
    if (at >= len || data[at++] != 0x78 || !read_length(data, &at, len, &part))
        return false;
    return len - at >= 3 && data[at] == 0x0A && data[at + 1] == 1 && data[at + 2] == 0;
}

static int talk_ldap(struct talk *talk)
{
    static const uint8_t request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                                     "1.3.6.1.4.1.1466.20037";
    size_t at = 1, len = 0;
    int rc = talk->line->write(talk->line->self, span_of(request, sizeof request - 1), talk->err);

    if (rc == 0)
        rc = need(talk, 2);
    if (rc == 0 && (talk->data[1] & 0x80))
        rc = need(talk, 2 + (talk->data[1] & 0x7F) % 5);
    if (rc < 0)
        return rc;
    if (talk->data[0] != 0x30 || !read_length(talk->data, &at, talk->len, &len) ||
        len > SAID_MAX / 2)
        return refuse(talk, "an LDAP answer", "something else");
    rc = need(talk, at + len);
    if (rc < 0)
        return rc;
    talk->at = at + len;
    return is_ldap_success(talk->data + at, len) ? 0 : refuse(talk, "success", "a refusal");
}

static int talk_postgres(struct talk *talk)
{
    static const uint8_t request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    int rc = talk->line->write(talk->line->self, span_of(request, sizeof request), talk->err);

    if (rc == 0)
        rc = need(talk, 1);
    if (rc < 0)
        return rc;
    char answer[2] = {(char)talk->data[talk->at++], '\0'};
    return answer[0] == 'S' ? 0 : refuse(talk, "S", answer);
}

/* Handshake V10: version, its name, thread, 8 bytes of salt, filler, capabilities. */
static bool mysql_has_tls(const uint8_t *data, size_t len)
{
    const uint8_t *end = len > 1 ? memchr(data + 1, '\0', len - 1) : NULL;

    if (!end || data[0] != 10)
        return false;
    size_t at = (size_t)(end - data) + 1 + 4 + 8 + 1;
    return at + 2 <= len && (data[at + 1] & 0x08); /* CLIENT_SSL is 0x0800 */
}

static int talk_mysql(struct talk *talk)
{
    /* CLIENT_SSL, PROTOCOL_41, SECURE_CONNECTION; packets to 16 MiB; utf8 */
    static const uint8_t request[36] = {32, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 33};
    int rc = need(talk, 4);

    if (rc < 0)
        return rc;
    size_t len = talk->data[0] | (size_t)talk->data[1] << 8 | (size_t)talk->data[2] << 16;
    if (len == 0 || len > SAID_MAX / 2)
        return refuse(talk, "a greeting of MySQL", "something else");
    talk->at = 4;
    rc = need(talk, len);
    if (rc < 0)
        return rc;
    if (!mysql_has_tls(talk->data + 4, len))
        return refuse(talk, "a greeting that offers TLS", "one without");
    talk->at += len;
    return talk->line->write(talk->line->self, span_of(request, sizeof request), talk->err);
}

/* Reads XML up to `end`; it stays in talk->data from `from` on. */
static int read_xml(struct talk *talk, const char *end, const char *bad)
{
    int rc = 0;

    for (;;) {
        const uint8_t *from = talk->data + talk->at;
        size_t len = talk->len - talk->at;
        const uint8_t *found = memmem(from, len, end, strlen(end));
        const uint8_t *close = found ? memchr(found, '>', len - (size_t)(found - from)) : NULL;

        if (memmem(from, len, bad, strlen(bad)))
            return refuse(talk, end, bad);
        if (close) {
            talk->at = (size_t)(close - talk->data) + 1;
            return 0;
        }
        rc = fill(talk);
        if (rc < 0)
            return rc;
    }
}

static int talk_xmpp(struct talk *talk)
{
    const char *host = talk->host ? talk->host : "localhost";
    AUTO_FREE char *hello = NULL;

    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(".-_:", *c))
            host = "localhost";
    hello = mem_printf("<?xml version='1.0'?><stream:stream to='%s' version='1.0' "
                       "xmlns='jabber:client' "
                       "xmlns:stream='http://etherx.jabber.org/streams'>",
                       host);
    int rc = say(talk, hello);
    if (rc == 0)
        rc = read_xml(talk, "</stream:features", "<stream:error");
    if (rc == 0 && !memmem(talk->data, talk->at, "urn:ietf:params:xml:ns:xmpp-tls", 31))
        return refuse(talk, "starttls among its features", "none");
    if (rc == 0)
        rc = say(talk, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    return rc == 0 ? read_xml(talk, "<proceed", "<failure") : rc;
}

static int talk_any(struct talk *talk)
{
    switch (talk->protocol) {
    case STARTTLS_NONE:
        return 0;
    case STARTTLS_SMTP:
        return talk_smtp(talk);
    case STARTTLS_IMAP:
        return talk_imap(talk);
    case STARTTLS_POP3:
        return talk_pop3(talk);
    case STARTTLS_FTP:
        return talk_ftp(talk);
    case STARTTLS_LDAP:
        return talk_ldap(talk);
    case STARTTLS_POSTGRES:
        return talk_postgres(talk);
    case STARTTLS_MYSQL:
        return talk_mysql(talk);
    case STARTTLS_XMPP:
        return talk_xmpp(talk);
    case STARTTLS_SIEVE:
        return talk_sieve(talk);
    }
    return 0;
}

int starttls_talk(const struct starttls_line *line, enum starttls protocol, const char *host,
                  struct error *err)
{
    struct talk *talk = mem_alloc(1, sizeof *talk);

    talk->line = line;
    talk->protocol = protocol;
    talk->host = host;
    talk->err = err;
    int rc = talk_any(talk);
    /* Somebody on the way who slips in plain text before the handshake (CVE-2021-38371 elsewhere).
     */
    if (rc == 0 && talk->at < talk->len)
        rc = refuse(talk, "nothing before the handshake", "more");
    free(talk);
    return rc;
}
