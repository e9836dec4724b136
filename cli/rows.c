#include "cli/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/metric.h"

const char *rows_format_name(enum rows_format format)
{
    static const char *const names[N_ROWS_FORMATS] = { "table", "csv", "json" };
    return names[format];
}

static void add_csv(struct buf *out, const char *cell)
{
    if (!cell[strcspn(cell, ",\"\r\n")] && cell[0] != ' ' &&
        (!*cell || cell[strlen(cell) - 1] != ' ')) {
        buf_adds(out, cell);
        return;
    }
    buf_addc(out, '"');
    for (; *cell; cell++) {
        if (*cell == '"')
            buf_addc(out, '"');
        buf_addc(out, *cell);
    }
    buf_addc(out, '"');
}

static void csv_line(struct rows *r, const char *const *cells)
{
    buf_clear(&r->line);
    for (size_t i = 0; i < r->n_columns; i++) {
        if (i)
            buf_addc(&r->line, ',');
        add_csv(&r->line, cells[i] ? cells[i] : "");
    }
    buf_addc(&r->line, '\n');
    fwrite(r->line.data, 1, r->line.n, r->to);
}

static void add_number(struct buf *out, const char *text)
{
    if (metric_spelled_as_json(text, strlen(text))) {
        buf_adds(out, text);
        return;
    }
    char *end, shortest[40];
    double value = strtod(text, &end);
    if (*end || !isfinite(value)) {
        buf_add_json(out, text, strlen(text));
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(shortest, sizeof shortest, "%.*g", digits, value);
        if (!(strtod(shortest, NULL) < value || strtod(shortest, NULL) > value))
            break;
    }
    buf_adds(out, shortest);
}

static void json_line(struct rows *r, const char *const *cells, const bool *number)
{
    buf_clear(&r->line);
    buf_adds(&r->line, r->some ? ",\n  {" : "\n  {");
    for (size_t i = 0; i < r->n_columns; i++) {
        if (i)
            buf_adds(&r->line, ", ");
        buf_add_json(&r->line, r->names[i], strlen(r->names[i]));
        buf_adds(&r->line, ": ");
        if (!cells[i])
            buf_adds(&r->line, "null");
        else if (number[i])
            add_number(&r->line, cells[i]);
        else
            buf_add_json(&r->line, cells[i], strlen(cells[i]));
    }
    buf_addc(&r->line, '}');
    fwrite(r->line.data, 1, r->line.n, r->to);
}

void rows_begin(struct rows *r, enum rows_format format, FILE *to, unsigned fit, size_t n_columns,
                const char *const *names)
{
    *r = (struct rows){
        .format = format, .to = to, .started = true, .n_columns = n_columns, .names = names
    };
    if (format == ROWS_TABLE)
        table_open(&r->table, to, fit, n_columns, names);
    else if (format == ROWS_CSV)
        csv_line(r, names);
    else
        fputc('[', to);
}

void rows_add(struct rows *r, const char *const *cells, const bool *number)
{
    if (r->format == ROWS_TABLE)
        table_row(&r->table, cells, number);
    else if (r->format == ROWS_CSV)
        csv_line(r, cells);
    else
        json_line(r, cells, number);
    r->some = true;
}

void rows_end(struct rows *r)
{
    if (!r->started)
        return;
    if (r->format == ROWS_TABLE)
        table_close(&r->table);
    else if (r->format == ROWS_JSON)
        fputs(r->some ? "\n]\n" : "]\n", r->to);
    buf_fini(&r->line);
    r->started = false;
}
