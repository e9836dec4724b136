#ifndef GRANGE_WORKER_SUPERVISE_H
#define GRANGE_WORKER_SUPERVISE_H
/* supervise - nothing survives its worker.
 *
 * `grange worker` is a small supervisor that starts the worker proper as its child and is the
 * subreaper above it: whatever a point forked, in whatever session, becomes the supervisor's child
 * when its parents are gone. The two share a pipe; whichever dies, the other one notices and kills
 * everything below it. The worker is a subreaper too, so that it can do the same when the
 * supervisor was the one to die. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* reaper_become - this process adopts orphaned descendants. 0 or errno. */
int reaper_become(void);
/* reaper_kill_all - SIGKILL to every descendant, again and again until none is left, reaping them;
 * except (0: none) is spared. Returns how many processes it reaped. Finds children by /proc. */
size_t reaper_kill_all(pid_t except);

/* reaper_kill_strays - the same for all descendants but the children `kept` and what is below
 * those: what was left behind by children that ended. Reaps none: who waits for children does. */
void reaper_kill_strays(const pid_t *kept, size_t n);

/* supervise - runs the program at `path` with `argv` (the worker proper, with the number of its
 * pipe end put in place of
 * "{lifeline}") as a child until it ends, forwards SIGTERM, SIGINT and SIGHUP to it, then kills all
 * that is left. Also ends, with SIGHUP and little patience, when parent_fd (-1: none) reaches end
 * of file: whoever started us is gone. Returns the exit status for main: the worker's own, or 128 +
 * signal. */
int supervise(const char *path, char *const argv[], int parent_fd);

#endif
