#ifndef GRANGE_CLI_LOCAL_H
#define GRANGE_CLI_LOCAL_H
/* local - the scheduler and the worker that a verb has while it lasts: start, restart, stop.
 *
 * Whoever holds flock(DIR/lock) is the scheduler of the directory. When nobody does, local_start
 * starts one as our child; a daemon's is joined; that of another `grange run` is refused. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"
#include "farm/child.h"

enum {
    RESTARTS_MAX = 5, /* of one child within RESTARTS_MS; then we give up */
    RESTARTS_MS = 10000,
    SCHEDULER_READY_MS = 60000, /* replaying the log of a big store takes a while */
    OWNER_GONE_MS = 10000,      /* a scheduler whose `grange run` was killed ends within this */
    STOP_MS = 5000,             /* for a child to end in good order before SIGKILL */
};

struct restarts {
    ms_t at[RESTARTS_MAX];
    unsigned n;
};

struct local {
    const char *dir, *sync; /* borrowed */
    uint32_t slots;
    bool joined; /* the scheduler is a daemon, not our child */
    bool want_worker;
    struct buf url; /* to connect to, from this process */
    struct child scheduler, worker;
    struct restarts scheduler_restarts, worker_restarts;
    void (*say)(void *ctx, const char *text); /* what a person should know: restarts */
    void *ctx;
};

/* Who has a directory. */
enum holder { HOLDER_NONE, HOLDER_DAEMON, HOLDER_RUN };
enum holder local_holder(const char *dir, pid_t *pid);
/* local_serves - whether a scheduler has it that will go on: a daemon, or that of a `grange run`
 * that is still there. */
bool local_serves(const char *dir);
/* local_ending - its scheduler was told to go down, and waits for its workers. */
bool local_ending(const char *dir);

/* local_scheduler_err - what the end of a scheduler means: ERR_IO when it does not say. */
enum err local_scheduler_err(int status);

void local_init(struct local *l, const char *dir, const char *sync, uint32_t slots);
void local_fini(struct local *l);
/* local_start - makes the directory and sees to it that there is a scheduler, ours or a daemon's.
 * With `any` a scheduler of another `grange run` will do too (joined). */
enum err local_start(struct local *l, bool any, struct fault *f);
enum err local_start_worker(struct local *l, struct fault *f);
/* local_tend - after SIGCHLD: reaps whatever ended and starts scheduler and worker again if it was
 * one of them. *again (may be NULL) says whether the scheduler was. ERR_DISK_FULL and others: it is
 * no use; the worker still runs and must be stopped. */
enum err local_tend(struct local *l, bool *again, struct fault *f);
/* local_kill_scheduler - SIGKILL to the scheduler that is our child; false: there is none. Its end
 * is for local_tend. */
bool local_kill_scheduler(const struct local *l);
/* local_stop_worker, local_stop - in good order, or at once when patience is false. */
void local_stop_worker(struct local *l, bool patience);
void local_stop(struct local *l, bool patience);

#endif
