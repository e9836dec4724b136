#ifndef GRANGE_STUDY_SUGGEST_H
#define GRANGE_STUDY_SUGGEST_H
/* suggest - what a person may have meant. */

#include <stddef.h>

/* suggest_nearest - the one of n known words that is nearest to `word` by Damerau-Levenshtein
 * distance (optimal string alignment, letter case ignored), or NULL when none is near: at most a
 * third of the letters, at least one, may differ. Of equally near ones the first. */
const char *suggest_nearest(const char *word, const char *const *known, size_t n);

#endif
