#include "pki/chain.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "pki/anchors.h"
#include "pki/link.h"
#include "pki/path.h"

/* What a stranger's same-named CAs may cost one search: signatures checked, certificates parsed. A
 * signature by P-256 takes 0.1 ms to check, and it is no cheaper to make as many certificates. */
enum { EXAMINED_MAX = 2048, PARSED_MAX = 8192 };

/* How much shorter than the longest of its key a signature may be: an integer of ECDSA loses a
 * byte in one of 256, so the real one is never so short. */
enum { SIGNATURE_SLACK = 16 };

/* Why the search did not go on at some place; of each kind the one furthest up is told. */
struct dead_ends {
    struct error rule;           /* first rule that a path to an anchor broke */
    char untrusted[CERT_DN_MAX]; /* self-signed and no anchor */
    char missing[CERT_DN_MAX];   /* issuer that is not known... */
    size_t missing_depth;        /* ...at this place of the path, 0 for none */
    size_t strangers;            /* certificates of its name that another key belongs to */
    struct link gap;             /* the one whose issuer that is */
    bool circle, too_deep, too_many;
};

struct search {
    const struct chain_pool *pool;
    const struct anchors *anchors, *added; /* either may be NULL */
    const char *preferred_root;
    utc_t at;
    enum chain_purpose purpose;
    struct path path; /* where the search stands */
    struct path best; /* its links are in best_links */
    struct links best_links;
    size_t examined, parsed;
    struct dead_ends dead_ends;
};

void chain_done(struct chain *chain)
{
    blobs_done(&chain->certs);
    *chain = (struct chain){0};
}

static const struct link *top(const struct search *search)
{
    return search->path.links[search->path.count - 1];
}

static bool holds(const struct links *links, const struct link *link)
{
    for (size_t i = 0; i < links->count; i++)
        if (link_is_same(&links->items[i], link))
            return true;
    return false;
}

/* Certificates of one issuer's name. */
struct candidates {
    struct links links;
    size_t strangers; /* not in links: their key identifier shows that they did not sign */
};

static bool holds_bytes(struct span in, struct span wanted)
{
    return wanted.len > 0 && memmem(in.data, in.len, wanted.data, wanted.len);
}

/*
 * One round over what the pool gave: first those in which the wanted key identifier can be found
 * at all, which needs no parsing, so that any number of strangers leaves the limit to these.
 */
static void read_found(struct search *search, const struct blobs *found, bool with_key_id,
                       struct candidates *ret)
{
    struct span wanted = link_issuer_key_id(top(search));

    for (size_t i = 0; i < found->count; i++) {
        const struct blob *der = &found->items[i];
        struct link link;

        if (holds_bytes(blob_span(der), wanted) != with_key_id)
            continue;
        if (search->parsed >= PARSED_MAX) {
            search->dead_ends.too_many = true;
            return;
        }
        search->parsed++;
        if (!link_read(blob_span(der), &link))
            continue;
        struct span key_id = link_key_id(&link);
        link.key_id_fits = wanted.len > 0 && span_equal(key_id, wanted);
        if (wanted.len == 0 || key_id.len == 0 || link.key_id_fits) {
            links_take(&ret->links, &link);
        } else {
            ret->strangers++;
            link_done(&link);
        }
    }
}

/*
 * Anchors first (no stranger put them there), then those whose key identifier is the wanted one,
 * valid ones, and those that live longest. Equal ones stand together.
 */
static int compare(const void *a, const void *b, void *at)
{
    const struct link *one = a, *other = b;
    bool one_valid = link_is_valid_at(one, *(utc_t *)at);
    bool other_valid = link_is_valid_at(other, *(utc_t *)at);

    if (one->anchor != other->anchor)
        return one->anchor ? -1 : 1;
    if (one->key_id_fits != other->key_id_fits)
        return one->key_id_fits ? -1 : 1;
    if (one_valid != other_valid)
        return one_valid ? -1 : 1;
    if (one->not_after != other->not_after)
        return one->not_after > other->not_after ? -1 : 1;
    return memcmp(one->sha256, other->sha256, SHA256_LEN);
}

