#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"

static sigset_t enders;     /* SIGINT, SIGTERM, SIGHUP, less those that are ignored */
static sigset_t read_later; /* and SIGCHLD, SIGWINCH */

static volatile sig_atomic_t asked; /* an enum signals_asked */
static void (*leave)(void);         /* of what only looks */

static void end_early(int sig)
{
    (void)sig;
    static const char *const said[] = {
        [SIGNALS_NOTHING] = "\ngrange: interrupted; nothing was done\n",
        [SIGNALS_LOOKING] = "\ngrange: interrupted\n",
        [SIGNALS_WAITING] = "\ngrange: " SIGNALS_WAIT_TEXT "\n",
        [SIGNALS_STORING] =
            "\ngrange: interrupted; no point has run, but they may be stored: grange "
            "status; the same command goes on\n",
        [SIGNALS_FARM] = "\ngrange: interrupted; what was asked of the farm may have been done: "
                         "grange status\n",
        [SIGNALS_CALL] = "\ngrange: interrupted; the call stays with the farm: grange status lists "
                         "it, grange cancel ends it\n",
        [SIGNALS_DIRECT] = "\ngrange: interrupted; the call is given up\n",
    };
    if (leave) {
        leave();
        _exit(CLI_OK);
    }
    (void)!write(STDERR_FILENO, said[asked], strlen(said[asked]));
    _exit(CLI_INTERRUPTED);
}

void signals_asked(enum signals_asked what)
{
    asked = (sig_atomic_t)what;
}

void signals_early(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    sigemptyset(&enders);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, act = { .sa_handler = end_early };
        sigaction(signals[i], NULL, &old);
        if (old.sa_handler == SIG_IGN)
            continue;
        sigaddset(&enders, signals[i]);
        sigaction(signals[i], &act, NULL);
    }
    read_later = enders;
    sigaddset(&read_later, SIGCHLD);
    sigaddset(&read_later, SIGWINCH);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &read_later, NULL);
    signals_let(true);
}

void signals_let(bool through)
{
    pthread_sigmask(through ? SIG_UNBLOCK : SIG_BLOCK, &enders, NULL);
}

int signals_open(void)
{
    signals_let(false);
    return signalfd(-1, &read_later, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_leave(void (*last)(void))
{
    signals_let(false);
    leave = last;
    signals_let(true);
}

int signals_read(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
