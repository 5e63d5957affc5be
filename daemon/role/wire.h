/*
 * What the agent and a process of it say to each other, piece by piece. One description of each
 * message serves both directions, so that they cannot differ: reading, each field is checked
 * against its bound, each text is made harmless again, and one misfit spoils the whole message.
 * Both sides are the same program on the same machine, so numbers go as they lie in memory. What a
 * message consists of stands in the folder of its role.
 */
#ifndef UL_DAEMON_ROLE_WIRE_H
#define UL_DAEMON_ROLE_WIRE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "pki/names.h"

enum { WIRE_MAX = 32 << 20 }; /* one message */

/* Of every role. */
enum {
    WIRE_SETUP = 1, /* agent to process; the first message */
    WIRE_ANSWER,    /* process to agent: struct error, and what was asked for when its code is 0 */
    WIRE_OWN        /* the first one of a role's own */
};

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

/*
 * Each writes what stands in its parameters, or reads into it: a zeroed one then, which the caller
 * frees whether the message was bad or not. `most` is in bytes, of lists in items.
 */
void wire_fixed(struct wire *wire, void *data, size_t len);
/* A number from 0 to most; 0 when what came is another. */
uint32_t wire_number(struct wire *wire, size_t value, size_t most);
void wire_flag(struct wire *wire, bool *flag);
void wire_time(struct wire *wire, utc_t *time);
void wire_blob(struct wire *wire, struct blob *blob, size_t most);
/* None of them empty. */
void wire_blobs(struct wire *wire, struct blobs *blobs, size_t most, size_t most_bytes);
/* A text of the caller's, as it is, without a NUL in it. */
void wire_owned_text(struct wire *wire, char **text, size_t most);
void wire_texts(struct wire *wire, struct wire_texts *texts, size_t most, size_t most_bytes);
/* Overwrites first: they may be secrets. */
void wire_texts_done(struct wire_texts *texts);
/* A text for people: read, it is made harmless once more, whatever its writer promised. */
void wire_text(struct wire *wire, char *text, size_t size);
/* Printable ASCII without blanks, as names_add_found leaves them. */
void wire_names(struct wire *wire, struct names *names, size_t most);
void wire_error(struct wire *wire, struct error *error);

/* Room for a list that is about to be read, NULL for none; what was announced must be able to
 * follow, or *count becomes 0. */
void *wire_room(struct wire *wire, size_t *count, size_t size);

/* True when a message was read to its end and all of it fitted. */
bool wire_is_whole(const struct wire *wire);

#endif
