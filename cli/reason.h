#ifndef GRANGE_CLI_REASON_H
#define GRANGE_CLI_REASON_H
/* reason - how an attempt ended, in words: "exit status 3", "killed by SIGSEGV (signal 11)",
 * "timed out after 30 s", "could not start: No such file or directory", "its worker was lost". */

#include "base/buf.h"
#include "base/rows.h"

void reason_words(const struct end_row *row, struct buf *out);

#endif
