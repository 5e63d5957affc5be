/*
 * The list of what a delivery holds while it is being read: turns one piece of DER into objects,
 * each certificate listed once.
 */
#ifndef UL_PKI_DELIVERY_OBJECTS_H
#define UL_PKI_DELIVERY_OBJECTS_H

#include "pki/delivery/delivery.h"

struct object_list {
    struct object *items;
    size_t count;
    size_t pkcs7;                           /* how many PKCS#7 were met */
    size_t pkcs12;                          /* how many PKCS#12 */
    size_t repeated;                        /* how many were met that are listed already */
    const struct delivery_options *options; /* never NULL */
    uint64_t work;                          /* spent on passwords and keys: see pbe.h */
    size_t password;                        /* which one opened something: tried first */
};

void object_done(struct object *object);
void object_list_done(struct object_list *list);

/* Appends; der moves. E_TOO_LARGE when the list is full. */
int object_add(struct object_list *list, enum object_kind kind, struct blob *der, struct error *err,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether the list has an object of this kind and these bytes: then it counts as repeated. */
bool object_is_listed(struct object_list *list, enum object_kind kind, struct span der);

/*
 * Adds what is in der: certificates, one after another or as a PkiPath (RFC 4346), all of a
 * PKCS#7 or PKCS#12, a CSR, a CRL, a key; or says what else it is. where ("block 2 (line 40): ",
 * "") stands in front of what is wrong. Blanks and zeros behind it are no damage. With
 * `more_follows` bytes behind the first element are left alone (the trust settings of a TRUSTED
 * CERTIFICATE).
 */
int object_add_der(struct object_list *list, struct span der, bool more_follows, const char *where,
                   struct error *err);

#endif
