#include "pki/lint.h"

#include <ctype.h>
#include <string.h>

#include <openssl/err.h>

UL_AUTO_DEFINE(POLICY_CONSTRAINTS, POLICY_CONSTRAINTS_free)

enum { SERIAL_BYTES_MAX = 20, LABEL_MAX = 63, EXTENSIONS_MAX = 100 };

struct subject {
    X509 *x509;
    enum lint_role role;
    lint_tell_fn tell;
    void *self;
};

static void hard(const struct subject *subject, const char *code, const char *text)
{
    subject->tell(subject->self, true, code, text);
}

static void soft(const struct subject *subject, const char *code, const char *text)
{
    subject->tell(subject->self, false, code, text);
}

static bool has(const struct subject *subject, int nid)
{
    return X509_get_ext_by_NID(subject->x509, nid, -1) >= 0;
}

static bool is_critical(const struct subject *subject, int nid)
{
    int at = X509_get_ext_by_NID(subject->x509, nid, -1);

    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(subject->x509, at));
}

static bool is_authority(const struct subject *subject)
{
    return (X509_get_extension_flags(subject->x509) & EXFLAG_CA) != 0;
}

/* Each extension of a known kind must be what its kind says, used here or not. */
static void check_readable(const struct subject *subject)
{
    int count = X509_get_ext_count(subject->x509);

    for (int i = 0; i < count && i < EXTENSIONS_MAX; i++) {
        X509_EXTENSION *extension = X509_get_ext(subject->x509, i);
        const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
        void *decoded = method ? X509V3_EXT_d2i(extension) : NULL;

        if (method && !decoded)
            hard(subject, "malformed",
                 "extensions: wanted ones that can be read, got a broken one");
        if (decoded && method->it)
            ASN1_item_free(decoded, ASN1_ITEM_ptr(method->it));
        else if (decoded)
            method->ext_free(decoded);
    }
}

static void check_version(const struct subject *subject)
{
    if (X509_get_version(subject->x509) != X509_VERSION_3)
        hard(subject, "version", "version: wanted 3, got an older one");
}

/* 4.1.2.2: positive, at most 20 octets with the one that keeps it positive. */
static void check_serial(const struct subject *subject)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(subject->x509);
    const uint8_t *data = ASN1_STRING_get0_data(serial);
    int len = ASN1_STRING_length(serial);
    bool zero = true;

    for (int i = 0; i < len && zero; i++)
        zero = data[i] == 0;
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
        hard(subject, "serial", "serial number: wanted a positive one, got a negative one");
    else if (zero)
        hard(subject, "serial", "serial number: wanted a positive one, got 0");
    else if (len + (data[0] >> 7) > SERIAL_BYTES_MAX)
        hard(subject, "serial", "serial number: wanted at most 20 bytes, got more");
}

/* 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
static void check_dates(const struct subject *subject)
{
    const ASN1_TIME *times[] = {X509_get0_notBefore(subject->x509),
                                X509_get0_notAfter(subject->x509)};

    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (ASN1_STRING_type(times[i]) == V_ASN1_GENERALIZEDTIME &&
            memcmp(ASN1_STRING_get0_data(times[i]), "2050", 4) < 0)
            soft(subject, "dates",
                 "validity: wanted dates before 2050 in UTCTime, got one in GeneralizedTime");
}

static void check_constraints(const struct subject *subject)
{
    uint32_t usage = X509_get_key_usage(subject->x509);
    bool has_usage = has(subject, NID_key_usage);

    if (is_authority(subject)) {
        if (!is_critical(subject, NID_basic_constraints))
            soft(subject, "basic-constraints",
                 "basic constraints: wanted them critical in an authority");
        if (!has_usage)
            soft(subject, "key-usage", "key usage: wanted it in an authority, got none");
        else if (!(usage & KU_KEY_CERT_SIGN))
            soft(subject, "key-usage", "key usage: wanted keyCertSign in an authority");
        return;
    }
    if (has_usage && (usage & KU_KEY_CERT_SIGN))
        hard(subject, "key-usage",
             "key usage: wanted no keyCertSign in a certificate of no authority");
    if (X509_get_pathlen(subject->x509) >= 0)
        hard(subject, "basic-constraints",
             "basic constraints: wanted no path length in a certificate of no authority");
    if (has(subject, NID_name_constraints))
        hard(subject, "name-constraints",
             "name constraints: wanted none in a certificate of no authority");
}

/* 4.2.1.1, 4.2.1.2, 4.2.2.1: what must not be critical. */
static void check_critical(const struct subject *subject)
{
    if (is_critical(subject, NID_authority_key_identifier) ||
        is_critical(subject, NID_subject_key_identifier))
        hard(subject, "key-identifier", "key identifiers: wanted them not critical");
    if (is_critical(subject, NID_info_access))
        hard(subject, "authority-access", "authority information access: wanted it not critical");
    if (has(subject, NID_name_constraints) && !is_critical(subject, NID_name_constraints))
        soft(subject, "name-constraints", "name constraints: wanted them critical");
}

