/*
 * What the agent and a reader process say to each other (daemon/role/wire.h).
 */
#ifndef UL_DAEMON_READ_WIRE_H
#define UL_DAEMON_READ_WIRE_H

#include "pki/chain.h"
#include "pki/delivery/delivery.h"
#include "daemon/role/wire.h"

enum {
    WIRE_FOUND_MAX = 1 << 16, /* certificates in the answer to one WIRE_FIND */
    WIRE_ANCHOR_SETS_MAX = 256,
    WIRE_CHAIN_MAX = 16, /* certificates of a chain */
};

enum wire_kind {
    /* agent to reader, after WIRE_SETUP with a struct wire_setup */
    WIRE_READ = WIRE_OWN, /* a file, as it is */
    WIRE_PARSE,           /* a certificate in DER, as it is */
    WIRE_CHAIN,           /* struct wire_chain_order */
    WIRE_GAP,             /* the same: what its chain lacks */
    WIRE_FOUND,           /* struct blobs: what WIRE_FIND asked for */
    /* reader to agent, beside WIRE_ANSWER */
    WIRE_FIND, /* the hash of a subject name, while a chain is built */
    WIRE_KINDS
};

/* A process does one of the two for all of its life: what a stranger's file may have done to it
 * must not touch what is judged after that. */
enum wire_duty { WIRE_READS, WIRE_JUDGES, WIRE_DUTIES };

struct wire_anchors {
    char *name; /* of the policy that names them */
    bool system;
    struct wire_texts files;
};

struct wire_setup {
    enum wire_duty duty;
    bool faults; /* do what a test's file asks for (daemon/role/fault.h) */
    /* of WIRE_READS */
    bool keep_keys;
    struct wire_texts passwords;
    /* of WIRE_JUDGES */
    struct wire_anchors *anchors;
    size_t anchor_count;
};

struct wire_chain_order {
    uint32_t anchor_set;
    struct blob leaf;
    struct blobs added_anchors;
    utc_t at;
    enum chain_purpose purpose;
    char preferred_root[CERT_DN_MAX]; /* "" for none */
};

/*
 * Each writes what stands in its second parameter, or reads into it: a zeroed one then, which the
 * caller frees whether the message was bad or not.
 */
void wire_setup(struct wire *wire, struct wire_setup *setup);
void wire_chain_order(struct wire *wire, struct wire_chain_order *order);
/* With keep_keys a private key may come with its bytes. */
void wire_objects(struct wire *wire, struct delivery_objects *objects, bool keep_keys);
void wire_cert(struct wire *wire, struct cert *cert);
void wire_chain(struct wire *wire, struct chain *chain);
/* A certificate that must be there. */
void wire_der(struct wire *wire, struct blob *der);

void wire_setup_done(struct wire_setup *setup);
void wire_chain_order_done(struct wire_chain_order *order);
#define AUTO_SETUP __attribute__((cleanup(wire_setup_done)))
#define AUTO_CHAIN_ORDER __attribute__((cleanup(wire_chain_order_done)))

#endif
