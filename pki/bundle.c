#include "pki/bundle.h"

#include "base/buf.h"
#include "pki/crypto.h"

/* In the order of enum bundle_part. */
static const struct {
    const char *text;
    bool leaf, chain, key;
} contents[BUNDLE_PARTS] = {
    [BUNDLE_KEY] = {"key", .key = true},
    [BUNDLE_LEAF] = {"leaf", .leaf = true},
    [BUNDLE_CHAIN] = {"chain", .chain = true},
    [BUNDLE_FULLCHAIN] = {"fullchain", .leaf = true, .chain = true},
    [BUNDLE_COMBINED] = {"combined", .leaf = true, .chain = true, .key = true},
};

const char *bundle_part_text(enum bundle_part part)
{
    return contents[part].text;
}

bool bundle_part_is_secret(enum bundle_part part)
{
    return contents[part].key;
}

void bundle_done(struct bundle *bundle)
{
    for (size_t i = 0; i < BUNDLE_PARTS; i++)
        blob_wipe(&bundle->parts[i]);
}

static bool is_cert(struct span der)
{
    AUTO_OF(X509) X509 *x509 = crypto_read_cert(der);

    return x509 != NULL;
}

static int write_part(enum bundle_part part, struct span key, struct span leaf,
                      const struct blobs *chain, struct blob *ret, struct error *err)
{
    AUTO_SECRET_BUF struct buf out;

    buf_init(&out, BUF_MAX_PEM);
    if (contents[part].leaf)
        pem_write(&out, "CERTIFICATE", leaf);
    for (size_t i = 0; contents[part].chain && i < chain->count; i++)
        pem_write(&out, "CERTIFICATE", blob_span(&chain->items[i]));
    if (contents[part].key)
        pem_write(&out, "PRIVATE KEY", key);
    if (out.full)
        return error_set(err, E_TOO_LARGE, "bundle: %s: wanted at most %d bytes of PEM",
                         contents[part].text, BUF_MAX_PEM);
    *ret = buf_take(&out);
    return 0;
}

int bundle_write(struct span key, struct span leaf, const struct blobs *chain, struct bundle *ret,
                 struct error *err)
{
    struct bundle bundle = {0};
    int rc = 0;

    for (size_t i = 0; i < chain->count; i++)
        if (!is_cert(blob_span(&chain->items[i])))
            return error_set(err, E_FORMAT,
                             "bundle: chain: certificate %zu: wanted one certificate in DER",
                             i + 1);
    for (size_t i = 0; i < BUNDLE_PARTS && rc == 0; i++)
        rc = write_part((enum bundle_part)i, key, leaf, chain, &bundle.parts[i], err);
    if (rc < 0)
        bundle_done(&bundle);
    else
        *ret = bundle;
    return rc;
}
