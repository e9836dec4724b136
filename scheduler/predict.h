#ifndef GRANGE_SCHEDULER_PREDICT_H
#define GRANGE_SCHEDULER_PREDICT_H
/* predict - how long a point takes, by how long others took that have some of its values.
 *
 * The logarithm of a duration is taken as a sum of what each factor adds (the main effects of an
 * analysis of variance): for a text factor the mean of those with the value, less the mean of all;
 * for a factor of numbers lines between the means of at most BINS_MAX groups of neighbouring
 * values; beyond the ends it goes on as a straight line through all of them would. A factor counts
 * when it explains at least EXPLAINS of the variance (epsilon squared, T. L. Kelley 1935: corrected
 * for what as many groups explain by chance). No I/O; memory grows with the distinct values only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PREDICT_LEAST = 8 }; /* durations that are known; fewer say nothing */

struct predict;

/* predict_new - numeric[n]: whether all values of factor j are numbers. */
struct predict *predict_new(size_t n, const bool *numeric);
void predict_free(struct predict *p); /* NULL is fine */
/* predict_add - a point took us microseconds; values[n] are copied; NULL: it had no such factor. */
void predict_add(struct predict *p, const char *const *values, uint64_t us);
/* predict_fit - after all were added, once. False: nothing can be said. */
bool predict_fit(struct predict *p);
/* predict_log_us - the logarithm of how long a point of these values is to take. */
double predict_log_us(const struct predict *p, const char *const *values);

#endif
