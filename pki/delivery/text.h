/*
 * What people and programs make of a text on its way, undone before it is looked at: character
 * sets, line ends, typographic dashes and blanks, quoted-printable, HTML, RTF, and the escapes of
 * strings in programs, JSON and addresses. What comes out is ASCII with "\n" at line ends. None of
 * it can invent base64: each escape begins with a character that is no part of it.
 */
#ifndef UL_PKI_DELIVERY_TEXT_H
#define UL_PKI_DELIVERY_TEXT_H

#include "base/buf.h"

/* What comes out of any step is no longer than this times what went in. */
enum { TEXT_GROWTH = 4 };

enum text_charset {
    TEXT_BYTES,
    TEXT_UTF8,
    TEXT_UTF16_LE,
    TEXT_UTF16_BE,
    TEXT_UTF32_LE,
    TEXT_UTF32_BE
};

/* By its byte order mark, else by where the zeros stand; TEXT_BYTES when neither tells. */
enum text_charset text_charset_of(struct span file);
/* "UTF-16"; NULL for the two that need no mention. */
const char *text_charset_name(enum text_charset charset);

/* The bytes of any of them as UTF-8 (TEXT_BYTES as they are), without byte order mark. */
void text_to_utf8(struct span file, enum text_charset charset, struct buf *ret);

/* Whether something in it looks like quoted-printable (RFC 2045 6.7), and what it stands for. */
bool text_is_quoted_printable(struct span text);
void text_unquote(struct span text, struct buf *ret);

/* Takes marks of HTML or RTF and escapes out, also where they were escaped themselves (markup.c);
 * makes everything ASCII (text.c). */
void text_unmark(struct span text, struct buf *ret);
void text_clean(struct span text, struct buf *ret);

/* Appends a character as UTF-8. */
void text_put(struct buf *ret, uint32_t c);
/* The value of a hexadecimal digit, or -1. */
int text_hex_digit(uint8_t c);

#endif
