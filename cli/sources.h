#ifndef GRANGE_CLI_SOURCES_H
#define GRANGE_CLI_SOURCES_H
/* sources - what follows the options of `grange run`: COMMAND [ARG...] [::: FACTOR...]...
 *
 * A group after `:::` holds either factors (NAME=..., @FILE, (...)), or values for GNU parallel's
 * positional placeholders, never both. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* All pointers are borrowed from the arguments; the arrays belong to sources_fini. */
struct sources {
    const char *const *command;
    size_t n_command;
    const char **factors;
    size_t n_factors;
    const char *const **lists; /* each NULL-terminated */
    size_t n_lists;
    const char **values; /* where the lists live */
};

/* sources_split - args[n]. ERR_USAGE when a group is empty or mixed. A command may be missing: the
 * caller knows whether a function or a study file stands in for it. */
enum err sources_split(const char *const *args, size_t n, struct sources *s, struct fault *f);
bool sources_is_factor(const char *arg);
void sources_fini(struct sources *s);

#endif
