/*
 * Everything strangers send is parsed, and every chain is built, in processes that can do nothing
 * else (daemon/role/sandbox.h). This is the agent's side: it keeps a few of them, asks, watches the
 * clock, and believes no byte of an answer before it has looked at it. What kills one process twice
 * is refused; the next question goes to a fresh one. Any thread may ask; a process ends with the
 * thread that started it, so those who ask live long.
 */
#ifndef UL_DAEMON_READ_READER_H
#define UL_DAEMON_READ_READER_H

#include "pki/chain.h"
#include "pki/delivery/delivery.h"
#include "daemon/role/process.h"

struct reader;

/* Trust anchors by the files that hold them, as anchors_open wants them; name is that of a policy
 * that wants them. */
struct reader_anchors {
    const char *name;
    const char *const *files;
    size_t file_count;
    bool system;
};

struct reader_options {
    const char *program;              /* NULL: this program again */
    struct delivery_options delivery; /* with passwords or keep_keys: one process for each file */
    const struct reader_anchors *anchors;
    size_t anchor_count;
    struct process_limits limits; /* 0 for the usual: 10 s, and 5 s of processor time */
    bool faults;                  /* for tests: files may ask for accidents */
    /* A process that ended and was replaced, while the question got its answer after all; may be
     * NULL. On the thread that asks. */
    void (*tell)(void *self, const char *text);
    void *self;
};

/* Starts nothing yet. E_TOO_LARGE when the options are more than a reader takes. Of the options
 * only `self` is kept. */
int reader_open(const struct reader_options *options, struct reader **ret, struct error *err);
/* Ends all processes; nobody may be asking. NULL is allowed. */
void reader_close(struct reader *reader);

/* Starts a process that judges, and keeps it: E_CONFIG names the anchors that cannot be read; any
 * other failure means that nothing can be read on this machine. */
int reader_try(struct reader *reader, struct error *err);
/* Ends processes that nobody asked anything for that long; false when none is left to be ended
 * later. */
bool reader_tidy(struct reader *reader, int64_t idle_ms);

/*
 * As delivery_read, cert_parse, chain_build and chain_find_gap. Besides their own failures:
 * E_REFUSED when the reader could not stand what it was given ("the reader ended by signal 11
 * (Segmentation fault) while it looked at this file"), a verdict like any other; E_COMMAND when no
 * reader can be had: then it is too early for a verdict. Of a file there are no other failures than
 * these two and E_TOO_LARGE.
 */
int reader_read_delivery(struct reader *reader, struct span file, struct delivery_objects *ret,
                         struct error *err);
/* The same by a process that has read nothing before, for what an administrator vouches for: none
 * of the files that strangers sent can have a say in what it is. */
int reader_read_alone(struct reader *reader, struct span file, struct delivery_objects *ret,
                      struct error *err);
int reader_parse_cert(struct reader *reader, struct span der, struct cert *ret, struct error *err);
/* The anchors are those with that number among the options; request->anchors is not looked at. */
int reader_build_chain(struct reader *reader, size_t anchors, const struct chain_request *request,
                       struct chain *ret, struct error *err);
int reader_find_gap(struct reader *reader, size_t anchors, const struct chain_request *request,
                    struct blob *ret, struct error *err);

#endif
