#include "study/metric.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/must.h"
#include "study/extract.h"
#include "study/impl.h"

enum metric_kind { METRIC_REGEX, METRIC_JSON, METRIC_CSV };
enum metric_source { FROM_STDOUT, FROM_STDERR, FROM_FILE };

struct metric {
    char *text, *name;
    char *file;  /* FROM_FILE */
    char *where; /* the pattern, the path, the column */
    enum metric_kind kind;
    enum metric_source source;
    struct pattern *pattern; /* METRIC_REGEX */
};

static enum err parse_name(const char *text, struct metric *m, struct fault *f);
static enum err parse_source(const char *text, struct metric *m, struct fault *f);
static enum err parse_where(struct metric *m, struct fault *f);

static const char forms[] = "regex:PATTERN, regex@stderr:PATTERN, regex@FILE:PATTERN, "
                            "json:FILE:PATH or csv:FILE:COLUMN";

enum err metric_parse(const char *text, struct metric **out, struct fault *f)
{
    struct metric *m = calloc(1, sizeof *m);
    must(m);
    m->text = strdup(text);
    must(m->text);
    enum err err = parse_name(text, m, f);
    if (err == ERR_NONE)
        err = parse_source(text + strlen(m->name) + 1, m, f);
    if (err == ERR_NONE)
        err = parse_where(m, f);
    if (err != ERR_NONE) {
        metric_free(m);
        return err;
    }
    *out = m;
    return ERR_NONE;
}

void metric_free(struct metric *m)
{
    if (!m)
        return;
    pattern_free(m->pattern);
    free(m->text);
    free(m->name);
    free(m->file);
    free(m->where);
    free(m);
}

const char *metric_name(const struct metric *m)
{
    return m->name;
}

const char *metric_text(const struct metric *m)
{
    return m->text;
}

bool metric_needs_dir(const struct metric *m)
{
    return m->source == FROM_FILE && m->file[0] != '/';
}

static char *copy(const char *text, size_t n)
{
    char *c = strndup(text, n);
    must(c);
    return c;
}

static enum err parse_name(const char *text, struct metric *m, struct fault *f)
{
    size_t n = strcspn(text, "=");
    if (text[n] != '=')
        return fault_set(f, ERR_USAGE, "metric '%s' must be NAME=KIND:...; KIND... is %s", text,
                         forms);
    m->name = copy(text, n);
    bool ok = n > 0 && !isdigit((unsigned char)text[0]);
    for (size_t i = 0; i < n; i++)
        ok = ok && (isalnum((unsigned char)text[i]) || text[i] == '_');
    if (!ok)
        return fault_set(f, ERR_USAGE,
                         "metric '%s': its name '%s' must be made of letters, digits and _, and "
                         "not start with a digit",
                         text, m->name);
    if (n > NAME_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "metric '%s': its name is longer than %d bytes", text,
                         NAME_BYTES_MAX);
    return ERR_NONE;
}

/* regex[@SOURCE]:PATTERN, json:SOURCE:PATH, csv:SOURCE:COLUMN */
static enum err parse_source(const char *text, struct metric *m, struct fault *f)
{
    const char *colon = strchr(text, ':'), *source = "";
    size_t kind_bytes = strcspn(text, ":@"), source_bytes = 0;
    static const char *const kinds[] = { "regex", "json", "csv" };
    int kind = -1;

