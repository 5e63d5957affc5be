/*
 * The pieces of a message (RFC 5322, 2045-2047): header lines, dates, transfer encodings. All of it
 * ends its lines with CRLF and keeps them below 998 octets.
 */
#ifndef UL_NOTIFY_MIME_H
#define UL_NOTIFY_MIME_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

enum { MIME_DATE_MAX = 40, MIME_FILE_NAME_MAX = 101 };

/*
 * "Name: value" for a header of free text (RFC 5322 2.2.1): folded, and as encoded words (RFC 2047)
 * when it is not ASCII. E_INPUT when the value has control characters or is not UTF-8.
 */
int mime_header_text(struct buf *out, const char *name, const char *value, struct error *err);

/* The same for a header with a grammar (addresses, ids): ASCII only, folded at its spaces. E_INPUT
 * likewise, and when a piece without a space is too long to fold. */
int mime_header(struct buf *out, const char *name, const char *value, struct error *err);

/* "Sun, 22 Nov 2026 16:57:14 +0000" whatever the locale. E_INPUT for a time without a year of four
 * digits. */
int mime_date(utc_t at, char ret[MIME_DATE_MAX], struct error *err);

/* Letters, digits, ".", "_" and "-" of a name, the rest as "_"; at most 100 characters, no dot in
 * front. Returns ret. */
char *mime_file_name(const char *name, char ret[MIME_FILE_NAME_MAX]);

/* Text with LF line ends as it is ("7bit") when every line is short ASCII: then people can copy a
 * CSR out of a raw mailbox too. */
bool mime_is_plain(const char *text);
void mime_add_plain(struct buf *out, const char *text);
void mime_add_quoted_printable(struct buf *out, const char *text);
void mime_add_base64(struct buf *out, struct span data);

#endif
