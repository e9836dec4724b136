#ifndef GRANGE_FARM_CHILD_H
#define GRANGE_FARM_CHILD_H
/* child - a daemon that a program starts as its child: `grange scheduler` or `grange worker`, in a
 * session of its own so that Ctrl-C at the terminal does not reach it, tied to us by a lifeline: a
 * pipe whose write end only we have. What it writes to stderr is kept in memory, for messages. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/ids.h"

struct child {
    pid_t pid;           /* 0: not running */
    int lifeline;        /* our end; -1: closed */
    int ready;           /* what it writes "ready\n" to; -1: none */
    int err_fd;          /* memory file with its stderr; -1: none */
    int status;          /* of waitpid, once gone */
    const char *program; /* path of `grange`, borrowed; NULL: this program */
};

void child_init(struct child *c); /* then set program, if it is not this one */
/* child_start - argv[0] is for `ps`; "{lifeline}" and "{ready}" among the arguments become the
 * numbers of the descriptors it gets. 0 or errno. c must not be running. */
int child_start(struct child *c, const char *const *argv);
/* child_wait_ready - true once it has said so; false when it ended or the time was over. */
bool child_wait_ready(struct child *c, ms_t timeout_ms);
/* child_reap - waits at most timeout_ms until it is gone (0: just looks); true when it is. SIGCHLD
 * must be blocked. Returns early, false, when one of the signals that ask us to end arrives
 * meanwhile. */
bool child_reap(struct child *c, ms_t timeout_ms);
/* child_wait - the same for who is no owner of the process's signals: none are looked at. */
bool child_wait(struct child *c, ms_t timeout_ms);
/* child_gone - waitpid said so elsewhere. */
void child_gone(struct child *c, int status);
void child_let_go(struct child *c); /* closes the lifeline */
/* child_words - how it ended: "exit code 3", "signal 9 (Killed)". */
void child_words(const struct child *c, char *words, size_t bytes);
/* child_stderr - the end of what it wrote, without "grange: " in front and a newline behind. */
void child_stderr(const struct child *c, char *text, size_t bytes);
void child_fini(struct child *c); /* closes; does not wait */

#endif
