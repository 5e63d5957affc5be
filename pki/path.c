#include "pki/path.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "pki/rules.h"

/* 112 bits: RSA 2048 and SHA-256 pass, RSA 1024 and SHA-1 do not. */
enum { SECURITY_LEVEL = 2 };

static const struct link *last(const struct path *path)
{
    return path->links[path->count - 1];
}

utc_t path_ends(const struct path *path)
{
    utc_t ends = UTC_NEVER;

    for (size_t i = 0; i < path->count; i++)
        ends = utc_min(ends, path->links[i]->not_after);
    return ends;
}

static bool ends_in(const struct path *path, const char *name)
{
    char subject[CERT_DN_MAX];

    return strstr(link_subject(last(path), subject), name) != NULL;
}

bool path_is_better(const struct path *path, const struct path *than, const char *preferred)
{
    if (preferred && ends_in(path, preferred) != ends_in(than, preferred))
        return ends_in(path, preferred);
    if (last(path)->self_signed != last(than)->self_signed)
        return last(path)->self_signed;
    if (path_ends(path) != path_ends(than))
        return path_ends(path) > path_ends(than);
    return path->count < than->count;
}

/* The word for scripts that goes with OpenSSL's reason. */
static const char *code_of(int reason)
{
    static const struct {
        int reason;
        const char *code;
    } codes[] = {
        {X509_V_ERR_INVALID_CA, "basic-constraints"},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, "path-length"},
        {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "key-usage"},
        {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "critical-extension"},
        {X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED, "critical-extension"},
        {X509_V_ERR_PERMITTED_VIOLATION, "name-constraints"},
        {X509_V_ERR_EXCLUDED_VIOLATION, "name-constraints"},
        {X509_V_ERR_SUBTREE_MINMAX, "name-constraints"},
        {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, "name-constraints"},
        {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, "name-constraints"},
        {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, "name-constraints"},
        {X509_V_ERR_EE_KEY_TOO_SMALL, "weak-key"},
        {X509_V_ERR_CA_KEY_TOO_SMALL, "weak-key"},
        {X509_V_ERR_CA_MD_TOO_WEAK, "weak-signature"},
        {X509_V_ERR_NO_EXPLICIT_POLICY, "policies"},
        {X509_V_ERR_INVALID_POLICY_EXTENSION, "policies"},
        {X509_V_ERR_CERT_REJECTED, "untrusted-root"},
        {X509_V_ERR_CERT_UNTRUSTED, "untrusted-root"},
    };

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (codes[i].reason == reason)
            return codes[i].code;
    return "path";
}

/* What OpenSSL's callback is handed: it goes on after each reason, so that all are heard. */
struct hearing {
    const struct path *path;
    const struct path_teller *teller;
    bool heard;
};

/* OpenSSL's reason, with what was wanted and got where it leaves that open. */
static void write_reason(const struct link *link, int reason, char *ret, size_t size)
{
    const char *text = X509_verify_cert_error_string(reason);
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *object = NULL;
    char name[80] = "";

    if (reason == X509_V_ERR_EE_KEY_TOO_SMALL || reason == X509_V_ERR_CA_KEY_TOO_SMALL) {
        const EVP_PKEY *key = X509_get0_pubkey(link->x509);

        snprintf(ret, size, "%s: wanted RSA from 2048 bits or EC from 224, got %d bits", text,
                 key ? EVP_PKEY_get_bits(key) : 0);
    } else if (reason == X509_V_ERR_CA_MD_TOO_WEAK) {
        X509_get0_signature(NULL, &algorithm, link->x509);
        X509_ALGOR_get0(&object, NULL, NULL, algorithm);
        OBJ_obj2txt(name, sizeof name, object, 0);
        snprintf(ret, size, "signature digest algorithm too weak: wanted SHA-256 or better, got %s",
                 name);
    } else {
        snprintf(ret, size, "%s", text);
    }
}

