#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include "pki/rules.h"

UL_AUTO_DEFINE(NAME_CONSTRAINTS, NAME_CONSTRAINTS_free)

/* OpenSSL refuses to compare more than 2^20 pairs; this is how many wildcards we look at. */
enum { PAIRS_MAX = 1 << 20 };

static struct span bytes(const ASN1_STRING *string)
{
    return span_of(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

/* Letters, digits, "-", "_" and dots, none at the end; a dot in front as everybody reads it. */
static bool is_host(struct span text, bool may_be_empty)
{
    if (text.len == 0)
        return may_be_empty;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = text.data[i];

        if (c == '.' && i > 0 && text.data[i - 1] == '.')
            return false;
        if (!isalnum(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return text.data[text.len - 1] != '.';
}

/* A host, ".domain" or one mailbox. */
static bool is_mail(struct span text)
{
    const uint8_t *at = text.len > 0 ? memchr(text.data, '@', text.len) : NULL;

    if (!at)
        return is_host(text, true);
    size_t before = (size_t)(at - text.data);
    struct span host = span_of(at + 1, text.len - before - 1);
    return before > 0 && is_host(host, false) && host.data[0] != '.';
}

/* An address and a mask whose ones all come first (RFC 5280 4.2.1.10, RFC 4632). */
static bool is_network(struct span text)
{
    bool zero_seen = false;

    if (text.len != 8 && text.len != 32)
        return false;
    for (size_t i = text.len / 2 * 8; i < text.len * 8; i++) {
        bool one = text.data[i / 8] >> (7 - i % 8) & 1;

        if (one && zero_seen)
            return false;
        zero_seen |= !one;
    }
    return true;
}

static bool is_well_formed(const GENERAL_SUBTREE *tree)
{
    switch (tree->base->type) {
    case GEN_DNS:
        return is_host(bytes(tree->base->d.dNSName), true);
    case GEN_URI:
        return is_host(bytes(tree->base->d.uniformResourceIdentifier), true);
    case GEN_EMAIL:
        return is_mail(bytes(tree->base->d.rfc822Name));
    case GEN_IPADD:
        return is_network(bytes(tree->base->d.iPAddress));
    default:
        return true; /* OpenSSL: names of a kind it cannot compare are refused */
    }
}

static bool check_form(const STACK_OF(GENERAL_SUBTREE) * trees)
{
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
        const GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(trees, i);

        /* RFC 5280: "minimum MUST be zero, and maximum MUST be absent". */
        if (!is_well_formed(tree) || tree->maximum ||
            (tree->minimum && ASN1_INTEGER_get(tree->minimum) != 0))
            return false;
    }
    return true;
}

/* name is the domain, or is below it. */
static bool is_within(struct span name, struct span domain)
{
    if (domain.len == 0)
        return true;
    if (name.len < domain.len)
        return false;
    size_t more = name.len - domain.len;
    return strncasecmp((const char *)name.data + more, (const char *)domain.data, domain.len) ==
               0 &&
           (more == 0 || name.data[more - 1] == '.');
}

/*
 * Some name that `name` stands for is in an excluded domain. A wildcard stands for names one label
 * longer, which OpenSSL does not consider (CVE-2025-61727 elsewhere). A domain with a dot in front
 * is excluded itself, too: the stricter of two readings.
 */
static bool may_be_in(struct span name, struct span excluded)
{
    bool wild = name.len > 2 && name.data[0] == '*' && name.data[1] == '.';
    struct span domain = excluded;

    if (domain.len > 0 && domain.data[0] == '.')
        domain = span_of(domain.data + 1, domain.len - 1);
    if (!wild)
        return is_within(name, domain);
    struct span parent = span_of(name.data + 2, name.len - 2);
    const uint8_t *dot = domain.len > 0 ? memchr(domain.data, '.', domain.len) : NULL;
    if (is_within(parent, domain))
        return true;
    if (!dot)
        return false;
    size_t label = (size_t)(dot - domain.data) + 1;
    return domain.len - label == parent.len &&
           strncasecmp((const char *)dot + 1, (const char *)parent.data, parent.len) == 0;
}

/* An empty base is every name of its kind, which OpenSSL knows of DNS alone. */
static bool excludes_all(const GENERAL_SUBTREE *tree, int type)
{
    return tree->base->type == type && (type == GEN_EMAIL || type == GEN_URI) &&
           bytes(tree->base->d.ia5).len == 0;
}

static bool is_excluded(const GENERAL_NAMES *names, const STACK_OF(GENERAL_SUBTREE) * trees)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        for (int j = 0; j < sk_GENERAL_SUBTREE_num(trees); j++) {
            const GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(trees, j);

            if (name->type == GEN_DNS && tree->base->type == GEN_DNS &&
                may_be_in(bytes(name->d.dNSName), bytes(tree->base->d.dNSName)))
                return true;
            if (excludes_all(tree, name->type))
                return true;
        }
    }
    return false;
}

/* Name constraints bind every certificate below but self-issued ones between (RFC 5280 6.1.3 b). */
static void check_below(const struct path *path, size_t place, const NAME_CONSTRAINTS *constraints,
                        const struct path_teller *teller)
{
    for (size_t i = 0; i < place; i++) {
        X509 *x509 = path->links[i]->x509;

        if (i > 0 && (X509_get_extension_flags(x509) & EXFLAG_SI))
            continue;
        AUTO_OF(GENERAL_NAMES)
        GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
        int64_t pairs = (int64_t)sk_GENERAL_NAME_num(names) *
                        sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees);
        if (pairs > PAIRS_MAX)
            teller->tell(teller->self, "name-constraints", i, "name constraints: too many names");
        else if (is_excluded(names, constraints->excludedSubtrees))
            teller->tell(teller->self, "name-constraints", i,
                         "name constraints: a name of it is, or may be, in an excluded subtree");
    }
}

void constraints_examine(const struct path *path, size_t place, const struct path_teller *teller)
{
    X509 *x509 = path->links[place]->x509;
    AUTO_OF(NAME_CONSTRAINTS) NAME_CONSTRAINTS *constraints = NULL;

    if (X509_get_ext_by_NID(x509, NID_name_constraints, -1) < 0)
        return;
    constraints = X509_get_ext_d2i(x509, NID_name_constraints, NULL, NULL);
    if (!constraints) {
        teller->tell(teller->self, "name-constraints", place,
                     "name constraints: wanted ones that can be read");
        return;
    }
    if (sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees) <= 0 &&
        sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees) <= 0)
        teller->tell(teller->self, "name-constraints", place,
                     "name constraints: wanted a permitted or excluded subtree, got none");
    if (!check_form(constraints->permittedSubtrees) || !check_form(constraints->excludedSubtrees))
        teller->tell(teller->self, "name-constraints", place,
                     "name constraints: wanted subtrees as in RFC 5280 4.2.1.10, got a broken one");
    check_below(path, place, constraints, teller);
    ERR_clear_error();
}
