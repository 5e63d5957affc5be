#include "pki/names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"

enum { DNS_MAX = 253, LABEL_MAX = 63, LOCAL_PART_MAX = 64, EMAIL_MAX = 254, URI_MAX = 2048 };

static const char *const type_texts[] = {
    [NAME_DNS] = "dns", [NAME_IP] = "ip", [NAME_EMAIL] = "email", [NAME_URI] = "uri"};

const char *name_type_text(enum name_type type)
{
    return type_texts[type];
}

void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i].text);
    free(names->items);
    *names = (struct names){0};
}

static bool same(const struct name *a, const struct name *b)
{
    return a->type == b->type && strcmp(a->text, b->text) == 0;
}

/* Takes the text; a name that is there already is freed. */
static void append(struct names *names, enum name_type type, char *text)
{
    struct name item = {type, text};

    for (size_t i = 0; i < names->count; i++) {
        if (same(&names->items[i], &item)) {
            free(text);
            return;
        }
    }
    names->items = mem_resize(names->items, names->count + 1, sizeof names->items[0]);
    names->items[names->count++] = item;
}

/* Not tolower(): the locale has no say in what a name is. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void lower_range(char *from, const char *to)
{
    for (char *p = from; p < to; p++)
        *p = lower(*p);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text <= 0x20 || *text >= 0x7F)
            return false;
    return true;
}

/* One label of a DNS name; NULL when it is one, else what is wrong. */
static const char *label_fault(const char *label, size_t len)
{
    if (len == 0)
        return "an empty label";
    if (len > LABEL_MAX)
        return "a label longer than 63 characters";
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(label[i]) && label[i] != '-')
            return "a character other than letters, digits and \"-\"";
    if (label[0] == '-' || label[len - 1] == '-')
        return "a label that begins or ends with \"-\"";
    return NULL;
}

/* The labels of a host name without a final dot (RFC 1123 2.1). */
static const char *host_fault(const char *host)
{
    const char *label = host;
    bool numeric;

    if (strlen(host) > DNS_MAX)
        return "more than 253 characters";
    for (;;) {
        size_t len = strcspn(label, ".");
        const char *fault = label_fault(label, len);

        if (fault)
            return fault;
        numeric = strspn(label, "0123456789") == len;
        if (label[len] == '\0')
            break;
        label += len + 1;
    }
    /* "192.0.2.300" is a mistyped address, and no top-level domain is a number. */
    return numeric ? "a number as its last label" : NULL;
}

static int add_dns(struct names *names, const char *text, struct error *err)
{
    AUTO_FREE char *name = mem_strdup(text);
    size_t len = strlen(name);

    if (len > 1 && name[len - 1] == '.')
        name[--len] = '\0';
    const char *host = text_starts(name, "*.") ? name + 2 : name;
    const char *fault = len > DNS_MAX ? "more than 253 characters" : host_fault(host);
    if (fault)
        return error_set(err, E_INPUT,
                         "dns name \"%s\": wanted a host name, with or without a leading \"*.\", "
                         "got %s",
                         text, fault);
    lower_range(name, name + len);
    append(names, NAME_DNS, mem_strdup(name));
    return 0;
}

/* The canonical text of an address (RFC 5952); NULL when it is none. Owned by the caller. */
static char *address_text(const char *text)
{
    static const int families[] = {AF_INET, AF_INET6};
    char out[INET6_ADDRSTRLEN];
    uint8_t raw[16];

    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (inet_pton(families[i], text, raw) == 1)
            return mem_strdup(inet_ntop(families[i], raw, out, sizeof out));
    return NULL;
}

static int add_ip(struct names *names, const char *text, struct error *err)
{
    char *address = address_text(text);

    if (!address)
        return error_set(err, E_INPUT,
                         "ip name \"%s\": wanted an IPv4 or IPv6 address without a port, prefix "
                         "length, brackets or zone",
                         text);
    append(names, NAME_IP, address);
    return 0;
}

static int add_email(struct names *names, const char *text, struct error *err)
{
    const char *at = strchr(text, '@');
    const char *fault = NULL;

    if (!at || strchr(at + 1, '@'))
        fault = "not exactly one \"@\"";
    else if (at == text || at - text > LOCAL_PART_MAX || strlen(text) > EMAIL_MAX)
        fault = "nothing or too much before the \"@\"";
    else if (!is_printable(text) || strpbrk(text, "<>()[]\\,;:\""))
        fault = "a character that needs quoting";
    else
        fault = host_fault(at + 1);
    if (fault)
        return error_set(err, E_INPUT, "email name \"%s\": wanted user@host.name, got %s", text,
                         fault);

    char *name = mem_strdup(text);
    /* The part before "@" is the receiving host's business (RFC 5321 2.4). */
    lower_range(name + (at - text), name + strlen(name));
    append(names, NAME_EMAIL, name);
    return 0;
}

/* The authority of a URI: bounds within text; false when there is no "scheme://". */
static bool uri_authority(const char *text, size_t *ret_from, size_t *ret_to)
{
    size_t scheme = 0;

    while (is_alnum(text[scheme]) || (text[scheme] && strchr("+-.", text[scheme])))
        scheme++;
    if (scheme == 0 || is_digit(text[0]) || !is_alnum(text[0]) ||
        !text_starts(text + scheme, "://"))
        return false;
    *ret_from = scheme + 3;
    *ret_to = *ret_from + strcspn(text + *ret_from, "/?#");
    return true;
}