/* Sorts, and keeps each certificate once; what is also an anchor counts as one. */
static void sort(struct links *links, size_t anchors, utc_t at)
{
    size_t kept = 0;

    if (links->count > 1)
        qsort_r(links->items, links->count, sizeof *links->items, compare, &at);
    for (size_t i = 0; i < links->count; i++) {
        struct link *link = &links->items[i];
        const struct links first = {links->items, anchors < kept ? anchors : kept};

        if (holds(&first, link) || (kept > 0 && link_is_same(&links->items[kept - 1], link)))
            link_done(link);
        else
            links->items[kept++] = *link;
    }
    links->count = kept;
}

static void find_anchors(const struct anchors *anchors, const uint8_t name[SHA256_LEN],
                         struct links *ret)
{
    size_t count = 0;
    const struct link *found = anchors ? anchors_find(anchors, name, &count) : NULL;

    for (size_t i = 0; i < count; i++) {
        struct link link = link_share(&found[i]);

        links_take(ret, &link);
    }
}

/* Every certificate of the issuer's name that may have signed, in the order to try them. */
static int find_candidates(struct search *search, struct candidates *ret, struct error *err)
{
    const uint8_t *name = top(search)->issuer_sha256;
    AUTO_BLOBS struct blobs found = {0};

    find_anchors(search->anchors, name, &ret->links);
    find_anchors(search->added, name, &ret->links);
    size_t count = ret->links.count;
    int rc = search->pool ? search->pool->find(search->pool->self, name, &found, err) : 0;
    if (rc < 0)
        return error_wrap(err, rc, "chain: cannot look up an issuer");
    read_found(search, &found, true, ret);
    read_found(search, &found, false, ret);
    sort(&ret->links, count, search->at);
    return 0;
}

static bool is_in_path(const struct search *search, const struct link *link)
{
    for (size_t i = 0; i < search->path.count; i++)
        if (link_is_same(search->path.links[i], link) ||
            link_is_same_authority(search->path.links[i], link))
            return true;
    return false;
}

static void note_rule(struct search *search, const struct error *err)
{
    if (search->dead_ends.rule.code == 0)
        search->dead_ends.rule = *err;
}

static void note_missing(struct search *search, size_t strangers)
{
    struct dead_ends *ends = &search->dead_ends;

    if (search->path.count <= ends->missing_depth)
        return;
    ends->missing_depth = search->path.count;
    ends->strangers = strangers;
    link_issuer(top(search), ends->missing);
    link_done(&ends->gap);
    ends->gap = link_share(top(search));
}

/* Costs nothing: without it a curve of 571 bits would take 3 ms to say no to a P-256 signature. */
static bool has_size_of(const ASN1_BIT_STRING *signature, EVP_PKEY *key)
{
    int longest = EVP_PKEY_get_size(key);

    return signature->length <= longest && signature->length >= longest - SIGNATURE_SLACK;
}

/* True when the candidate's key really signed the certificate at the top of the path. */
static bool has_signed(struct search *search, const struct link *candidate)
{
    X509 *subject = top(search)->x509;
    EVP_PKEY *key = X509_get0_pubkey(candidate->x509);
    const ASN1_BIT_STRING *signature = NULL;
    int reason = X509_check_issued(candidate->x509, subject);
    char name[CERT_DN_MAX];
    struct error err;

    if (reason != X509_V_OK && reason != X509_V_ERR_KEYUSAGE_NO_CERTSIGN)
        return false;
    X509_get0_signature(&signature, NULL, subject);
    if (!has_size_of(signature, key))
        return false;
    if (search->examined >= EXAMINED_MAX) {
        search->dead_ends.too_many = true;
        return false;
    }
    search->examined++;
    if (X509_verify(subject, key) != 1) {
        ERR_clear_error();
        return false;
    }
    if (reason == X509_V_OK)
        return true;
    error_set(&err, E_REFUSED, "chain: \"%s\": key usage: wanted one that may sign certificates",
              link_subject(candidate, name));
    note_rule(search, &err);
    return false;
}

