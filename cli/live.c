#include "cli/live.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/terminal.h"

static const struct live *shown; /* for restore */

/* restore - the terminal as it was; also in a signal handler. */
static void restore(void)
{
    static const char screen[] = "\033[?25h\033[?1049l";

    if (shown->terminal)
        (void)!write(STDOUT_FILENO, screen, sizeof screen - 1);
    if (shown->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &shown->before);
}

void live_open(struct live *l)
{
    static const char screen[] = "\033[?1049h\033[?25l";

    *l = (struct live){ .terminal = isatty(STDOUT_FILENO), .signal_fd = signals_open() };
    if (l->terminal) {
        terminal_size(STDOUT_FILENO, &l->width, &l->height);
        l->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &l->before) == 0;
    }
    shown = l;
    signals_leave(restore); /* also while the scheduler does not answer */
    if (l->keys) {
        struct termios single = l->before;
        single.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        single.c_cc[VMIN] = 1;
        single.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &single);
    }
    if (l->terminal)
        cli_put(screen, sizeof screen - 1);
}

void live_close(struct live *l)
{
    signals_let(false);
    restore();
    if (l->signal_fd >= 0)
        close(l->signal_fd);
}

/* The columns that fit; bytes of one character, and of an escape sequence, stay together. */
static size_t fitting(const char *line, size_t n, unsigned width)
{
    size_t i = 0;
    for (unsigned column = 0; i < n;) {
        if (line[i] == '\033') {
            while (i < n && line[i] != 'm')
                i++;
            i += i < n;
            continue;
        }
        unsigned columns = 0;
        size_t bytes = terminal_next(line + i, n - i, &columns);
        if (columns > width - column)
            break;
        column += columns;
        i += bytes;
    }
    return i;
}

void live_show(const struct live *l, const struct buf *text)
{
    const char *line = buf_text(text);
    if (!l->terminal) {
        cli_put(line, text->n);
        return;
    }
    struct buf frame = { 0 };
    buf_adds(&frame, "\033[H");
    for (unsigned row = 0; *line && row < l->height; row++) {
        size_t n = strcspn(line, "\n");
        buf_addf(&frame, "%s", row ? "\n" : "");
        buf_add(&frame, line, fitting(line, n, l->width));
        buf_adds(&frame, "\033[m\033[K");
        line += n + (line[n] == '\n');
    }
    buf_adds(&frame, "\033[J");
    cli_put(frame.data, frame.n);
    buf_fini(&frame);
}

bool live_wait(struct live *l, ms_t ms)
{
    ms_t until = clock_mono_ms() + ms;
    for (;;) {
        ms_t left = until - clock_mono_ms();
        struct pollfd fds[] = { { .fd = l->signal_fd, .events = POLLIN },
                                { .fd = l->keys ? STDIN_FILENO : -1, .events = POLLIN },
                                { .fd = STDOUT_FILENO } }; /* is there somebody who reads it? */
        if (cli_put_gone())
            return false;
        if (left <= 0 || poll(fds, 3, (int)left) == 0)
            return true;
        char key = 0;
        if (fds[1].revents && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q'))
            return false;
        int sig = fds[0].revents ? signals_read(l->signal_fd) : 0;
        if (sig == SIGWINCH) {
            terminal_size(STDOUT_FILENO, &l->width, &l->height);
            return true;
        }
    }
}
