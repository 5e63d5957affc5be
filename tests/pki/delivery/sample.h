/*
 * A leaf and its authority, and what a delivery that holds them must look like: shared by the tests
 * of this folder.
 */
#ifndef UL_TESTS_PKI_DELIVERY_SAMPLE_H
#define UL_TESTS_PKI_DELIVERY_SAMPLE_H

#include "pki/delivery/delivery.h"

/* Fixture: makes the two; sample_done frees them. */
void sample_make(void);
void sample_done(void);

struct span sample_leaf(void);
struct span sample_ca(void);
/* PEM: of the leaf, of the leaf and the authority. */
const char *sample_leaf_pem(void);
const char *sample_pem(void);
/* Their base64 alone, 64 digits in a line. */
char *sample_base64(struct span der);

/* text with every piece replaced; owned by the caller. */
char *sample_replaced(const char *text, const char *piece, const char *with);
/* Each line of text between two others. */
char *sample_lines(const char *text, const char *before, const char *behind);

struct delivery_objects sample_read(struct span file);
/* The file holds exactly the leaf (1), or the leaf and then the authority (2). */
void sample_holds(struct span file, size_t count, const char *what);
/* The same of PEM with both, and that it was known as PEM: base64 is found without markers too. */
void sample_holds_pem(const char *text, const char *what);
/* The file holds nothing, and its summary says so with this piece. */
void sample_nothing(struct span file, const char *summary);
/* The file holds one object of a kind, whose note has this piece. */
void sample_only(struct span file, enum object_kind kind, const char *note);

#endif
