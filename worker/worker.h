#ifndef GRANGE_WORKER_WORKER_H
#define GRANGE_WORKER_WORKER_H
/* worker - runs the points that a scheduler hands out, as processes on this machine.
 *
 * `grange worker` is two processes: a supervisor and, below it, the worker proper (`inner`), which
 * is the same program run again as `grange worker --inner --lifeline-fd N ...`; see supervise.h. Of
 * a point nothing survives the worker, whichever way that ends. */

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/log.h"

enum worker_exit {
    WORKER_OK = 0,       /* told to end, drained */
    WORKER_TROUBLE = 1,  /* this machine could not: descriptors, memory, a directory */
    WORKER_REFUSED = 20, /* the scheduler does not take us (another version); said on stderr */
    WORKER_ORPHAN = 21   /* no scheduler for too long */
};

struct worker_options {
    const char *url;  /* where the scheduler is: URL, connection file, farm; see connection_find */
    uint32_t slots;   /* points at a time; 0: the cores this process may use */
    const char *name; /* the same for the worker that replaces this one; NULL: HOST-PID */
    const char *dir;  /* the grange directory, or another one to work in; NULL: one of its own,
                         $XDG_STATE_HOME/grange/kept/NAME-.. (~/.local/state), which stays where a
                         point left files that the farm's directory has not */
    uint64_t memory_mib;   /* that points may take together; 0: what the machine has */
    const char *labels;    /* "big,arch=arm"; NULL: none */
    const char *resources; /* "gpus=2,disk=100"; NULL: none */
    ms_t end_ms;           /* it ends at this wall time, with no grace; 0: not known */
    ms_t grace_ms;         /* that running points get to finish when told to end */
    int lifeline_fd;       /* end of file on it: whoever started us is gone, end; -1: none */
    int ready_fd; /* "ready\n" is written to it once the scheduler has taken us; -1: none */
    enum log_level log_level;
    const char *log_path; /* NULL: stderr */
    char *const *plugins; /* libraries whose functions its engines have, as absolute paths */
    size_t n_plugins;
    const char *engine; /* instead: a command for sh that speaks docs/engine.md; NULL: none */
    bool inner;         /* the worker proper: no supervisor above is started */
};

/* worker_main - until told to end by SIGTERM or SIGINT (no new work, and running points have
 * grace_ms to finish; the second one: no grace; the third one: at once), by SIGHUP or its lifeline
 * (no grace), or by the scheduler. What is stopped so counts as no attempt. Returns an exit code;
 * what a person must read is on stderr, as "grange: ...". */
int worker_main(const struct worker_options *opt);

/* worker_inner_argv - the command line of the worker proper: {"grange", "worker", "--inner",
 * "--lifeline-fd", "{lifeline}", "--connect", URL, ["-j", N,] ["--name", TEXT,] ["--dir", TEXT,]
 * ["--memory-mib", N,] ["--label", TEXT,] ["--resource", TEXT,] ["--end-time", "@Nms",] ["--grace",
 * "Nms",] ["--ready-fd", N,] ["--log", PATH,] ["--plugin", PATH,]...
 * ["--engine", TEXT,] "--log-level", "quiet|error|info|debug", NULL}. One malloc'd block. */
char **worker_inner_argv(const struct worker_options *opt);

#endif
