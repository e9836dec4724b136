#ifndef GRANGE_BASE_UTF8_H
#define GRANGE_BASE_UTF8_H
/* utf8 - bytes of any kind as text for people (RFC 3629). */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* utf8_character - bytes of the character at text, of which n > 0 are there; 0 when it is none: no
 * overlong forms, no surrogates, nothing above U+10FFFF. A zero byte is one. */
size_t utf8_character(const void *text, size_t n);
/* utf8_printable - all of it is characters, and of the control characters there are only tabs and
 * ends of lines. */
bool utf8_printable(const void *text, size_t n);

/* utf8_first_line - appends the first line that is not blank, at most `max` bytes of it and never
 * half a character, without blanks at its ends. Control characters become spaces, bytes that are no
 * UTF-8 become '?'. */
void utf8_first_line(const char *data, size_t n, size_t max, struct buf *out);

#endif
