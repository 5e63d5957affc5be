/*
 * What the agent and a keeper process say to each other (daemon/role/wire.h). An answer may hold a
 * plain key: buffers and structs of messages are wiped on both sides.
 */
#ifndef UL_DAEMON_KEEP_WIRE_H
#define UL_DAEMON_KEEP_WIRE_H

#include "pki/keeper.h"
#include "daemon/role/wire.h"

enum keep_kind {
    /* agent to keeper, after WIRE_SETUP with a struct keep_setup; each with a struct keep_order and
     * answered with a struct keep_answer, of which it takes the fields named here */
    KEEP_MAKE = WIRE_OWN, /* id, type, subject, names: sealed, csr */
    KEEP_SEAL,            /* id, key: sealed */
    KEEP_RESEAL,          /* id, sealed, to_id: sealed */
    KEEP_CHECK,           /* id, sealed, csr, cert: nothing */
    KEEP_BUNDLE,          /* id, sealed, cert, chain: bundle */
    KEEP_SIGN_OFF,        /* message: mac */
    KEEP_SIGNED_OFF,      /* message, mac: fits */
    KEEP_KINDS
};

enum {
    KEEP_KEY_MAX = 2 << 20,     /* a key to be sealed: more than a keeper takes */
    KEEP_MESSAGE_MAX = 1 << 16, /* to be signed off */
    KEEP_SUBJECT_FIELDS = 5,
};

struct keep_setup {
    char *path;     /* of the sealing key, absolute */
    char *previous; /* of one that only opens; "" for none */
    bool create;    /* when it is missing */
    bool rotate;    /* put a new one in its place */
    bool faults;    /* do what a test's key asks for (daemon/role/fault.h) */
};

struct keep_order {
    int64_t id, to_id; /* of renewals */
    enum key_type type;
    char *subject[KEEP_SUBJECT_FIELDS]; /* in the order of struct subject; "" for none */
    struct names names;
    struct blob key; /* plain */
    struct sealed_key sealed;
    struct blob csr, cert; /* in DER */
    struct blobs chain;
    struct blob message;
    uint8_t mac[SHA256_LEN];
};

struct keep_answer {
    struct sealed_key sealed;
    struct blob csr;
    struct bundle bundle;
    uint8_t mac[SHA256_LEN];
    bool fits;
};

/* As daemon/role/wire.h says. What is wrong with the things themselves is for the keeper to say, in
 * its own words. */
void wire_keep_setup(struct wire *wire, struct keep_setup *setup);
/* What a keeper says when it is ready: which sealing keys it has, at least one. */
void wire_keep_ids(struct wire *wire, struct sealing_ids *ids);
void wire_keep_order(struct wire *wire, enum keep_kind kind, struct keep_order *order);
void wire_keep_answer(struct wire *wire, enum keep_kind kind, struct keep_answer *answer);

/* Of what was read; plain keys are overwritten. */
void keep_setup_done(struct keep_setup *setup);
void keep_order_done(struct keep_order *order);
void keep_answer_done(struct keep_answer *answer);
#define AUTO_KEEP_SETUP __attribute__((cleanup(keep_setup_done)))
#define AUTO_KEEP_ORDER __attribute__((cleanup(keep_order_done)))
#define AUTO_KEEP_ANSWER __attribute__((cleanup(keep_answer_done)))

#endif
