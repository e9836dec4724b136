#ifndef GRANGE_WORKER_KEPT_H
#define GRANGE_WORKER_KEPT_H
/* kept - the lasting directory of a worker that was told none: BASE/NAME-INSTANCE.
 *
 *     lock        held (flock) as long as the worker lives; says which host it is on, and where it
 *                 has its scratch directory
 *     attempts/   what runs: nobody was told of it, so it goes with the worker
 *     points/ output/     what a result may name: nothing here is ever removed by itself
 *
 * A worker that was killed leaves all of it; the next one of the same user on the same host finds
 * the lock free and removes what nobody was told of. A directory without a lock is left alone: its
 * worker left in good order, or is of a Grange that made none. */

#include <stdbool.h>

/* kept_open - makes the directory and its lock; the descriptor that holds it, or -1: there is none,
 * and nobody will tidy up. */
int kept_open(const char *dir, const char *host, const char *scratch);
/* kept_close - removes what nobody was told of, and the directory when that was all: false when
 * there is more, which stays. */
bool kept_close(const char *dir);
/* kept_sweep - the same, and the scratch directory, of workers on this host that have died. */
void kept_sweep(const char *base, const char *host);

#endif
