#include "pki/cert.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "pki/crypto.h"
#include "pki/dn.h"

enum { SERIAL_MAX = 20, KEY_BITS_MAX = 8192, PEM_LINE_BYTES = 48 };

void cert_done(struct cert *cert)
{
    names_done(&cert->names);
    names_done(&cert->issuer_urls);
    *cert = (struct cert){0};
}

void sha256_of(struct span data, uint8_t ret[SHA256_LEN])
{
    const uint8_t *digest = SHA256(data.len > 0 ? data.data : (const uint8_t *)"", data.len, ret);

    assert(digest);
}

/* The printed name and its hash. */
static int read_name(const X509_NAME *name, char text[CERT_DN_MAX], uint8_t hash[SHA256_LEN],
                     struct error *err)
{
    if (!dn_hash(name, hash) || !crypto_print_name(name, text))
        return error_set(err, E_FORMAT, "certificate: a name in it cannot be read");
    return 0;
}

static int read_names(const X509 *x509, struct cert *cert, struct error *err)
{
    const X509_NAME *subject = X509_get_subject_name(x509);
    const X509_NAME *issuer = X509_get_issuer_name(x509);
    int rc = read_name(subject, cert->subject, cert->subject_sha256, err);

    if (rc == 0)
        rc = read_name(issuer, cert->issuer, cert->issuer_sha256, err);
    if (rc == 0)
        cert->self_issued = X509_NAME_cmp(subject, issuer) == 0;
    return rc;
}

/* RFC 5280 4.1.2.1 and 4.1.2.9: no version above 3, extensions in version 3 alone. */
static int check_version(const X509 *x509, struct error *err)
{
    long version = X509_get_version(x509);
    int extensions = X509_get_ext_count(x509);

    if (version < X509_VERSION_1 || version > X509_VERSION_3)
        return error_set(err, E_FORMAT, "certificate: version: wanted 1, 2 or 3, got another");
    if (version != X509_VERSION_3 && extensions > 0)
        return error_set(err, E_FORMAT,
                         "certificate: version: wanted 3 because of its extensions, got %ld",
                         version + 1);
    return 0;
}

/* Only as many bytes as are shown are looked at: a serial may be as long as the certificate. */
static void read_serial(const X509 *x509, struct cert *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    int len = ASN1_STRING_length(serial);
    const uint8_t *data = ASN1_STRING_get0_data(serial);

    if (len <= 0)
        data = (const uint8_t *)"", len = 1;
    text_hex(data, len > SERIAL_MAX ? SERIAL_MAX : (size_t)len, cert->serial);
}

/*
 * UTCTime as YYMMDDHHMMSSZ, GeneralizedTime as YYYYMMDDHHMMSSZ and nothing else (RFC 5280 4.1.2.5):
 * other spellings are read differently by different programs. These lengths leave no room for a
 * zone.
 */
static int read_time(const ASN1_TIME *time, const char *which, utc_t *ret, struct error *err)
{
    int len = time ? ASN1_STRING_length(time) : 0;
    struct tm tm;

    if ((len != 13 && len != 15) || (len == 13) != (ASN1_STRING_type(time) == V_ASN1_UTCTIME) ||
        !ASN1_TIME_to_tm(time, &tm))
        return error_set(err, E_FORMAT, "certificate: %s: wanted a date as in RFC 5280 4.1.2.5",
                         which);
    *ret = timegm(&tm);
    return 0;
}

static int read_dates(const X509 *x509, struct cert *cert, struct error *err)
{
    static const utc_t no_well_defined_end = 253402300799; /* 99991231235959Z */
    int rc = read_time(X509_get0_notBefore(x509), "notBefore", &cert->not_before, err);

    if (rc == 0)
        rc = read_time(X509_get0_notAfter(x509), "notAfter", &cert->not_after, err);
    if (rc == 0 && cert->not_after == no_well_defined_end)
        cert->not_after = UTC_NEVER;
    return rc;
}

