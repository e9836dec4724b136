#ifndef GRANGE_CLI_FAR_H
#define GRANGE_CLI_FAR_H
/* far - a verb that only looks, of a farm whose directory is not on this machine: the scheduler has
 * it done there, and this prints what came of it. */

#include <stdio.h>

#include "cli/where.h"
#include "client/inside.h"

/* far_look - what it would print goes to fn; what it says to stderr is said here. *code: what to
 * exit with. far_print - the same to stdout; what to exit with. */
enum err far_look(const struct where *w, const struct client_look *what, client_page_fn fn,
                  void *ctx, int *code, struct fault *f);
int far_print(const struct where *w, const struct client_look *what);
/* far_page - a client_page_fn for a FILE. */
bool far_page(void *file, const void *data, size_t n);

#endif
