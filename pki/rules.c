#include "pki/rules.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

/* More than any certificate has; looking for doubles stays cheap. */
enum { EXTENSIONS_MAX = 100 };

/* One link at its place. */
struct spot {
    const struct path *path;
    const struct link *link;
    size_t place;
    utc_t at;
    enum chain_purpose purpose;
    const struct path_teller *teller;
};

static void tell(const struct spot *spot, const char *code, const char *text)
{
    spot->teller->tell(spot->teller->self, code, spot->place, text);
}

/* Not left to OpenSSL, which takes a certificate's last second for the first after its end. */
static void check_dates(const struct spot *spot)
{
    const struct link *link = spot->link;
    bool ended = spot->at > link->not_after;
    char when[UTC_TEXT_MAX], bound[UTC_TEXT_MAX], text[200];

    if (link_is_valid_at(link, spot->at))
        return;
    snprintf(text, sizeof text,
             "validity: wanted a certificate valid on %s, this one %s "
             "%s",
             utc_format_plain(spot->at, when), ended ? "ended on" : "begins on",
             utc_format_plain(ended ? link->not_after : link->not_before, bound));
    tell(spot, ended ? "expired" : "not-yet-valid", text);
}

/* RFC 5280 4.2: "MUST NOT include more than one instance of a particular extension". */
static bool has_double(const X509 *x509)
{
    int count = X509_get_ext_count(x509);

    for (int i = 0; i < count; i++)
        if (X509_get_ext_by_OBJ(x509, X509_EXTENSION_get_object(X509_get_ext(x509, i)), i) >= 0)
            return true;
    return false;
}

/*
 * What is read in more than one way is not trusted. Of an anchor only what is used counts: nobody
 * signed for the rest of it.
 */
static void check_form(const struct spot *spot)
{
    X509 *x509 = spot->link->x509;
    AUTO_CERT struct cert cert = {0};
    struct error err = {0};
    const X509_ALGOR *outer = NULL;
    uint8_t *der = NULL;

    if (X509_get_ext_count(x509) > EXTENSIONS_MAX)
        tell(spot, "malformed", "extensions: wanted at most 100, got more");
    else if (has_double(x509))
        tell(spot, "malformed", "extensions: wanted each once, got one twice");
    if (X509_get_extension_flags(x509) & EXFLAG_INVALID)
        tell(spot, "malformed", "extensions: wanted ones that can be read, got a broken one");
    X509_get0_signature(NULL, &outer, x509);
    if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x509)) != 0)
        tell(spot, "malformed", "signature: wanted one algorithm, got one inside, one outside");
    if (spot->link->anchor)
        return;
    int len = i2d_X509(x509, &der);
    if (len <= 0 || cert_parse(span_of(der, (size_t)len), &cert, &err) < 0)
        tell(spot, "malformed", err.text);
    OPENSSL_free(der);
    if (X509_NAME_entry_count(X509_get_issuer_name(x509)) == 0)
        tell(spot, "malformed", "issuer: wanted a name, got an empty one");
}

/*
 * RFC 5280 6.1.4 (k) to (n). OpenSSL lets keyUsage or a Netscape extension stand for an anchor's
 * missing basicConstraints; here only one of version 1 may do without.
 */
static void check_authority(const struct spot *spot)
{
    X509 *x509 = spot->link->x509;
    uint32_t flags = X509_get_extension_flags(x509);
    bool old_anchor = spot->link->anchor && X509_get_version(x509) == X509_VERSION_1;

    if (spot->place == 0)
        return;
    if (!old_anchor && !((flags & EXFLAG_BCONS) && (flags & EXFLAG_CA)))
        tell(spot, "basic-constraints",
             "basic constraints: wanted an authority (CA:TRUE), got a certificate of none");
    if (!(X509_get_key_usage(x509) & KU_KEY_CERT_SIGN))
        tell(spot, "key-usage", "key usage: wanted one that may sign certificates");
    if (X509_NAME_entry_count(X509_get_subject_name(x509)) == 0)
        tell(spot, "malformed", "subject: wanted a name for an authority, got an empty one");
}

/* An authority with extendedKeyUsage passes on no use that it does not have: not in RFC 5280, but
 * kept by everybody. */
static void check_extended_usage(const struct spot *spot)
{
    uint32_t uses = X509_get_extended_key_usage(spot->link->x509);
    bool server = spot->purpose == CHAIN_SERVER;
    char text[160];

    if (spot->purpose != CHAIN_SERVER && spot->purpose != CHAIN_CLIENT)
        return;
    /* All bits are set when there is no such extension. */
    if (uses & ((server ? XKU_SSL_SERVER : XKU_SSL_CLIENT) | (uint32_t)XKU_ANYEKU))
        return;
    snprintf(text, sizeof text,
             "extended key usage: wanted %s (or none at all, or any), got other uses",
             server ? "serverAuth" : "clientAuth");
    tell(spot, "eku", text);
}

/* RFC 5280 4.2.1.12: what goes with serverAuth and clientAuth. */
static void check_usage(const struct spot *spot)
{
    uint32_t wanted = KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT;

    if (spot->place > 0 || (spot->purpose != CHAIN_SERVER && spot->purpose != CHAIN_CLIENT))
        return;
    if (spot->purpose == CHAIN_SERVER)
        wanted |= KU_KEY_ENCIPHERMENT;
    /* A CA's own certificate is looked at as what it is. */
    if (!(X509_get_key_usage(spot->link->x509) & (wanted | KU_KEY_CERT_SIGN)))
        tell(spot, "key-usage",
             "key usage: wanted digital signature (or key encipherment), got other uses");
}

static void check_rsa(const struct spot *spot, const EVP_PKEY *key)
{
    BIGNUM *exponent = NULL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
        (!BN_is_odd(exponent) || BN_is_one(exponent)))
        tell(spot, "weak-key", "key: wanted an odd exponent from 3, got another");
    BN_free(exponent);
    if (EVP_PKEY_get_bits(key) % 8 != 0)
        tell(spot, "weak-key", "key: wanted a length of whole bytes, got another");
}

/* How long keys must be is left to OpenSSL's security level. */
static void check_key(const struct spot *spot)
{
    const EVP_PKEY *key = X509_get0_pubkey(spot->link->x509);
    int explicit_curve = 0;

    if (!key) {
        tell(spot, "weak-key", "key: wanted one that is known here, got another");
        return;
    }
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        check_rsa(spot, key);
        break;
    case EVP_PKEY_EC:
        /* CVE-2020-0601 elsewhere: who chooses the curve can know a key to it. */
        if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                   &explicit_curve) &&
            explicit_curve)
            tell(spot, "weak-key", "key: wanted a curve by name, got one by its numbers");
        break;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        break;
    default:
        tell(spot, "weak-key", "key: wanted RSA, EC or EdDSA, got another kind");
    }
}

void rules_examine(const struct path *path, utc_t at, enum chain_purpose purpose,
                   const struct path_teller *teller)
{
    for (size_t i = 0; i < path->count; i++) {
        const struct spot spot = {path, path->links[i], i, at, purpose, teller};

        check_dates(&spot);
        check_form(&spot);
        check_authority(&spot);
        check_extended_usage(&spot);
        check_usage(&spot);
        check_key(&spot);
        if (i > 0)
            constraints_examine(path, i, teller);
    }
    ERR_clear_error();
}
