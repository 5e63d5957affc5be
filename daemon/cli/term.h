/* What is known of the terminal behind standard output, and text measured in displayed columns. */
#ifndef UL_DAEMON_CLI_TERM_H
#define UL_DAEMON_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

struct term {
    bool color;   /* a terminal, and neither NO_COLOR (no-color.org) nor --no-color says no */
    size_t width; /* columns; 0 when it is no terminal: nothing is cut then */
};

/* Looks at the descriptor and the environment. */
struct term term_of(int fd, bool no_color);

enum color { COLOR_PLAIN, COLOR_HEAD, COLOR_GOOD, COLOR_BUSY, COLOR_BAD };

/* The escape sequence that begins a colour; "" when the terminal has none. */
const char *term_begin(const struct term *term, enum color color);
const char *term_end(const struct term *term, enum color color);

/* How good a state is, by the word the API uses for it. An unknown word is plain. */
enum color color_of_state(const char *state);

/* Likewise of a kind of event. */
enum color color_of_kind(const char *kind);

/* Columns that escaped UTF-8 text takes (wcwidth(3): wide characters two, combining ones none). */
size_t text_columns(const char *text);

/* The bytes of the longest head of text that takes at most so many columns. */
size_t text_head(const char *text, size_t columns);

/* text_escape without a limit; owned by the caller. */
char *text_escape_all(const char *text);

#endif