static const char *curve_text(const char *group)
{
    static const char *const curves[][2] = {
        {"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}};

    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (strcmp(group, curves[i][0]) == 0)
            return curves[i][1];
    return group;
}

void crypto_describe_key(EVP_PKEY *key, char *ret, size_t size)
{
    int bits = EVP_PKEY_get_bits(key);
    char group[64] = "";
    char raw[128];

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        snprintf(raw, sizeof raw, "RSA %d", bits);
        break;
    case EVP_PKEY_RSA_PSS:
        snprintf(raw, sizeof raw, "RSA-PSS %d", bits);
        break;
    case EVP_PKEY_EC:
        if (!EVP_PKEY_get_group_name(key, group, sizeof group, NULL))
            snprintf(group, sizeof group, "of %d bits", bits);
        snprintf(raw, sizeof raw, "EC %s", curve_text(group));
        break;
    case EVP_PKEY_ED25519:
        snprintf(raw, sizeof raw, "Ed25519");
        break;
    case EVP_PKEY_ED448:
        snprintf(raw, sizeof raw, "Ed448");
        break;
    default: {
        const char *name = EVP_PKEY_get0_type_name(key);

        snprintf(raw, sizeof raw, "%s %d", name ? name : "unknown", bits);
    }
    }
    text_escape(raw, ret, size);
}

static int read_key(X509 *x509, struct cert *cert, struct error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(x509);
    uint8_t *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &spki);

    if (len <= 0)
        return error_set(err, E_FORMAT, "certificate: its public key cannot be read");
    sha256_of(span_of(spki, (size_t)len), cert->spki_sha256);
    OPENSSL_free(spki);

    /* A kind of key that this OpenSSL does not know is no reason to refuse here. */
    if (!key) {
        snprintf(cert->key_text, sizeof cert->key_text, "unknown");
        return 0;
    }
    cert->key_bits = EVP_PKEY_get_bits(key);
    if (cert->key_bits > KEY_BITS_MAX) /* each verification would cost whoever chose it nothing */
        return error_set(err, E_TOO_LARGE, "certificate: key: wanted at most %d bits, got %d",
                         KEY_BITS_MAX, cert->key_bits);
    crypto_describe_key(key, cert->key_text, sizeof cert->key_text);
    cert->self_signed = cert->self_issued && X509_verify(x509, key) == 1;
    return 0;
}

static void read_signature(X509 *x509, struct cert *cert)
{
    const X509_ALGOR *algorithm;
    const ASN1_OBJECT *object;
    char raw[128] = "unknown";
    int security = 0;

    X509_get0_signature(NULL, &algorithm, x509);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    OBJ_obj2txt(raw, sizeof raw, object, 0);
    text_escape(raw, cert->signature_text, sizeof cert->signature_text);
    if (X509_get_signature_info(x509, NULL, NULL, &security, NULL) && security > 0)
        cert->signature_security = security;
}

/*
 * One extension, decoded; NULL in ret when it is absent. One that is there twice or cannot be
 * decoded fails the certificate: what it says is not known.
 */
static int read_extension(const X509 *x509, int nid, void **ret, struct error *err)
{
    int state = 0;
    void *decoded = X509_get_ext_d2i(x509, nid, &state, NULL);

    if (!decoded && state != -1)
        return error_set(err, E_FORMAT,
                         "certificate: extension %s: wanted one that can be read, %s",
                         OBJ_nid2sn(nid), state == -2 ? "got two" : "got a broken one");
    *ret = decoded;
    return 0;
}

static int read_alternative_names(const X509 *x509, struct names *ret, struct error *err)
{
    AUTO_OF(GENERAL_NAMES) GENERAL_NAMES *list = NULL;
    void *decoded = NULL;
    int rc = read_extension(x509, NID_subject_alt_name, &decoded, err);

    list = decoded;
    if (rc < 0)
        return rc;
    if (sk_GENERAL_NAME_num(list) > CERT_SAN_MAX)
        return error_set(err, E_TOO_LARGE, "certificate: names: wanted at most %d, got %d",
                         CERT_SAN_MAX, sk_GENERAL_NAME_num(list));
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *item = sk_GENERAL_NAME_value(list, i);
        enum name_type type;

        if (item->type == GEN_DNS)
            type = NAME_DNS;
        else if (item->type == GEN_IPADD)
            type = NAME_IP;
        else if (item->type == GEN_EMAIL)
            type = NAME_EMAIL;
        else if (item->type == GEN_URI)
            type = NAME_URI;
        else
            continue;
        const ASN1_STRING *text = item->d.ia5;
        struct span raw = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        if (!names_add_found(ret, type, raw))
            return error_set(err, E_FORMAT, "certificate: %s name %d: a NUL byte inside",
                             name_type_text(type), i + 1);
    }
    return 0;
}

static bool is_web_url(struct span raw)
{
    if (raw.len < 8 || raw.len > CERT_URL_MAX ||
        (strncasecmp((const char *)raw.data, "http://", 7) != 0 &&
         strncasecmp((const char *)raw.data, "https://", 8) != 0))
        return false;
    for (size_t i = 0; i < raw.len; i++)
        if (raw.data[i] <= 0x20 || raw.data[i] >= 0x7F || raw.data[i] == '\\')
            return false;
    return true;
}

