#include "pki/link.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "pki/dn.h"

static bool read_time(const ASN1_TIME *time, utc_t *ret)
{
    static const utc_t no_well_defined_end = 253402300799; /* RFC 5280 4.1.2.5: 99991231235959Z */
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm))
        return false;
    *ret = timegm(&tm);
    if (*ret == no_well_defined_end)
        *ret = UTC_NEVER;
    return true;
}

bool link_from(X509 *x509, struct link *ret)
{
    struct link link = {.x509 = x509};

    /* Caches the extensions, so that the object is only read from here on, by any thread. */
    X509_check_purpose(x509, -1, 0);
    bool good = X509_digest(x509, EVP_sha256(), link.sha256, NULL) &&
                dn_hash(X509_get_subject_name(x509), link.subject_sha256) &&
                dn_hash(X509_get_issuer_name(x509), link.issuer_sha256) &&
                read_time(X509_get0_notBefore(x509), &link.not_before) &&
                read_time(X509_get0_notAfter(x509), &link.not_after) && X509_get0_pubkey(x509);
    ERR_clear_error();
    if (!good || !X509_up_ref(x509))
        return false;
    *ret = link;
    return true;
}

bool link_read(struct span der, struct link *ret)
{
    AUTO_OF(X509) X509 *x509 = crypto_read_cert(der);

    return x509 && link_from(x509, ret);
}

struct link link_share(const struct link *from)
{
    X509_up_ref(from->x509);
    return *from;
}

void link_done(struct link *link)
{
    X509_free(link->x509);
    *link = (struct link){0};
}

bool link_is_valid_at(const struct link *link, utc_t at)
{
    return link->not_before <= at && at <= link->not_after;
}

bool link_is_same(const struct link *a, const struct link *b)
{
    return memcmp(a->sha256, b->sha256, SHA256_LEN) == 0;
}

bool link_is_same_authority(const struct link *a, const struct link *b)
{
    return memcmp(a->subject_sha256, b->subject_sha256, SHA256_LEN) == 0 &&
           EVP_PKEY_eq(X509_get0_pubkey(a->x509), X509_get0_pubkey(b->x509)) == 1;
}

static struct span octets(const ASN1_OCTET_STRING *string)
{
    return string ? span_of(string->data, (size_t)string->length) : span_of(NULL, 0);
}

struct span link_key_id(const struct link *link)
{
    return octets(X509_get0_subject_key_id(link->x509));
}

struct span link_issuer_key_id(const struct link *link)
{
    return octets(X509_get0_authority_key_id(link->x509));
}

void link_add_der(const struct link *link, struct blobs *ret)
{
    uint8_t *der = NULL;
    int len = i2d_X509(link->x509, &der);

    if (len > 0)
        blobs_add(ret, span_of(der, (size_t)len));
    OPENSSL_free(der);
}

bool link_is_server(const struct link *link)
{
    uint32_t wanted = XKU_SSL_SERVER | XKU_ANYEKU;

    /* All bits are set when there is no such extension. */
    return (X509_get_extended_key_usage(link->x509) & wanted) != 0;
}

char *link_subject(const struct link *link, char ret[CERT_DN_MAX])
{
    if (!crypto_print_name(X509_get_subject_name(link->x509), ret))
        snprintf(ret, CERT_DN_MAX, "unreadable");
    return ret;
}

char *link_issuer(const struct link *link, char ret[CERT_DN_MAX])
{
    if (!crypto_print_name(X509_get_issuer_name(link->x509), ret))
        snprintf(ret, CERT_DN_MAX, "unreadable");
    return ret;
}

void links_take(struct links *links, struct link *link)
{
    links->items = mem_resize(links->items, links->count + 1, sizeof *links->items);
    links->items[links->count++] = *link;
    *link = (struct link){0};
}

void links_done(struct links *links)
{
    for (size_t i = 0; i < links->count; i++)
        link_done(&links->items[i]);
    free(links->items);
    *links = (struct links){0};
}
