/* One leaf of a delivery on its way to a verdict: whose it is (match.c), what that alone
 * answers (take.c), whether it passes (leaf.c), and who may bring a key with it (delivered.c). For
 * these files and their callers in life/ alone. */
#ifndef UL_DAEMON_LIFE_LEAF_H
#define UL_DAEMON_LIFE_LEAF_H

#include "daemon/life/internal.h"
#include "store/quarantine.h"

/* What the renewal is that a public key belongs to. */
enum key_state {
    KEY_UNKNOWN,    /* no request here has this key */
    KEY_OPEN,       /* asked for, not answered yet, or by leaves that wait for their chain */
    KEY_SUPERSEDED, /* a newer request or certificate took its place before it was answered */
    KEY_WITHDRAWN,  /* somebody called it off */
    KEY_LIVE,       /* the certificate accepted last has this key */
    KEY_REPLACED,   /* had its certificate; one with another key came later */
    KEY_RETIRED,    /* its certificate is retired */
};

/* Whose a public key is, and what else there is of that certificate. */
struct match {
    enum key_state state;
    struct certificate_row certificate;
    struct renewal_row renewal;  /* the one that the leaf answers */
    struct renewal_row open;     /* the open request of the certificate; id 0: none */
    struct renewal_row accepted; /* what was accepted last; id 0: none */
    int64_t order;               /* of the request of this key, and of the accepted one's: newer */
    int64_t accepted_order;      /* requests are greater */
    bool same;                   /* that renewal has this very leaf already */
    size_t waiting;              /* leaves for this key that wait for their chain */
};
void match_done(struct match *match);
#define AUTO_MATCH __attribute__((cleanup(match_done)))

/* leaf_sha256 NULL: of the key alone. */
int match_find(struct life *life, const uint8_t spki_sha256[SHA256_LEN], const uint8_t *leaf_sha256,
               struct match *ret, struct error *err);
/* As if the leaf of this renewal had just come for it. */
int match_renewal(struct life *life, int64_t renewal_id, struct match *ret, struct error *err);
/* One sentence: "It belongs to the CSR of ..., superseded on ... by ...". */
void match_says(const struct match *match, const struct cert *leaf, struct buf *ret);
/* "the CSR of 2026-09-02 10:00:00 UTC", or the key of what was found or delivered. Owned by the
 * caller. */
char *match_request_name(const struct renewal_row *row);
/* "uid 0" of the event that withdrew a renewal; "" when nobody is known. Owned by the caller. */
char *match_withdrawn_by(struct life *life, const struct renewal_row *row);

struct leaf_input {
    struct span der;
    const struct cert *cert;
    const char *file;
    struct span key; /* the private key that came with it, PKCS#8 in DER; empty: none */
    bool again;      /* it is in quarantine: nobody is told again what was told */
};

/* Matches a leaf by its public key, judges it, and records what follows. Part of the open
 * transaction. */
int leaf_take(struct life *life, const struct leaf_input *input, struct leaf_outcome *ret,
              struct error *err);

/* Judges a leaf for the renewal it was matched to; delivered: a renewal is made for the key that
 * came with it. *ret may say more before. Part of the open transaction. */
int leaf_judge(struct life *life, const struct leaf_input *input, struct match *match,
               bool delivered, struct leaf_outcome *ret, struct error *err);
/* Keeps it in quarantine: nobody need drop again what may yet become good. */
int leaf_set_aside(struct life *life, const struct leaf_input *input, enum quarantine_why why,
                   struct error *err);

/* For a key of ours that was disclosed: how another one comes to be, as the beginning of a
 * sentence. *ret is owned by the caller. */
int keys_begin_anew(struct life *life, const struct match *match, char **ret, struct error *err);

/* Why a leaf is not taken for the renewal it was matched to, by the gates and by what is here
 * already, and what is only worth a warning; both appended, "; " between. delivered: it brings its
 * own key. */
int leaf_gates(struct life *life, const struct match *match, const struct cert *leaf,
               bool delivered, struct buf *refusals, struct buf *warnings, struct error *err);

/* The one certificate of ours that a leaf with its own key is for: its policy takes delivered keys,
 * and the leaf covers all its names. E_NOT_FOUND, E_REFUSED (several): err says which. */
int delivered_find(struct life *life, const struct cert *leaf, struct certificate_row *ret,
                   struct error *err);
/* Any certificate whose names a leaf covers, whatever its policy; E_NOT_FOUND. */
int delivered_named(struct life *life, const struct cert *leaf, struct certificate_row *ret,
                    struct error *err);
/* Makes the renewal for a delivered key, sealed; *ret is replaced. */
int delivered_renewal(struct life *life, const struct certificate_row *certificate,
                      const struct leaf_input *input, struct renewal_row *ret, struct error *err);

#endif