/* A hint and nothing more: one that cannot be read is none. */
static void read_issuer_urls(const X509 *x509, struct names *ret)
{
    AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(x509, NID_info_access, NULL, NULL);

    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(list) && ret->count < CERT_URLS_MAX; i++) {
        const ACCESS_DESCRIPTION *item = sk_ACCESS_DESCRIPTION_value(list, i);
        const GENERAL_NAME *place = item->location;

        if (OBJ_obj2nid(item->method) != NID_ad_ca_issuers || place->type != GEN_URI)
            continue;
        const ASN1_STRING *text = place->d.uniformResourceIdentifier;
        struct span raw = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        if (is_web_url(raw))
            names_add_found(ret, NAME_URI, raw);
    }
    AUTHORITY_INFO_ACCESS_free(list);
}

static int read_usage(const X509 *x509, struct cert *cert, struct error *err)
{
    AUTO_OF(EXTENDED_KEY_USAGE) EXTENDED_KEY_USAGE *usage = NULL;
    void *decoded = NULL;
    int rc = read_extension(x509, NID_ext_key_usage, &decoded, err);

    usage = decoded;
    if (rc < 0)
        return rc;
    cert->usable_as_server = cert->usable_as_client = !usage;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i));

        if (nid == NID_server_auth || nid == NID_anyExtendedKeyUsage)
            cert->usable_as_server = true;
        if (nid == NID_client_auth || nid == NID_anyExtendedKeyUsage)
            cert->usable_as_client = true;
    }
    return 0;
}

static int read_constraints(const X509 *x509, struct cert *cert, struct error *err)
{
    AUTO_OF(BASIC_CONSTRAINTS) BASIC_CONSTRAINTS *constraints = NULL;
    void *decoded = NULL;
    int rc = read_extension(x509, NID_basic_constraints, &decoded, err);

    constraints = decoded;
    if (rc < 0)
        return rc;
    cert->is_ca = constraints ? constraints->ca != 0
                              : X509_get_version(x509) == X509_VERSION_1 && cert->self_signed;
    return 0;
}

static int read_all(X509 *x509, struct cert *cert, struct error *err)
{
    int rc = check_version(x509, err);

    if (rc == 0)
        rc = read_names(x509, cert, err);
    if (rc == 0)
        rc = read_dates(x509, cert, err);
    if (rc == 0)
        rc = read_key(x509, cert, err);
    if (rc == 0)
        rc = read_alternative_names(x509, &cert->names, err);
    if (rc == 0)
        rc = read_usage(x509, cert, err);
    if (rc == 0)
        rc = read_constraints(x509, cert, err);
    if (rc < 0)
        return rc;
    cert->version = (int)X509_get_version(x509) + 1;
    read_serial(x509, cert);
    read_signature(x509, cert);
    read_issuer_urls(x509, &cert->issuer_urls);
    return 0;
}

int cert_parse(struct span der, struct cert *ret, struct error *err)
{
    AUTO_OF(X509) X509 *x509 = NULL;
    AUTO_CERT struct cert cert = {0};
    const uint8_t *at = der.data;

    if (der.len > CERT_DER_MAX)
        return error_set(err, E_TOO_LARGE, "certificate: wanted at most %d bytes, got %zu",
                         CERT_DER_MAX, der.len);
    if (der.len > 0)
        x509 = d2i_X509(NULL, &at, (long)der.len);
    int rc = 0;
    if (!x509)
        rc = error_set(err, E_FORMAT, "certificate: these %zu bytes are not a certificate in DER",
                       der.len);
    else if (at != der.data + der.len)
        rc = error_set(err, E_FORMAT, "certificate: %zu bytes follow its end",
                       (size_t)(der.data + der.len - at));
    else
        rc = read_all(x509, &cert, err);
    /* The queue belongs to whoever calls OpenSSL next; our sentence is in err. */
    ERR_clear_error();
    if (rc < 0)
        return rc;
    sha256_of(der, cert.sha256);
    *ret = cert;
    cert = (struct cert){0};
    return 0;
}

void pem_write(struct buf *out, const char *label, struct span der)
{
    uint8_t line[PEM_LINE_BYTES / 3 * 4 + 1];

    buf_printf(out, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < der.len; at += PEM_LINE_BYTES) {
        size_t left = der.len - at;
        int len = EVP_EncodeBlock(line, der.data + at,
                                  left < PEM_LINE_BYTES ? (int)left : PEM_LINE_BYTES);

        buf_add(out, line, (size_t)len);
        buf_add(out, "\n", 1);
    }
    buf_printf(out, "-----END %s-----\n", label);
    mem_wipe(line, sizeof line); /* keys are written with it too */
}
