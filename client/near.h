#ifndef GRANGE_CLIENT_NEAR_H
#define GRANGE_CLIENT_NEAR_H
/* near - payloads and results of engines on this machine: files instead of parts on a connection.
 *
 * A long payload is offered: written once into a file without a name beside the scheduler's socket,
 * which the worker links into its own directory and its engine maps. A worker that cannot (another
 * machine, another file system) declines by acknowledging; it is not offered any more then, and
 * names a file of its own, or takes parts. A long result is read once out of the file that the
 * worker shows. */

#include <stdbool.h>
#include <stddef.h>

struct directs;
struct grange_direct;
struct op;
struct shared_file;

/* near_open - of a connection to this address. */
void near_open(struct directs *ds, const char *url);
void near_fini(struct directs *ds);

/* near_write - puts the payloads of d into files, as far as they may be offered; one file when all
 * engines only read it. The lock of the connection is given up meanwhile, so nobody else may know
 * of d yet. near_offer - names the file of op, which is written now if it was not. False: it is for
 * the connection. near_withdraw - op needs it no more; declined: and its engine is not offered
 * further ones. near_fini_offer - nor do further ops of d. */
void near_write(struct grange_direct *d);
bool near_offer(struct op *op, char *path, size_t n, struct shared_file *file);
void near_withdraw(struct op *op, bool declined);
void near_fini_offer(struct grange_direct *d);
/* near_fill - all that is left of the payload, into the file that the worker named. */
bool near_fill(struct op *op, const struct shared_file *file);
/* near_room - for a result; free() gives it back. near_fetch - the n bytes of a result. */
char *near_room(size_t n);
bool near_fetch(const struct shared_file *file, char *to, size_t n);

#endif
