/* extract: a column of a table.
 *
 * Not csv.h, which reads what people hand us and refuses what is no CSV: this one takes the tables
 * that simulators print, whatever separates their columns, cut off or not. */
#include "study/extract.h"

#include <stdlib.h>
#include <string.h>

struct table {
    const char *p, *end;
    char delimiter; /* a blank: any number of blanks is one */
};

static char find_delimiter(const char *data, size_t n, const char *column);
static bool read_cell(struct table *c, struct buf *cell);
static size_t find_column(struct table *c, const char *column, bool *by_name);
static bool read_row(struct table *c, size_t column, struct buf *cell, struct buf *scratch);

bool csv_last(const char *data, size_t n, const char *column, struct buf *value)
{
    struct buf cell = { 0 }, scratch = { 0 };
    bool found = false, by_name = false;

    buf_clear(value);
    if (n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        data += 3, n -= 3;
    struct table c = { data, data + n, find_delimiter(data, n, column) };
    while (c.p < c.end && (*c.p == '\n' || *c.p == '\r'))
        c.p++;
    struct table rows = c;
    size_t at = find_column(&rows, column, &by_name);
    if (by_name)
        c = rows;
    while (at > 0 && c.p < c.end) {
        const char *row = c.p;
        bool has = read_row(&c, at, &cell, &scratch);
        if (c.p - row <= 1 || (c.p - row == 2 && *row == '\r'))
            continue; /* an empty line is no row */
        found = has && cell.n > 0;
        buf_clear(value);
        if (found)
            buf_add(value, cell.data, cell.n);
    }
    buf_fini(&cell);
    buf_fini(&scratch);
    return found;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char find_delimiter(const char *data, size_t n, const char *column)
{
    size_t start = 0, end;

    while (start < n && (is_blank(data[start]) || data[start] == '\n'))
        start++;
    for (end = start; end < n && data[end] != '\n';)
        end++;
    while (end > start && is_blank(data[end - 1]))
        end--;
    for (const char *d = ",\t; "; *d; d++)
        if (end > start && memchr(data + start, *d, end - start))
            return *d == ' ' && strchr(column, ' ') ? ',' : *d;
    return ',';
}

/* The number from 1 of a column; 0 when there is none. Reads the first row. */
static size_t find_column(struct table *c, const char *column, bool *by_name)
{
    struct buf cell = { 0 };
    size_t at = 0, length = strlen(column);
    bool more = c->p < c->end;

    for (size_t i = 1; more; i++) {
        more = read_cell(c, &cell);
        if (!at && cell.n == length && memcmp(buf_text(&cell), column, length) == 0)
            at = i;
    }
    buf_fini(&cell);
    *by_name = at > 0;
    if (!at && length < 7 && strspn(column, "0123456789") == length)
        at = strtoul(column, NULL, 10);
    return at;
}

static bool read_row(struct table *c, size_t column, struct buf *cell, struct buf *scratch)
{
    bool has = false, more = true;

    for (size_t i = 1; more; i++) {
        more = read_cell(c, i == column ? cell : scratch);
        has = has || i == column;
    }
    return has;
}

static void skip_blanks(struct table *c)
{
    while (c->p < c->end && is_blank(*c->p) && (*c->p != c->delimiter || c->delimiter == ' '))
        c->p++;
}

static void read_quoted(struct table *c, struct buf *cell)
{
    for (c->p++; c->p < c->end; c->p++) {
        if (*c->p == '"' && c->p + 1 < c->end && c->p[1] == '"')
            c->p++;
        else if (*c->p == '"')
            break;
        buf_addc(cell, *c->p);
    }
    if (c->p < c->end)
        c->p++;
}

/* One cell without the blanks around it; false when it was the last one of its row. */
static bool read_cell(struct table *c, struct buf *cell)
{
    bool blank = c->delimiter == ' ';

    buf_clear(cell);
    skip_blanks(c);
    if (c->p < c->end && *c->p == '"')
        read_quoted(c, cell);
    const char *start = c->p;
    while (c->p < c->end && *c->p != c->delimiter && *c->p != '\n' && !(blank && is_blank(*c->p)))
        c->p++;
    const char *end = c->p;
    while (end > start && is_blank(end[-1]))
        end--;
    buf_add(cell, start, (size_t)(end - start));
    if (blank)
        skip_blanks(c);
    bool more = c->p < c->end && *c->p != '\n';
    if (c->p < c->end && (!blank || !more))
        c->p++;
    return more;
}
