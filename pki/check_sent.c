#include <stdio.h>
#include <string.h>

#include "pki/check_parts.h"

static const seconds_t DAY = 86400;

size_t check_place_sent(const struct checking *checking, const struct link *link)
{
    for (size_t i = 0; i < checking->known.count && checking->sent_at[i] != SIZE_MAX; i++)
        if (link_is_same(&checking->known.items[i], link))
            return i;
    return SIZE_MAX;
}

static const char *holder(const struct checking *checking)
{
    return checking->request->live ? "the server" : "the file";
}

/* Certificates of the path that were not sent. A root need not be. */
static void examine_missing(struct checking *checking)
{
    bool live = checking->request->live;

    for (size_t i = 1; i < checking->path.count; i++) {
        const struct link *link = checking->path.links[i];
        char subject[CERT_DN_MAX];

        if (link->self_signed || link->anchor || check_place_sent(checking, link) != SIZE_MAX)
            continue;
        check_add(checking->report, live ? CHECK_BAD : CHECK_INFO, "chain-incomplete", (int)i,
                  live ? "put the intermediate behind the leaf in the file the server reads"
                       : "install it behind the leaf",
                  "%s lacks the intermediate \"%s\", which is known from elsewhere",
                  holder(checking), link_subject(link, subject));
    }
}

/* RFC 8446 4.4.2: the leaf first; each of the others should certify the one before it. */
static void examine_order(struct checking *checking)
{
    size_t before = check_place_sent(checking, checking->path.links[0]);

    if (checking->sent_at[checking->leaf] != 0)
        check_add(checking->report, CHECK_BAD, "order", 0, "put the leaf first",
                  "the leaf is certificate %zu of the file: servers send the first one as theirs",
                  checking->sent_at[checking->leaf] + 1);
    for (size_t i = 1; i < checking->path.count; i++) {
        size_t place = check_place_sent(checking, checking->path.links[i]);

        if (place == SIZE_MAX)
            continue;
        if (place < before && !(i == 1 && before == checking->leaf)) {
            check_add(checking->report, CHECK_WARNING, "order", (int)i,
                      "order them from the leaf upwards: each followed by its issuer",
                      "the certificates do not follow each other as they sign each other");
            return;
        }
        before = place;
    }
}

static bool is_in_path(const struct checking *checking, const struct link *link)
{
    for (size_t i = 0; i < checking->path.count; i++)
        if (link_is_same(checking->path.links[i], link))
            return true;
    return false;
}

static bool was_before(const struct checking *checking, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (link_is_same(&checking->known.items[i], &checking->known.items[place]))
            return true;
    return false;
}

static void examine_surplus(struct checking *checking)
{
    for (size_t i = 0; i < checking->known.count && checking->sent_at[i] != SIZE_MAX; i++) {
        const struct link *link = &checking->known.items[i];
        size_t number = checking->sent_at[i] + 1;
        char subject[CERT_DN_MAX];

        link_subject(link, subject);
        if (was_before(checking, i))
            check_add(checking->report, CHECK_WARNING, "duplicate", CHECK_NO_PLACE,
                      "remove the second one", "certificate %zu is there twice: \"%s\"", number,
                      subject);
        else if (i != checking->leaf && X509_self_signed(link->x509, 0) == 1)
            check_add(checking->report, CHECK_INFO, "root-sent", CHECK_NO_PLACE,
                      "remove it: clients have their own, or do not trust it",
                      "certificate %zu is a root: \"%s\"", number, subject);
        else if (!is_in_path(checking, link))
            check_add(checking->report, CHECK_WARNING, "unrelated-certificate", CHECK_NO_PLACE,
                      "remove it unless older clients need it",
                      "certificate %zu is no part of the chain: \"%s\"", number, subject);
    }
}

void check_examine_sent(struct checking *checking)
{
    examine_missing(checking);
    examine_order(checking);
    examine_surplus(checking);
}

static void examine_lifetime(struct checking *checking, const struct cert *leaf)
{
    /* CA/B Forum baseline requirements 6.3.2: for certificates from that day on. */
    static const struct {
        utc_t from;
        int days;
    } limits[] = {
        {INT64_C(1868486400), 47},  /* 2029-03-15 */
        {INT64_C(1805068800), 100}, /* 2027-03-15 */
        {INT64_C(1773532800), 200}, /* 2026-03-15 */
        {INT64_C(1598918400), 398}, /* 2020-09-01 */
    };
    seconds_t life = utc_add(leaf->not_after, 1 - leaf->not_before);

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        if (leaf->not_before < limits[i].from)
            continue;
        if (life > limits[i].days * DAY)
            check_add(checking->report, CHECK_WARNING, "lifetime-over-limit", 0,
                      "ask for a shorter one: browsers refuse it",
                      "it lives longer than the %d days that public authorities may give",
                      limits[i].days);
        return;
    }
}

/* Soon: within 30 days, or the last third of a shorter life. */
static void examine_end(struct checking *checking, size_t place)
{
    const struct link *link = checking->path.links[place];
    const struct link *leaf = checking->path.links[0];
    utc_t at = checking->request->at;
    char left[SECONDS_TEXT_MAX];

    if (link->not_after == UTC_NEVER || !link_is_valid_at(link, at))
        return;
    seconds_t third = (link->not_after - link->not_before) / 3;
    if (link->not_after - at < utc_min(third, 30 * DAY))
        check_add(checking->report, CHECK_WARNING, "expires-soon", (int)place,
                  place == 0 ? "renew it" : "ask the authority for its current certificate",
                  "it ends in %s", seconds_format(link->not_after - at, left));
    if (place > 0 && link->not_after < leaf->not_after)
        check_add(checking->report, CHECK_WARNING, "chain-ends-first", (int)place,
                  "expect to exchange the chain before the leaf", "it ends before the leaf does");
}

void check_examine_dates(struct checking *checking)
{
    for (size_t i = 0; i < checking->path.count; i++)
        examine_end(checking, i);
    if (checking->request->public_roots && checking->end == CHECK_END_ANCHOR)
        examine_lifetime(checking, &checking->report->links[0].cert);
}

void check_examine_names(struct checking *checking)
{
    const struct cert *leaf = &checking->report->links[0].cert;
    const struct names *hosts = checking->request->hosts;
    AUTO_FREE char *has = names_join(&leaf->names);

    if (leaf->names.count == 0 && checking->request->purpose != CHAIN_ANY)
        check_add(
            checking->report, CHECK_WARNING, "no-names", 0,
            "ask for one with subject alternative names",
            "it is for no host: it has no subject alternative names, and the common name does "
            "not count");
    for (size_t i = 0; hosts && i < hosts->count; i++)
        if (!names_cover(&leaf->names, &hosts->items[i]))
            check_add(checking->report, CHECK_BAD, "host-mismatch", 0,
                      "ask for a certificate with this name",
                      "it is not for %s \"%s\", but for: %.600s",
                      name_type_text(hosts->items[i].type), hosts->items[i].text,
                      has[0] ? has : "no name");
}
