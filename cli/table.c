#include "cli/table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/progress.h"

static void hold(struct table *t, const char *text);
static void print_row(struct table *t, const char *const *cells);
static void print_held(struct table *t);

void table_open(struct table *t, FILE *to, bool cut, size_t n_columns, const char *const *headings)
{
    *t = (struct table){ .to = to, .cut = cut, .n_columns = n_columns };
    t->columns = calloc(n_columns + 1, sizeof *t->columns);
    must(t->columns);
    for (size_t i = 0; i < n_columns; i++)
        hold(t, headings[i]);
    t->n_rows = 1;
}

void table_row(struct table *t, const char *const *cells, const bool *number)
{
    if (t->widths_known) {
        print_row(t, cells);
        return;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        bool is_text = cells[i] && cells[i][0] && !(number && number[i]);
        t->columns[i].text = t->columns[i].text || is_text;
        hold(t, cells[i] ? cells[i] : "");
    }
    if (++t->n_rows > TABLE_LOOK)
        print_held(t);
}

void table_close(struct table *t)
{
    print_held(t);
    free(t->columns);
    buf_fini(&t->held);
    buf_fini(&t->line);
}

static void hold(struct table *t, const char *text)
{
    buf_add(&t->held, text, strlen(text) + 1);
}

/* Columns that a text takes on a terminal: its characters. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static size_t limit(const struct table *t, size_t column)
{
    return t->cut && t->columns[column].text ? TABLE_CELL_MAX : UINT_MAX;
}

static void find_widths(struct table *t)
{
    const char *at = t->held.data;
    for (size_t row = 0; row < t->n_rows; row++)
        for (size_t i = 0; i < t->n_columns; i++) {
            size_t width = width_of(at), most = limit(t, i);
            width = width > most ? most : width;
            if (width > t->columns[i].width)
                t->columns[i].width = width;
            at += strlen(at) + 1;
        }
}

static void print_held(struct table *t)
{
    if (t->widths_known)
        return;
    t->widths_known = true;
    find_widths(t);
    const char **cells = calloc(t->n_columns + 1, sizeof *cells);
    must(cells);
    const char *at = t->held.data;
    for (size_t row = 0; row < t->n_rows; row++) {
        for (size_t i = 0; i < t->n_columns; i++) {
            cells[i] = at;
            at += strlen(at) + 1;
        }
        print_row(t, cells);
    }
    free(cells);
    buf_fini(&t->held);
}

/* A text that is too long ends in "...". */
static void add_cell(struct table *t, const char *text, size_t most)
{
    bool too_long = most != UINT_MAX && width_of(text) > most;
    progress_fit(text, (unsigned)(too_long ? most - 3 : UINT_MAX), &t->line);
    if (too_long)
        buf_adds(&t->line, "...");
}

static void pad(struct table *t, size_t n)
{
    while (n--)
        buf_addc(&t->line, ' ');
}

static void print_row(struct table *t, const char *const *cells)
{
    buf_clear(&t->line);
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct table_column *c = &t->columns[i];
        const char *text = cells[i] ? cells[i] : "";
        size_t most = limit(t, i), width = width_of(text);
        width = width > most ? most : width;
        size_t space = width < c->width ? c->width - width : 0;
        if (i)
            pad(t, 2);
        if (!c->text)
            pad(t, space);
        add_cell(t, text, most);
        if (c->text && i + 1 < t->n_columns)
            pad(t, space);
    }
    while (t->line.n && t->line.data[t->line.n - 1] == ' ')
        t->line.data[--t->line.n] = '\0';
    buf_addc(&t->line, '\n');
    fwrite(t->line.data, 1, t->line.n, t->to);
}
