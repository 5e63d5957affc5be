/*
 * The parts of MIME that a saved mail needs (RFC 2045, 2046, 2047, 2231, 5322): the header of one
 * entity, its body decoded, the places where a multipart is cut.
 */
#ifndef UL_PKI_DELIVERY_MIME_H
#define UL_PKI_DELIVERY_MIME_H

#include "base/buf.h"

enum { MIME_TYPE_MAX = 64, MIME_BOUNDARY_MAX = 128, MIME_NAME_MAX = 128 };

enum mime_encoding { MIME_IDENTITY, MIME_BASE64, MIME_QUOTED_PRINTABLE };

struct mime_entity {
    char type[MIME_TYPE_MAX];         /* "text/plain"; in small letters */
    char boundary[MIME_BOUNDARY_MAX]; /* "" when there is none */
    char name[MIME_NAME_MAX];         /* of its file, decoded, any bytes; "" when there is none */
    enum mime_encoding encoding;
    struct span body;
};

/* Whether text begins as a mail does: header fields, two of them known ones. */
bool mime_is_mail(struct span text);

/* Splits header and body; what is wrong in it is read as if it were not there. */
void mime_read_entity(struct span text, struct mime_entity *ret);

/* The body as it was before it was encoded. */
struct blob mime_decode(const struct mime_entity *entity);

/*
 * Goes from part to part of a multipart. A boundary that the header does not name is taken from the
 * first line that looks like one; a missing last one ends with the text. What stands in front of
 * the first boundary and, at the end, behind the last one is no part, but may be looked at too.
 */
struct mime_parts {
    struct span body;
    struct span preamble, epilogue;
    size_t at;
    char boundary[MIME_BOUNDARY_MAX];
    bool ended;
};

void mime_parts_init(struct mime_parts *parts, const struct mime_entity *entity);
bool mime_next_part(struct mime_parts *parts, struct span *ret);

#endif
