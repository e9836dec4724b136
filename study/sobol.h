#ifndef GRANGE_STUDY_SOBOL_H
#define GRANGE_STUDY_SOBOL_H
/* sobol - Sobol' points with the direction numbers new-joe-kuo-6 of S. Joe and F. Y. Kuo,
 * "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30,
 * 2635-2654 (2008), in natural order: point i is the exclusive or of the direction numbers at the
 * bits of i, so any point costs the same. (Programs that step in Gray code visit the same points:
 * their n-th is our n ^ (n >> 1).) */

#include <stddef.h>
#include <stdint.h>

enum { SOBOL_DIMENSIONS = 64, SOBOL_BITS = 32 };

/* sobol_directions - the direction numbers of a dimension, from 0; the highest bit is one half. */
void sobol_directions(size_t dimension, uint32_t directions[SOBOL_BITS]);
/* sobol_at - coordinate of point i, as a fraction of 2^32. */
uint32_t sobol_at(const uint32_t directions[SOBOL_BITS], uint64_t i);

#endif
