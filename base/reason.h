#ifndef GRANGE_BASE_REASON_H
#define GRANGE_BASE_REASON_H
/* reason - how an attempt ended, in words: "exit 3", "killed by SIGSEGV", "timed out after 30 s",
 * "could not start: No such file or directory", "its worker was lost". The views of the store and
 * the commands say the same. */

#include "base/buf.h"
#include "base/rows.h"

/* reason_words - appends to out. code is what the reason says that it is: exit status, signal,
 * limit in ms, errno. An END_EXIT with 0 is "exit 0". */
void reason_words(enum end_reason reason, int32_t code, struct buf *out);

#endif
