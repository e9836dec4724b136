#ifndef GRANGE_CLI_KNOWN_H
#define GRANGE_CLI_KNOWN_H
/* known - which points of a study that is only looked at (--dry-run) there are and have ended: what
 * the scheduler would find at its submit, found without one. */

#include <stdint.h>

#include "base/err.h"
#include "base/ids.h"
#include "study/study.h"

enum { KNOWN_SAMPLES = 4 };

struct known_points {
    uint64_t n; /* points, without those that --where leaves out */
    uint64_t left_out;
    uint64_t done, failed;          /* of the n, in the store already */
    uint64_t first;                 /* index of the first point; n > 0 */
    uint64_t sample[KNOWN_SAMPLES]; /* indexes of some random others, ascending */
    size_t n_samples;
    uint64_t mean_us; /* of points of this study that are done; 0: none is */
    uint64_t n_mean;
};

/* known_points - DIR may have no store yet. With neither --where nor an earlier study of that name
 * it does not look at each point. */
enum err known_points(const struct study *s, const char *dir, struct known_points *k,
                      struct fault *f);

/* known_where - ERR_USAGE where --where is no expression over the factors, or leaves no point.
 * Looks at points only until one is kept. */
enum err known_where(const struct study *s, struct fault *f);

#endif
