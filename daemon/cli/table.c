#include "daemon/cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GAP = 2, COLUMN_LEAST = 6 };

void table_init(struct table *table, const char *const headers[])
{
    *table = (struct table){0};
    while (headers[table->columns])
        table->columns++;
    assert(table->columns > 0 && table->columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < table->columns; i++)
        table_cell(table, headers[i], COLOR_HEAD);
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct table){0};
}

void table_cell(struct table *table, const char *text, enum color color)
{
    if (table->count == table->room) {
        table->room = table->room * 2 + 64;
        table->cells = mem_resize(table->cells, table->room, sizeof *table->cells);
    }
    table->cells[table->count++] =
        (struct table_cell){.text = text_escape_all(text), .color = color};
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->count; i++) {
        size_t width = text_columns(table->cells[i].text), column = i % table->columns;

        if (width > widths[column])
            widths[column] = width;
    }
}

/* Takes columns away from the widest until the rows fit, or nothing can give way any more. */
static void shrink(const struct table *table, size_t widths[TABLE_COLUMNS_MAX], size_t most)
{
    size_t total = GAP * (table->columns - 1);

    for (size_t i = 0; i < table->columns; i++)
        total += widths[i];
    while (total > most) {
        size_t widest = 0;

        for (size_t i = 1; i < table->columns; i++)
            if (widths[i] >= widths[widest])
                widest = i;
        if (widths[widest] <= COLUMN_LEAST)
            return;
        widths[widest]--;
        total--;
    }
}

static void print_cell(const struct table_cell *cell, size_t width, bool last,
                       const struct term *term, FILE *out)
{
    size_t columns = text_columns(cell->text);

    fputs(term_begin(term, cell->color), out);
    if (columns <= width) {
        fputs(cell->text, out);
    } else {
        int head = (int)text_head(cell->text, width - 1);

        fprintf(out, "%.*s…", head, cell->text);
        columns = width;
    }
    fputs(term_end(term, cell->color), out);
    if (!last)
        fprintf(out, "%*s", (int)(width - columns + GAP), "");
}

static void print(const struct table *table, size_t widths[TABLE_COLUMNS_MAX],
                  const struct term *term, FILE *out)
{
    assert(table->count % table->columns == 0);
    measure(table, widths);
    if (term->width > 0)
        shrink(table, widths, term->width);
    for (size_t i = 0; i < table->count; i++) {
        bool last = i % table->columns == table->columns - 1;

        print_cell(&table->cells[i], widths[i % table->columns], last, term, out);
        if (last)
            fputc('\n', out);
    }
}

void table_print(const struct table *table, const struct term *term, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX];

    memcpy(widths, table->least, sizeof widths);
    print(table, widths, term, out);
}

void table_pass_on(struct table *table, const struct term *term, FILE *out)
{
    print(table, table->least, term, out);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    table->count = 0;
}
