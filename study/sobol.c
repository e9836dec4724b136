#include "study/sobol.h"

#include "base/must.h"

enum { DEGREE_MAX = 9 };

/* The first 64 lines of new-joe-kuo-6.21201, (c) 2008 Frances Y. Kuo and Stephen Joe, whose licence
 * is BSD-style: degree and inner coefficients of a primitive polynomial, and the odd numbers m_1..
 * m_degree that start its recurrence. The first dimension has no polynomial. */
static const struct {
    unsigned char degree, coefficients;
    unsigned short m[DEGREE_MAX];
} table[SOBOL_DIMENSIONS - 1] = {
    /* clang-format off */
    { 1, 0, { 1 } },
    { 2, 1, { 1, 3 } },
    { 3, 1, { 1, 3, 1 } },
    { 3, 2, { 1, 1, 1 } },
    { 4, 1, { 1, 1, 3, 3 } },
    { 4, 4, { 1, 3, 5, 13 } },
    { 5, 2, { 1, 1, 5, 5, 17 } },
    { 5, 4, { 1, 1, 5, 5, 5 } },
    { 5, 7, { 1, 1, 7, 11, 19 } },
    { 5, 11, { 1, 1, 5, 1, 1 } },
    { 5, 13, { 1, 1, 1, 3, 11 } },
    { 5, 14, { 1, 3, 5, 5, 31 } },
    { 6, 1, { 1, 3, 3, 9, 7, 49 } },
    { 6, 13, { 1, 1, 1, 15, 21, 21 } },
    { 6, 16, { 1, 3, 1, 13, 27, 49 } },
    { 6, 19, { 1, 1, 1, 15, 7, 5 } },
    { 6, 22, { 1, 3, 1, 15, 13, 25 } },
    { 6, 25, { 1, 1, 5, 5, 19, 61 } },
    { 7, 1, { 1, 3, 7, 11, 23, 15, 103 } },
    { 7, 4, { 1, 3, 7, 13, 13, 15, 69 } },
    { 7, 7, { 1, 1, 3, 13, 7, 35, 63 } },
    { 7, 8, { 1, 3, 5, 9, 1, 25, 53 } },
    { 7, 14, { 1, 3, 1, 13, 9, 35, 107 } },
    { 7, 19, { 1, 3, 1, 5, 27, 61, 31 } },
    { 7, 21, { 1, 1, 5, 11, 19, 41, 61 } },
    { 7, 28, { 1, 3, 5, 3, 3, 13, 69 } },
    { 7, 31, { 1, 1, 7, 13, 1, 19, 1 } },
    { 7, 32, { 1, 3, 7, 5, 13, 19, 59 } },
    { 7, 37, { 1, 1, 3, 9, 25, 29, 41 } },
    { 7, 41, { 1, 3, 5, 13, 23, 1, 55 } },
    { 7, 42, { 1, 3, 7, 3, 13, 59, 17 } },
    { 7, 50, { 1, 3, 1, 3, 5, 53, 69 } },
    { 7, 55, { 1, 1, 5, 5, 23, 33, 13 } },
    { 7, 56, { 1, 1, 7, 7, 1, 61, 123 } },
    { 7, 59, { 1, 1, 7, 9, 13, 61, 49 } },
    { 7, 62, { 1, 3, 3, 5, 3, 55, 33 } },
    { 8, 14, { 1, 3, 1, 15, 31, 13, 49, 245 } },
    { 8, 21, { 1, 3, 5, 15, 31, 59, 63, 97 } },
    { 8, 22, { 1, 3, 1, 11, 11, 11, 77, 249 } },
    { 8, 38, { 1, 3, 1, 11, 27, 43, 71, 9 } },
    { 8, 47, { 1, 1, 7, 15, 21, 11, 81, 45 } },
    { 8, 49, { 1, 3, 7, 3, 25, 31, 65, 79 } },
    { 8, 50, { 1, 3, 1, 1, 19, 11, 3, 205 } },
    { 8, 52, { 1, 1, 5, 9, 19, 21, 29, 157 } },
    { 8, 56, { 1, 3, 7, 11, 1, 33, 89, 185 } },
    { 8, 67, { 1, 3, 3, 3, 15, 9, 79, 71 } },
    { 8, 70, { 1, 3, 7, 11, 15, 39, 119, 27 } },
    { 8, 84, { 1, 1, 3, 1, 11, 31, 97, 225 } },
    { 8, 97, { 1, 1, 1, 3, 23, 43, 57, 177 } },
    { 8, 103, { 1, 3, 7, 7, 17, 17, 37, 71 } },
    { 8, 115, { 1, 3, 1, 5, 27, 63, 123, 213 } },
    { 8, 122, { 1, 1, 3, 5, 11, 43, 53, 133 } },
    { 9, 8, { 1, 3, 5, 5, 29, 17, 47, 173, 479 } },
    { 9, 13, { 1, 3, 3, 11, 3, 1, 109, 9, 69 } },
    { 9, 16, { 1, 1, 1, 5, 17, 39, 23, 5, 343 } },
    { 9, 22, { 1, 3, 1, 5, 25, 15, 31, 103, 499 } },
    { 9, 25, { 1, 1, 1, 11, 11, 17, 63, 105, 183 } },
    { 9, 44, { 1, 1, 5, 11, 9, 29, 97, 231, 363 } },
    { 9, 47, { 1, 1, 5, 15, 19, 45, 41, 7, 383 } },
    { 9, 52, { 1, 3, 7, 7, 31, 19, 83, 137, 221 } },
    { 9, 55, { 1, 1, 1, 3, 23, 15, 111, 223, 83 } },
    { 9, 59, { 1, 1, 5, 13, 31, 15, 55, 25, 161 } },
    { 9, 62, { 1, 1, 3, 13, 25, 47, 39, 87, 257 } },
    /* clang-format on */
};

/* Equations (2) and (3) of the paper, with all numbers as fractions of 2^32. */
void sobol_directions(size_t dimension, uint32_t directions[SOBOL_BITS])
{
    must(dimension < SOBOL_DIMENSIONS);
    if (dimension == 0) {
        for (unsigned k = 0; k < SOBOL_BITS; k++)
            directions[k] = 1U << (SOBOL_BITS - 1 - k);
        return;
    }
    unsigned degree = table[dimension - 1].degree;
    unsigned coefficients = table[dimension - 1].coefficients;

    for (unsigned k = 0; k < degree; k++)
        directions[k] = (uint32_t)table[dimension - 1].m[k] << (SOBOL_BITS - 1 - k);
    for (unsigned k = degree; k < SOBOL_BITS; k++) {
        uint32_t v = directions[k - degree] ^ (directions[k - degree] >> degree);
        for (unsigned j = 1; j < degree; j++) {
            if (coefficients >> (degree - 1 - j) & 1)
                v ^= directions[k - j];
        }
        directions[k] = v;
    }
}

uint32_t sobol_at(const uint32_t directions[SOBOL_BITS], uint64_t i)
{
    uint32_t x = 0;

    must(i >> SOBOL_BITS == 0);
    for (unsigned k = 0; i; k++, i >>= 1) {
        if (i & 1)
            x ^= directions[k];
    }
    return x;
}