static void keep_best(struct search *search)
{
    links_done(&search->best_links);
    search->best = search->path;
    for (size_t i = 0; i < search->path.count; i++) {
        struct link link = link_share(search->path.links[i]);

        links_take(&search->best_links, &link);
    }
    for (size_t i = 0; i < search->path.count; i++)
        search->best.links[i] = &search->best_links.items[i];
}

/* The path has reached an anchor. */
static void judge(struct search *search)
{
    struct error err = {0};

    if (search->best.count > 0 &&
        !path_is_better(&search->path, &search->best, search->preferred_root))
        return;
    if (path_check(&search->path, search->at, search->purpose, &err) < 0)
        note_rule(search, &err);
    else
        keep_best(search);
}

static int climb(struct search *search, struct error *err);

/* Puts a proved issuer on top of the path and goes on from there. */
static int step_up(struct search *search, struct link *issuer, struct error *err)
{
    int rc = 0;

    if (search->path.count > PATH_DEPTH_MAX) {
        search->dead_ends.too_deep = true;
        return 0;
    }
    if (!issuer->anchor)
        issuer->self_signed = X509_self_signed(issuer->x509, 1) == 1;
    search->path.links[search->path.count++] = issuer;
    if (issuer->anchor)
        judge(search);
    else if (issuer->self_signed)
        link_subject(issuer, search->dead_ends.untrusted);
    if (!issuer->self_signed)
        rc = climb(search, err);
    search->path.count--;
    return rc;
}

/* Tries every issuer of the certificate at the top of the path. */
static int climb(struct search *search, struct error *err)
{
    struct candidates candidates = {0};
    struct links *links = &candidates.links;
    size_t proved = 0, circular = 0;
    int rc = find_candidates(search, &candidates, err);

    for (size_t i = 0; i < links->count && rc == 0; i++) {
        if (is_in_path(search, &links->items[i])) {
            circular++;
            continue;
        }
        if (has_signed(search, &links->items[i])) {
            proved++;
            rc = step_up(search, &links->items[i], err);
        }
    }
    if (rc == 0 && proved == 0 && circular > 0)
        search->dead_ends.circle = true;
    else if (rc == 0 && proved == 0 && !top(search)->anchor)
        note_missing(search, links->count + candidates.strangers);
    links_done(links);
    return rc;
}

static int explain(const struct dead_ends *ends, struct error *err)
{
    if (ends->rule.code != 0)
        return error_set(err, ends->rule.code, "%s", ends->rule.text);
    if (ends->untrusted[0] != '\0')
        return error_set(err, E_REFUSED,
                         "chain: ends in a root that is not trusted: \"%s\"; if it is yours, an "
                         "administrator can trust it with \"unlapse trust add FILE\" (where the "
                         "policy uses the system's store) or name it under anchors.files of the "
                         "policy",
                         ends->untrusted);
    if (ends->too_many)
        return error_set(
            err, E_NO_CHAIN,
            "chain: gave up: wanted at most %d certificates of authorities to look at, "
            "got more, most of the same names",
            EXAMINED_MAX);
    if (ends->missing_depth > 0 && ends->strangers > 0)
        return error_set(err, E_NO_CHAIN,
                         "chain: wanted the certificate of \"%s\" whose key made the signature, "
                         "got %zu of that name with another key",
                         ends->missing, ends->strangers);
    if (ends->missing_depth > 0)
        return error_set(err, E_NO_CHAIN,
                         "chain: wanted the certificate of \"%s\", which neither this delivery nor "
                         "an earlier one holds",
                         ends->missing);
    if (ends->too_deep)
        return error_set(err, E_REFUSED,
                         "chain: wanted at most %d certificates above the leaf, got more",
                         PATH_DEPTH_MAX);
    return error_set(err, E_NO_CHAIN,
                     "chain: wanted a path to a trust anchor, got authorities that only sign each "
                     "other");
}

