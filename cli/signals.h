#ifndef GRANGE_CLI_SIGNALS_H
#define GRANGE_CLI_SIGNALS_H
/* signals - Ctrl-C and the others, as something to poll.
 *
 * While a verb gets ready (nothing runs yet) and where it only asks, Ctrl-C ends the process at
 * once: its children see their lifelines close. From signals_open on, signals are read from a
 * descriptor. The threads of libgrange take none, so only this one does. Signals that were ignored
 * when we started (nohup) stay ignored. */

#include <stdbool.h>

/* signals_early - before any thread is made: SIGINT, SIGTERM and SIGHUP end this process, what else
 * is read later is blocked, SIGPIPE ignored. */
void signals_early(void);
/* signals_let - whether SIGINT, SIGTERM and SIGHUP end this process (exit code 130) or wait. */
void signals_let(bool through);
/* signals_asked - what may have been done from here on: who is interrupted is told so. */
enum signals_asked {
    SIGNALS_NOTHING, /* at first */
    SIGNALS_LOOKING, /* nor will be */
    SIGNALS_WAITING, /* likewise; what it waits for goes on */
    SIGNALS_STORING, /* our own scheduler stores the points; there is no worker yet */
    SIGNALS_FARM,    /* a farm may do what it was asked for */
    SIGNALS_CALL,    /* a call is in the farm's queue */
    SIGNALS_DIRECT,  /* a call waits at engines, and is given up with its connection */
};
#define SIGNALS_WAIT_TEXT "interrupted; the points go on, and the same command may be given again"
void signals_asked(enum signals_asked what);
/* signals_open - the descriptor they are read from, or -1. */
int signals_open(void);
/* signals_leave - of what only looks: from here on they end this process with CLI_OK and without a
 * word. `last` is called first, in the handler. */
void signals_leave(void (*last)(void));
/* signals_read - the next one that has come, or 0. */
int signals_read(int fd);

#endif
