#ifndef GRANGE_CLI_ROWS_H
#define GRANGE_CLI_ROWS_H
/* rows - rows of results written as a table, as CSV or as JSON, one by one as they come. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/table.h"

enum rows_format { ROWS_TABLE, ROWS_CSV, ROWS_JSON, N_ROWS_FORMATS };
const char *rows_format_name(enum rows_format format);

struct rows {
    enum rows_format format;
    FILE *to;
    bool started, some; /* headings were written; a row was */
    size_t n_columns;
    const char *const *names; /* borrowed until rows_end */
    struct table table;
    struct buf line;
};

/* rows_begin - names of the columns; fit: as table_open takes it. CSV is RFC 4180's
 * with
 * "\n" at line ends; JSON is an array of objects, a row a line. */
void rows_begin(struct rows *r, enum rows_format format, FILE *to, unsigned fit, size_t n_columns,
                const char *const *names);
/* rows_add - cells are NULL where there is no value. A number stays in its spelling; in JSON one
 * that JSON cannot spell (.5, +1, 007) is written in the shortest way that is the same number. */
void rows_add(struct rows *r, const char *const *cells, const bool *number);
void rows_end(struct rows *r);

#endif
