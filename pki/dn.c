#include "pki/dn.h"

#include <string.h>

#include <openssl/err.h>

#include "pki/crypto.h"

/* Strings of text; all others count as they are. */
enum {
    TEXT_TYPES = B_ASN1_UTF8STRING | B_ASN1_BMPSTRING | B_ASN1_UNIVERSALSTRING |
                 B_ASN1_PRINTABLESTRING | B_ASN1_T61STRING | B_ASN1_IA5STRING |
                 B_ASN1_VISIBLESTRING,
    NORMAL_MAX = 8 * CERT_DER_MAX /* UTF-8 is longer than some of them, and each has a head */
};

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks around it are gone, a run of them is one, capitals of ASCII are small. Returns the length.
 */
static size_t fold(uint8_t *text, size_t len)
{
    size_t out = 0;

    while (len > 0 && is_blank(text[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = text[i];

        if (is_blank(c)) {
            if (out > 0 && text[out - 1] != ' ')
                text[out++] = ' ';
        } else {
            text[out++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
        }
    }
    return out;
}

static void add_part(struct buf *ret, const void *data, size_t len)
{
    uint32_t length = (uint32_t)len;

    buf_add(ret, &length, sizeof length);
    buf_add(ret, data, len);
}

/* Which attribute, of which kind, and its value; each with its length, so that nothing runs into
 * the next. */
static bool add_entry(const X509_NAME_ENTRY *entry, struct buf *ret)
{
    const ASN1_OBJECT *attribute = X509_NAME_ENTRY_get_object(entry);
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    int type = ASN1_STRING_type(value);
    uint8_t *text = NULL;

    add_part(ret, OBJ_get0_data(attribute), OBJ_length(attribute));
    if (!(ASN1_tag2bit(type) & (unsigned long)TEXT_TYPES)) {
        add_part(ret, &type, sizeof type);
        add_part(ret, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        return true;
    }
    int len = ASN1_STRING_to_UTF8(&text, value);
    if (len < 0)
        return false;
    type = V_ASN1_UTF8STRING;
    add_part(ret, &type, sizeof type);
    add_part(ret, text, fold(text, (size_t)len));
    OPENSSL_free(text);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct blob *one = a, *other = b;
    size_t len = one->len < other->len ? one->len : other->len;
    int order = memcmp(one->data, other->data, len);

    return order != 0 ? order : (one->len > other->len) - (one->len < other->len);
}

/* The attributes of one RelativeDistinguishedName, from `at` on, whose order does not count.
 * Returns where the next one begins, or -1. */
static int add_set(const X509_NAME *name, int at, struct buf *ret)
{
    AUTO_BLOBS struct blobs entries = {0};
    int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, at));

    for (; at < X509_NAME_entry_count(name); at++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, at);
        AUTO_BUF struct buf normal;

        if (X509_NAME_ENTRY_set(entry) != set)
            break;
        buf_init(&normal, NORMAL_MAX);
        if (!add_entry(entry, &normal) || normal.full)
            return -1;
        blobs_add(&entries, span_of(normal.data, normal.len));
    }
    if (entries.count > 1)
        qsort(entries.items, entries.count, sizeof *entries.items, compare);
    buf_add(ret, &entries.count, sizeof entries.count);
    for (size_t i = 0; i < entries.count; i++)
        buf_add(ret, entries.items[i].data, entries.items[i].len);
    return at;
}

bool dn_hash(const X509_NAME *name, uint8_t ret[SHA256_LEN])
{
    AUTO_BUF struct buf normal;
    int at = 0;

    buf_init(&normal, NORMAL_MAX);
    while (at >= 0 && at < X509_NAME_entry_count(name))
        at = add_set(name, at, &normal);
    ERR_clear_error();
    if (at < 0 || normal.full)
        return false;
    sha256_of(span_of(normal.data, normal.len), ret);
    return true;
}
