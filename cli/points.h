#ifndef GRANGE_CLI_POINTS_H
#define GRANGE_CLI_POINTS_H
/* points - what `retry` and `cancel` are told: STUDY [POINT...], and a request to whatever
 * scheduler has the directory. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/look.h"
#include "client/grange.h"
#include "study/study.h"

enum { POINTS_NAMED_MAX = 65536, REQUEST_MS = 60000, DIAL_MS = 10000 };

/* points_find - the indexes of the points that were named (indexes or factor values); malloc'd.
 * Without the study (NULL: its store is on another machine) only indexes. */
enum err points_find(const struct study *s, const char *const *texts, size_t n, uint64_t **index,
                     struct fault *f);

/* points_calls - the same of calls of a study: those of one key at a time, whose array it says (0:
 * none was named). */
enum err points_calls(struct look *l, const char *const *texts, size_t n, uint32_t *array,
                      uint64_t **index, struct fault *f);

/* points_ask - one request to the scheduler at url: to retry or to cancel. n = 0: all of the study.
 */
struct points {
    bool retry;
    const char *study;
    uint32_t array; /* 0: the current one */
    const uint64_t *index;
    size_t n;
};
enum err points_ask(const char *url, const struct points *p, uint64_t *touched, struct fault *f);

/* points_say_none - that nothing of the study runs again, though it was asked for; and why. */
void points_say_none(const char *study, bool named);

#endif
