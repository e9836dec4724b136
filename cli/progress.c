#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"

enum { WIDTH_MIN = 20, BAR_MAX = 50, SLOW_MS = 1000 };

static void add_line(const char *text, unsigned width, unsigned *lines, struct buf *out);
static void add_bar(const struct progress_view *v, unsigned width, bool utf8, struct buf *out);
static void add_counts(const struct progress_view *v, struct buf *out);
static void add_pace(const struct progress_view *v, struct buf *out);

static uint64_t ended(const struct progress_view *v)
{
    return v->done + v->failed + v->other;
}

struct progress_slow *progress_slow(struct progress_view *v, ms_t elapsed_ms)
{
    size_t at = v->n_slow;
    for (; at && v->slow[at - 1].elapsed_ms < elapsed_ms; at--)
        if (at < PROGRESS_RUNNING_MAX)
            v->slow[at] = v->slow[at - 1];
    if (at == PROGRESS_RUNNING_MAX)
        return NULL;
    v->n_slow += v->n_slow < PROGRESS_RUNNING_MAX;
    v->slow[at].elapsed_ms = elapsed_ms;
    return &v->slow[at];
}

void progress_line(const struct progress_view *v, struct buf *out)
{
    buf_adds(out, v->name);
    buf_adds(out, ": ");
    progress_count(ended(v), out);
    buf_adds(out, " of ");
    progress_count(v->n, out);
    buf_adds(out, " ended, ");
    add_counts(v, out);
    buf_adds(out, "; ");
    add_pace(v, out);
    if (v->note)
        buf_addf(out, "; %s", v->note);
}

unsigned progress_frame(const struct progress_view *v, unsigned width, unsigned height, bool utf8,
                        struct buf *out)
{
    if (width < WIDTH_MIN)
        width = WIDTH_MIN;
    unsigned lines = 0;
    struct buf text;
    buf_init(&text);
    add_bar(v, width, utf8, &text);
    add_line(buf_text(&text), width, &lines, out);
    buf_clear(&text);
    add_counts(v, &text);
    if (lines + 1 < height)
        add_line(buf_text(&text), width, &lines, out);
    buf_clear(&text);
    add_pace(v, &text);
    if (lines + 1 < height)
        add_line(buf_text(&text), width, &lines, out);
    if (v->note && lines + 1 < height)
        add_line(v->note, width, &lines, out);
    for (size_t i = 0; i < v->n_slow && lines + 1 < height; i++) {
        if (v->slow[i].elapsed_ms < SLOW_MS)
            break;
        buf_clear(&text);
        progress_duration(v->slow[i].elapsed_ms, &text);
        size_t pad = text.n < 12 ? 12 - text.n : 0;
        struct buf line;
        buf_init(&line);
        buf_addf(&line, "  %*s%s  %s", (int)pad, "", buf_text(&text), v->slow[i].label);
        add_line(buf_text(&line), width, &lines, out);
        buf_fini(&line);
    }
    buf_fini(&text);
    return lines;
}

static void add_line(const char *text, unsigned width, unsigned *lines, struct buf *out)
{
    progress_fit(text, width - 1, out);
    buf_addc(out, '\n');
    (*lines)++;
}

static void add_bar(const struct progress_view *v, unsigned width, bool utf8, struct buf *out)
{
    double share = v->n ? (double)ended(v) / (double)v->n : 1;
    char percent[16];
    snprintf(percent, sizeof percent, "%5.1f%%",
             ended(v) < v->n && share > 0.999 ? 99.9 : share * 100);
    size_t name = terminal_columns(v->name);
    if (name > width / 3)
        name = width / 3;
    unsigned room = width - 1 - (unsigned)name - 2 - (unsigned)strlen(percent);
    unsigned cells = room > BAR_MAX ? BAR_MAX : room;
    unsigned full = (unsigned)(share * cells);
    terminal_cut(v->name, name, out);
    buf_addc(out, ' ');
    for (unsigned i = 0; i < cells; i++)
        buf_adds(out, i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
    buf_addf(out, " %s", percent);
}

static void add_counts(const struct progress_view *v, struct buf *out)
{
    const struct {
        uint64_t n;
        const char *word;
        bool always;
    } parts[] = {
        { v->done, "done", true },       { v->failed, "failed", true },
        { v->other, "given up", false }, { v->running, "running", true },
        { v->left, "left", true },
    };
    bool first = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].n && !parts[i].always)
            continue;
        buf_adds(out, first ? "" : ", ");
        progress_count(parts[i].n, out);
        buf_addf(out, " %s", parts[i].word);
        first = false;
    }
}

static void add_pace(const struct progress_view *v, struct buf *out)
{
    if (v->rate >= 0) {
        progress_rate(v->rate, out);
        buf_adds(out, "/s, ");
    }
    if (v->left_ms >= 0) {
        buf_adds(out, "time left ");
        progress_duration(v->left_ms, out);
        buf_adds(out, ", ");
    }
    if (!v->slots) {
        buf_adds(out, "no worker");
        return;
    }
    buf_addf(out, "%u of %u cores busy", v->busy, v->slots);
    if (v->rate >= 0)
        buf_addf(out, " (mean %.0f%%)", v->use * 100);
}

void progress_duration(ms_t ms, struct buf *out)
{
    int64_t s = (ms + 500) / 1000;
    if (ms < 1000)
        buf_addf(out, "%" PRId64 " ms", ms);
    else if (ms < 60000 && ms % 1000 == 0)
        buf_addf(out, "%" PRId64 " s", ms / 1000);
    else if (ms < 59950)
        buf_addf(out, "%.1f s", (double)ms / 1000);
    else if (s < 3600)
        buf_addf(out, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (s < 86400)
        buf_addf(out, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
    else
        buf_addf(out, "%" PRId64 " d %" PRId64 " h", s / 86400, s % 86400 / 3600);
}

void progress_rate(double rate, struct buf *out)
{
    if (rate >= 100)
        progress_count((uint64_t)(rate + 0.5), out);
    else
        buf_addf(out, rate >= 10 ? "%.1f" : "%.2f", rate);
}

void progress_count(uint64_t n, struct buf *out)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buf_addc(out, ',');
        buf_addc(out, digits[i]);
    }
}

void progress_part(uint64_t n, const char *word, struct buf *out)
{
    if (!n)
        return;
    buf_adds(out, ", ");
    progress_count(n, out);
    buf_addf(out, " %s", word);
}

void progress_fit(const char *text, unsigned columns, struct buf *out)
{
    size_t n = strlen(text);
    unsigned used = 0, width = 0;
    for (size_t bytes; n > 0; text += bytes, n -= bytes) {
        bytes = terminal_next(text, n, &width);
        if (width > columns - used)
            return;
        used += width;
        bool control = (unsigned char)*text < ' ' || *text == 0x7f;
        buf_add(out, control ? "?" : text, bytes);
    }
}
