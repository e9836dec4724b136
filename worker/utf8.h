#ifndef GRANGE_WORKER_UTF8_H
#define GRANGE_WORKER_UTF8_H
/* utf8 - a line for people out of bytes of any kind. */

#include <stddef.h>

#include "base/buf.h"

/* utf8_first_line - appends the first line that is not blank, at most `max` bytes of it and never
 * half a character, without blanks at its ends. Control characters become spaces, bytes that are no
 * UTF-8 become '?'. */
void utf8_first_line(const char *data, size_t n, size_t max, struct buf *out);

#endif
