#include "study/factor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/must.h"
#include "study/csv.h"
#include "study/text.h"

enum { NAME_SHOWN_MAX = NAME_BYTES_MAX + 16 };

static enum err add_member(struct factors *c, const char *text, struct fault *f);
static enum err add_named(struct factors *c, const char *text, struct fault *f);
static enum err add_table(struct factors *c, const char *path, struct fault *f);
static enum err add_zip(struct factors *c, const char *text, struct fault *f);
static enum err check_name(const struct factors *c, const char *name, const char *where,
                           struct fault *f);
static enum err close_group(struct factors *c, size_t first, const char *text, struct fault *f);
static enum err check_repeats(const struct factors *c, const struct group *g, struct fault *f);

void factors_init(struct factors *c, struct arena *a, struct file_reader reader)
{
    *c = (struct factors){ .arena = a, .reader = reader };
    c->factors = arena_array(a, FACTORS_MAX, sizeof *c->factors);
    c->groups = arena_array(a, FACTORS_MAX, sizeof *c->groups);
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

enum err factors_add(struct factors *c, const char *text, struct fault *f)
{
    size_t first = c->n_factors;
    const char *t = skip_blanks(text);
    enum err err = *t == '(' ? add_zip(c, t, f) : add_member(c, t, f);

    return err ? err : close_group(c, first, text, f);
}

enum err factors_add_list(struct factors *c, const char *const *values, struct fault *f)
{
    size_t first = c->n_factors;
    uint64_t n = 0;
    char name[16], what[32];

    snprintf(name, sizeof name, "%zu", ++c->n_lists);
    snprintf(what, sizeof what, "list %s", name);
    while (values[n])
        n++;
    if (n == 0)
        return fault_set(f, ERR_USAGE, "%s (behind :::) is empty; give it at least one value",
                         what);
    if (c->n_factors == FACTORS_MAX)
        return fault_set(f, ERR_LIMIT, "there are more than %d factors", FACTORS_MAX);
    struct factor *factor = &c->factors[c->n_factors];
    enum err err = gen_take_values(c->arena, what, values, n, &factor->gen, f);
    if (err)
        return err;
    factor->name = arena_text(c->arena, name);
    c->n_factors++;
    return close_group(c, first, what, f);
}

/* One factor or one table; alone or within a zip. */
static enum err add_member(struct factors *c, const char *text, struct fault *f)
{
    return *text == '@' ? add_table(c, text + 1, f) : add_named(c, text, f);
}

static enum err add_named(struct factors *c, const char *text, struct fault *f)
{
    const char *equals = strchr(text, '=');
    char what[NAME_SHOWN_MAX];

    if (!equals)
        return fault_set(
            f, ERR_USAGE,
            "'%s' is no factor; write NAME=VALUES, for example T=280:320:10 or n=1,2,4, "
            "or @TABLE.csv",
            CLIP(text));
    size_t n = (size_t)(equals - text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    const char *name = arena_bytes(c->arena, text, n);
    enum err err = check_name(c, name, "", f);
    if (err)
        return err;
    struct factor *factor = &c->factors[c->n_factors];
    snprintf(what, sizeof what, "factor '%s'", name);
    err = gen_parse(c->arena, &c->reader, what, equals + 1, &factor->gen, f);
    if (err)
        return err;
    factor->name = name;
    c->n_factors++;
    return ERR_NONE;
}

static bool is_plain_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return *name && strchr(letters, *name) && name[strspn(name, rest)] == '\0';
}

static enum err check_name(const struct factors *c, const char *name, const char *where,
                           struct fault *f)
{
    static const char *const reserved[] = { "rep", "out", "study" };

    if (strlen(name) > NAME_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "%sthe factor name '%s' has more than %d bytes", where,
                         CLIP(name), NAME_BYTES_MAX);
    if (!is_plain_name(name))
        return fault_set(f, ERR_USAGE,
                         "%s'%s' is no name of a factor; use letters, digits and _, and start with "
                         "a letter",
                         where, name);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(name, reserved[i]) == 0)
            return fault_set(
                f, ERR_USAGE,
                "%sa factor cannot be named '%s': {%s} has a meaning of its own; choose "
                "another name",
                where, name, name);
    }
    for (size_t j = 0; j < c->n_factors; j++) {
        if (strcmp(name, c->factors[j].name) == 0)
            return fault_set(f, ERR_USAGE,
                             "%sfactor '%s' is given twice; give it once, with all its values",
                             where, name);
        if (strcasecmp(name, c->factors[j].name) == 0)
            return fault_set(f, ERR_USAGE,
                             "%sfactors '%s' and '%s' differ only in upper and lower case, which "
                             "the columns of the results cannot; give one of them another name",
                             where, c->factors[j].name, name);
    }
    if (c->n_factors == FACTORS_MAX)
        return fault_set(f, ERR_LIMIT, "%sthere are more than %d factors", where, FACTORS_MAX);
    return ERR_NONE;
}

