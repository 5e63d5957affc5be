/*
 * Finds PEM blocks (RFC 7468) in text that text.h has cleaned, whatever people and mail programs
 * made of it: prose around, indented or "> " quoted lines, all on one line, an END and the next
 * BEGIN glued together, markers with fewer dashes, in lower case, with other blanks, or cut off.
 * The content decides: a block whose bytes are one whole piece of DER is whole, whatever its END
 * says. Steps are bounded by the text's length.
 */
#ifndef UL_PKI_DELIVERY_PEM_H
#define UL_PKI_DELIVERY_PEM_H

#include "base/mem.h"

enum { PEM_LABEL_MAX = 64 };

enum pem_state {
    PEM_WHOLE,
    PEM_NO_END,     /* BEGIN, then the end of the file or the next BEGIN */
    PEM_NO_BEGIN,   /* END without its BEGIN */
    PEM_OTHER_END,  /* BEGIN and END name different things */
    PEM_BAD_BASE64, /* between them is something else than base64, or only a part of it */
};

struct pem_block {
    enum pem_state state;
    char label[PEM_LABEL_MAX]; /* what stands behind BEGIN, or END when that is all there is; in
                                  capitals, one blank between words */
    size_t line;               /* of its first marker, from 1 */
    struct span gap;           /* the text between the block before and this one */
    struct span head;          /* the headers in front of the base64 (RFC 1421 4.6) */
    struct blob der;           /* of PEM_WHOLE only; a key's too: wiped by pem_block_done */
};

struct pem_reader {
    struct span text;
    size_t at;
    size_t gap; /* where the text behind the last block begins */
    size_t line;
    size_t line_at; /* line is the one of this position */
};

void pem_reader_init(struct pem_reader *reader, struct span text);

/* The next block; false when there is none: then pem_rest is all that is left. The caller's
 * pem_block_done frees and wipes. */
bool pem_next(struct pem_reader *reader, struct pem_block *ret);
struct span pem_rest(const struct pem_reader *reader);
void pem_block_done(struct pem_block *block);
#define AUTO_PEM_BLOCK __attribute__((cleanup(pem_block_done)))

/* "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "OPENVPN STATIC KEY V1", ... */
bool pem_label_is_key(const char *label);

#endif