static void check_key_ids(const struct subject *subject)
{
    bool root = (X509_get_extension_flags(subject->x509) & EXFLAG_SI) != 0;

    if (!root && !X509_get0_authority_key_id(subject->x509))
        soft(subject, "key-identifier",
             "authority key identifier: wanted the issuer's, got none: finding it takes longer");
    if (is_authority(subject) && !has(subject, NID_subject_key_identifier))
        soft(subject, "key-identifier",
             "subject key identifier: wanted one in an authority, got none");
}

/* 4.2.1.11 and 4.2.1.14. */
static void check_policies(const struct subject *subject)
{
    AUTO_OF(POLICY_CONSTRAINTS)
    POLICY_CONSTRAINTS *constraints =
        X509_get_ext_d2i(subject->x509, NID_policy_constraints, NULL, NULL);

    if (has(subject, NID_policy_constraints) && !is_critical(subject, NID_policy_constraints))
        soft(subject, "policies", "policy constraints: wanted them critical");
    if (has(subject, NID_policy_constraints) &&
        (!constraints ||
         (!constraints->requireExplicitPolicy && !constraints->inhibitPolicyMapping)))
        hard(subject, "policies", "policy constraints: wanted one, got none");
    if (has(subject, NID_inhibit_any_policy) && !is_critical(subject, NID_inhibit_any_policy))
        soft(subject, "policies", "inhibit any-policy: wanted it critical");
}

/* One label after another; "*" only as the whole first one. "_" is met and known by everybody. */
static bool is_dns_name(const uint8_t *text, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = text[i];

        if (c == '.') {
            if (label == 0 || label > LABEL_MAX)
                return false;
            label = 0;
            continue;
        }
        if (c == '*' ? i > 0 || len < 3 || text[1] != '.' : !isalnum(c) && c != '-' && c != '_')
            return false;
        label++;
    }
    return label > 0 && label <= LABEL_MAX && len <= 253;
}

/* Something on both sides of one "@"; no blanks. Quoted local parts are not met in certificates. */
static bool is_mail_name(const uint8_t *text, size_t len)
{
    size_t at = 0, marks = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7F)
            return false;
        if (text[i] == '@')
            at = i, marks++;
    }
    return marks == 1 && at > 0 && at + 1 < len;
}

static bool is_good_name(const GENERAL_NAME *name)
{
    const ASN1_STRING *text = name->d.ia5;

    switch (name->type) {
    case GEN_DNS:
        return is_dns_name(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    case GEN_IPADD:
        return ASN1_STRING_length(text) == 4 || ASN1_STRING_length(text) == 16;
    case GEN_EMAIL:
        return is_mail_name(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    case GEN_URI:
        return ASN1_STRING_length(text) > 0;
    default:
        return true;
    }
}

/* "*.com": not a suffix of one label that anybody could own. */
static bool is_wide(const GENERAL_NAME *name)
{
    if (name->type != GEN_DNS)
        return false;
    const uint8_t *text = ASN1_STRING_get0_data(name->d.ia5);
    size_t len = (size_t)ASN1_STRING_length(name->d.ia5);
    return len > 2 && text[0] == '*' && !memchr(text + 2, '.', len - 2);
}

static void check_names(const struct subject *subject)
{
    AUTO_OF(GENERAL_NAMES)
    GENERAL_NAMES *names = X509_get_ext_d2i(subject->x509, NID_subject_alt_name, NULL, NULL);
    bool empty = X509_NAME_entry_count(X509_get_subject_name(subject->x509)) == 0;

    if (!has(subject, NID_subject_alt_name)) {
        if (empty)
            hard(subject, "san", "names: wanted a subject or alternative names, got neither");
        return;
    }
    if (sk_GENERAL_NAME_num(names) <= 0)
        hard(subject, "san", "alternative names: wanted at least one, got none");
    if (!empty && is_critical(subject, NID_subject_alt_name))
        soft(subject, "san", "alternative names: wanted them not critical beside a subject");
    if (empty && !is_critical(subject, NID_subject_alt_name))
        hard(subject, "san", "alternative names: wanted them critical beside an empty subject");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (!is_good_name(name))
            hard(subject, "san", "alternative names: wanted well-formed ones, got one that is not");
        if (is_wide(name))
            soft(subject, "wide-wildcard",
                 "alternative names: got a wildcard for all of a top-level domain");
    }
}

/* A stand-in in `tell`: of an anchor an administrator has vouched for the form. */
static void soften(void *self, bool is_hard, const char *code, const char *text)
{
    const struct subject *subject = self;

    (void)is_hard;
    subject->tell(subject->self, false, code, text);
}

void lint_examine(const struct link *link, enum lint_role role, lint_tell_fn tell, void *self)
{
    const struct subject plain = {link->x509, role, tell, self};
    const struct subject softened = {link->x509, role, soften, (void *)(uintptr_t)&plain};
    const struct subject *subject = role == LINT_ANCHOR ? &softened : &plain;

    if (role != LINT_ANCHOR)
        check_version(subject);
    check_readable(subject);
    check_serial(subject);
    check_dates(subject);
    check_constraints(subject);
    check_critical(subject);
    check_key_ids(subject);
    check_policies(subject);
    check_names(subject);
    ERR_clear_error();
}
