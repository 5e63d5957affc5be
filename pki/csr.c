#include "pki/csr.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "pki/private_key.h"

UL_AUTO_DEFINE(ASN1_STRING, ASN1_STRING_free)
UL_AUTO_DEFINE(GENERAL_NAME, GENERAL_NAME_free)

enum { COUNTRY_LEN = 2 };

static size_t count_characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((uint8_t)*text & 0xC0) != 0x80;
    return count;
}

static bool is_country(const char *text)
{
    return strlen(text) == COUNTRY_LEN && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' &&
           text[1] <= 'Z';
}

/* One attribute of the subject; max is the upper bound of RFC 5280 appendix A.1, in characters. */
static int add_field(X509_NAME *name, int nid, const char *text, size_t max, struct error *err)
{
    size_t len = text ? strlen(text) : 0;

    if (len == 0)
        return 0;
    if (nid == NID_countryName && !is_country(text))
        return error_set(err, E_INPUT, "subject: country: wanted two capital letters, got \"%s\"",
                         text);
    if (!text_is_utf8(text, len) || !text_is_header_safe(text, len))
        return error_set(err, E_INPUT, "subject: %s: wanted one line of UTF-8, got \"%s\"",
                         OBJ_nid2ln(nid), text);
    if (count_characters(text) > max)
        return error_set(err, E_INPUT, "subject: %s: wanted at most %zu characters, got %zu",
                         OBJ_nid2ln(nid), max, count_characters(text));
    int type = nid == NID_countryName ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    if (!X509_NAME_add_entry_by_NID(name, nid, type, (const uint8_t *)text, (int)len, -1, 0))
        return crypto_error(err, E_CRYPTO, "subject: %s: cannot be added", OBJ_nid2ln(nid));
    return 0;
}

static int set_subject(X509_REQ *req, const struct subject *subject, struct error *err)
{
    X509_NAME *name = X509_REQ_get_subject_name(req);
    const struct {
        int nid;
        const char *text;
        size_t max;
    } fields[] = {{NID_countryName, subject->country, COUNTRY_LEN},
                  {NID_stateOrProvinceName, subject->state, 128},
                  {NID_localityName, subject->locality, 128},
                  {NID_organizationName, subject->organization, 64},
                  {NID_commonName, subject->common_name, 64}};
    int rc = 0;

    for (size_t i = 0; i < COUNT_OF(fields) && rc == 0; i++)
        rc = add_field(name, fields[i].nid, fields[i].text, fields[i].max, err);
    return rc;
}

