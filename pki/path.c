#include "pki/path.h"

#include <string.h>

#include <openssl/err.h>

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

/* Not left to OpenSSL, which takes a certificate's last second for the first after its end. */
static int check_dates(const struct path *path, utc_t at, struct error *err)
{
    for (size_t i = 0; i < path->count; i++) {
        const struct link *link = path->links[i];
        bool ended = at > link->not_after;
        char subject[CERT_DN_MAX], when[UTC_TEXT_MAX], bound[UTC_TEXT_MAX];

        if (link_is_valid_at(link, at))
            continue;
        return error_set(err, E_REFUSED,
                         "chain: \"%s\": validity: wanted a certificate valid on %s, this one %s "
                         "%s",
                         link_subject(link, subject), utc_format_plain(at, when),
                         ended ? "ended on" : "begins on",
                         utc_format_plain(ended ? link->not_after : link->not_before, bound));
    }
    return 0;
}

static bool set_up(X509_STORE_CTX *ctx, X509_STORE *store, STACK_OF(X509) * between,
                   const struct path *path, bool as_server)
{
    if (!X509_STORE_add_cert(store, last(path)->x509) ||
        !X509_STORE_CTX_init(ctx, store, path->links[0]->x509, between))
        return false;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    unsigned long flags = X509_V_FLAG_NO_CHECK_TIME;
    if (!last(path)->self_signed)
        flags |= X509_V_FLAG_PARTIAL_CHAIN;
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    X509_VERIFY_PARAM_set_depth(param, PATH_DEPTH_MAX);
    return X509_VERIFY_PARAM_set_flags(param, flags) &&
           (!as_server || (X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) &&
                           X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_SERVER)));
}

static int verify(X509_STORE_CTX *ctx, const struct path *path, struct error *err)
{
    char subject[CERT_DN_MAX];

    if (X509_verify_cert(ctx) == 1)
        return 0;
    int depth = X509_STORE_CTX_get_error_depth(ctx);
    const struct link *link =
        path->links[depth >= 0 && (size_t)depth < path->count ? (size_t)depth : 0];
    return error_set(err, E_REFUSED, "chain: \"%s\": %s", link_subject(link, subject),
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}

int path_check(const struct path *path, utc_t at, bool as_server, struct error *err)
{
    int rc = check_dates(path, at, err);

    if (rc < 0)
        return rc;
    AUTO_OF(X509_STORE) X509_STORE *store = X509_STORE_new();
    AUTO_OF(X509_STORE_CTX) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    bool ready = store && ctx && between;
    for (size_t i = 1; ready && i + 1 < path->count; i++)
        ready = sk_X509_push(between, path->links[i]->x509) > 0;
    if (!ready || !set_up(ctx, store, between, path, as_server))
        rc = crypto_error(err, E_CRYPTO, "chain: cannot be verified");
    else
        rc = verify(ctx, path, err);
    ERR_clear_error();
    sk_X509_free(between);
    return rc;
}
