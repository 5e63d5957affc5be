/*
 * CA certificates as they come: kept as hints, and proved where that is cheap. A proof climbs
 * through anchors and anchored authorities alone, so that one costs a few signatures whatever
 * strangers have put into the pool; what an authority issued earlier is proved after it.
 */
#include "daemon/life/internal.h"

#include <string.h>

#include "store/anchors.h"
#include "store/authorities.h"

/* How many proofs one certificate may cause, and one trust anchor that is removed. */
enum { PROOFS_MAX = 64, PROOFS_AGAIN_MAX = 256 };

struct proof {
    struct life *life;
    utc_t now;
    struct blobs added; /* anchors */
    size_t left;
};

static void proof_done(struct proof *proof)
{
    blobs_done(&proof->added);
}
#define AUTO_PROOF __attribute__((cleanup(proof_done)))

static int proof_begin(struct life *life, struct proof *ret, struct error *err)
{
    *ret = (struct proof){
        .life = life, .now = life->world->now(life->world->self), .left = PROOFS_MAX};
    return anchors_ders(life->inventory, &ret->added, err);
}

static bool is_first_with_its_anchors(const struct policies *policies, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (policy_has_same_anchors(policies_at(policies, i), policies_at(policies, index)))
            return false;
    return true;
}

/* By the anchors of any policy. `why` is a broken rule where there is one. */
static bool is_proved(const struct proof *proof, struct span der, utc_t not_before,
                      struct chain *ret, struct error *why)
{
    struct life *life = proof->life;
    const struct chain_pool anchored = {life->inventory, authorities_find_anchored};

    for (size_t i = 0; i < policies_count(life->policies); i++) {
        struct error failed = {0};
        const struct policy *policy = policies_at(life->policies, i);
        const struct chain_order order = {
            .policy = policy,
            .pool = &anchored,
            .added_anchors = policy->system_anchors ? &proof->added : NULL,
            .leaf = der,
            .at = not_before > proof->now ? not_before : proof->now,
            .purpose = CHAIN_ANY,
        };

        if (!is_first_with_its_anchors(life->policies, i))
            continue;
        if (life->world->build_chain(life->world->self, &order, ret, &failed) == 0)
            return true;
        if (why->code != E_REFUSED)
            *why = failed;
    }
    return false;
}

static int prove_issued(struct proof *proof, const uint8_t subject_sha256[SHA256_LEN],
                        struct error *err);

/* Proves one of the pool, and then those that it issued. */
static int prove(struct proof *proof, const struct authority_row *row, bool *ret_proved,
                 struct error *err)
{
    AUTO_CHAIN struct chain chain = {0};
    struct error why = {0};

    *ret_proved = false;
    if (proof->left == 0)
        return 0;
    proof->left--;
    if (!is_proved(proof, blob_span(&row->der), row->not_before, &chain, &why))
        return 0;
    *ret_proved = true;
    int rc = authorities_set_anchored(proof->life->inventory, row->sha256, chain.anchor_sha256,
                                      proof->now, err);
    return rc < 0 ? rc : prove_issued(proof, row->subject_sha256, err);
}

static int prove_row(void *self, const struct authority_row *row, struct error *err)
{
    bool proved;

    return prove(self, row, &proved, err);
}

static int prove_issued(struct proof *proof, const uint8_t subject_sha256[SHA256_LEN],
                        struct error *err)
{
    return authorities_issued_by(proof->life->inventory, subject_sha256, proof->left, prove_row,
                                 proof, err);
}

/*
 * What a reader of strangers' files says of it would stay in the pool when that reader is long
 * gone, so a new one is heard again from a process that reads none (daemon/read).
 */
int authority_keep(struct life *life, struct span der, const struct cert *cert, bool *ret_new,
                   struct error *err)
{
    AUTO_AUTHORITY struct authority_row known = {0};
    AUTO_CERT struct cert again = {0};
    utc_t now = life->world->now(life->world->self);
    struct error none = {0};
    int rc = authorities_get(life->inventory, cert->sha256, &known, &none);

    if (rc < 0 && rc != E_NOT_FOUND)
        return error_set(err, rc, "%s", none.text);
    if (rc == 0)
        return authorities_add(life->inventory, der, cert, now, ret_new, err);
    rc = life->world->parse_cert(life->world->self, der, &again, err);
    if (rc == 0 && !again.is_ca)
        rc = error_set(err, E_REFUSED,
                       "certificate %s: reading it twice told two different things: wanted that of "
                       "an authority",
                       again.serial);
    return rc < 0 ? rc : authorities_add(life->inventory, der, &again, now, ret_new, err);
}

