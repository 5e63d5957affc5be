/*
 * A table for people: columns as wide as their content, cut to the terminal's width (the widest
 * columns give way first, "…" marks a cut), plain and whole when the output is no terminal.
 */
#ifndef UL_DAEMON_CLI_TABLE_H
#define UL_DAEMON_CLI_TABLE_H

#include <stdio.h>

#include "daemon/cli/term.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table {
    size_t columns;
    struct table_cell {
        char *text; /* escaped */
        enum color color;
    } * cells;
    size_t count, room;
    size_t least[TABLE_COLUMNS_MAX]; /* as wide as what was printed before */
};

/* headers: NULL-terminated. */
void table_init(struct table *table, const char *const headers[]);
void table_done(struct table *table);
#define AUTO_TABLE __attribute__((cleanup(table_done)))

/* The next cell, row by row; escapes the text. */
void table_cell(struct table *table, const char *text, enum color color);
void table_print(const struct table *table, const struct term *term, FILE *out);
/* Prints the rows so far and forgets them: more may follow, below them and without the headers. */
void table_pass_on(struct table *table, const struct term *term, FILE *out);

#endif
