#ifndef GRANGE_WORKER_DESCEND_H
#define GRANGE_WORKER_DESCEND_H
/* descend - which processes are below this one, from /proc (there is not everywhere a list of
 * children there, so the parents of all processes are read). A picture of a moment: whoever acts on
 * it looks again. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct descend_proc {
    pid_t pid, ppid;
    char state; /* as in /proc/PID/stat: 'T' stopped, 'Z' zombie, ... */
    bool below; /* a descendant of ours */
};
struct descend {
    struct descend_proc *procs;
    size_t n, cap;
};

/* descend_scan - reads them anew, sorted by pid; `except` (0: none) and what is below it do not
 * count as below us. Returns whether any process is. */
bool descend_scan(struct descend *d, pid_t except);
void descend_fini(struct descend *d);

#endif
