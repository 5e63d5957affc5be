#include "daemon/bind/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { TEXT_MAX = CERT_DN_MAX + 128 };

/* "CN=www.example.com, serial 0a1b, until 2026-11-22 16:57:14 UTC" */
static char *describe(struct span der, char ret[TEXT_MAX])
{
    AUTO_CERT struct cert cert = {0};
    char until[UTC_TEXT_MAX];

    if (cert_parse(der, &cert, NULL) < 0)
        snprintf(ret, TEXT_MAX, "a certificate that cannot be read");
    else
        snprintf(ret, TEXT_MAX, "%s, serial %s, until %s", cert.subject[0] ? cert.subject : "\"\"",
                 cert.serial, utc_format_plain(cert.not_after, until));
    return ret;
}

static char *name_of(struct span der, char ret[CERT_DN_MAX])
{
    AUTO_CERT struct cert cert = {0};
    bool known = cert_parse(der, &cert, NULL) == 0;

    snprintf(ret, CERT_DN_MAX, "%s", known ? cert.subject : "a certificate that cannot be read");
    return ret;
}

static bool is_root(struct span der)
{
    AUTO_CERT struct cert cert = {0};

    return cert_parse(der, &cert, NULL) == 0 && cert.self_issued;
}

static bool judge_leaf(const struct expectation *expected, struct span leaf, struct buf *out)
{
    uint8_t hash[SHA256_LEN];
    char text[TEXT_MAX];
    char hex[2 * SHA256_LEN + 1];

    sha256_of(leaf, hash);
    if (memcmp(hash, expected->leaf_sha256, SHA256_LEN) == 0)
        return true;
    if (expected->leaf.len > 0)
        buf_printf(out, ": wanted %s", describe(expected->leaf, text));
    else
        buf_printf(out, ": wanted the certificate with SHA-256 %s",
                   text_hex(expected->leaf_sha256, SHA256_LEN, hex));
    return false;
}

static bool judge_chain(const struct blobs *wanted, const struct blobs *sent, struct buf *out,
                        bool *ret_root)
{
    char want[CERT_DN_MAX];
    char got[CERT_DN_MAX];

    for (size_t i = 0; i < wanted->count; i++) {
        struct span one = blob_span(&wanted->items[i]);

        if (i + 1 >= sent->count) {
            buf_printf(out, ": its chain lacks intermediate %zu, %s", i + 1, name_of(one, want));
            return false;
        }
        if (!span_equal(one, blob_span(&sent->items[i + 1]))) {
            buf_printf(out, ": intermediate %zu: wanted %s, got %s", i + 1, name_of(one, want),
                       name_of(blob_span(&sent->items[i + 1]), got));
            return false;
        }
    }
    size_t more = sent->count - 1 - wanted->count;
    *ret_root = more == 1 && is_root(blob_span(&sent->items[sent->count - 1]));
    if (more == 0 || *ret_root)
        return true;
    buf_printf(out, ": its chain has %zu certificate%s too many, first %s", more,
               more == 1 ? "" : "s", name_of(blob_span(&sent->items[wanted->count + 1]), got));
    return false;
}

bool judge_served(const struct expectation *expected, const struct blobs *sent, struct buf *out)
{
    char text[TEXT_MAX];
    bool root = false;

    if (sent->count == 0) {
        buf_add_text(out, "serves no certificate");
        return false;
    }
    buf_printf(out, "serves %s", describe(blob_span(&sent->items[0]), text));
    if (!judge_leaf(expected, blob_span(&sent->items[0]), out) ||
        (expected->chain && !judge_chain(expected->chain, sent, out, &root)))
        return false;
    buf_printf(out, ": as expected%s",
               root ? ", but sends the root too, which no client needs" : "");
    return true;
}
