#include "pki/anchors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "base/file.h"

/* Sorted by subject, then by certificate; const once it is open, so any thread may search it. */
struct anchors {
    struct links links;
};

static X509 *read_block(const char *label, struct span der)
{
    const uint8_t *at = der.data;

    /* With "TRUSTED" the uses an administrator rejects follow the certificate. */
    if (strcmp(label, PEM_STRING_X509_TRUSTED) == 0)
        return d2i_X509_AUX(NULL, &at, (long)der.len);
    return crypto_read_cert(der);
}

static bool is_cert_label(const char *label)
{
    return strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0 ||
           strcmp(label, PEM_STRING_X509_TRUSTED) == 0;
}

static bool add(struct links *links, X509 *x509)
{
    struct link link;

    if (!x509 || !link_from(x509, &link))
        return false;
    link.anchor = true;
    /* Nobody's signature makes it trusted, so its own is not checked either. */
    link.self_signed = X509_self_signed(x509, 0) == 1;
    links_take(links, &link);
    return true;
}

/* Adds the certificates of a PEM text. ret_broken counts the blocks that hold none. */
static void add_pem(struct span text, struct links *links, size_t *ret_broken)
{
    AUTO_OF(BIO) BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    char *label = NULL, *head = NULL;
    uint8_t *data = NULL;
    long len = 0;

    ERR_clear_error();
    while (bio && PEM_read_bio(bio, &label, &head, &data, &len)) {
        AUTO_OF(X509) X509 *x509 = NULL;

        if (is_cert_label(label)) {
            x509 = read_block(label, span_of(data, (size_t)len));
            if (!add(links, x509))
                ++*ret_broken;
        }
        OPENSSL_clear_free(data, (size_t)len); /* a key may be among them */
        OPENSSL_free(head);
        OPENSSL_free(label);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ++*ret_broken;
    ERR_clear_error();
}

static int add_file(const char *path, bool strict, struct links *links, struct error *err)
{
    AUTO_BLOB struct blob text = {0};
    size_t before = links->count, broken = 0;
    int rc = file_read(path, BUF_MAX_PEM, &text, err);

    if (rc < 0)
        return error_wrap(err, rc, "trust anchors");
    if (text.len > 0 && text.data[0] == 0x30) {
        AUTO_OF(X509) X509 *x509 = crypto_read_cert(blob_span(&text));

        if (add(links, x509))
            return 0;
    }
    add_pem(blob_span(&text), links, &broken);
    if (links->count == before)
        return error_set(err, E_FORMAT, "trust anchors: file %s: wanted certificates, found none",
                         path);
    if (strict && broken > 0)
        return error_set(err, E_FORMAT,
                         "trust anchors: file %s: a certificate in it cannot be read", path);
    return 0;
}

/*
 * X509_STORE_set_default_paths would let SSL_CERT_FILE of the environment decide what is trusted,
 * and every look-up of a chain would parse 140 roots again.
 */
static int add_system(struct links *links, struct error *err)
{
    const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", X509_get_default_cert_file(),
                                 "/etc/pki/tls/certs/ca-bundle.crt"};

    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (access(files[i], F_OK) == 0)
            return add_file(files[i], false, links, err);
    return error_set(err, E_NOT_FOUND,
                     "trust anchors: the system's: wanted %s or %s: install ca-certificates",
                     files[0], files[1]);
}

static int compare(const void *a, const void *b)
{
    const struct link *one = a, *other = b;
    int order = memcmp(one->subject_sha256, other->subject_sha256, SHA256_LEN);

    return order != 0 ? order : memcmp(one->sha256, other->sha256, SHA256_LEN);
}

static void sort(struct links *links)
{
    size_t kept = 0;

    if (links->count > 0)
        qsort(links->items, links->count, sizeof *links->items, compare);
    for (size_t i = 0; i < links->count; i++) {
        if (kept > 0 && link_is_same(&links->items[kept - 1], &links->items[i]))
            link_done(&links->items[i]);
        else
            links->items[kept++] = links->items[i];
    }
    links->count = kept;
}

static struct anchors *anchors_of(struct links *links)
{
    struct anchors *anchors = mem_alloc(1, sizeof *anchors);

    sort(links);
    anchors->links = *links;
    *links = (struct links){0};
    return anchors;
}

struct anchors *anchors_parse(const struct blobs *ders)
{
    struct links links = {0};

    for (size_t i = 0; i < ders->count; i++) {
        AUTO_OF(X509) X509 *x509 = crypto_read_cert(blob_span(&ders->items[i]));

        add(&links, x509);
    }
    return anchors_of(&links);
}

int anchors_open(const char *const files[], size_t count, bool system, struct anchors **ret,
                 struct error *err)
{
    AUTO_LINKS struct links links = {0};
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_file(files[i], true, &links, err);
    if (rc == 0 && system)
        rc = add_system(&links, err);
    if (rc < 0)
        return rc;
    *ret = anchors_of(&links);
    return 0;
}

void anchors_free(struct anchors *anchors)
{
    if (!anchors)
        return;
    links_done(&anchors->links);
    free(anchors);
}

const struct link *anchors_find(const struct anchors *anchors,
                                const uint8_t subject_sha256[SHA256_LEN], size_t *ret_count)
{
    const struct link *items = anchors->links.items;
    size_t low = 0, high = anchors->links.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(items[middle].subject_sha256, subject_sha256, SHA256_LEN) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < anchors->links.count &&
           memcmp(items[end].subject_sha256, subject_sha256, SHA256_LEN) == 0)
        end++;
    *ret_count = end - low;
    return end > low ? &items[low] : NULL;
}
