#ifndef GRANGE_CLI_POINTS_H
#define GRANGE_CLI_POINTS_H
/* points - what `retry` and `cancel` are told: STUDY [POINT...], and a request to whatever
 * scheduler has the directory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/grange.h"
#include "study/study.h"

enum { POINTS_NAMED_MAX = 65536, REQUEST_MS = 60000, DIAL_MS = 10000 };

/* points_find - the indexes of the points that were named (indexes or factor values); malloc'd.
 * Without the study (NULL: its store is on another machine) only indexes. */
enum err points_find(const struct study *s, const char *const *texts, size_t n, uint64_t **index,
                     struct fault *f);

/* points_ask - one request (grange_retry, grange_cancel) to the scheduler at url. */
typedef int (*points_request)(struct grange *g, const char *name, const uint64_t *index, size_t n,
                              int64_t timeout_ms, uint64_t *touched);
enum err points_ask(const char *url, points_request request, const char *name,
                    const uint64_t *index, size_t n, uint64_t *touched, struct fault *f);

#endif
