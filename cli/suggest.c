/* suggest - the nearest name to what was typed. */
#include "cli/cli.h"

#include <string.h>

enum { NAME_MAX_HERE = 64 }; /* longer words are never near to anything */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Damerau's distance restricted to neighbours (optimal string alignment): insert, delete, replace,
 * swap of two neighbours cost one each. Damerau, CACM 7(3), 1964. */
size_t cli_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_HERE || m > NAME_MAX_HERE)
        return n > m ? n : m;
    size_t rows[3][NAME_MAX_HERE + 1] = { 0 };
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && up2[j - 2] + 1 < row[j])
                row[j] = up2[j - 2] + 1;
        }
    }
    return rows[n % 3][m];
}

const char *cli_suggest(const char *typed, const char *const *names, size_t n)
{
    size_t length = strlen(typed);
    size_t best = 1 + length / 3; /* a third of it may be wrong */
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = cli_distance(typed, names[i]);
        bool begins = length >= 3 && strncmp(names[i], typed, length) == 0;
        if (begins)
            d = 1;
        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