static bool is_ia5(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* The type of a GENERAL_NAME and the bytes in it; an address is 4 or 16 bytes (RFC 5280 4.2.1.6).
 */
static int encode_name(const struct name *name, int *ret_type, ASN1_STRING *ret, struct error *err)
{
    static const int types[] = {[NAME_DNS] = GEN_DNS,
                                [NAME_IP] = GEN_IPADD,
                                [NAME_EMAIL] = GEN_EMAIL,
                                [NAME_URI] = GEN_URI};
    uint8_t address[16];
    const void *data = name->text;
    size_t len = strlen(name->text);

    if (name->type == NAME_IP) {
        data = address;
        len = inet_pton(AF_INET, name->text, address) == 1    ? 4
              : inet_pton(AF_INET6, name->text, address) == 1 ? 16
                                                              : 0;
    }
    if (len == 0 || !is_ia5(name->text))
        return error_set(err, E_INPUT, "name \"%s\": wanted one of type %s in ASCII", name->text,
                         name_type_text(name->type));
    if (!ASN1_STRING_set(ret, data, (int)len))
        return crypto_error(err, E_CRYPTO, "name \"%s\": cannot be encoded", name->text);
    *ret_type = types[name->type];
    return 0;
}

static int add_name(GENERAL_NAMES *list, const struct name *name, struct error *err)
{
    int string_type = name->type == NAME_IP ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING;
    AUTO_OF(ASN1_STRING) ASN1_STRING *string = ASN1_STRING_type_new(string_type);
    AUTO_OF(GENERAL_NAME) GENERAL_NAME *item = GENERAL_NAME_new();
    int type = 0;

    if (!string || !item)
        return crypto_error(err, E_CRYPTO, "name \"%s\": cannot be encoded", name->text);
    int rc = encode_name(name, &type, string, err);
    if (rc < 0)
        return rc;
    GENERAL_NAME_set0_value(item, type, TAKE(string));
    if (!sk_GENERAL_NAME_push(list, item))
        return crypto_error(err, E_CRYPTO, "name \"%s\": cannot be added", name->text);
    item = NULL;
    return 0;
}

/* extensionRequest (RFC 2985 5.4.2); critical when the subject is empty (RFC 5280 4.1.2.6). */
static int set_names(X509_REQ *req, const struct names *names, struct error *err)
{
    AUTO_OF(GENERAL_NAMES) GENERAL_NAMES *list = GENERAL_NAMES_new();
    AUTO_OF(X509_EXTENSION) X509_EXTENSION *extension = NULL;
    int critical = X509_NAME_entry_count(X509_REQ_get_subject_name(req)) == 0;
    int rc = 0;

    for (size_t i = 0; list && i < names->count && rc == 0; i++)
        rc = add_name(list, &names->items[i], err);
    if (rc < 0)
        return rc;
    if (list)
        extension = X509V3_EXT_i2d(NID_subject_alt_name, critical, list);
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    bool done = extension && extensions && sk_X509_EXTENSION_push(extensions, extension) &&
                X509_REQ_add_extensions(req, extensions);
    sk_X509_EXTENSION_free(extensions);
    return done ? 0 : crypto_error(err, E_CRYPTO, "request: its names cannot be added");
}

/* Out of the request: encoding the key for it is most of the work, and is done already. */
static int hash_key(X509_REQ *req, uint8_t ret[SHA256_LEN], struct error *err)
{
    uint8_t *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki);

    if (len <= 0)
        return crypto_error(err, E_CRYPTO, "request: its public key cannot be encoded");
    sha256_of(span_of(spki, (size_t)len), ret);
    OPENSSL_free(spki);
    return 0;
}

int csr_make(EVP_PKEY *key, const struct subject *subject, const struct names *names,
             struct blob *ret, uint8_t ret_spki[SHA256_LEN], struct error *err)
{
    AUTO_OF(X509_REQ) X509_REQ *req = X509_REQ_new();
    uint8_t *der = NULL;

    if (names->count == 0 || names->count > CERT_SAN_MAX)
        return error_set(err, E_INPUT, "request: wanted 1 to %d names, got %zu", CERT_SAN_MAX,
                         names->count);
    if (!req || !X509_REQ_set_version(req, X509_REQ_VERSION_1) || !X509_REQ_set_pubkey(req, key))
        return crypto_error(err, E_CRYPTO, "request: cannot be made");
    int rc = set_subject(req, subject, err);
    if (rc == 0)
        rc = set_names(req, names, err);
    if (rc < 0)
        return rc;
    if (X509_REQ_sign(req, key, private_key_digest(key)) <= 0)
        return crypto_error(err, E_CRYPTO, "request: cannot be signed");
    int len = i2d_X509_REQ(req, &der);
    if (len <= 0)
        return crypto_error(err, E_CRYPTO, "request: cannot be encoded");
    rc = hash_key(req, ret_spki, err);
    if (rc == 0)
        *ret = blob_copy(span_of(der, (size_t)len));
    OPENSSL_free(der);
    return rc;
}

X509_REQ *csr_read(struct span der)
{
    const uint8_t *at = der.data;
    AUTO_OF(X509_REQ) X509_REQ *req = NULL;

    if (der.len > 0 && der.len <= CERT_DER_MAX)
        req = d2i_X509_REQ(NULL, &at, (long)der.len);
    ERR_clear_error();
    return req && at == der.data + der.len ? TAKE(req) : NULL;
}
