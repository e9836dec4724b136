#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"

static sigset_t enders;     /* SIGINT, SIGTERM, SIGHUP, less those that are ignored */
static sigset_t read_later; /* and SIGCHLD, SIGWINCH */

static volatile sig_atomic_t asked; /* something of a farm */

static void end_early(int sig)
{
    (void)sig;
    static const char nothing[] = "\ngrange: interrupted; nothing was started\n";
    static const char perhaps[] =
        "\ngrange: interrupted; what was asked of the farm may have been done: grange status\n";
    (void)!(asked ? write(STDERR_FILENO, perhaps, sizeof perhaps - 1)
                  : write(STDERR_FILENO, nothing, sizeof nothing - 1));
    _exit(CLI_INTERRUPTED);
}

void signals_asked(void)
{
    asked = 1;
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

int signals_read(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
