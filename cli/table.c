#include "cli/table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/terminal.h"

static void hold(struct table *t, const char *text);
static void print_row(struct table *t, const char *const *cells);
static void print_held(struct table *t);

void table_open(struct table *t, FILE *to, unsigned fit, size_t n_columns,
                const char *const *headings)
{
    *t = (struct table){ .to = to, .fit = fit, .n_columns = n_columns };
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

static size_t whole_width(const struct table *t)
{
    size_t all = 2 * (t->n_columns - 1);
    for (size_t i = 0; i < t->n_columns; i++)
        all += t->columns[i].width;
    return all;
}

/* The widest text that may still be cut, or NULL. */
static struct table_column *widest(struct table *t)
{
    struct table_column *best = NULL;
    for (size_t i = 0; i < t->n_columns; i++) {
        struct table_column *c = &t->columns[i];
        if (c->text && c->width > TABLE_CELL_MIN && (!best || c->width > best->width))
            best = c;
    }
    return best;
}

/* Rows that cannot fit are left as they are: to cut texts would help nobody. */
static void make_fit(struct table *t)
{
    size_t least = whole_width(t);
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].text && t->columns[i].width > TABLE_CELL_MIN)
            least -= t->columns[i].width - TABLE_CELL_MIN;
    while (least <= t->fit && whole_width(t) > t->fit) {
        struct table_column *c = widest(t);
        c->most = --c->width;
    }
}

static void find_widths(struct table *t)
{
    const char *at = t->held.data;
    for (size_t i = 0; i < t->n_columns; i++)
        t->columns[i].most = t->fit && t->columns[i].text ? TABLE_CELL_MAX : UINT_MAX;
    for (size_t row = 0; row < t->n_rows; row++)
        for (size_t i = 0; i < t->n_columns; i++) {
            size_t width = terminal_columns(at), most = t->columns[i].most;
            width = width > most ? most : width;
            if (width > t->columns[i].width)
                t->columns[i].width = width;
            at += strlen(at) + 1;
        }
    if (t->fit)
        make_fit(t);
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
        size_t width = terminal_columns(text);
        width = width > c->most ? c->most : width;
        size_t space = width < c->width ? c->width - width : 0;
        if (i)
            pad(t, 2);
        if (!c->text)
            pad(t, space);
        terminal_cut(text, c->most, &t->line);
        if (c->text && i + 1 < t->n_columns)
            pad(t, space);
    }
    while (t->line.n && t->line.data[t->line.n - 1] == ' ')
        t->line.data[--t->line.n] = '\0';
    buf_addc(&t->line, '\n');
    fwrite(t->line.data, 1, t->line.n, t->to);
}
