#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "study/factor.h"
#include "study/text.h"

static enum err parse_file(struct arena *a, const struct file_reader *reader, const char *what,
                           const char *path, struct gen *g, struct fault *f);
static enum err parse_list(struct arena *a, const char *what, const char *text, struct gen *g,
                           struct fault *f);
static enum err parse_range(const char *what, const char *text, struct gen *g, struct fault *f);
static enum err parse_spaced(struct arena *a, const char *what, const char *text, struct gen *g,
                             struct fault *f);
static enum err parse_span(struct arena *a, const char *what, const char *text, struct gen *g,
                           struct fault *f);
static bool looks_like_range(const char *text);
static bool looks_like_span(const char *text);
static bool looks_spaced(const char *text);

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Without blanks around; in the arena. */
static char *trimmed(struct arena *a, const char *text, size_t n)
{
    while (n > 0 && is_blank(*text)) {
        text++;
        n--;
    }
    while (n > 0 && is_blank(text[n - 1]))
        n--;
    return arena_bytes(a, text, n);
}

enum err gen_parse(struct arena *a, const struct file_reader *reader, const char *what,
                   const char *text, struct gen *g, struct fault *f)
{
    const char *t = trimmed(a, text, strlen(text));

    *g = (struct gen){ 0 };
    if (*t == '\0')
        return fault_set(f, ERR_USAGE,
                         "%s is empty; give it values, for example 1,2,4 or 280:320:10", what);
    if (*t == '@')
        return parse_file(a, reader, what, t + 1, g, f);
    if (looks_spaced(t))
        return parse_spaced(a, what, t, g, f);
    if (looks_like_span(t))
        return parse_span(a, what, t, g, f);
    if (looks_like_range(t))
        return parse_range(what, t, g, f);
    return parse_list(a, what, t, g, f);
}

enum err gen_take_values(struct arena *a, const char *what, const char *const *values, uint64_t n,
                         struct gen *g, struct fault *f)
{
    const char **copies = arena_array(a, n, sizeof *copies);

    *g = (struct gen){ .kind = GEN_LIST, .n = n, .values = copies, .numeric = true };
    for (uint64_t i = 0; i < n; i++) {
        size_t bytes = strlen(values[i]);
        if (bytes > VALUE_BYTES_MAX)
            return fault_set(
                f, ERR_LIMIT,
                "%s: value %llu has %zu bytes, the limit is %d; put it into a file and "
                "give the file's name",
                what, (unsigned long long)i + 1, bytes, VALUE_BYTES_MAX);
        g->numeric = g->numeric && decimal_is_number(values[i], bytes);
        copies[i] = arena_bytes(a, values[i], bytes);
    }
    return ERR_NONE;
}

/* struct values - values while their number is not known. They are borrowed. */
struct values {
    const char **items;
    uint64_t n, cap;
};

static void values_add(struct values *v, const char *item)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 16;
        v->items = realloc(v->items, v->cap * sizeof *v->items);
        must(v->items != NULL);
    }
    v->items[v->n++] = item;
}

static enum err parse_file(struct arena *a, const struct file_reader *reader, const char *what,
                           const char *path, struct gen *g, struct fault *f)
{
    struct values v = { 0 };
    const char *data;
    size_t n;

    if (*path == '\0')
        return fault_set(f, ERR_USAGE, "%s: a file name is missing behind @", what);
    enum err err = reader->read(reader->context, path, &data, &n, f);
    if (err)
        return err;
    char *text = malloc(n + 1);
    must(text != NULL);
    memcpy(text, data, n);
    text[n] = '\0';
    char *line = text;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    while (line && *line) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;
        if (!end)
            end = line + strlen(line);
        if (end > line && end[-1] == '\r')
            end--;
        *end = '\0';
        if (end > line)
            values_add(&v, line);
        line = next;
    }
    if (v.n == 0)
        err = fault_set(f, ERR_USAGE, "%s is empty: file '%s' has no line with a value in it", what,
                        CLIP(path));
    else
        err = gen_take_values(a, what, v.items, v.n, g, f);
    free(v.items);
    free(text);
    return err;
}

