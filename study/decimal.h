#ifndef GRANGE_STUDY_DECIMAL_H
#define GRANGE_STUDY_DECIMAL_H
/* decimal - numbers as people spell them, and ranges of them without binary rounding: 0.1:0.3:0.1
 * is 0.1 0.2 0.3. A range has as many decimals as its start or its step, whichever has more (like
 * seq); when the start has an exponent, all values keep that exponent; when the start has leading
 * zeros, all values have its width. Values are computed from their index, never by adding up. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* decimal_is_number - whether all n bytes spell a decimal number: [+-]digits[.digits][e[+-]digits].
 */
bool decimal_is_number(const char *text, size_t n);

enum { DECIMAL_TAIL_MAX = 15 };
struct decimal_range {
    int64_t start, step; /* in units of 10^(exponent - decimals) */
    uint64_t n;
    unsigned decimals;
    unsigned width;                  /* integer digits to pad to with zeros; 0: none */
    char tail[DECIMAL_TAIL_MAX + 1]; /* the exponent as spelled, "e-3", or "" */
};

enum decimal_error {
    DECIMAL_OK,
    DECIMAL_NO_NUMBER,
    DECIMAL_TOO_LARGE,
    DECIMAL_NO_STEP,
    DECIMAL_NEVER_ENDS
};

/* decimal_range_parse - from start, stop (included when a step hits it) and step; all in digits. */
enum decimal_error decimal_range_parse(const char *start, const char *stop, const char *step,
                                       struct decimal_range *r);
void decimal_range_add(const struct decimal_range *r, uint64_t i, struct buf *out); /* i < n */

#endif
