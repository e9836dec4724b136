#ifndef GRANGE_CLI_TERMINAL_H
#define GRANGE_CLI_TERMINAL_H
/* terminal - what is known of one: its size, and how many columns a text takes on it. */

#include <stddef.h>

#include "base/buf.h"

/* terminal_size - 80 x 24 where it does not say. */
void terminal_size(int fd, unsigned *width, unsigned *height);
/* terminal_width - columns to fit a text into; 0 when fd is no terminal: all of it. */
unsigned terminal_width(int fd);

/* terminal_next - bytes of the character at s (n > 0 are there) and the columns that it takes: 0
 * for an accent that joins the one before, 2 for the wide ones of East Asia. What is no UTF-8 is a
 * byte and a column. */
size_t terminal_next(const char *s, size_t n, unsigned *columns);
/* terminal_columns - of a whole text. */
size_t terminal_columns(const char *text);
/* terminal_cut - appends a text, the end of which gives way to "..." when it takes more than `most`
 * columns; control characters as '?'. */
void terminal_cut(const char *text, size_t most, struct buf *out);

#endif