/* One item of a list from *at on: quoted as in CSV, or up to the next comma. In place: the text
 * becomes the item. */
static char *take_item(char **at, bool *quoted, bool *bad)
{
    char *p = *at, *item, *to;

    while (is_blank(*p))
        p++;
    *quoted = *p == '"';
    *bad = false;
    item = to = p;
    if (*quoted) {
        for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
            p += *p == '"';
            *to++ = *p;
        }
        *bad = *p != '"';
        p += *p == '"';
        while (is_blank(*p))
            p++;
        *bad = *bad || (*p && *p != ',');
    } else {
        p += strcspn(p, ",");
        to = p;
        while (to > item && is_blank(to[-1]))
            to--;
    }
    *at = *p == ',' ? p + 1 : NULL;
    *to = '\0';
    return item;
}

static enum err check_item(const char *what, const char *text, uint64_t i, const char *item,
                           struct fault *f)
{
    struct gen ignored;
    struct fault unused;

    if (*item == '\0')
        return fault_set(
            f, ERR_USAGE,
            "%s: item %llu of '%s' is empty; leave the comma out, or write \"\" for an "
            "empty value",
            what, (unsigned long long)i, CLIP(text));
    if (strchr(text, ',') && looks_like_range(item) &&
        parse_range(what, item, &ignored, &unused) == ERR_NONE)
        return fault_set(f, ERR_USAGE,
                         "%s: the range %s cannot be an item of a list; write all values out, or "
                         "\"%s\" in double quotes when it is a value",
                         what, CLIP(item), CLIP(item));
    return ERR_NONE;
}

static enum err parse_list(struct arena *a, const char *what, const char *text, struct gen *g,
                           struct fault *f)
{
    struct values v = { 0 };
    enum err err = ERR_NONE;
    char *copy = strdup(text), *at = copy;

    must(copy != NULL);
    while (at && !err) {
        bool quoted, bad;
        char *item = take_item(&at, &quoted, &bad);
        values_add(&v, item);
        if (bad)
            err = fault_set(f, ERR_USAGE,
                            "%s: item %llu of '%s' has a double quote that is not closed before "
                            "the next comma; write \"\" for one within quotes",
                            what, (unsigned long long)v.n, CLIP(text));
        else if (!quoted)
            err = check_item(what, text, v.n, item, f);
    }
    if (!err)
        err = gen_take_values(a, what, v.items, v.n, g, f);
    free(v.items);
    free(copy);
    return err;
}

/* Cuts text at each separator into at most max parts without blanks around; returns how many there
 * are. */
static size_t cut(char *text, const char *separator, char **parts, size_t max)
{
    size_t n = 0;

    while (text) {
        char *next = strstr(text, separator);
        if (next) {
            *next = '\0';
            next += strlen(separator);
        }
        while (is_blank(*text))
            text++;
        size_t length = strlen(text);
        while (length > 0 && is_blank(text[length - 1]))
            text[--length] = '\0';
        if (n < max)
            parts[n] = text;
        n++;
        text = next;
    }
    return n;
}

/* The first part starts like a number: 12:30 is a range, host:80 and /a:/b are values. */
static bool looks_like_range(const char *text)
{
    size_t sign = *text == '+' || *text == '-', point = text[sign] == '.';

    return is_digit(text[sign + point]) && strchr(text, ':') && !strchr(text, ',');
}

enum { RANGE_TEXT_MAX = 200 };

static enum err never_ends(const char *what, const char *text, char *parts[3], struct fault *f)
{
    struct decimal_range r;
    char step[RANGE_TEXT_MAX + 8];

    if (parts[2][0] == '-')
        snprintf(step, sizeof step, "%s", parts[2] + 1);
    else
        snprintf(step, sizeof step, "-%s", parts[2] + (parts[2][0] == '+'));
    must(decimal_range_parse(parts[0], parts[1], step, &r) == DECIMAL_OK); /* the other way */
    return fault_set(f, ERR_USAGE, "%s: '%s' never reaches %s; did you mean %s:%s:%s?", what, text,
                     parts[1], parts[0], parts[1], step);
}

