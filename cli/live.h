#ifndef GRANGE_CLI_LIVE_H
#define GRANGE_CLI_LIVE_H
/* live - a text that fills the terminal and is drawn again and again, until somebody presses q or
 * Ctrl-C. Where stdout is no terminal the text is printed as it is.
 *
 * On a terminal it has the alternate screen and reads single keys; live_close gives all of that
 * back. Signals that end a process do so too, at once and with CLI_OK, whatever is waited for. */

#include <stdbool.h>
#include <termios.h>

#include "base/buf.h"
#include "base/ids.h"

struct live {
    bool terminal;
    bool keys; /* stdin is one too, and `before` is what it was like */
    struct termios before;
    int signal_fd;
    unsigned width, height; /* of the terminal; 0 where there is none */
};

/* live_open - after signals_early. One at a time. */
void live_open(struct live *l);
void live_close(struct live *l);
/* live_show - lines beyond the screen are cut, in both directions; \033[..m passes. */
void live_show(const struct live *l, const struct buf *text);
/* live_wait - false when it is to end. Returns early when the terminal has another size. */
bool live_wait(struct live *l, ms_t ms);

#endif
