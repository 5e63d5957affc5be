/*
 * Parameters of a header field of a mail: "attachment; filename*=UTF-8''%e2%82%ac.crt".
 */
#ifndef UL_PKI_DELIVERY_FIELD_H
#define UL_PKI_DELIVERY_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* The value of a parameter, quotes taken off, the pieces of RFC 2231 joined; false, and ret "",
 * when there is none. Cut to size. */
bool field_parameter(const char *value, const char *name, char *ret, size_t size);

/* The same for a file's name, for people to read: encoded words (RFC 2047) decoded as well. */
bool field_file_name(const char *value, const char *name, char *ret, size_t size);

#endif
