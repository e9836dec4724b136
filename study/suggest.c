#include "study/suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 64 }; /* longer words get no suggestion */

static int lower(char c)
{
    return tolower((unsigned char)c);
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= n_a; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= n_b; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        for (size_t j = 1; j <= n_b; j++) {
            size_t differ = lower(a[i - 1]) != lower(b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + differ);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[n_a][n_b];
}

const char *suggest_nearest(const char *word, const char *const *known, size_t n)
{
    size_t n_word = strlen(word), best = n_word / 3 > 1 ? n_word / 3 : 1;
    const char *nearest = NULL;

    if (n_word == 0 || n_word > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t n_known = strlen(known[i]);
        if (n_known > WORD_MAX)
            continue;
        size_t d = distance(word, n_word, known[i], n_known);
        if (d < n_word && (nearest ? d < best : d <= best)) {
            best = d;
            nearest = known[i];
        }
    }
    return nearest;
}