static void write_chain(const struct path *path, struct chain *ret)
{
    const struct link *anchor = path->links[path->count - 1];
    struct chain chain = {.earliest_not_after = path->links[0]->not_after};

    for (size_t i = 1; i < path->count; i++) {
        if (path->links[i]->self_signed)
            continue;
        link_add_der(path->links[i], &chain.certs);
        chain.earliest_not_after = utc_min(chain.earliest_not_after, path->links[i]->not_after);
    }
    link_subject(anchor, chain.anchor);
    memcpy(chain.anchor_sha256, anchor->sha256, SHA256_LEN);
    *ret = chain;
}

static int write_gap(const struct search *search, struct blob *ret, struct error *err)
{
    AUTO_BLOBS struct blobs found = {0};

    if (search->best.count == 0 && search->dead_ends.gap.x509)
        link_add_der(&search->dead_ends.gap, &found);
    if (found.count == 0)
        return error_set(err, E_NOT_FOUND, "chain: no issuer is missing");
    *ret = blob_take(&found.items[0]);
    return 0;
}

/* One of ret and ret_gap is NULL. */
static int run(struct search *search, struct chain *ret, struct blob *ret_gap, struct error *err)
{
    int rc = climb(search, err);

    if (rc == 0 && ret_gap)
        rc = write_gap(search, ret_gap, err);
    else if (rc == 0 && search->best.count == 0)
        rc = explain(&search->dead_ends, err);
    if (rc == 0 && ret)
        write_chain(&search->best, ret);
    links_done(&search->best_links);
    link_done(&search->dead_ends.gap);
    ERR_clear_error();
    return rc;
}

static bool is_anchor(const struct search *search, const struct link *link)
{
    AUTO_LINKS struct links anchors = {0};

    find_anchors(search->anchors, link->subject_sha256, &anchors);
    find_anchors(search->added, link->subject_sha256, &anchors);
    return holds(&anchors, link);
}

static int build_with(const struct chain_request *request, struct link *leaf,
                      const struct anchors *added, struct chain *ret, struct blob *ret_gap,
                      struct error *err)
{
    char subject[CERT_DN_MAX];
    struct search search = {.pool = request->pool,
                            .anchors = request->anchors,
                            .added = added,
                            .preferred_root = request->preferred_root,
                            .at = request->at,
                            .purpose = request->purpose,
                            .path = {.links = {leaf}, .count = 1}};

    if (ret && request->purpose == CHAIN_ANY && is_anchor(&search, leaf)) {
        write_chain(&search.path, ret);
        return 0;
    }
    if (X509_self_signed(leaf->x509, 1) == 1)
        return error_set(err, E_REFUSED,
                         "chain: \"%s\": wanted a certificate signed by an authority, got one "
                         "signed by its own key",
                         link_subject(leaf, subject));
    return run(&search, ret, ret_gap, err);
}

static int build(const struct chain_request *request, struct chain *ret, struct blob *ret_gap,
                 struct error *err)
{
    const struct blobs *ders = request->added_anchors;
    struct anchors *added = NULL;
    struct link leaf;

    if (ders && ders->count > CHAIN_ADDED_MAX)
        return error_set(err, E_TOO_LARGE, "chain: wanted at most %d added anchors, got %zu",
                         CHAIN_ADDED_MAX, ders->count);
    if (!link_read(request->leaf, &leaf))
        return error_set(err, E_FORMAT, "chain: leaf: wanted one certificate in DER");
    if (ders && ders->count > 0)
        added = anchors_parse(ders);
    int rc = build_with(request, &leaf, added, ret, ret_gap, err);
    anchors_free(added);
    link_done(&leaf);
    return rc;
}

int chain_build(const struct chain_request *request, struct chain *ret, struct error *err)
{
    return build(request, ret, NULL, err);
}

int chain_find_gap(const struct chain_request *request, struct blob *ret, struct error *err)
{
    return build(request, NULL, ret, err);
}