/* The header names the factors of the table, in order. */
static enum err add_header(struct factors *c, const struct csv *header, const char *path,
                           struct fault *f)
{
    char where[CLIP_BYTES + 60];
    size_t first = c->n_factors;

    snprintf(where, sizeof where, "table '%s', line %llu: ", CLIP(path),
             (unsigned long long)header->line);
    for (size_t i = 0; i < header->n; i++) {
        for (size_t j = first; j < c->n_factors; j++) {
            if (strcmp(header->cells[i], c->factors[j].name) == 0)
                return fault_set(f, ERR_USAGE,
                                 "%sthe header names '%s' twice, in columns %zu and %zu", where,
                                 CLIP(header->cells[i]), j - first + 1, i + 1);
        }
        enum err err = check_name(c, header->cells[i], where, f);
        if (err)
            return err;
        c->factors[c->n_factors] =
            (struct factor){ .name = arena_text(c->arena, header->cells[i]) };
        c->n_factors++;
    }
    return ERR_NONE;
}

static enum err check_rows(struct csv *csv, size_t width, const char *path, uint64_t *n,
                           struct fault *f)
{
    *n = 0;
    while (csv_row(csv)) {
        if (csv->n != width)
            return fault_set(f, ERR_USAGE,
                             "table '%s', line %llu: %zu cell%s, but the header names %zu factor%s",
                             CLIP(path), (unsigned long long)csv->line, csv->n,
                             csv->n == 1 ? "" : "s", width, width == 1 ? "" : "s");
        ++*n;
    }
    if (csv->wrong)
        return fault_set(f, ERR_USAGE, "table '%s', line %llu: %s", CLIP(path),
                         (unsigned long long)csv->line, csv->wrong);
    if (*n == 0)
        return fault_set(f, ERR_USAGE, "table '%s' is empty: it has no row below its header",
                         CLIP(path));
    return ERR_NONE;
}

/* Cells in row order, copied into columns. */
static enum err fill_columns(struct factors *c, size_t first, struct csv *csv, uint64_t n_rows,
                             const char *path, struct fault *f)
{
    size_t width = c->n_factors - first;

    for (size_t j = 0; j < width; j++)
        c->factors[first + j].gen =
            (struct gen){ .kind = GEN_LIST,
                          .n = n_rows,
                          .numeric = true,
                          .values = arena_array(c->arena, n_rows, sizeof(char *)) };
    for (uint64_t row = 0; row < n_rows && csv_row(csv); row++) {
        for (size_t j = 0; j < width; j++) {
            struct gen *g = &c->factors[first + j].gen;
            size_t bytes = strlen(csv->cells[j]);
            if (bytes > VALUE_BYTES_MAX)
                return fault_set(
                    f, ERR_LIMIT,
                    "table '%s', line %llu: the value of '%s' has %zu bytes, the limit "
                    "is %d",
                    CLIP(path), (unsigned long long)csv->line, c->factors[first + j].name, bytes,
                    VALUE_BYTES_MAX);
            g->values[row] = arena_bytes(c->arena, csv->cells[j], bytes);
            g->numeric = g->numeric && decimal_is_number(csv->cells[j], bytes);
        }
    }
    return ERR_NONE;
}

static enum err add_table(struct factors *c, const char *path, struct fault *f)
{
    size_t first = c->n_factors, n, length = strlen(path);
    const char *data;
    uint64_t n_rows;
    struct csv csv;

    while (length > 0 && (path[length - 1] == ' ' || path[length - 1] == '\t'))
        length--;
    path = arena_bytes(c->arena, path, length);
    if (*path == '\0')
        return fault_set(f, ERR_USAGE, "the file name of a table is missing behind @");
    enum err err = c->reader.read(c->reader.context, path, &data, &n, f);
    if (err)
        return err;
    csv_init(&csv, data, n);
    if (csv_row(&csv))
        err = add_header(c, &csv, path, f);
    else if (!csv.wrong)
        err = fault_set(f, ERR_USAGE, "table '%s' is empty: its first line should name factors",
                        CLIP(path));
    if (!err)
        err = check_rows(&csv, c->n_factors - first, path, &n_rows, f);
    csv_fini(&csv);
    if (err)
        return err;
    csv_init(&csv, data, n);
    csv_row(&csv);
    err = fill_columns(c, first, &csv, n_rows, path, f);
    csv_fini(&csv);
    return err;
}

/* A plus sign separates members of a zip where a table or NAME= follows it; 1e+3 is a number. */
static bool is_separator(const char *plus)
{
    const char *p = skip_blanks(plus + 1);
    size_t n = 0;

    while (p[n] == '_' || (p[n] >= '0' && p[n] <= '9') || (p[n] >= 'a' && p[n] <= 'z') ||
           (p[n] >= 'A' && p[n] <= 'Z'))
        n++;
    return *p == '@' || (n > 0 && *skip_blanks(p + n) == '=');
}

