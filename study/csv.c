#include "study/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void skip_empty_lines(struct csv *c);
static bool read_cell(struct csv *c);
static void read_plain(struct csv *c);
static bool read_quoted(struct csv *c);
static void start_cell(struct csv *c);
static bool end_of_line(struct csv *c);

void csv_init(struct csv *c, const char *text, size_t n)
{
    *c = (struct csv){ .at = text, .end = text + n, .next_line = 1 };
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c->at += 3;
}

bool csv_row(struct csv *c)
{
    bool more = true;

    c->n = 0;
    buf_clear(&c->text);
    skip_empty_lines(c);
    c->line = c->next_line;
    if (c->wrong || c->at == c->end)
        return false;
    while (more) {
        if (!read_cell(c))
            return false;
        more = c->at < c->end && *c->at == ',';
        if (more)
            c->at++;
    }
    end_of_line(c);
    for (size_t i = 0; i < c->n; i++)
        c->cells[i] = c->text.data + c->starts[i];
    return true;
}

void csv_fini(struct csv *c)
{
    buf_fini(&c->text);
    free(c->starts);
    free(c->cells);
    *c = (struct csv){ 0 };
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_empty_lines(struct csv *c)
{
    for (;;) {
        const char *line = c->at;
        while (c->at < c->end && is_blank(*c->at))
            c->at++;
        if (c->at < c->end && end_of_line(c))
            continue;
        if (c->at < c->end)
            c->at = line;
        return;
    }
}

/* Takes a line end, if one is here. A lone CR is one too, as old spreadsheets write it. */
static bool end_of_line(struct csv *c)
{
    if (c->at == c->end || (*c->at != '\n' && *c->at != '\r'))
        return false;
    if (*c->at == '\r' && c->end - c->at > 1 && c->at[1] == '\n')
        c->at++;
    c->at++;
    c->next_line++;
    return true;
}

static bool read_cell(struct csv *c)
{
    bool ok = true;

    start_cell(c);
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
    if (c->at < c->end && *c->at == '"')
        ok = read_quoted(c);
    else
        read_plain(c);
    buf_addc(&c->text, '\0');
    return ok;
}

static void start_cell(struct csv *c)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->starts = realloc(c->starts, c->cap * sizeof *c->starts);
        c->cells = realloc(c->cells, c->cap * sizeof *c->cells);
        must(c->starts && c->cells);
    }
    c->starts[c->n++] = c->text.n;
}

static void read_plain(struct csv *c)
{
    const char *start = c->at;

    while (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r')
        c->at++;
    const char *end = c->at;
    while (end > start && is_blank(end[-1]))
        end--;
    buf_add(&c->text, start, (size_t)(end - start));
}

static bool read_quoted(struct csv *c)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '"' && (c->end - c->at < 2 || c->at[1] != '"'))
            break;
        if (*c->at == '"')
            c->at++;
        if (*c->at == '\n')
            c->next_line++;
        buf_addc(&c->text, *c->at);
    }
    if (c->at == c->end) {
        c->wrong = "a quote is never closed";
        return false;
    }
    c->at++;
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
    if (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r') {
        c->wrong = "text follows a closing quote";
        return false;
    }
    return true;
}
