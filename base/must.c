#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "grange: internal error at %s:%d: expected %s\n", file, line, what);
    abort();
}
