/*
 * Recognises what is in a file somebody dropped, by content and never by name: certificates in PEM
 * with anything around them, in DER, in PKCS#7 (DER, PEM, or AD CS's PKCS#7 under the CERTIFICATE
 * label), and says what else it was.
 */
#ifndef UL_PKI_DELIVERY_H
#define UL_PKI_DELIVERY_H

#include "base/error.h"
#include "base/mem.h"

enum { DELIVERY_OBJECTS_MAX = 256, DELIVERY_NOTE_MAX = 160, DELIVERY_SUMMARY_MAX = 200 };

enum object_kind { OBJECT_CERTIFICATE, OBJECT_CSR, OBJECT_CRL, OBJECT_PRIVATE_KEY, OBJECT_BROKEN };

struct object {
    enum object_kind kind;
    struct blob der; /* of certificates, CSRs and CRLs; empty for the others: a key found in the
                        open is not kept */
    char note[DELIVERY_NOTE_MAX]; /* what it is or what is wrong with it, for people: "a certificate
                       request (CSR)", "block 2: truncated" */
};

struct delivery_objects {
    struct object *items;
    size_t count;
    char summary[DELIVERY_SUMMARY_MAX]; /* of the whole file: "PEM with 2 certificates", "an HTML
                                           page", "empty" */
};

/*
 * Returns 0 also when nothing useful was found (count 0, summary says what it looked like);
 * E_TOO_LARGE past BUF_MAX_DELIVERY bytes or DELIVERY_OBJECTS_MAX objects. The same certificate
 * twice in one file is listed once. A file that is one damaged thing is an OBJECT_BROKEN. Never
 * logs, never touches the world.
 */
int delivery_read(struct span file, struct delivery_objects *ret, struct error *err);
void delivery_objects_done(struct delivery_objects *objects);
#define AUTO_OBJECTS __attribute__((cleanup(delivery_objects_done)))

#endif