static enum err parse_range(const char *what, const char *text, struct gen *g, struct fault *f)
{
    char copy[RANGE_TEXT_MAX + 1], one[] = "1", *parts[3] = { copy, copy, one };

    if (strlen(text) > RANGE_TEXT_MAX)
        return fault_set(f, ERR_USAGE, "%s: '%s' is too long for a range START:STOP:STEP", what,
                         CLIP(text));
    snprintf(copy, sizeof copy, "%s", text);
    size_t n = cut(copy, ":", parts, 3);
    if (n > 3)
        return fault_set(f, ERR_USAGE,
                         "%s: '%s' has %zu parts, a range is START:STOP or START:STOP:STEP; write "
                         "it in double quotes when it is a value",
                         what, text, n);
    *g = (struct gen){ .kind = GEN_RANGE, .numeric = true };
    switch (decimal_range_parse(parts[0], parts[1], parts[2], &g->range)) {
    case DECIMAL_NO_NUMBER:
        for (n = 0; n < 2 && decimal_is_number(parts[n], strlen(parts[n])); n++)
            ;
        return fault_set(f, ERR_USAGE,
                         "%s: '%s' is no number in the range '%s'; a range is START:STOP:STEP, for "
                         "example 280:320:10; write it in double quotes when it is a value",
                         what, parts[n], text);
    case DECIMAL_TOO_LARGE:
        return fault_set(f, ERR_LIMIT,
                         "%s: the range '%s' needs more than 18 digits; use lin(FROM,TO,N)", what,
                         text);
    case DECIMAL_NO_STEP:
        return fault_set(f, ERR_USAGE,
                         "%s: '%s' never reaches %s, its step is 0; did you mean %s:%s:1?", what,
                         text, parts[1], parts[0], parts[1]);
    case DECIMAL_NEVER_ENDS:
        return never_ends(what, text, parts, f);
    case DECIMAL_OK:
        break;
    }
    g->n = g->range.n;
    if (g->n == 1 && n == 2 && strtod(parts[0], NULL) < strtod(parts[1], NULL))
        return fault_set(f, ERR_USAGE,
                         "%s: '%s' has the step 1 and so the single value %s; say the step: "
                         "%s:%s:STEP",
                         what, text, parts[0], parts[0], parts[1]);
    return ERR_NONE;
}

static bool looks_spaced(const char *text)
{
    return starts_with(text, "lin(") || starts_with(text, "log(");
}

/* Both ends of lin, log and spans. */
static enum err parse_ends(struct arena *a, const char *what, const char *text, bool log,
                           char *const ends[2], struct gen *g, struct fault *f)
{
    double numbers[2];

    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(ends[i]);
        bool is_number = decimal_is_number(ends[i], length);
        numbers[i] = is_number ? strtod(ends[i], NULL) : 0;
        if (!is_number || !isfinite(numbers[i]))
            return fault_set(f, ERR_USAGE, "%s: '%s' in '%s' is %s", what, CLIP(ends[i]),
                             CLIP(text), is_number ? "too large a number" : "no number");
    }
    bool same_sign = (numbers[0] < 0 && numbers[1] < 0) || (numbers[0] > 0 && numbers[1] > 0);
    if (log && !same_sign)
        return fault_set(f, ERR_USAGE,
                         "%s: both ends of '%s' must have the same sign and not be 0 on a "
                         "logarithmic scale",
                         what, CLIP(text));
    g->from = numbers[0];
    g->to = numbers[1];
    g->first = arena_text(a, ends[0]);
    g->last = arena_text(a, ends[1]);
    g->numeric = true;
    return ERR_NONE;
}

static enum err parse_spaced(struct arena *a, const char *what, const char *text, struct gen *g,
                             struct fault *f)
{
    char *copy = arena_text(a, text), *parts[3] = { 0 }, *end;
    bool log = starts_with(text, "log(");

