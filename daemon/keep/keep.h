/*
 * The agent's side of the keeper: the calls of pki/keeper.h, answered by processes that alone know
 * the sealing key (daemon/keep/role.h). As many are at work at once as are asked; one of them stays
 * when all is done. A process that dies is replaced, and what it was asked is asked again. Any
 * thread may ask.
 */
#ifndef UL_DAEMON_KEEP_KEEP_H
#define UL_DAEMON_KEEP_KEEP_H

#include "pki/keeper.h"
#include "daemon/role/process.h"

struct keep;

struct keep_options {
    const char *path;     /* of the sealing key, absolute */
    const char *previous; /* of one that only opens (keeper_open_previous); NULL: none */
    bool create;          /* make the first when it is missing */
    /* Of making a key (0 for the usual: 300 s, and 120 s of processor time) and of all else (30 s,
     * and 10 s). */
    struct process_limits making, others;
    const char *program; /* NULL: this program again */
    bool faults;         /* for tests: keys may ask for accidents */
    /* A process that ended and was replaced; may be NULL. On the thread that asks. */
    void (*tell)(void *self, const char *text);
    void *self;
};

/*
 * Starts a keeper, which opens the sealing key; codes as keeper_open, E_CONFIG
 * when the previous one is missing, and E_COMMAND, E_DENIED or E_IO when it cannot be started or
 * confined. Of the options only `self` is kept. No process that replaces this one makes a sealing
 * key, or serves under another one than this.
 */
int keep_open(const struct keep_options *options, struct keep **ret, struct error *err);
/* Ends all processes; nobody may be asking. NULL is allowed. */
void keep_close(struct keep *keep);

/* As keeper_ids. */
void keep_ids(struct keep *keep, struct sealing_ids *ret);
/* As keeper_rotate, by a process of its own that does nothing else. When it is lost the new key may
 * be in force all the same: then the next process says so. */
int keep_rotate(struct keep *keep, struct error *err);

/* Ends processes that nobody asked anything for that long, but for one; false when none is left to
 * be ended later. */
bool keep_tidy(struct keep *keep, int64_t idle_ms);

/*
 * As the calls of pki/keeper.h. Besides their own failures: E_COMMAND (transient: nothing is
 * changed, ask again later) when no keeper can be had, or each that was asked was lost. A lost one
 * is replaced at once, then after a tenth of a second, then after a second; one that took too long
 * is not.
 */
int keep_make_request(struct keep *keep, int64_t renewal_id, const struct key_request *request,
                      struct sealed_key *ret_key, struct blob *ret_csr, struct error *err);
int keep_seal(struct keep *keep, int64_t renewal_id, struct span key, struct sealed_key *ret,
              struct error *err);
int keep_reseal(struct keep *keep, int64_t from_id, const struct sealed_key *from, int64_t to_id,
                struct blob *ret, struct error *err);
int keep_check(struct keep *keep, int64_t renewal_id, const struct sealed_key *key, struct span csr,
               struct span cert, struct error *err);
int keep_build_bundle(struct keep *keep, int64_t renewal_id, const struct sealed_key *key,
                      struct span leaf, const struct blobs *chain, struct bundle *ret,
                      struct error *err);
int keep_sign_off(struct keep *keep, struct span message, uint8_t ret_mac[SHA256_LEN],
                  struct error *err);
int keep_signed_off(struct keep *keep, struct span message, const uint8_t mac[SHA256_LEN],
                    bool *ret, struct error *err);

/* One of many requests that are made at once. */
struct keep_request {
    int64_t renewal_id;
    struct key_request request;
    /* zeroed before; error.code is 0 when key and csr, which are the caller's, are there */
    struct sealed_key key;
    struct blob csr;
    struct error error;
};

/* As keep_make_request for each of them, by one process for each processor that we may use. */
void keep_make_requests(struct keep *keep, struct keep_request *requests, size_t count);

#endif
