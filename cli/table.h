#ifndef GRANGE_CLI_TABLE_H
#define GRANGE_CLI_TABLE_H
/* table - rows of text in aligned columns. Columns of numbers are right aligned.
 *
 * Widths are taken from the first TABLE_LOOK rows; only those are held. A cell that is wider later
 * pushes its row to the right rather than lose a digit. On a terminal a text is cut to
 * TABLE_CELL_MAX columns, and to TABLE_CELL_MIN, the widest first, when that makes the rows fit; a
 * file or a pipe gets all of it. Control characters become '?'. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"

enum { TABLE_LOOK = 1000, TABLE_CELL_MAX = 40, TABLE_CELL_MIN = 6 };

struct table_column {
    size_t width, most;
    bool text; /* some cell of it is no number */
};

struct table {
    FILE *to;
    size_t fit;               /* into so many columns; 0: into any */
    size_t n_columns, n_rows; /* rows held */
    struct table_column *columns;
    struct buf held; /* cells, each ended by a zero byte; the heading first */
    struct buf line;
    bool widths_known;
};

/* table_open - fit: the columns of the terminal (terminal_width), 0: it is none. Headings are
 * borrowed for the call. */
void table_open(struct table *t, FILE *to, unsigned fit, size_t n_columns,
                const char *const *headings);
/* table_row - a NULL cell is empty; number (may be NULL: no cell is one) says which cells are. */
void table_row(struct table *t, const char *const *cells, const bool *number);
void table_close(struct table *t); /* prints what is held */

#endif
