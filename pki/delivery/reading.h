/*
 * One delivery while it is being read: what the recognisers of delivery.c share, and the seam
 * through which a coat (an archive, a mail) hands on the parts it unpacks.
 */
#ifndef UL_PKI_DELIVERY_READING_H
#define UL_PKI_DELIVERY_READING_H

#include "pki/delivery/objects.h"

/* The file, a part of it, a part of that part: what is unpacked any deeper is not read. */
enum { READING_DEPTH_MAX = 2 };

struct reading {
    struct object_list list;                /* of the whole file, whatever its depth */
    const struct delivery_options *options; /* never NULL */
    unsigned int depth;                     /* of what is read now; 0 is the file itself */
    bool in_archive;                        /* an archive's reader sets it before it adds entries */
    char origin[DELIVERY_ORIGIN_MAX];       /* of what is read now, escaped; "" for the file */
    char summary[DELIVERY_SUMMARY_MAX];     /* of what is read now */
    char part[DELIVERY_SUMMARY_MAX];        /* summary of the part that was added last */
};

/*
 * One recogniser. 1: data is of my kind and was read: its objects are in the list, summary is set.
 * 0: it is another's, nothing was changed. Or a failure, which ends the reading of the whole file.
 */
typedef int (*recogniser_fn)(struct span data, struct reading *reading, struct error *err);

/*
 * Reads what was unpacked, by all recognisers. origin is what its coat calls it ("entry ca.crt",
 * "attachment certnew.p7b"): any bytes, escaped here; each object added meanwhile carries it,
 * behind the origins of the coats around and " > ". reading->part says what it was; depth, origin
 * and summary stay those of the caller. Returns 0, also for what is not read (too deep, too large,
 * nothing in it: reading->part says so), or the failure that ends it all: E_TOO_LARGE for
 * DELIVERY_OBJECTS_MAX objects.
 */
int reading_add_part(struct reading *reading, struct span part, const char *origin,
                     struct error *err);

/*
 * Whether a coat found now may be opened; archives are not opened inside of archives. Who may not
 * calls reading_unopened and returns its result.
 */
bool reading_may_open(const struct reading *reading, bool is_archive);

/* Names what is left closed ("a ZIP archive inside of an archive: ..."): as the summary, and inside
 * of a coat as an OBJECT_BROKEN too. Returns 1, or the failure to add it. */
int reading_unopened(struct reading *reading, const char *what, struct error *err);

/* How many certificates, requests, lists and keys were added since; and takes back all that was. */
size_t reading_useful(const struct reading *reading, size_t since);
void reading_cut(struct reading *reading, size_t since);

/* Sets the summary; returns 1. */
int reading_say(struct reading *reading, const char *summary);

/* Sets the summary to the coat and to what was added since `since` (the list's count then): "PEM
 * with 2 certificates". */
void reading_summarise(struct reading *reading, const char *coat, size_t since);

#endif
