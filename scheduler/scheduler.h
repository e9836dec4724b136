#ifndef GRANGE_SCHEDULER_SCHEDULER_H
#define GRANGE_SCHEDULER_SCHEDULER_H
/* scheduler - the daemon: owns one grange directory, its store and its socket, and runs the loop
 * around the core until it is told to end. */

#include <stddef.h>

#include "base/log.h"

/* Exit codes of the scheduler process: `grange run` acts on them. */
enum scheduler_exit {
    SCHEDULER_OK = 0,
    SCHEDULER_BUSY = 10,      /* another scheduler holds the directory */
    SCHEDULER_DAMAGED = 11,   /* the store is damaged */
    SCHEDULER_VERSION = 12,   /* the store was made by a newer Grange */
    SCHEDULER_DISK_FULL = 13, /* a commit failed for want of space; nothing acknowledged is lost */
    SCHEDULER_IO = 14         /* anything else the world did */
};

struct scheduler_options {
    const char *dir;      /* the grange directory; made when it is not there */
    const char *owner;    /* "run 4711"; NULL or "daemon": a daemon */
    const char *log_path; /* NULL: stderr */
    enum log_level log_level;
    int lifeline_fd;           /* end of file on it: whoever started us is gone, end; -1: none */
    int ready_fd;              /* "ready\n" is written to it once clients may connect; -1: none */
    int sync;                  /* enum store_sync */
    const char *const *listen; /* addresses beside the socket, see scheduler/listen.h */
    size_t n_listen;
    const char *farm; /* its name, for the connection files; NULL: none */
};

/* scheduler_main - returns an exit code. Errors a person must read are on stderr, as "grange: ...".
 * It holds flock(DIR/lock), which contains "PID OWNER\n", as long as it lives, and listens on
 * ipc://DIR/scheduler.sock and where `listen` says. SIGTERM and SIGINT end it in good order. A
 * service manager is told when it serves and when it ends (notify.h). */
int scheduler_main(const struct scheduler_options *opt);

#endif
