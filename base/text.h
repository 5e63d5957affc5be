/*
 * Text from strangers (file names, subject fields, server answers) made harmless for one line of
 * plain text: a terminal, a log line, a receipt. Mail headers have their own rule beside it; HTML
 * belongs to notify/.
 */
#ifndef UL_BASE_TEXT_H
#define UL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies text and writes everything that is not a printable character as \xHH or \u{HHHH}: C0, DEL,
 * C1, bidi controls, line and paragraph separators, bytes that are not UTF-8. Truncates to size at
 * a character boundary, ending in "...". Returns ret. ret and text must not overlap.
 */
char *text_escape(const char *text, char *ret, size_t size);

/* True when the bytes are valid UTF-8 without NUL. */
bool text_is_utf8(const char *text, size_t len);

/* True when no CR, LF or NUL (RFC 5322 2.2) and no other control character is among the len bytes.
 */
bool text_is_header_safe(const char *text, size_t len);

/* Lower-case hexadecimal of len bytes; ret holds 2*len+1. Returns ret. */
char *text_hex(const uint8_t *data, size_t len, char *ret);

/* The reverse; false when text is not exactly 2*len hexadecimal digits. */
bool text_unhex(const char *text, uint8_t *ret, size_t len);

/* Parses a whole decimal number between min and max; false on anything else, ret untouched. */
bool text_number(const char *text, int64_t min, int64_t max, int64_t *ret);

/* True when text begins (ends) with the other one. */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);

/* True for "/..." */
bool text_is_absolute(const char *path);

/*
 * An address that is safe in a header and in an SMTP command: dot-atom "@" letters-digits-hyphen
 * domain (RFC 5321 4.1.2; no quoted local part, no address literal, ASCII), at most 64 and 254
 * bytes. So no CR, LF, NUL, other control character, space, "<" or ">", and exactly one "@".
 */
bool text_is_mail_address(const char *text);

/* A part of a whole: "50%", "12.5%", "1/3"; false on anything else. Not negative, may be above 1.
 */
bool text_fraction(const char *text, double *ret);

/* The word that was probably meant (two slips at most, fewer in short words); NULL when none is
 * near. */
const char *text_nearest(const char *text, const char *const words[], size_t count);

#endif
