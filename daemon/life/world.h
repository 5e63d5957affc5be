/*
 * Everything life/ reaches outside the inventory, as one struct of functions: the daemon fills it
 * with the real ones, a simulation with deterministic ones, and the code between is the same.
 */
#ifndef UL_DAEMON_LIFE_WORLD_H
#define UL_DAEMON_LIFE_WORLD_H

#include "base/fields.h"
#include "daemon/bind/deployer.h"
#include "daemon/bind/live.h"
#include "pki/chain.h"
#include "pki/delivery/delivery.h"
#include "pki/keeper.h"
#include "policies/policy.h"
#include "store/notices.h"

/* A chain to build by the anchors and preferences of a policy; everything borrowed. */
struct chain_order {
    const struct policy *policy;
    const struct chain_pool *pool;
    const struct blobs *added_anchors; /* of "unlapse trust add", in DER; NULL: none */
    struct span leaf;
    utc_t at;
    enum chain_purpose purpose;
};

/* A CSR on its way to people; borrowed. */
struct request_file {
    const char *name; /* of the certificate */
    struct span csr_pem;
};

struct world {
    void *self;
    utc_t (*now)(void *self);

    /* keeper (pki/keeper.h); several threads may make requests at once */
    int (*make_request)(void *self, int64_t renewal_id, const struct key_request *request,
                        struct sealed_key *ret_key, struct blob *ret_csr, struct error *err);
    int (*seal)(void *self, int64_t renewal_id, struct span key, struct sealed_key *ret,
                struct error *err);
    int (*reseal)(void *self, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                  struct blob *ret, struct error *err);
    int (*build_bundle)(void *self, int64_t renewal_id, const struct sealed_key *key,
                        struct span leaf, const struct blobs *chain, struct bundle *ret,
                        struct error *err);
    /* Proves that a sealed key opens and fits a CSR or certificate (keeper_check). */
    int (*check_key)(void *self, int64_t renewal_id, const struct sealed_key *key, struct span csr,
                     struct span cert, struct error *err);
    /* keeper_sign_off, keeper_signed_off */
    int (*sign_off)(void *self, struct span message, uint8_t ret_mac[SHA256_LEN],
                    struct error *err);
    int (*signed_off)(void *self, struct span message, const uint8_t mac[SHA256_LEN], bool *ret,
                      struct error *err);

    /* which sealing keys it has, and a new one (keeper_ids, keeper_rotate) */
    int (*sealing_ids)(void *self, struct sealing_ids *ret, struct error *err);
    int (*rotate)(void *self, struct error *err);

    /* reader and chain builder (pki/delivery, pki/cert.h, pki/chain.h). E_REFUSED also when it was
     * killed by what it was given: a verdict on that. Failures that may pass (code_retry) are of
     * the environment: too early for one. */
    int (*read_delivery)(void *self, struct span file, struct delivery_objects *ret,
                         struct error *err);
    /* The same by a reader that has met no other file: whose word may become a trust anchor. */
    int (*read_alone)(void *self, struct span file, struct delivery_objects *ret,
                      struct error *err);
    int (*parse_cert)(void *self, struct span der, struct cert *ret, struct error *err);
    int (*build_chain)(void *self, const struct chain_order *order, struct chain *ret,
                       struct error *err);
    /* The certificate of that chain whose issuer is not known (chain_find_gap), in DER. */
    int (*find_gap)(void *self, const struct chain_order *order, struct blob *ret,
                    struct error *err);
    /* What an authority publishes at a URL that a certificate names (daemon/fetch): any bytes. */
    int (*fetch)(void *self, const char *url, struct blob *ret, struct error *err);

    /* the requests folder: of each NAME.csr and a copy NAME.txt, replaced atomically and durably */
    int (*write_requests)(void *self, const struct request_file *files, size_t count,
                          struct error *err);

    /* deployer (daemon/bind/deployer.h) */
    int (*live_read)(void *self, const struct deploy_order *order, struct live_pair *ret,
                     struct error *err);
    int (*check)(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 struct error *err);
    int (*stage)(void *self, const struct deploy_order *order, const struct bundle *bundle,
                 uint8_t ret_previous[SHA256_LEN], struct error *err);
    int (*test)(void *self, const struct deploy_order *order, struct error *err);
    int (*swap)(void *self, const struct deploy_order *order, struct error *err);
    int (*reload)(void *self, const struct deploy_order *order, struct error *err);
    int (*verify)(void *self, const struct deploy_order *order, const struct expectation *expected,
                  struct buf *report, struct error *err);
    int (*restore)(void *self, const struct deploy_order *order, struct error *err);
    int (*clean)(void *self, const struct deploy_order *order, struct error *err);

    /* channels: one notice to its recipient; csr in PEM, empty when the notice has none */
    int (*send)(void *self, const struct notice_row *notice, struct span csr_pem,
                struct error *err);
};

#endif
