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
    size_t pkcs7; /* how many PKCS#7 were met */
};

void object_done(struct object *object);
void object_list_done(struct object_list *list);

/* Appends; der moves. E_TOO_LARGE when the list is full. */
int object_add(struct object_list *list, enum object_kind kind, struct blob *der, struct error *err,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Adds what is in der: a certificate, all of a PKCS#7, a CSR, a CRL; or says what else it is. where
 * ("block 2 (line 40): ", "") stands in front of what is wrong. With `more_follows` bytes behind
 * the first element are left alone (the trust settings of a TRUSTED CERTIFICATE).
 */
int object_add_der(struct object_list *list, struct span der, bool more_follows, const char *where,
                   struct error *err);

#endif
