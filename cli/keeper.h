#ifndef GRANGE_CLI_KEEPER_H
#define GRANGE_CLI_KEEPER_H
/* keeper - what `grange up` leaves in the background: a process that starts a scheduler and workers
 * as its children, says when all are ready, and starts again whichever dies.
 *
 * A child that ends with exit code 0 was told to and is not started again; when none is left, the
 * keeper ends. One that fails comes back at once, or after 1, 2, 4 .. 60 s when it had not lived
 * for KEEPER_LIVED_MS. SIGTERM ends the workers (their running points have the workers' grace),
 * then the scheduler, then the keeper; a second one leaves no grace. A keeper that is killed takes
 * all of its children with it: they hold its lifelines.
 *
 * While it lives it has an entry in DIR/keepers (farm/keepers.h), so that `grange up`, `farms` and
 * `down` can tell who is there. It logs to DIR/log/keeper.log, its children beside it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/ids.h"

enum {
    KEEPER_WORKERS_MAX = 256, /* of one keeper; refused */
    KEEPER_LIVED_MS = 10000,
    KEEPER_WAIT_MIN_MS = 1000,
    KEEPER_WAIT_MAX_MS = 60000,
    KEEPER_LISTEN_MAX = 8,       /* --listen, of one scheduler; refused */
    KEEPER_WORKER_ARGS_MAX = 64, /* options that are handed on to workers, with their values */
};

struct keeper_options {
    const char *dir, *sync, *farm;
    bool scheduler;     /* keep one too */
    uint32_t n_workers; /* named HOST-w<first> and so on */
    uint32_t first;
    uint32_t slots;
    const char *listen[KEEPER_LISTEN_MAX];
    size_t n_listen;
    const char *worker_args[KEEPER_WORKER_ARGS_MAX];
    size_t n_worker_args;
};

/* keeper_start - forks the keeper, in a session of its own, and waits until it says that all is
 * ready or why not, at most timeout_ms. This process must have no threads yet. ERR_TIMEOUT: it goes
 * on in the background. Who is interrupted meanwhile ends it again. The code is that of what the
 * scheduler or a worker ended with. */
enum err keeper_start(const struct keeper_options *o, ms_t timeout_ms, struct fault *f);

#endif
