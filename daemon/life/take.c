/* One leaf of a delivery: what is answered by whose its key is alone, and what is left to judge. */
#include <string.h>

#include "base/log.h"
#include "daemon/life/leaf.h"

static void already_known(const struct match *match, struct leaf_outcome *ret)
{
    const struct renewal_row *row = &match->renewal;
    const char *name = match->certificate.name;
    char at[UTC_TEXT_MAX], then[UTC_TEXT_MAX];

    ret->result = LEAF_KNOWN;
    ret->certificate_id = match->certificate.id;
    ret->renewal_id = row->id;
    if (row->accepted_at == UTC_NEVER) {
        buf_printf(&ret->text,
                   "   Already have it: it came for the certificate %s on %s and still waits for "
                   "its chain.\n",
                   name, utc_format_plain(row->received_at, at));
        if (row->rejected_reason)
            buf_printf(&ret->text, "   What keeps it: %s.\n", row->rejected_reason);
        return;
    }
    buf_printf(&ret->text, "   Already have it: this is the certificate %s, accepted before, on %s",
               name, utc_format_plain(row->accepted_at, at));
    if (match->state == KEY_RETIRED)
        buf_printf(&ret->text, ", and retired on %s: not installed",
                   utc_format_plain(match->certificate.retired_at, then));
    else if (match->accepted.id != row->id)
        buf_printf(&ret->text, "; a newer one took its place on %s",
                   utc_format_plain(match->accepted.accepted_at, then));
    buf_add_text(&ret->text, ".\n   Nothing is left for you to do.\n");
}

static bool is_same_leaf(const struct match *match, const struct cert *leaf)
{
    return match->same || (match->state == KEY_RETIRED && match->renewal.accepted_at != UTC_NEVER &&
                           memcmp(match->renewal.leaf_sha256, leaf->sha256, SHA256_LEN) == 0);
}

/* Its certificate is retired. */
static int keep_for_retired(struct life *life, const struct leaf_input *input,
                            const struct match *match, struct leaf_outcome *ret, struct error *err)
{
    ret->result = LEAF_KEPT;
    ret->certificate_id = match->certificate.id;
    buf_printf(&ret->text,
               "   Kept, not installed: nothing is done for a retired certificate. If it shall "
               "serve again, add it anew on %s\n   (unlapse add): where its key is found, this "
               "one is looked at again by itself.\n",
               life->host);
    return leaf_set_aside(life, input, QUARANTINE_RETIRED, err);
}

static int refuse_withdrawn(struct life *life, const struct match *match, struct leaf_outcome *ret)
{
    AUTO_FREE char *by = match_withdrawn_by(life, &match->renewal);

    ret->result = LEAF_WITHDRAWN;
    ret->certificate_id = match->certificate.id;
    buf_printf(&ret->text,
               "   Not taken: the request was called off%s%s. If a certificate is wanted after "
               "all, run \"unlapse renew %s\"\n   on %s and order with the new CSR.\n",
               by[0] != '\0' ? " by " : "", by, match->certificate.name, life->host);
    return 0;
}

/* Nobody's today. */
static int keep_stranger(struct life *life, const struct leaf_input *input,
                         struct leaf_outcome *ret, struct error *err)
{
    AUTO_QUARANTINE struct quarantine_row known = {0};
    char at[UTC_TEXT_MAX];
    int rc = quarantine_find(life->inventory, input->cert->sha256, &known, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    ret->result = LEAF_FOREIGN;
    if (rc == 0)
        buf_printf(&ret->text,
                   "   Known, still unmatched: its key belongs to no request made here. It was "
                   "first brought on %s\n   (%s) and is still kept.\n",
                   utc_format_plain(known.seen_at, at), known.file);
    else
        buf_printf(&ret->text,
                   "   Not ours: %sits key belongs to no request made here. Was the CSR made on "
                   "another machine,\n   or by hand?\n",
                   input->cert->self_signed ? "it is self-signed, no authority issued it, and "
                                            : "");
    /* Nothing but its own key could ever vouch for it. */
    if (input->cert->self_signed || input->cert->not_after < life->world->now(life->world->self))
        return 0;
    if (rc == E_NOT_FOUND)
        buf_add_text(&ret->text, "   It is kept: when a request or a certificate with this key "
                                 "appears here, it is looked at again by itself.\n");
    return leaf_set_aside(life, input, QUARANTINE_NO_REQUEST, err);
}

/* The key came with it, and the policy of the certificate that it names may allow that. */
static int take_delivered(struct life *life, const struct leaf_input *input,
                          struct leaf_outcome *ret, struct error *err)
{
    AUTO_MATCH struct match match = {0};
    struct error why = {0};
    int rc = delivered_find(life, input->cert, &match.certificate, &why);

    if (rc == E_NOT_FOUND || rc == E_REFUSED) {
        rc = keep_stranger(life, input, ret, err);
        buf_printf(&ret->text, "   The private key beside it is not taken: %s.\n", why.text);
        return rc;
    }
    if (rc == 0)
        rc = renewals_accepted(life->inventory, match.certificate.id, &match.accepted, &why);
    if (rc == E_NOT_FOUND || rc == 0)
        rc = renewals_open(life->inventory, match.certificate.id, &match.open, &why);
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", why.text);
    buf_printf(&ret->text, "   It brings its private key and names the certificate %s.\n",
               match.certificate.name);
    rc = leaf_judge(life, input, &match, true, ret, err);
    return rc == 0 && ret->took_key
               ? look_again_for_key(life, input->cert->spki_sha256, input->file, err)
               : rc;
}

static int take_matched(struct life *life, const struct leaf_input *input, struct match *match,
                        struct leaf_outcome *ret, struct error *err)
{
    if (is_same_leaf(match, input->cert)) {
        already_known(match, ret);
        return 0;
    }
    AUTO_BUF struct buf says;
    buf_init(&says, BUF_MAX_RECEIPT);
    match_says(match, input->cert, &says);
    buf_printf(&ret->text, "   %s.\n", buf_text(&says));
    if (match->state == KEY_RETIRED)
        return keep_for_retired(life, input, match, ret, err);
    if (match->state == KEY_WITHDRAWN)
        return refuse_withdrawn(life, match, ret);
    /* Its key was never readable here, and now it comes along. */
    bool delivered = input->key.len > 0 && match->renewal.key.sealed.len == 0 &&
                     life_policy(life, &match->certificate)->take_keys;
    return leaf_judge(life, input, match, delivered, ret, err);
}

int leaf_take(struct life *life, const struct leaf_input *input, struct leaf_outcome *ret,
              struct error *err)
{
    AUTO_MATCH struct match match = {0};
    int rc = match_find(life, input->cert->spki_sha256, input->cert->sha256, &match, err);

    if (rc < 0)
        return rc;
    if (match.state != KEY_UNKNOWN)
        rc = take_matched(life, input, &match, ret, err);
    else if (input->key.len > 0 && policies_take_keys(life->policies))
        rc = take_delivered(life, input, ret, err);
    else
        rc = keep_stranger(life, input, ret, err);
    if (rc < 0 || ret->result == LEAF_KEPT || ret->result == LEAF_FOREIGN)
        return rc;
    rc = quarantine_remove(life->inventory, input->cert->sha256, NULL);
    return rc == E_NOT_FOUND ? 0 : rc;
}