/* Scheme and host do not depend on case (RFC 3986 6.2.2.1); user information before "@" does. */
static void lower_uri(char *text)
{
    size_t from, to;

    if (!uri_authority(text, &from, &to))
        return;
    lower_range(text, text + from);
    const char *at = memrchr(text + from, '@', to - from);
    lower_range(at ? text + (at - text) : text + from, text + to);
}

static int add_uri(struct names *names, const char *text, struct error *err)
{
    size_t from = 0, to = 0;
    const char *fault = NULL;

    if (!uri_authority(text, &from, &to))
        fault = "no \"scheme://\"";
    else if (to == from || text[to - 1] == '@' || text[from] == ':')
        fault = "no host";
    else if (strlen(text) > URI_MAX)
        fault = "more than 2048 characters";
    else if (!is_printable(text) || strpbrk(text, "<>\"\\^`{|}"))
        fault = "a character that must be percent-encoded";
    if (fault)
        return error_set(err, E_INPUT, "uri name \"%s\": wanted scheme://host..., got %s", text,
                         fault);

    char *name = mem_strdup(text);
    lower_uri(name);
    append(names, NAME_URI, name);
    return 0;
}

int names_add(struct names *names, enum name_type type, const char *text, struct error *err)
{
    static int (*const adders[])(struct names *, const char *, struct error *) = {
        [NAME_DNS] = add_dns, [NAME_IP] = add_ip, [NAME_EMAIL] = add_email, [NAME_URI] = add_uri};

    return adders[type](names, text, err);
}

int names_add_tagged(struct names *names, const char *text, struct error *err)
{
    AUTO_FREE char *address = address_text(text);
    enum name_type type = NAME_DNS;

    for (size_t i = 0; i < COUNT_OF(type_texts); i++) {
        size_t len = strlen(type_texts[i]);

        if (strncasecmp(text, type_texts[i], len) == 0 && text[len] == ':')
            return names_add(names, (enum name_type)i, text + len + 1, err);
    }
    if (address)
        type = NAME_IP;
    else if (strstr(text, "://")) /* before "@": a URI may hold one */
        type = NAME_URI;
    else if (strchr(text, '@'))
        type = NAME_EMAIL;
    return names_add(names, type, text, err);
}

static bool add_found_ip(struct names *names, struct span raw)
{
    char out[INET6_ADDRSTRLEN];

    if (raw.len != 4 && raw.len != 16)
        return true; /* names no host (RFC 5280 4.2.1.6), so it covers none */
    inet_ntop(raw.len == 4 ? AF_INET : AF_INET6, raw.data, out, sizeof out);
    append(names, NAME_IP, mem_strdup(out));
    return true;
}

bool names_add_found(struct names *names, enum name_type type, struct span raw)
{
    if (type == NAME_IP)
        return add_found_ip(names, raw);
    /* "www.example.com\0.evil.example" is one name to us and another to a C program. */
    if (raw.len > 0 && memchr(raw.data, '\0', raw.len))
        return false;

    AUTO_BUF struct buf out;
    buf_init(&out, raw.len * 4);
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] <= 0x20 || raw.data[i] >= 0x7F || raw.data[i] == '\\')
            buf_printf(&out, "\\x%02x", raw.data[i]);
        else
            buf_add(&out, raw.data + i, 1);
    }
    char *text = mem_strdup(buf_text(&out));
    char *at = strrchr(text, '@');
    if (type == NAME_DNS)
        lower_range(text, text + strlen(text));
    else if (type == NAME_EMAIL && at)
        lower_range(at, at + strlen(at));
    else if (type == NAME_URI)
        lower_uri(text);
    append(names, type, text);
    return true;
}

void names_copy(const struct names *from, struct names *ret)
{
    struct names out = {0};

    if (from->count > 0)
        out.items = mem_alloc(from->count, sizeof out.items[0]);
    for (; out.count < from->count; out.count++)
        out.items[out.count] =
            (struct name){from->items[out.count].type, mem_strdup(from->items[out.count].text)};
    *ret = out;
}

static bool covers(const struct name *have, const struct name *wanted)
{
    if (same(have, wanted))
        return true;
    if (have->type != NAME_DNS || wanted->type != NAME_DNS || !text_starts(have->text, "*."))
        return false;
    const char *dot = strchr(wanted->text, '.');
    return dot && dot != wanted->text && dot[1] != '\0' && strcmp(dot, have->text + 1) == 0;
}

bool names_cover(const struct names *have, const struct name *wanted)
{
    for (size_t i = 0; i < have->count; i++)
        if (covers(&have->items[i], wanted))
            return true;
    return false;
}

const struct name *names_first_missing(const struct names *have, const struct names *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!names_cover(have, &wanted->items[i]))
            return &wanted->items[i];
    return NULL;
}

char *names_join(const struct names *names)
{
    char *out = mem_strdup("");
    size_t len = 0;

    for (size_t i = 0; i < names->count; i++) {
        const struct name *name = &names->items[i];
        size_t room = len + strlen(name->text) + 16;

        out = mem_resize(out, room, 1);
        len += (size_t)snprintf(out + len, room - len, "%s%s:%s", i > 0 ? ", " : "",
                                name_type_text(name->type), name->text);
    }
    return out;
}