    bool closed = copy[strlen(copy) - 1] == ')';
    copy[strlen(copy) - 1] = '\0';
    if (!closed || cut(copy + 4, ",", parts, 3) != 3)
        return fault_set(f, ERR_USAGE, "%s: '%s' should be %.3s(FROM,TO,N), for example %s", what,
                         CLIP(text), text, log ? "log(1e-3,1e-1,5)" : "lin(0,1,11)");
    g->kind = log ? GEN_LOG : GEN_LIN;
    enum err err = parse_ends(a, what, text, log, parts, g, f);
    if (err)
        return err;
    unsigned long long n = is_digit(parts[2][0]) ? strtoull(parts[2], &end, 10) : 0;
    if (n == 0 || *end)
        return fault_set(f, ERR_USAGE,
                         "%s: '%s' in '%s' should be how many values there are, 1 or more", what,
                         CLIP(parts[2]), CLIP(text));
    if (n > 1 && g->from == g->to)
        return fault_set(f, ERR_USAGE, "%s: '%s' gives the same value %llu times", what, CLIP(text),
                         n);
    g->n = n;
    return ERR_NONE;
}

static bool looks_like_span(const char *text)
{
    size_t sign = *text == '+' || *text == '-', point = text[sign] == '.';

    if (strchr(text, ','))
        return false;
    return starts_with(text, "log:") || (strstr(text, "..") && is_digit(text[sign + point]));
}

static enum err parse_span(struct arena *a, const char *what, const char *text, struct gen *g,
                           struct fault *f)
{
    bool log = starts_with(text, "log:");
    char *copy = arena_text(a, log ? text + 4 : text), *ends[2] = { 0 };

    if (cut(copy, "..", ends, 2) != 2)
        return fault_set(
            f, ERR_USAGE,
            "%s: '%s' should be FROM..TO; write it in double quotes when it is a value", what,
            CLIP(text));
    g->kind = log ? GEN_LOG_SPAN : GEN_SPAN;
    enum err err = parse_ends(a, what, text, log, ends, g, f);
    if (!err && g->from == g->to)
        err = fault_set(f, ERR_USAGE, "%s: '%s' ends where it starts; did you mean the value %s?",
                        what, CLIP(text), CLIP(ends[0]));
    return err;
}

static double between(const struct gen *g, double t)
{
    if (g->kind == GEN_LIN || g->kind == GEN_SPAN)
        return g->from * (1 - t) + g->to * t;
    double size = exp(log(fabs(g->from)) * (1 - t) + log(fabs(g->to)) * t);
    return g->from < 0 ? -size : size;
}

static void add_number(struct buf *out, double v)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%.12g", v);

    buf_add(out, text, (size_t)n);
}

void gen_add(const struct gen *g, uint64_t i, struct buf *out)
{
    must(i < g->n);
    if (g->kind == GEN_LIST)
        buf_adds(out, g->values[i]);
    else if (g->kind == GEN_RANGE)
        decimal_range_add(&g->range, i, out);
    else if (i == 0)
        buf_adds(out, g->first);
    else if (i == g->n - 1)
        buf_adds(out, g->last);
    else
        add_number(out, between(g, (double)i / (double)(g->n - 1)));
}

void gen_add_share(const struct gen *g, double u, struct buf *out)
{
    add_number(out, between(g, u));
}

void factor_add_item(struct buf *out, const char *value)
{
    size_t n = strlen(value);
    bool plain = n > 0 && !strpbrk(value, ",\"") && !is_blank(value[0]) &&
                 !is_blank(value[n - 1]) && value[0] != '@' && !looks_spaced(value) &&
                 !looks_like_span(value) && !looks_like_range(value) && !strpbrk(value, "()+\r\n");

    if (plain) {
        buf_adds(out, value);
        return;
    }
    buf_addc(out, '"');
    for (; *value; value++) {
        if (*value == '"')
            buf_addc(out, '"');
        buf_addc(out, *value);
    }
    buf_addc(out, '"');
}
