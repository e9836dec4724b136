#include "cli/display.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal.h"

static bool speaks_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static bool is_live_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

void display_open(struct display *d, bool quiet, ms_t now)
{
    *d = (struct display){ .utf8 = speaks_utf8(), .opened_ms = now };
    d->kind = quiet ? DISPLAY_NONE : is_live_terminal() ? DISPLAY_LIVE : DISPLAY_LINES;
    d->next_ms = d->kind == DISPLAY_LIVE ? now : now + LINE_FIRST_MS;
    display_resize(d);
}

void display_resize(struct display *d)
{
    terminal_size(STDERR_FILENO, &d->width, &d->height);
}

ms_t display_due(const struct display *d)
{
    return d->kind == DISPLAY_NONE ? MS_NEVER : d->next_ms;
}

/* One write a frame, so that nothing flickers. A terminal that takes no bytes for a second (stopped
 * by Ctrl-S on a descriptor that does not block) loses the frame. */
static void put(struct display *d)
{
    size_t done = 0;
    while (done < d->frame.n) {
        ssize_t n = write(STDERR_FILENO, d->frame.data + done, d->frame.n - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
        if (errno != EINTR && (errno != EAGAIN || poll(&p, 1, 1000) <= 0))
            break;
    }
    buf_clear(&d->frame);
}

/* Back to the first drawn line; what is below goes with the text that follows. */
static void go_back(struct display *d)
{
    buf_addc(&d->frame, '\r');
    if (d->lines)
        buf_addf(&d->frame, "\033[%uA", d->lines);
    d->lines = 0;
}

static void draw(struct display *d, const struct progress_view *v)
{
    struct buf text;
    buf_init(&text);
    unsigned lines = progress_frame(v, d->width, d->height, d->utf8, &text);
    go_back(d);
    for (const char *line = buf_text(&text); *line;) {
        size_t n = strcspn(line, "\n");
        buf_add(&d->frame, line, n);
        buf_adds(&d->frame, "\033[K\n");
        line += n + 1;
    }
    buf_adds(&d->frame, "\033[J");
    d->lines = lines;
    buf_fini(&text);
    put(d);
}

/* A line that says what the last one said is left out, for a while. */
static void add_line(struct display *d, const struct progress_view *v, ms_t now)
{
    uint64_t ended = v->done + v->failed + v->other;
    bool same = d->line_ms && ended == d->line_ended && v->running == d->line_running;
    ms_t every = (now - d->opened_ms) / 20;
    d->next_ms = now + (every < LINE_EVERY_MS    ? LINE_EVERY_MS
                        : every > LINE_LATEST_MS ? LINE_LATEST_MS
                                                 : every);
    if (same && now - d->line_ms < LINE_LATEST_MS)
        return;
    buf_adds(&d->frame, "grange: ");
    progress_line(v, &d->frame);
    buf_addc(&d->frame, '\n');
    put(d);
    d->line_ms = now;
    d->line_ended = ended;
    d->line_running = v->running;
}

void display_show(struct display *d, const struct progress_view *v, ms_t now)
{
    if (d->kind == DISPLAY_NONE || now < d->next_ms)
        return;
    if (d->kind == DISPLAY_LIVE) {
        draw(d, v);
        d->next_ms = now + FRAME_MS;
        return;
    }
    add_line(d, v, now);
}

void display_say(struct display *d, const char *text)
{
    if (d->lines) {
        go_back(d);
        buf_adds(&d->frame, "\033[J");
        d->next_ms = 0;
    }
    buf_addf(&d->frame, "grange: %s\n", text);
    put(d);
}

void display_close(struct display *d)
{
    if (d->lines) {
        go_back(d);
        buf_adds(&d->frame, "\033[J");
        put(d);
    }
    buf_fini(&d->frame);
    d->kind = DISPLAY_NONE;
}
