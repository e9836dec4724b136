#ifndef GRANGE_STUDY_CSV_H
#define GRANGE_STUDY_CSV_H
/* csv - rows of RFC 4180 text: commas, quotes ("" within quotes is one), commas and line ends
 * within quotes, LF or CRLF. Blanks around a cell that is not quoted do not count; empty lines are
 * skipped; so is a UTF-8 byte order mark. The text is borrowed while it is read. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct csv {
    const char *at, *end;
    uint64_t next_line;
    uint64_t line;      /* where the row of the last csv_row starts, from 1 */
    const char *wrong;  /* set when the text is no CSV: what is wrong, in words */
    size_t n;           /* cells of the row */
    const char **cells; /* [n] valid until the next csv_row */
    size_t cap;
    size_t *starts;
    struct buf text;
};

void csv_init(struct csv *c, const char *text, size_t n);
bool csv_row(struct csv *c); /* false at the end, or when `wrong` is set */
void csv_fini(struct csv *c);

#endif