    for (int i = 0; i < 3; i++)
        if (strlen(kinds[i]) == kind_bytes && strncmp(text, kinds[i], kind_bytes) == 0)
            kind = i;
    if (kind < 0 || !colon || (text[kind_bytes] == '@' && kind != METRIC_REGEX))
        return fault_set(f, ERR_USAGE, "metric '%s': '%s' must be one of %s", m->name, text, forms);
    m->kind = (enum metric_kind)kind;
    if (kind == METRIC_REGEX && text[kind_bytes] == '@') {
        source = text + kind_bytes + 1;
        source_bytes = (size_t)(colon - source);
        if (source_bytes == 0)
            return fault_set(f, ERR_USAGE, "metric '%s': no file after 'regex@'", m->name);
    } else if (kind != METRIC_REGEX) {
        source = colon + 1;
        colon = strchr(source, ':');
        if (!colon)
            return fault_set(f, ERR_USAGE, "metric '%s': '%s' needs a second ':', as in %s",
                             m->name, text,
                             kind == METRIC_JSON ? "json:FILE:PATH" : "csv:FILE:COLUMN");
        source_bytes = (size_t)(colon - source);
    }
    m->file = copy(source, source_bytes);
    m->where = copy(colon + 1, strlen(colon + 1));
    m->source = FROM_FILE;
    if (!m->file[0] || strcmp(m->file, "-") == 0 || strcmp(m->file, "stdout") == 0)
        m->source = FROM_STDOUT;
    else if (strcmp(m->file, "stderr") == 0)
        m->source = FROM_STDERR;
    return ERR_NONE;
}

static enum err parse_where(struct metric *m, struct fault *f)
{
    struct fault why;

    switch (m->kind) {
    case METRIC_REGEX:
        if (!m->where[0])
            return fault_set(f, ERR_USAGE, "metric '%s': the regular expression is empty", m->name);
        if (pattern_new(m->where, &m->pattern, &why) != ERR_NONE)
            return fault_set(f, ERR_USAGE, "metric '%s': %.900s", m->name, why.text);
        return ERR_NONE;
    case METRIC_JSON:
        if (!json_path_check(m->where))
            return fault_set(f, ERR_USAGE,
                             "metric '%s': '%s' is no path in JSON; a path is like a.b[0].c",
                             m->name, m->where);
        return ERR_NONE;
    case METRIC_CSV:
    default:
        if (!m->where[0] || strcmp(m->where, "0") == 0)
            return fault_set(f, ERR_USAGE,
                             "metric '%s': '%s' is no column; give a name of the header or a "
                             "number from 1",
                             m->name, m->where);
        return ERR_NONE;
    }
}

/* --- reading --- */

/* The file that was read last: metrics of the same file tend to follow each other. */
struct last_file {
    const char *file;
    struct buf data;
    bool ok;
};

struct bytes {
    const char *data;
    size_t n;
};

static bool metric_bytes(const struct metric *m, const char *dir, const struct streams *streams,
                         struct last_file *last, struct bytes *b);
static void trim(struct buf *value);
static void add_value(struct buf *out, const struct buf *value, bool text);

uint32_t metric_read_all(struct metric *const *metrics, size_t n, const char *dir,
                         const struct streams *streams, struct buf *out)
{
    struct last_file last = { 0 };
    struct buf value = { 0 };
    uint32_t missing = 0;
    ms_t deadline = clock_mono_ms() + METRIC_MS_MAX;
    const char *comma = "";

    buf_addc(out, '{');
    for (size_t k = 0; k < n; k++) {
        const struct metric *m = metrics[k];
        struct bytes b;
        bool text = false, found = metric_bytes(m, dir, streams, &last, &b);
        if (found && m->kind == METRIC_REGEX)
            found = pattern_last(m->pattern, b.data, b.n, deadline, &value);
        else if (found && m->kind == METRIC_JSON)
            found = json_at(b.data, b.n, m->where, &value, &text);
        else if (found)
            found = csv_last(b.data, b.n, m->where, &value);
        if (!text)
            trim(&value);
        if (!found || (!text && value.n == 0)) {
            missing++;
            continue;
        }
        buf_addf(out, "%s\"%s\":", comma, m->name);
        add_value(out, &value, text);
        comma = ",";
    }
    buf_addc(out, '}');
    buf_fini(&value);
    buf_fini(&last.data);
    return missing;
}

uint32_t study_metrics(const struct study *s, const char *dir, const struct streams *streams,
                       struct buf *out)
{
    return metric_read_all(s->metrics, s->words.n_metrics, dir ? dir : study_cwd(s), streams, out);
}

