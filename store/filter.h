#ifndef GRANGE_STORE_FILTER_H
#define GRANGE_STORE_FILTER_H
/* filter - an expression in SQLite's language over named values, evaluated point by point: what
 * --where means. Lives in a private in-memory database that can read nothing else (an authorizer
 * refuses all but functions), so an expression cannot touch a store. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct filter;

/* filter_new - names[n] are the columns. ERR_USAGE with SQLite's words, the place and the known
 * names. */
enum err filter_new(const char *expression, const char *const *names, size_t n, struct filter **fl,
                    struct fault *f);
/* filter_keep - values[n]; one that is a decimal number compares as a number. Keeps where the
 * expression is true (not 0 and not NULL). ERR_USAGE where evaluating fails. */
enum err filter_keep(struct filter *fl, const char *const *values, bool *keep, struct fault *f);
void filter_free(struct filter *fl);

#endif
