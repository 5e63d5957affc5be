#include <string.h>

#include <openssl/err.h>

#include "pki/check_parts.h"

/* Signatures looked at to explain why there is no path. */
enum { TRIES_MAX = 256 };

static int find_known(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                      struct error *err)
{
    const struct checking *checking = self;

    (void)err;
    for (size_t i = 0; i < checking->known.count; i++)
        if (memcmp(checking->known.items[i].subject_sha256, subject_sha256, SHA256_LEN) == 0)
            link_add_der(&checking->known.items[i], ret);
    return 0;
}

/* The anchor with this name and this fingerprint, or NULL. */
static const struct link *find_anchor(const struct checking *checking,
                                      const uint8_t subject_sha256[SHA256_LEN],
                                      const uint8_t sha256[SHA256_LEN])
{
    size_t count = 0;
    const struct link *found = anchors_find(checking->request->anchors, subject_sha256, &count);

    for (size_t i = 0; i < count; i++)
        if (memcmp(found[i].sha256, sha256, SHA256_LEN) == 0)
            return &found[i];
    return NULL;
}

static void add_link(struct checking *checking, struct link *link)
{
    const struct link *anchor = find_anchor(checking, link->subject_sha256, link->sha256);

    if (anchor) { /* with the uses an administrator set for it */
        link_done(link);
        *link = link_share(anchor);
    }
    links_take(&checking->own, link);
}

/* The list has its final length only now. */
static void lay_path(struct checking *checking)
{
    checking->path.count = checking->own.count;
    for (size_t i = 0; i < checking->own.count; i++)
        checking->path.links[i] = &checking->own.items[i];
}

static void take_chain(struct checking *checking, const struct chain *chain)
{
    for (size_t i = 0; i < chain->certs.count && checking->own.count < PATH_DEPTH_MAX; i++) {
        struct link link;

        if (link_read(blob_span(&chain->certs.items[i]), &link))
            add_link(checking, &link);
    }
    const struct link *top = &checking->own.items[checking->own.count - 1];
    const struct link *root = find_anchor(checking, top->issuer_sha256, chain->anchor_sha256);
    if (!top->anchor && root) {
        struct link link = link_share(root);

        links_take(&checking->own, &link);
    }
}

static bool is_in_path(const struct checking *checking, const struct link *link)
{
    for (size_t i = 0; i < checking->own.count; i++)
        if (link_is_same(&checking->own.items[i], link))
            return true;
    return false;
}

static bool has_signed(const struct link *issuer, const struct link *top, size_t *tries)
{
    bool good =
        ++*tries <= TRIES_MAX && X509_verify(top->x509, X509_get0_pubkey(issuer->x509)) == 1;

    ERR_clear_error();
    return good;
}

/* Valid ones first, then those that live longest. */
static bool is_preferred(const struct link *link, const struct link *than, utc_t at)
{
    bool valid = link_is_valid_at(link, at), other = link_is_valid_at(than, at);

    return valid != other ? valid : link->not_after > than->not_after;
}

/* Who signed the top of the path: an anchor, or the best of what is known; NULL when nobody did. */
static const struct link *find_issuer(const struct checking *checking, size_t *tries)
{
    const struct link *top = &checking->own.items[checking->own.count - 1], *best = NULL;
    size_t count = 0;
    const struct link *anchors =
        anchors_find(checking->request->anchors, top->issuer_sha256, &count);

    for (size_t i = 0; i < count; i++)
        if ((!best || is_preferred(&anchors[i], best, checking->request->at)) &&
            has_signed(&anchors[i], top, tries))
            best = &anchors[i];
    for (size_t i = 0; i < checking->known.count && !(best && best->anchor); i++) {
        const struct link *link = &checking->known.items[i];

        if (memcmp(link->subject_sha256, top->issuer_sha256, SHA256_LEN) == 0 &&
            !is_in_path(checking, link) &&
            (!best || is_preferred(link, best, checking->request->at)) &&
            has_signed(link, top, tries))
            best = link;
    }
    return best;
}

/* Upwards as far as it goes, for the findings alone. */
static enum check_end climb(struct checking *checking)
{
    size_t tries = 0;

    for (;;) {
        const struct link *top = &checking->own.items[checking->own.count - 1];

        if (top->anchor)
            return CHECK_END_ANCHOR;
        if (X509_self_signed(top->x509, 1) == 1)
            return CHECK_END_UNTRUSTED;
        const struct link *issuer =
            checking->own.count <= PATH_DEPTH_MAX ? find_issuer(checking, &tries) : NULL;
        if (!issuer)
            return CHECK_END_MISSING;
        struct link link = link_share(issuer);
        add_link(checking, &link);
    }
}

void check_find_path(struct checking *checking)
{
    const struct check_request *request = checking->request;
    const struct chain_pool pool = {checking, find_known};
    struct link leaf = link_share(&checking->known.items[checking->leaf]);
    AUTO_BLOBS struct blobs der = {0};
    AUTO_CHAIN struct chain chain = {0};

    link_add_der(&leaf, &der);
    add_link(checking, &leaf);
    /* A certificate that is itself an anchor needs nobody above it. */
    if (!checking->own.items[0].anchor) {
        const struct chain_request order = {.leaf = blob_span(&der.items[0]),
                                            .pool = &pool,
                                            .anchors = request->anchors,
                                            .at = request->at,
                                            .purpose = request->purpose};
        if (chain_build(&order, &chain, &checking->why) == 0)
            take_chain(checking, &chain);
    }
    checking->end = climb(checking);
    lay_path(checking);
    ERR_clear_error();
}
