/* A private key that comes with its certificate, where the policy takes such: whose it becomes. */
#include "daemon/life/leaf.h"

#include <stdio.h>
#include <string.h>

enum { CANDIDATES_MAX = 8 };

struct finder {
    struct life *life;
    const struct cert *leaf;
    bool any_policy;
    struct certificate_row found; /* the first */
    int64_t ids[CANDIDATES_MAX];
    size_t count;
    struct buf names;
};

static bool is_listed(const struct finder *finder, int64_t id)
{
    for (size_t i = 0; i < finder->count; i++)
        if (finder->ids[i] == id)
            return true;
    return false;
}

static int look_at(void *self, const struct certificate_row *row, struct error *err)
{
    struct finder *finder = self;

    if (row->retired_at != UTC_NEVER || is_listed(finder, row->id) ||
        !(finder->any_policy || life_policy(finder->life, row)->take_keys) ||
        names_first_missing(&finder->leaf->names, &row->names))
        return 0;
    if (finder->count == CANDIDATES_MAX)
        return error_set(err, E_TOO_LARGE, "more than %d certificates", CANDIDATES_MAX);
    if (finder->count == 0) {
        int rc = certificates_get(finder->life->inventory, row->id, &finder->found, err);
        if (rc < 0)
            return rc;
    }
    buf_printf(&finder->names, "%s%s", finder->count > 0 ? ", " : "", row->name);
    finder->ids[finder->count++] = row->id;
    return 0;
}

/* By the index on first names: what is stored does not matter. */
static int find(struct finder *finder, struct error *err)
{
    const struct names *names = &finder->leaf->names;
    int rc = 0;

    buf_init(&finder->names, BUF_MAX_RECEIPT);
    for (size_t i = 0; rc == 0 && i < names->count; i++)
        rc = certificates_by_first_name(finder->life->inventory, names->items[i].text, look_at,
                                        finder, err);
    return rc;
}

int delivered_named(struct life *life, const struct cert *leaf, struct certificate_row *ret,
                    struct error *err)
{
    struct finder finder = {.life = life, .leaf = leaf, .any_policy = true};
    int rc = find(&finder, err);
    AUTO_CERTIFICATE struct certificate_row found = finder.found;

    buf_done(&finder.names);
    if (rc < 0 && rc != E_TOO_LARGE)
        return rc;
    if (finder.count == 0)
        return E_NOT_FOUND;
    *ret = found;
    found = (struct certificate_row){0};
    return 0;
}

int delivered_find(struct life *life, const struct cert *leaf, struct certificate_row *ret,
                   struct error *err)
{
    struct finder finder = {.life = life, .leaf = leaf};
    int rc = find(&finder, err);
    AUTO_CERTIFICATE struct certificate_row found = finder.found;
    AUTO_BUF struct buf names = finder.names;
    if (rc < 0 && rc != E_TOO_LARGE)
        return rc;
    if (finder.count == 0)
        return error_set(err, E_NOT_FOUND,
                         "no certificate whose policy takes delivered keys has all its names in "
                         "this one");
    if (finder.count > 1)
        return error_set(err, E_REFUSED,
                         "wanted one certificate that it is for, got several (%s%s): bring one "
                         "for each, or take \"delivered-keys\" from the policies of the others",
                         buf_text(&names), rc == E_TOO_LARGE ? ", ..." : "");
    *ret = found;
    found = (struct certificate_row){0};
    return 0;
}

int delivered_renewal(struct life *life, const struct certificate_row *certificate,
                      const struct leaf_input *input, struct renewal_row *ret, struct error *err)
{
    AUTO_RENEWAL struct renewal_row made = {0};
    AUTO_FREE char *reason = mem_printf("key and certificate delivered in %s", input->file);
    int64_t id = 0;
    int rc = renewal_create(life, certificate, reason, NULL, &id, err);

    if (rc == 0)
        rc = renewals_get(life->inventory, id, &made, err);
    if (rc == 0)
        rc = life->world->seal(life->world->self, id, input->key, &made.key, err);
    if (rc < 0)
        return rc;
    if (memcmp(made.key.spki_sha256, input->cert->spki_sha256, SHA256_LEN) != 0)
        return error_set(err, E_REFUSED,
                         "the key in %s: wanted that of its certificate, got "
                         "another one",
                         input->file);
    made.requested_at = made.handed_over_at = made.created_at;
    rc = renewals_update(life->inventory, &made, err);
    if (rc < 0)
        return rc;
    renewal_row_done(ret);
    *ret = made;
    made = (struct renewal_row){0};
    return 0;
}