int authority_take(struct life *life, struct span der, const struct cert *cert, bool *ret_new,
                   struct error *err)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    AUTO_PROOF struct proof proof = {0};
    bool proved = false;
    int rc = proof_begin(life, &proof, err);

    if (rc == 0)
        rc = authority_keep(life, der, cert, ret_new, err);
    if (rc == 0)
        rc = authorities_get(life->inventory, cert->sha256, &row, err);
    if (rc < 0 || row.anchored_at != UTC_NEVER)
        return rc;
    rc = prove(&proof, &row, &proved, err);
    if (rc < 0 || proved)
        return rc;
    return authorities_trim(life->inventory, row.subject_sha256, proof.now, err);
}

static int is_known(struct life *life, const uint8_t subject_sha256[SHA256_LEN], bool *ret,
                    struct error *err)
{
    AUTO_BLOBS struct blobs found = {0};
    int rc = authorities_find(life->inventory, subject_sha256, &found, err);

    *ret = found.count > 0;
    return rc;
}

/* Why it is not anchored. */
static int tell_stranger(struct life *life, const struct cert *cert, const struct error *why,
                         struct buf *receipt, struct error *err)
{
    static const char prefix[] = "chain: ";
    bool known = false;
    int rc = is_known(life, cert->issuer_sha256, &known, err);
    const char *text = why->text;

    if (strncmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    if (cert->self_signed)
        buf_printf(receipt,
                   "   It is a root that is not trusted here: if it is yours, an administrator can "
                   "run \"unlapse trust add\" with it.\n");
    else if (why->code == E_REFUSED)
        buf_printf(receipt, "   It does not lead to a trusted root: %s.\n", text);
    else if (known)
        buf_printf(receipt,
                   "   Its own issuer %s is known, but does not lead to a trusted root either.\n",
                   cert->issuer);
    else
        buf_printf(receipt,
                   "   Its own issuer %s is not known here: put that certificate into this folder "
                   "too.\n",
                   cert->issuer);
    return rc;
}

static bool is_anchored(struct life *life, const struct cert *cert)
{
    AUTO_AUTHORITY struct authority_row row = {0};
    struct error none = {0};

    return authorities_get(life->inventory, cert->sha256, &row, &none) == 0 &&
           row.anchored_at != UTC_NEVER;
}

int authority_tell(struct life *life, const struct object *object, bool is_new, struct buf *receipt,
                   struct error *err)
{
    const struct cert *cert = &object->cert;
    AUTO_PROOF struct proof proof = {0};
    AUTO_CHAIN struct chain chain = {0};
    struct error why = {0};
    char text[UTC_TEXT_MAX];
    int rc = proof_begin(life, &proof, err);

    if (rc < 0)
        return rc;
    buf_printf(receipt, "- CA certificate %s, valid until %s:\n", cert->subject,
               utc_format_plain(cert->not_after, text));
    if (object->origin[0] != '\0')
        buf_printf(receipt, "   Found in: %s\n", object->origin);
    /* The proof of a root that is no anchor has failed a moment ago: it costs as much again. */
    bool is_stranger = cert->self_signed && !is_anchored(life, cert);
    bool proved =
        !is_stranger && is_proved(&proof, blob_span(&object->der), cert->not_before, &chain, &why);
    if (proved && memcmp(chain.anchor_sha256, cert->sha256, SHA256_LEN) == 0) {
        buf_add_text(receipt, "   It is a trust anchor already: nothing to do.\n");
        return 0;
    }
    buf_printf(receipt, "   %s\n",
               is_new ? "Kept as material for chains. It is not trusted because of that."
                      : "Known already: nothing to do.");
    if (!proved)
        return tell_stranger(life, cert, &why, receipt, err);
    buf_printf(receipt, "   It leads to the trusted root %s.\n", chain.anchor);
    return 0;
}

int authorities_accepted(struct life *life, const struct chain *chain, struct error *err)
{
    utc_t now = life->world->now(life->world->self);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < chain->certs.count; i++) {
        uint8_t sha256[SHA256_LEN];

        sha256_of(blob_span(&chain->certs.items[i]), sha256);
        rc = authorities_set_used(life->inventory, sha256, chain->anchor_sha256, now, err);
    }
    return rc;
}

int authorities_trusted(struct life *life, const uint8_t subject_sha256[SHA256_LEN],
                        struct error *err)
{
    AUTO_PROOF struct proof proof = {0};
    int rc = proof_begin(life, &proof, err);

    return rc < 0 ? rc : prove_issued(&proof, subject_sha256, err);
}

/* Those that lead to another anchor too are proved by that one; of the rest the proof is gone. */
int authorities_distrusted(struct life *life, const uint8_t anchor_sha256[SHA256_LEN],
                           struct error *err)
{
    AUTO_PROOF struct proof proof = {0};
    int rc = proof_begin(life, &proof, err);

    proof.left = PROOFS_AGAIN_MAX;
    if (rc == 0)
        rc = authorities_of_anchor(life->inventory, anchor_sha256, PROOFS_AGAIN_MAX, prove_row,
                                   &proof, err);
    return rc < 0 ? rc : authorities_unanchor(life->inventory, anchor_sha256, err);
}