static int hear(int good, X509_STORE_CTX *ctx)
{
    char text[200];

    struct hearing *hearing = X509_STORE_CTX_get_app_data(ctx);
    int depth = X509_STORE_CTX_get_error_depth(ctx);
    int reason = X509_STORE_CTX_get_error(ctx);

    if (good)
        return 1;
    size_t place = depth >= 0 && (size_t)depth < hearing->path->count ? (size_t)depth : 0;
    hearing->heard = true;
    write_reason(hearing->path->links[place], reason, text, sizeof text);
    hearing->teller->tell(hearing->teller->self, code_of(reason), place, text);
    return 1;
}

static int trust_of(enum chain_purpose purpose)
{
    switch (purpose) {
    case CHAIN_SERVER:
        return X509_TRUST_SSL_SERVER;
    case CHAIN_CLIENT:
        return X509_TRUST_SSL_CLIENT;
    case CHAIN_AS_IT_SAYS:
    case CHAIN_ANY:
        return X509_TRUST_DEFAULT;
    }
    return X509_TRUST_DEFAULT;
}

/*
 * Not X509_V_FLAG_X509_STRICT: what it adds over pki/rules.c is the form that section 4 asks of
 * authorities (key identifiers, critical marks), which is told by the check and refused by nobody.
 * Not a purpose either: OpenSSL lets Step-Up (SGC) stand for serverAuth and knows no any.
 */
static bool set_up(X509_STORE_CTX *ctx, X509_STORE *store, STACK_OF(X509) * between,
                   const struct path *path, enum chain_purpose purpose)
{
    if (!X509_STORE_add_cert(store, last(path)->x509) ||
        !X509_STORE_CTX_init(ctx, store, path->links[0]->x509, between))
        return false;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_POLICY_CHECK;
    int trust = trust_of(purpose);
    if (!last(path)->self_signed)
        flags |= X509_V_FLAG_PARTIAL_CHAIN;
    /* RFC 5280 6.1.1 (c): any policy will do. Without saying so OpenSSL takes none for enough. */
    if (!X509_VERIFY_PARAM_add0_policy(param, OBJ_dup(OBJ_nid2obj(NID_any_policy))))
        return false;
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
    return X509_VERIFY_PARAM_set_flags(param, flags) &&
           (trust == X509_TRUST_DEFAULT || X509_VERIFY_PARAM_set_trust(param, trust));
}

static void ask_openssl(const struct path *path, enum chain_purpose purpose,
                        const struct path_teller *teller)
{
    AUTO_OF(X509_STORE) X509_STORE *store = X509_STORE_new();
    AUTO_OF(X509_STORE_CTX) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    struct hearing hearing = {path, teller, false};
    bool ready = store && ctx && between;

    for (size_t i = 1; ready && i + 1 < path->count; i++)
        ready = sk_X509_push(between, path->links[i]->x509) > 0;
    if (!ready || !set_up(ctx, store, between, path, purpose)) {
        teller->tell(teller->self, "path", 0, "cannot be verified");
    } else {
        X509_STORE_CTX_set_app_data(ctx, &hearing);
        X509_STORE_CTX_set_verify_cb(ctx, hear);
        /* What fails without asking the callback is a failure too. */
        if (X509_verify_cert(ctx) != 1 && !hearing.heard)
            teller->tell(teller->self, "path", 0, "cannot be verified");
    }
    ERR_clear_error();
    sk_X509_free(between);
}

void path_examine(const struct path *path, utc_t at, enum chain_purpose purpose,
                  const struct path_teller *teller)
{
    if (purpose == CHAIN_AS_IT_SAYS && link_is_server(path->links[0]))
        purpose = CHAIN_SERVER;
    rules_examine(path, at, purpose, teller);
    if (last(path)->anchor)
        ask_openssl(path, purpose, teller);
}

struct first {
    const struct path *path;
    struct error *err;
    int rc;
};

static void keep_first(void *self, const char *code, size_t place, const char *text)
{
    struct first *first = self;
    char subject[CERT_DN_MAX];

    (void)code;
    if (first->rc == 0)
        first->rc = error_set(first->err, E_REFUSED, "chain: \"%s\": %s",
                              link_subject(first->path->links[place], subject), text);
}

int path_check(const struct path *path, utc_t at, enum chain_purpose purpose, struct error *err)
{
    struct first first = {path, err, 0};

    path_examine(path, at, purpose, &(struct path_teller){&first, keep_first});
    return first.rc;
}