static const char *member_end(const char *p)
{
    bool quoted = false;

    for (; *p; p++) {
        if (*p == '"')
            quoted = !quoted;
        if (*p == '+' && !quoted && is_separator(p))
            break;
    }
    return p;
}

static enum err add_zip(struct factors *c, const char *text, struct fault *f)
{
    size_t n = strlen(text);

    while (n > 1 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    if (text[n - 1] != ')')
        return fault_set(f, ERR_USAGE, "zip '%s' has no ) at its end; write (a=1,2 + b=x,y)",
                         CLIP(text));
    const char *p = skip_blanks(arena_bytes(c->arena, text + 1, n - 2));
    for (;;) {
        const char *end = member_end(p);
        enum err err = add_member(c, arena_bytes(c->arena, p, (size_t)(end - p)), f);
        if (err)
            return err;
        if (*end == '\0')
            return ERR_NONE;
        p = skip_blanks(end + 1);
    }
}

static enum err close_group(struct factors *c, size_t first, const char *text, struct fault *f)
{
    const struct factor *lead = &c->factors[first];
    struct group *g = &c->groups[c->n_groups];

    *g = (struct group){ .first = first, .n_factors = c->n_factors - first, .n = lead->gen.n };
    for (size_t j = first; j < c->n_factors && g->n_factors > 1; j++) {
        const struct factor *factor = &c->factors[j];
        if (gen_is_span(&factor->gen))
            return fault_set(
                f, ERR_USAGE,
                "zip '%s': '%s' is continuous and cannot be zipped; give it on its own", CLIP(text),
                factor->name);
        if (factor->gen.n != g->n)
            return fault_set(
                f, ERR_USAGE,
                "zip '%s': '%s' has %llu values, '%s' has %llu; zipped factors need the "
                "same number",
                CLIP(text), lead->name, (unsigned long long)lead->gen.n, factor->name,
                (unsigned long long)factor->gen.n);
    }
    c->n_groups++;
    return check_repeats(c, g, f);
}

struct row {
    uint64_t hash[2];
    uint64_t i;
};

static int row_compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    for (int k = 0; k < 2; k++) {
        if (x->hash[k] != y->hash[k])
            return x->hash[k] < y->hash[k] ? -1 : 1;
    }
    return x->i < y->i ? -1 : x->i > y->i;
}

static void row_text(const struct factors *c, const struct group *g, uint64_t i, struct buf *out)
{
    for (size_t j = 0; j < g->n_factors; j++) {
        buf_adds(out, c->factors[g->first + j].gen.values[i]);
        buf_addc(out, '\0');
    }
}

static enum err say_repeat(const struct factors *c, const struct group *g, uint64_t i, uint64_t k,
                           struct fault *f)
{
    const struct factor *factor = &c->factors[g->first];
    bool list = factor->name[0] >= '0' && factor->name[0] <= '9';

    if (g->n_factors > 1)
        return fault_set(
            f, ERR_USAGE,
            "rows %llu and %llu of the factors '%s', ... are the same; leave one out, or "
            "use --reps to run each point several times",
            (unsigned long long)i + 1, (unsigned long long)k + 1, factor->name);
    return fault_set(f, ERR_USAGE,
                     "%s '%s' has the value '%s' twice; leave one out, or use --reps to run each "
                     "point several times",
                     list ? "list" : "factor", factor->name, CLIP(factor->gen.values[i]));
}

/* A study is a set of points: rows of a list or table that are the same would be one point. */
static enum err check_repeats(const struct factors *c, const struct group *g, struct fault *f)
{
    enum err err = ERR_NONE;
    struct buf text = { 0 };

    for (size_t j = 0; j < g->n_factors; j++) {
        if (c->factors[g->first + j].gen.kind != GEN_LIST)
            return ERR_NONE; /* a range never repeats, so neither do the rows */
    }
    struct row *rows = malloc((g->n + 1) * sizeof *rows);
    must(rows != NULL);
    for (uint64_t i = 0; i < g->n; i++) {
        buf_clear(&text);
        row_text(c, g, i, &text);
        hash128(text.data, text.n, rows[i].hash);
        rows[i].i = i;
    }
    qsort(rows, g->n, sizeof *rows, row_compare);
    for (uint64_t i = 1; i < g->n && !err; i++) {
        if (memcmp(rows[i].hash, rows[i - 1].hash, sizeof rows->hash) == 0)
            err = say_repeat(c, g, rows[i - 1].i, rows[i].i, f);
    }
    free(rows);
    buf_fini(&text);
    return err;
}
