#include "base/median.h"

#include <math.h>

/* Bucket b holds durations in [1.02^b, 1.02^(b+1)) microseconds. */
static const double log_step = 0.019802627296179712; /* ln 1.02 */

void median_add(struct median *m, uint64_t us)
{
    double b = us > 1 ? log((double)us) / log_step : 0;

    m->bucket[b < MEDIAN_BUCKETS - 1 ? (int)b : MEDIAN_BUCKETS - 1]++;
    m->n++;
}

uint64_t median_us(const struct median *m)
{
    uint64_t seen = 0;

    if (!m->n)
        return 0;
    for (int b = 0; b < MEDIAN_BUCKETS; b++) {
        seen += m->bucket[b];
        if (2 * seen >= m->n)
            return (uint64_t)exp((b + 0.5) * log_step);
    }
    return 0;
}
