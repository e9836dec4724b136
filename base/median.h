#ifndef GRANGE_BASE_MEDIAN_H
#define GRANGE_BASE_MEDIAN_H
/* median - of many durations in bounded memory: a histogram whose buckets grow by 2%, so the answer
 * is within 2% of the true median, from 1 us to 11 days. */

#include <stdint.h>

enum { MEDIAN_BUCKETS = 1400 }; /* ln(1e12) / ln(1.02) = 1396 */
struct median {
    uint64_t n;
    uint32_t bucket[MEDIAN_BUCKETS];
};

void median_add(struct median *m, uint64_t us);
uint64_t median_us(const struct median *m); /* 0 when n is 0 */

#endif