/* A pipe or a device that a point left behind must not hold the worker up: only regular files. */
static bool read_file(const char *file, const char *dir, struct buf *data)
{
    struct buf path = { 0 };
    struct stat st;

    if (file[0] != '/')
        buf_addf(&path, "%s/", dir);
    buf_adds(&path, file);
    bool ok = stat(path.data, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= METRIC_FILE_MAX;
    ok = ok && buf_read_file(data, path.data, METRIC_FILE_MAX) == 0;
    buf_fini(&path);
    return ok;
}

static bool metric_bytes(const struct metric *m, const char *dir, const struct streams *streams,
                         struct last_file *last, struct bytes *b)
{
    switch (m->source) {
    case FROM_STDOUT:
        *b = (struct bytes){ streams->out, streams->out_bytes };
        break;
    case FROM_STDERR:
        *b = (struct bytes){ streams->err, streams->err_bytes };
        break;
    case FROM_FILE:
    default:
        if (!last->file || strcmp(last->file, m->file) != 0) {
            buf_clear(&last->data);
            last->file = m->file;
            last->ok = read_file(m->file, dir, &last->data);
        }
        *b = (struct bytes){ last->data.data, last->data.n };
        if (!last->ok)
            return false;
    }
    if (!b->data)
        *b = (struct bytes){ "", 0 };
    return true;
}

/* --- writing a value as JSON --- */

static size_t utf8_length(const unsigned char *p, size_t n);

static void trim(struct buf *value)
{
    const char *p = buf_text(value);
    size_t n = value->n, start = 0;

    while (n && isspace((unsigned char)p[n - 1]))
        n--;
    while (start < n && isspace((unsigned char)p[start]))
        start++;
    if (value->data) {
        memmove(value->data, value->data + start, n - start);
        value->data[n - start] = '\0';
    }
    value->n = n - start;
}

static void add_value(struct buf *out, const struct buf *value, bool text)
{
    const char *p = buf_text(value);
    size_t n = value->n;

    if (!text && metric_is_number(p, n)) {
        buf_add(out, p, n);
        return;
    }
    struct buf clean = { 0 };
    for (size_t i = 0; i < n;) {
        size_t length = utf8_length((const unsigned char *)p + i, n - i);
        if (clean.n + (length ? length : 3) > METRIC_VALUE_MAX)
            break;
        if (length)
            buf_add(&clean, p + i, length);
        else
            buf_adds(&clean, "\xef\xbf\xbd"); /* U+FFFD: bytes that no reader of JSON takes */
        i += length ? length : 1;
    }
    buf_add_json(out, buf_text(&clean), clean.n);
    buf_fini(&clean);
}

/* Bytes of the character at p, 0 when it is none or a zero byte. RFC 3629. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (length == 0 || length > n || p[0] == 0 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return overlong || beyond ? 0 : length;
}

bool metric_is_number(const char *text, size_t n)
{
    char number[320]; /* the longest plain spelling of a double has 309 digits before the point */
    char *end;

    if (n >= sizeof number || !metric_spelled_as_json(text, n))
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    errno = 0;
    strtoll(number, &end, 10);
    if (*end == '\0')
        return errno == 0;
    return isfinite(strtod(number, NULL));
}

static size_t digits(const char *text, size_t n, size_t from)
{
    size_t at = from;
    while (at < n && text[at] >= '0' && text[at] <= '9')
        at++;
    return at - from;
}

/* RFC 8259, 6: [-](0 | 1-9 digits)[.digits][(e|E)[+|-]digits] */
bool metric_spelled_as_json(const char *text, size_t n)
{
    size_t at = n > 0 && text[0] == '-', whole = digits(text, n, at);

    if (whole == 0 || (whole > 1 && text[at] == '0'))
        return false;
    at += whole;
    if (at < n && text[at] == '.') {
        size_t fraction = digits(text, n, at + 1);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        bool sign = at + 1 < n && (text[at + 1] == '+' || text[at + 1] == '-');
        at += sign ? 2 : 1;
        size_t exponent = digits(text, n, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == n;
}
