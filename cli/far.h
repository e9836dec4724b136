#ifndef GRANGE_CLI_FAR_H
#define GRANGE_CLI_FAR_H
/* far - a verb that only looks, of a farm whose directory is not on this machine: the scheduler has
 * it done there, and this prints what came of it. */

#include <stdio.h>

#include "cli/where.h"
#include "client/inside.h"

/* far_ask - what it would print goes to fn, what it says to stderr into *said. *code: what to exit
 * with; far_say says it here. far_look - both. far_print - the same to stdout; what to exit with.
 */
enum err far_ask(const struct where *w, const struct client_look *what, client_page_fn fn,
                 void *ctx, int *code, struct buf *said, struct fault *f);
void far_say(const struct buf *said);
enum err far_look(const struct where *w, const struct client_look *what, client_page_fn fn,
                  void *ctx, int *code, struct fault *f);
int far_print(const struct where *w, const struct client_look *what);
/* far_page - a client_page_fn for a FILE. far_put - for stdout, a failure of which far_code knows:
 * what to exit with. */
bool far_page(void *file, const void *data, size_t n);
bool far_put(void *unused, const void *data, size_t n);
int far_code(enum err err, int code, const struct fault *f);

#endif
