/*
 * What the agent and a reader process say to each other. One description of each message serves
 * both directions, so that they cannot differ: reading, each field is checked against its bound,
 * each text is made harmless again, and one misfit spoils the whole message. Both sides are the
 * same program on the same machine, so numbers go as they lie in memory.
 */
#ifndef UL_DAEMON_READ_WIRE_H
#define UL_DAEMON_READ_WIRE_H

#include "base/buf.h"
#include "pki/chain.h"
#include "pki/delivery/delivery.h"

enum {
    WIRE_MAX = 32 << 20,      /* one message */
    WIRE_FOUND_MAX = 1 << 16, /* certificates in the answer to one WIRE_FIND */
    WIRE_ANCHOR_SETS_MAX = 256,
    WIRE_CHAIN_MAX = 16, /* certificates of a chain */
};

enum wire_kind {
    /* agent to reader */
    WIRE_SETUP = 1, /* struct wire_setup; the first message */
    WIRE_READ,      /* a file, as it is */
    WIRE_PARSE,     /* a certificate in DER, as it is */
    WIRE_CHAIN,     /* struct wire_chain_order */
    WIRE_GAP,       /* the same: what its chain lacks */
    WIRE_FOUND,     /* struct blobs: what WIRE_FIND asked for */
    /* reader to agent */
    WIRE_ANSWER, /* struct error, and what was asked for when its code is 0 */
    WIRE_FIND,   /* the hash of a subject name, while a chain is built */
    WIRE_KINDS
};

/* A process does one of the two for all of its life: what a stranger's file may have done to it
 * must not touch what is judged after that. */
enum wire_duty { WIRE_READS, WIRE_JUDGES, WIRE_DUTIES };

/* A message on its way: written when `out` is set, else read. */
struct wire {
    struct buf *out;
    struct span in; /* what is left to read */
    bool bad;       /* something did not fit: nothing of the message counts */
};

struct wire_texts {
    char **items;
    size_t count;
};

struct wire_anchors {
    char *name; /* of the policy that names them */
    bool system;
    struct wire_texts files;
};

struct wire_setup {
    enum wire_duty duty;
    bool faults; /* do what a test's file asks for (daemon/read/fault.h) */
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
void wire_blobs(struct wire *wire, struct blobs *blobs, size_t most, size_t most_bytes);
void wire_error(struct wire *wire, struct error *error);
/* With keep_keys a private key may come with its bytes. */
void wire_objects(struct wire *wire, struct delivery_objects *objects, bool keep_keys);
void wire_cert(struct wire *wire, struct cert *cert);
void wire_chain(struct wire *wire, struct chain *chain);
/* A certificate that must be there. */
void wire_der(struct wire *wire, struct blob *der);

/* True when a message was read to its end and all of it fitted. */
bool wire_is_whole(const struct wire *wire);

void wire_setup_done(struct wire_setup *setup);
void wire_chain_order_done(struct wire_chain_order *order);
#define AUTO_SETUP __attribute__((cleanup(wire_setup_done)))
#define AUTO_CHAIN_ORDER __attribute__((cleanup(wire_chain_order_done)))

#endif
