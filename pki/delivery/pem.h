/*
 * Finds PEM blocks (RFC 7468) in whatever people and mail programs made of a file: prose around,
 * CRLF or bare CR, indented or "> " quoted lines, blank lines between, all on one line, an END and
 * the next BEGIN glued together. Only the base64 itself is taken strictly. One pass, whatever the
 * file holds.
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
    char label[PEM_LABEL_MAX]; /* what stands behind BEGIN, or END when that is all there is */
    size_t line;               /* of its first marker, from 1 */
    struct blob der;           /* of PEM_WHOLE only; never of a label that names a private key */
};

struct pem_reader {
    struct span text;
    size_t at;
    size_t line;
    size_t line_at; /* line is the one of this position */
};

void pem_reader_init(struct pem_reader *reader, struct span text);

/* The next block; false when there is none. The caller's pem_block_done frees and wipes. */
bool pem_next(struct pem_reader *reader, struct pem_block *ret);
void pem_block_done(struct pem_block *block);
#define AUTO_PEM_BLOCK __attribute__((cleanup(pem_block_done)))

/* "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", ... */
bool pem_label_is_key(const char *label);

#endif
